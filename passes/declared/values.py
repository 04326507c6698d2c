"""What `lower_declared` knows about a float value while it walks the graph: how it follows from codes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tmc.ir.attrs import FakeQuantiseAttrs, RequantShiftAttrs
from tmc.ir.graph import Op
from tmc.ir.types import Array
from tmc.passes.integer_ops.linear import CodeRange, LinearCodes


@dataclass(frozen=True, slots=True, eq=False)
class Root:
    """Integers whose channel n stands for code * slope[n] + offset[n], before any rounding.

    value: the int8 value that holds them, or, with `linear`, the one that the linear op `op` of these codes
    reads.
    codes: the range of each channel; the graph's input has one channel here. steps: what one of the sums of
    `linear` stands for where they are made.
    """

    value: str
    codes: tuple[CodeRange, ...]
    slope: tuple[Fraction, ...]
    offset: tuple[Fraction, ...]
    linear: LinearCodes | None = None
    op: Op | None = None
    steps: tuple[Fraction, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Rounding:
    """How the integers of a root become int8 codes: by FAKE_QUANTISE or by REQUANT_SHIFT."""

    root: Root
    op: Op
    attrs: FakeQuantiseAttrs | RequantShiftAttrs
    relu: bool = False
    mul: tuple[int, ...] = ()
    add: tuple[int, ...] = ()

    @property
    def scale(self) -> Fraction:
        """Return the step of the codes."""
        return Fraction(self.attrs.scale) if isinstance(self.attrs, FakeQuantiseAttrs) else Fraction(1)

    @property
    def zero_point(self) -> int:
        """Return the int8 code that stands for 0."""
        if isinstance(self.attrs, FakeQuantiseAttrs):
            return self.attrs.zero_point
        return 0 if self.attrs.high <= 127 else -128

    @property
    def limits(self) -> tuple[int, int]:
        """Return the lowest and the highest int8 code."""
        offset = 0 if isinstance(self.attrs, FakeQuantiseAttrs) else self.zero_point
        low, high = self.attrs.low + offset, self.attrs.high + offset
        return (max(low, min(self.zero_point, high)), high) if self.relu else (low, high)

    def reals(self) -> Array:
        """Return the float32 number of each int8 code, from -128 on; codes beyond the limits count as
        these."""
        low, high = self.limits
        codes = np.clip(np.arange(-128, 128), low, high) - self.zero_point
        return np.asarray(codes.astype(np.float32) * np.float32(self.scale))


@dataclass(frozen=True, slots=True, eq=False)
class InputValue:
    """A graph input, or a view of it, before its rounding: what was given, times slope, plus offset.

    index: which element of the input stands where.
    """

    name: str
    index: Array
    slope: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)

    @property
    def plain(self) -> bool:
        """Tell whether this is what was given."""
        return self.slope == 1 and self.offset == 0


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Integers and what they stand for, not rounded; with `relu`, the larger of that and 0.

    index: which element of the root's rows stands where.
    """

    root: Root
    index: Array
    relu: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A function of the int8 codes that a rounding makes: reals[code + 128], float32 [256].

    grid: the rounding whose codes these reals are again, if they are.
    """

    source: Rounding
    reals: Array
    grid: Rounding | None
    index: Array


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """The sum, difference or product of two values of integers, not rounded: for a REQUANT_SHIFT alone.

    op: what joins them. index: which element of both stands where.
    """

    op: Op
    x: Coded
    z: Coded
    index: Array


LoweredValue = InputValue | Sums | Coded | Joined
