"""Cases of what cores do of attention whose products NE16 computes."""

from __future__ import annotations

import numpy as np

from tests.runtime_c.attention_kernel_cases import check_weights, random_exp_table
from tests.runtime_c.kernel_interface import Case, Kernels, Rows, blank
from tests.runtime_c.ne16.cases import packed_weights
from tests.runtime_c.random_operands import Integers, cores_in_some_order, integers
from tmc.ir.integer.arithmetic import round_shift, saturated


def call_pack(
    kernels: Kernels, rng: np.random.Generator, x: Integers, offset: int, half: int
) -> tuple[Integers, Integers]:
    """Return the packed rows of x [rows, depth], whole groups of 16 inputs, and their biases."""
    rows, depth = x.shape
    x_rows = Rows(x, int(rng.integers(3)))
    weight, bias = np.full((rows, -(-depth // 16) * 16), 0x5C, np.uint8), np.zeros(rows, np.int32)
    kernels(
        "tmc_attention_pack_s8u8",
        cores_in_some_order(rng),
        x=x_rows.memory,
        weight=weight,
        bias=bias,
        x_pitch=x_rows.pitch,
        rows=rows,
        depth=depth,
        offset=offset,
        half=half,
    )
    return weight, bias


def check_pack(kernels: Kernels, rng: np.random.Generator, rows: int, depth: int, half: int) -> None:
    """tmc_attention_pack_s8u8: the weights of a linear, and the scores that their biases give."""
    x, q = integers(rng, (rows, depth), np.int8), integers(rng, (depth,), np.int8)
    offset = 128 * int(rng.integers(2))
    weight, bias = call_pack(kernels, rng, x, offset, half)
    padded = np.pad(x, ((0, 0), (0, -depth % 16)))
    np.testing.assert_array_equal(weight.reshape(-1), packed_weights(padded).reshape(-1))
    sums = x.astype(np.int64) @ (q.astype(np.int64) + offset)
    np.testing.assert_array_equal(sums + bias, x.astype(np.int64) @ q + half)


def call_softmax(
    kernels: Kernels, rng: np.random.Generator, scores: Rows, exp_table: Integers, out_multiplier: int
) -> tuple[Integers, Integers]:
    """Run tmc_attention_softmax_s32u8; return p and the norm pairs. exp_table: [1024]."""
    rows, keys = scores.shape
    norm, p = np.zeros((rows, 2), dtype=np.int32), blank(rows, keys, np.uint8, int(rng.integers(3)))
    kernels(
        "tmc_attention_softmax_s32u8",
        cores_in_some_order(rng),
        scores=scores.memory,
        scores_pitch=scores.pitch,
        exp_table=exp_table[::-1].copy(),
        p=p.memory,
        p_pitch=p.pitch,
        norm=norm,
        rows=rows,
        keys=keys,
        out_multiplier=out_multiplier,
    )
    return p.read(), norm


def check_softmax(kernels: Kernels, rng: np.random.Generator, rows: int, keys: int, scale: int) -> None:
    """tmc_attention_softmax_s32u8: every p, and the division of all kinds of sums by the row's total."""
    t = integers(rng, (rows, keys), np.int16).astype(np.int32)
    if rng.integers(2):
        t = (t // 2**6 + scale).astype(np.int32)
    exp_table, out_multiplier = random_exp_table(rng), int(rng.integers(1, 2**15))
    p, norm = call_softmax(kernels, rng, Rows(t, int(rng.integers(3))), exp_table, out_multiplier)
    check_weights(rng, t.astype(np.int64), exp_table, out_multiplier, p, norm)


def check_divide(kernels: Kernels, rng: np.random.Generator, rows: int, keys: int, channels: int) -> None:
    """tmc_attention_divide_s32s8, with any shift and factor of a sum."""
    p, vt = integers(rng, (rows, keys), np.uint8), integers(rng, (channels, keys), np.int8)
    sums, bits = p.astype(np.int64) @ vt.T, (keys * 255).bit_length()
    norm = np.stack([rng.integers(max(0, bits - 8), bits, rows), rng.integers(2**15 + 1, size=rows)], axis=1)
    out_shift = int(rng.integers(-7, 17))
    sums_rows = Rows(sums.astype(np.int32), int(rng.integers(3)))
    y = blank(rows, channels, np.int8, int(rng.integers(3)))
    kernels(
        "tmc_attention_divide_s32s8",
        cores_in_some_order(rng),
        sums=sums_rows.memory,
        norm=norm.astype(np.int32),
        y=y.memory,
        sums_pitch=sums_rows.pitch,
        y_pitch=y.pitch,
        rows=rows,
        channels=channels,
        out_shift=out_shift,
    )
    narrowed = round_shift(sums, norm[:, :1])
    expected = saturated(round_shift(narrowed * norm[:, 1:], 7 + out_shift), "s8")
    np.testing.assert_array_equal(y.read(), expected)


NE16_ATTENTION_CASES: dict[str, Case] = {
    "tmc_attention_pack_s8u8": check_pack,
    "tmc_attention_softmax_s32u8": check_softmax,
    "tmc_attention_divide_s32s8": check_divide,
}
