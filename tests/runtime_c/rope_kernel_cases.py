"""Cases of the kernels of a rotation."""

from __future__ import annotations

import numpy as np

from tests.runtime_c.kernel_interface import Case, Kernels, Rows, blank
from tests.runtime_c.random_operands import cores_in_some_order, integers
from tmc.ir.integer.qrope import QRopeAttrs, qrope


def check_narrow_rope(kernels: Kernels, rng: np.random.Generator, rows: int, pairs: int, period: int) -> None:
    """tmc_rope_s16s8."""
    check_rope(kernels, rng, rows, pairs, period, 8)


def check_unsigned_rope(
    kernels: Kernels, rng: np.random.Generator, rows: int, pairs: int, period: int
) -> None:
    """tmc_rope_s16u8."""
    check_rope(kernels, rng, rows, pairs, period, 8, unsigned=True)


def check_wide_rope(kernels: Kernels, rng: np.random.Generator, rows: int, pairs: int, period: int) -> None:
    """tmc_rope_s16s16 of any bits."""
    check_rope(kernels, rng, rows, pairs, period, int(rng.integers(9, 17)))


def check_rope(
    kernels: Kernels,
    rng: np.random.Generator,
    rows: int,
    pairs: int,
    period: int,
    bits: int,
    *,
    unsigned: bool = False,
) -> None:
    """A rotation from any first row on."""
    shift, row0 = int(rng.integers(22)), int(rng.integers(3 * period))
    x = integers(rng, (rows, 2 * pairs), np.int16)
    angle = rng.uniform(0, 7, (period, pairs))
    table = np.stack([np.cos(angle), np.sin(angle)], axis=-1).reshape(period, 2 * pairs)
    table = np.round(table * 2**14).astype(np.int16)
    attrs = QRopeAttrs(1, shift, bits, unsigned)
    expected = qrope(x, np.roll(table, -row0, axis=0), attrs)[0]
    x_rows, table_rows = Rows(x, int(rng.integers(3))), Rows(table, int(rng.integers(3)))
    y = blank(rows, 2 * pairs, expected.dtype, int(rng.integers(3)))
    kernels(
        f"tmc_rope_s16{attrs.dtype.value}",
        cores_in_some_order(rng),
        x=x_rows.memory,
        x_pitch=x_rows.pitch,
        y=y.memory,
        y_pitch=y.pitch,
        table=table_rows.memory,
        table_pitch=table_rows.pitch,
        rows=rows,
        width=2 * pairs,
        period=period,
        row0=row0,
        shift=shift,
        **({} if bits == 8 else {"limit": 2 ** (bits - 1) - 1}),
    )
    np.testing.assert_array_equal(y.read(), expected)


ROPE_CASES: dict[str, Case] = {
    "tmc_rope_s16s8": check_narrow_rope,
    "tmc_rope_s16u8": check_unsigned_rope,
    "tmc_rope_s16s16": check_wide_rope,
}
