"""What a schedule is, whatever the form of its stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tmc.backend_gap9.program.buffers import ValueShape
from tmc.backend_gap9.program.program import Stmt


@dataclass(frozen=True, slots=True)
class StageSchedule:
    """The statements of a stage, the tables that they look up, and the values that live in L1 alone."""

    body: tuple[Stmt, ...]
    tables: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    scratch: Mapping[str, ValueShape] = field(default_factory=dict)
