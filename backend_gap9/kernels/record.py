"""What a kernel is to the compiler: its C name, its arguments, and the bytes it reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Arguments = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Extent:
    """rows x row_bytes, pitch_bytes apart."""

    rows: int
    row_bytes: int
    pitch_bytes: int


@dataclass(frozen=True, slots=True)
class OperandRule:
    """One pointer argument: how it is accessed, and its extent as a function of the number arguments.

    Its pitch has to be a multiple of pitch_unit bytes.
    """

    field: str
    access: Literal["read", "write", "update"]
    extent: Callable[[Arguments], Extent]
    pitch_unit: int = 4


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel: the stem of its C name (an ISA suffix follows), its args struct, operands and numbers."""

    stem: str
    struct: str
    operands: tuple[OperandRule, ...]
    arguments: tuple[str, ...]
    engine: Literal["cores"] = "cores"

    @property
    def args_bytes(self) -> int:
        """Return the size of its args struct on the cores, at most: pointers and numbers have a word each."""
        return 4 * (len(self.operands) + len(self.arguments))

    def operand(self, field: str) -> OperandRule:
        """Return the rule of a pointer argument."""
        return next(rule for rule in self.operands if rule.field == field)
