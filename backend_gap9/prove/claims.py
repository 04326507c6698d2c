"""A call with its numbers: what its operands are said to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tmc.backend_gap9.kernels.record import Extent
from tmc.backend_gap9.prove.memory import Region
from tmc.ir.graph import Op


@dataclass(frozen=True, slots=True)
class Claim:
    """One operand of one call: the part of `value` that it covers, as tags before and after the call."""

    field: str
    access: Literal["read", "write", "update"]
    value: str
    row: int
    column_bytes: int
    extent: Extent
    before: Region | None  # None: anything may lie there
    after: Region | None  # None: not written


@dataclass(frozen=True, slots=True)
class CheckedCall:
    """A call whose operands and arguments are those of its kernel."""

    kernel: str
    op: Op
    arguments: Mapping[str, int]
    claims: tuple[Claim, ...]

    def claim(self, field: str) -> Claim:
        """Return the claim of an operand."""
        return next(claim for claim in self.claims if claim.field == field)
