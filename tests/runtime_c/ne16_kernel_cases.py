"""Cases of the kernels for NE16, in portable C: random operands, compared with the integer semantics."""

from __future__ import annotations

from typing import Literal

import numpy as np

from tests.runtime_c.building import RUNTIME
from tests.runtime_c.kernel_interface import Case, Kernels, Rows, blank
from tests.runtime_c.ne16.cases import packed_weights
from tests.runtime_c.random_operands import cores_in_some_order, integers
from tmc.ir.integer.qconvert import TO_UNSIGNED, qconvert
from tmc.ir.integer.qlinear import QLinearAttrs, qlinear


def check_unsigned(kernels: Kernels, rng: np.random.Generator, rows: int, channels: int, spread: int) -> None:
    """Codes + 128."""
    x = integers(rng, (rows, channels), np.int8)
    x_rows = Rows(x, int(rng.integers(3)))
    y = blank(rows, channels, np.uint8, int(rng.integers(3)))
    kernels(
        "tmc_convert_s8u8",
        cores_in_some_order(rng),
        x=x_rows.memory,
        x_pitch=x_rows.pitch,
        y=y.memory,
        y_pitch=y.pitch,
        rows=rows,
        channels=channels,
    )
    np.testing.assert_array_equal(y.read(), qconvert(x, TO_UNSIGNED))


def check_ne16_linear(name: str, dtype: Literal["s8", "s32"]) -> Case:
    """Return the case of a linear of codes + 128, all channels side by side, or those of a head.

    It is a job: one core computes all of it.
    """

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, depth: int, channels: int) -> None:
        x = rng.integers(0, 256, (rows, depth)).astype(np.uint8)
        weight = integers(rng, (channels, depth), np.int8)
        reach = 255 * int(np.abs(weight.astype(np.int64)).sum(axis=1).max())
        multiplier = rng.integers(1, min(255, (2**30) // max(1, reach)) + 1, channels).astype(np.int32)
        bias = rng.integers(-(2**30), 2**30, (1, channels)).astype(np.int32)
        shift = int(rng.integers(32))
        expected = qlinear(x, weight, multiplier, bias, QLinearAttrs(shift=shift, dtype=dtype))
        head = int(rng.choice([n for n in (4, 8, channels) if channels % n == 0]))
        expected = expected.reshape(rows, -1, head).transpose(1, 0, 2).reshape(-1, head)
        x_rows = Rows(x, int(rng.integers(3)))
        y = blank(expected.shape[0], expected.shape[1], expected.dtype, int(rng.integers(3)))
        kernels(
            name,
            [0],
            x=x_rows.memory,
            weight=packed_weights(weight).reshape(-1),
            multiplier=multiplier.astype(np.uint8),
            bias=bias[0],
            y=y.memory,
            x_pitch=x_rows.pitch,
            y_pitch=y.pitch,
            rows=rows,
            depth=depth,
            channels=channels,
            shift=shift,
            head_channels=head,
        )
        np.testing.assert_array_equal(y.read(), expected)

    return case


NE16_CASES: dict[str, Case] = {
    "tmc_convert_s8u8": check_unsigned,
    "tmc_linear_u8s8s8": check_ne16_linear("tmc_linear_u8s8s8", "s8"),
    "tmc_linear_u8s8s32": check_ne16_linear("tmc_linear_u8s8s32", "s32"),
}
ACCELERATED = {path.stem.removesuffix("_ne16") for path in (RUNTIME / "kernels").glob("*_ne16.c")}
