"""Element types, quantisation parameters and tensor types."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# What a value has several scales for. A channel is one of every row, an output channel a row of a weight.
Per = Literal["channel", "output_channel", "head"]


class DType(Enum):
    """Element type; the value is the name used in the text form."""

    F32 = "f32"
    S8 = "s8"
    U8 = "u8"
    S16 = "s16"
    U16 = "u16"
    S32 = "s32"

    @property
    def numpy(self) -> np.dtype[Any]:
        """Return the numpy element type."""
        return _NUMPY[self]

    @property
    def size_bytes(self) -> int:
        """Return the size of one element."""
        return int(self.numpy.itemsize)

    @property
    def is_integer(self) -> bool:
        """Tell integer types from f32."""
        return self is not DType.F32

    @staticmethod
    def of(array: Array) -> DType:
        """Return the type of a numpy array; KeyError for one the IR does not have."""
        return _BY_NUMPY[array.dtype]


_NUMPY: dict[DType, np.dtype[Any]] = {
    DType.F32: np.dtype(np.float32),
    DType.S8: np.dtype(np.int8),
    DType.U8: np.dtype(np.uint8),
    DType.S16: np.dtype(np.int16),
    DType.U16: np.dtype(np.uint16),
    DType.S32: np.dtype(np.int32),
}
_BY_NUMPY = {numpy_type: dtype for dtype, numpy_type in _NUMPY.items()}


@dataclass(frozen=True, slots=True)
class Quant:
    """Affine quantisation: real = scale * (q - zero_point).

    `scale` has one entry, or one `per` channel, output channel or head. Which element has which scale follows
    from its number i, counted row by row, and not from the shape, so that reshapes and stacks keep it: scale
    i mod n of n channels; of n output channels or heads, which are equal parts one after the other, scale
    floor(i n / elements). `bits`: of a signed type that is wider than its codes, how many they use.
    """

    scale: tuple[float, ...]
    zero_point: int = 0
    per: Per | None = None
    bits: int | None = None


@dataclass(frozen=True, slots=True)
class TensorType:
    """Element type, static shape (elements, outermost first) and, once known, quantisation."""

    dtype: DType
    shape: tuple[int, ...]
    quant: Quant | None = None

    @property
    def elements(self) -> int:
        """Return the number of elements."""
        return prod(self.shape)

    @property
    def code_limits(self) -> tuple[int, int]:
        """Return the smallest and the largest integer that an element may be."""
        if self.quant is not None and self.quant.bits is not None:
            return -(2 ** (self.quant.bits - 1)), 2 ** (self.quant.bits - 1) - 1
        limits = np.iinfo(self.dtype.numpy)
        return int(limits.min), int(limits.max)

    @property
    def element_scales(self) -> NDArray[np.float64]:
        """Return the scale of every element, in the shape of the value; of shape () if all have the same."""
        assert self.quant is not None, "only a quantised value has scales"
        scale = np.array(self.quant.scale, dtype=np.float64)
        if self.quant.per is None:
            return scale.reshape(())
        parts = self.elements // len(scale)
        every = np.tile(scale, parts) if self.quant.per == "channel" else np.repeat(scale, parts)
        return every.reshape(self.shape)

    @property
    def size_bytes(self) -> int:
        """Return the packed size, without any padding."""
        return self.elements * self.dtype.size_bytes
