"""Cases of the kernels that work element by element."""

from __future__ import annotations

from itertools import product
from typing import Any, Literal

import numpy as np

from tests.runtime_c.kernel_interface import Case, Kernels, Rows, blank
from tests.runtime_c.random_operands import cores_in_some_order, integers
from tmc.ir.integer.qadd import QAddAttrs, qadd
from tmc.ir.integer.qclip import qclip
from tmc.ir.integer.qconvert import QConvertAttrs, qconvert
from tmc.ir.integer.qmul import QMulAttrs, qmul


def check_clip(name: str, dtype: Any, *, residual: bool = False) -> Case:
    """Return the case of one kernel of a clip, with a line of limits for all rows or for each run."""

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, run: int, channels: int) -> None:
        groups = -(-rows // max(1, run % 8))
        run, total = -(-rows // groups), -(-rows // groups) * groups
        x = integers(rng, (total, channels), dtype)
        low, high = np.sort(integers(rng, (2, groups, channels), dtype), axis=0)
        before = integers(rng, (total, channels), np.int16) if residual else None
        expected = qclip(x, low, high, before)
        row0 = int(rng.integers(total))  # a block of rows in the middle, as a tile is
        x_rows, pad = Rows(x[row0:], int(rng.integers(3))), int(rng.integers(3))
        rows = total - row0
        y = blank(rows, channels, dtype, pad) if before is None else Rows(before[row0:], pad)
        low_rows, high_rows = Rows(low, 0), Rows(high, 0)
        kernels(
            name,
            cores_in_some_order(rng),
            x=x_rows.memory,
            x_pitch=x_rows.pitch,
            y=y.memory,
            y_pitch=y.pitch,
            low=low_rows.memory,
            high=high_rows.memory,
            limit_pitch=low_rows.pitch,
            rows=rows,
            channels=channels,
            row0=row0,
            group_rows=run,
        )
        np.testing.assert_array_equal(y.read(), expected[row0:])

    return case


def scaled(rng: np.random.Generator, *types: Any) -> tuple[list[int], int, int]:
    """Draw a multiplier for each operand, a bias and a shift; their sums fit int32, often only just."""
    lowest = [-int(np.iinfo(dtype).min) for dtype in types]
    room = int(rng.choice([2**31 - 1, 2**30, 2**20])) // len(types)
    limits = [room // low for low in lowest]
    multipliers = [int(rng.choice([limit, -limit, int(rng.integers(-limit, limit + 1))])) for limit in limits]
    left = 2**31 - 1 - sum(low * abs(each) for low, each in zip(lowest, multipliers, strict=True))
    return multipliers, int(rng.integers(-left, left + 1)), int(rng.integers(32))


def check_convert(x_dtype: Any, y_dtype: Literal["s8", "s16"]) -> Case:
    """Return the case of a conversion to another scale."""

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, channels: int, spread: int) -> None:
        (multiplier,), bias, shift = scaled(rng, x_dtype)
        attrs = QConvertAttrs(multiplier, bias, shift, y_dtype)
        x = integers(rng, (rows, channels), x_dtype)
        expected = qconvert(x, attrs)
        x_rows = Rows(x, int(rng.integers(3)))
        y = blank(rows, channels, expected.dtype, int(rng.integers(3)))
        kernels(
            f"tmc_convert_s{8 * x.itemsize}{y_dtype}",
            cores_in_some_order(rng),
            x=x_rows.memory,
            x_pitch=x_rows.pitch,
            y=y.memory,
            y_pitch=y.pitch,
            rows=rows,
            channels=channels,
            multiplier=multiplier,
            bias=bias,
            shift=shift,
        )
        np.testing.assert_array_equal(y.read(), expected)

    return case


def check_add(x_dtype: Any, z_dtype: Any, y_dtype: Literal["s8", "s16"]) -> Case:
    """Return the case of a sum of two scales, of rows or of rows and one row for all."""

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, channels: int, spread: int) -> None:
        multipliers, bias, shift = scaled(rng, x_dtype, z_dtype)
        attrs = QAddAttrs(*multipliers, bias, shift, y_dtype)
        x, z = integers(rng, (rows, channels), x_dtype), integers(rng, (rows, channels), z_dtype)
        one_row = spread % 4 == 0
        if one_row:
            z = z[:1]
        expected = qadd(x, z, attrs)
        x_rows, z_rows = Rows(x, int(rng.integers(3))), Rows(z, int(rng.integers(3)))
        y = blank(rows, channels, expected.dtype, int(rng.integers(3)))
        kernels(
            f"tmc_add_s{8 * x.itemsize}s{8 * z.itemsize}{y_dtype}",
            cores_in_some_order(rng),
            x=x_rows.memory,
            x_pitch=x_rows.pitch,
            z=z_rows.memory,
            z_pitch=0 if one_row else z_rows.pitch,
            y=y.memory,
            y_pitch=y.pitch,
            rows=rows,
            channels=channels,
            x_multiplier=multipliers[0],
            z_multiplier=multipliers[1],
            bias=bias,
            shift=shift,
        )
        np.testing.assert_array_equal(y.read(), expected)

    return case


def check_mul(x_dtype: Any, z_dtype: Any, y_dtype: Literal["s8", "s16"]) -> Case:
    """Return the case of a product of two scales, of rows or of rows and one row for all."""

    def zero_point(rng: np.random.Generator, dtype: Any) -> int:
        return int(rng.choice([-128, 127, int(rng.integers(-128, 128))])) if dtype == np.int8 else 0

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, channels: int, spread: int) -> None:
        zeros = zero_point(rng, x_dtype), zero_point(rng, z_dtype)
        limit = 2**15 - 1  # of products of 16 bits and a sign
        multiplier = int(rng.choice([limit, -limit, int(rng.integers(-limit, limit + 1))]))
        left = 2**31 - 1 - 2**16 * abs(multiplier)
        bias, shift = int(rng.integers(-left, left + 1)), int(rng.integers(32))
        attrs = QMulAttrs(multiplier, bias, shift, *zeros, y_dtype)
        x, z = integers(rng, (rows, channels), x_dtype), integers(rng, (rows, channels), z_dtype)
        one_row = spread % 4 == 0
        if one_row:
            z = z[:1]
        expected = qmul(x, z, attrs)
        x_rows, z_rows = Rows(x, int(rng.integers(3))), Rows(z, int(rng.integers(3)))
        y = blank(rows, channels, expected.dtype, int(rng.integers(3)))
        kernels(
            f"tmc_mul_s{8 * x.itemsize}s{8 * z.itemsize}{y_dtype}",
            cores_in_some_order(rng),
            x=x_rows.memory,
            x_pitch=x_rows.pitch,
            z=z_rows.memory,
            z_pitch=0 if one_row else z_rows.pitch,
            y=y.memory,
            y_pitch=y.pitch,
            rows=rows,
            channels=channels,
            x_zero_point=zeros[0],
            z_zero_point=zeros[1],
            multiplier=multiplier,
            bias=bias,
            shift=shift,
        )
        np.testing.assert_array_equal(y.read(), expected)

    return case


# The kernels of several types: kernel without its isa -> case.
TYPES: dict[Literal["s8", "s16"], Any] = {"s8": np.int8, "s16": np.int16}
ELEMENT_CASES: dict[str, Case] = {
    **{f"tmc_convert_{x}{y}": check_convert(x_dtype, y) for (x, x_dtype), y in product(TYPES.items(), TYPES)},
    **{
        f"tmc_{op}_{x}{z}{y}": check(x_dtype, z_dtype, y)
        for op, check in (("add", check_add), ("mul", check_mul))
        for (x, x_dtype), (z, z_dtype), y in product(TYPES.items(), TYPES.items(), TYPES)
    },
}
