"""Integer arithmetic of the target in numpy, with its bounds checked instead of assumed.

Intermediates are int64 here, or int32 where their extremes were checked beforehand; on the target they are
int32 (uint32 in a Newton step).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tmc.ir.types import Array, DType

Int = NDArray[np.int64]
Int32 = NDArray[np.int32]
OFFSET = 128  # of unsigned codes


def round_shift(a: Int, s: int | Int) -> Int:
    """Return (a + 2^(s-1)) >> s, and a itself where s is 0: `p.addRN` of the cores."""
    s = np.asarray(s, dtype=np.int64)
    assert s.min(initial=0) >= 0, "negative shift"
    return int32(a + np.where(s > 0, np.int64(1) << np.maximum(s - 1, 0), 0)) >> s


def shifted(a: Int32, s: int) -> Int32:
    """Return R(a, s), in place."""
    half = (1 << s) >> 1
    int32(a.max(initial=0) + np.int64(half))
    a += half
    a >>= s
    return a


def bit_length(a: Int) -> Int:
    """Return the number of bits of each non-negative value below 2^53; 0 has none."""
    return np.frexp(a.astype(np.float64))[1].astype(np.int64)


def int32(a: Int) -> Int:
    """Pass on values that fit int32: the compiler proved that they do."""
    assert a.size == 0 or (a.min() >= -(2**31) and a.max() < 2**31), "int32 overflow in a proven op"
    return a


def uint32(a: Int) -> Int:
    assert a.size == 0 or (a.min() >= 0 and a.max() < 2**32), "uint32 overflow in a proven op"
    return a


def scaled_ends(dtype: DType, multiplier: int) -> tuple[int, int]:
    """Return the least and the greatest product of a multiplier and a code of a type."""
    limits = np.iinfo(dtype.numpy)
    low, high = sorted((multiplier * int(limits.min), multiplier * int(limits.max)))
    return low, high


def saturated(a: Int, dtype: Literal["s8", "s16"]) -> Array:
    """Return C8(a) or C16(a) as the type that it fits."""
    limits = np.iinfo(np.int8 if dtype == "s8" else np.int16)
    return np.clip(a, limits.min, limits.max).astype(limits.dtype)


def unsigned(codes: Array) -> Array:
    """Return int8 codes as what an accelerator reads: uint8, 128 more."""
    return (codes.astype(np.int16) + OFFSET).astype(np.uint8)


def product(a: Array, b: Array) -> Int32:
    """Multiply integer matrices exactly, on floating-point BLAS.

    Every product and every partial sum, in any order, is an integer of magnitude at most
    sum |a_k| max |b|, the bound used here. Below 2^24 float32 holds all of these exactly, below 2^31 float64.
    """
    largest_a, largest_b = magnitude(a), magnitude(b)
    bound = a.shape[-1] * largest_a * largest_b
    if bound >= 2**24 and a.size:  # often too careful: no row holds its largest element everywhere
        bound = int(np.abs(a, dtype=np.int64).sum(axis=-1).max()) * largest_b
    assert bound < 2**53, "matrix product too large for an exact float64 product"
    exact = np.float32 if bound < 2**24 else np.float64
    result = a.astype(exact) @ b.astype(exact)
    if bound >= 2**31:
        int32(result)
    return np.asarray(result, dtype=np.int32)


def magnitude(a: Array) -> int:
    return max(int(a.max(initial=0)), -int(a.min(initial=0)))
