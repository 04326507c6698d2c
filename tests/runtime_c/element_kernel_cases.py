"""Cases of the kernels that work element by element."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from tests.runtime_c.kernel_interface import Case, Kernels, Rows, blank
from tests.runtime_c.random_operands import cores_in_some_order, integers
from tmc.ir.integer.qadd import QAddAttrs, qadd
from tmc.ir.integer.qclip import qclip
from tmc.ir.integer.qconvert import QConvertAttrs, qconvert


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


def check_add(kernels: Kernels, rng: np.random.Generator, rows: int, channels: int, spread: int) -> None:
    """Sums of int8 of two scales; the largest multipliers and shifts that may be are among them."""
    shift = int(rng.integers(23))
    multipliers = (int(rng.integers(2**21)), 2**21 - 1 if spread % 5 == 0 else int(rng.integers(2**21)))
    attrs = QAddAttrs(*multipliers, int(rng.integers(-(2**30), 2**30)), shift)
    x, z = integers(rng, (2, rows, channels), np.int8)
    x_rows, z_rows = Rows(x, int(rng.integers(3))), Rows(z, int(rng.integers(3)))
    y = blank(rows, channels, np.int8, int(rng.integers(3)))
    kernels(
        "tmc_add_s8s8s8",
        cores_in_some_order(rng),
        x=x_rows.memory,
        x_pitch=x_rows.pitch,
        z=z_rows.memory,
        z_pitch=z_rows.pitch,
        y=y.memory,
        y_pitch=y.pitch,
        rows=rows,
        channels=channels,
        x_multiplier=attrs.x_multiplier,
        z_multiplier=attrs.z_multiplier,
        bias=attrs.bias,
        shift=attrs.shift,
    )
    np.testing.assert_array_equal(y.read(), qadd(x, z, attrs))
