"""Integer attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.integer.arithmetic import OFFSET, Int, bit_length, product, round_shift, saturated, shifted
from tmc.ir.op_def import OpDef
from tmc.ir.shapes import Types, attention_bias, need, operand_shape, shift_fits
from tmc.ir.types import Array, DType, TensorType

EXP_ENTRIES = 1024


@dataclass(frozen=True, slots=True)
class QAttentionAttrs(Attrs):
    """Integer attention; per head: scores are rounded by score_shift[h] before they index the exp table.

    s_v / s_o is out_multiplier / 2^out_shift, out_multiplier below 2^15. normalised: the weights of the
    softmax are divided by their sum before they meet V, for comparison; no kernel does that. dtype: of the
    result. score_limit: where scores of int16 saturate.
    """

    heads: int
    score_shift: tuple[int, ...]
    out_multiplier: int
    out_shift: int
    normalised: bool = False
    dtype: Literal["s8", "s16"] = "s8"
    score_limit: int = 2**15 - 1


def infer(types: Types, attrs: QAttentionAttrs) -> TensorType:
    """q and k s8 or s16 [H, M, d] and [H, N, d], vt s8 [H * d, N], exp_table u8 [H, 1024].

    q u8: codes + 128, of k s8. Result s8 or s16 [M, H * d]. Optional: bias s16 [H or 1, M or 1, N].
    """
    heads, rows, width = operand_shape("q", types[0], 3, DType.S8, DType.S16, DType.U8)
    k = operand_shape("k", types[1], 3, DType.S8 if types[0].dtype is DType.U8 else types[0].dtype)
    need(
        heads == attrs.heads == len(attrs.score_shift),
        f"found q of {heads} heads and {len(attrs.score_shift)} score shifts, allowed {attrs.heads}",
    )
    need(k == (heads, k[1], width), f"found k {k}, allowed ({heads}, N, {width})")
    vt = operand_shape("vt", types[2], 2, DType.S8)
    need(vt == (heads * width, k[1]), f"found vt {vt}, allowed {(heads * width, k[1])}")
    table = operand_shape("exp_table", types[3], 2, DType.U8)
    need(table == (heads, 1024), f"found exp_table {table}, allowed ({heads}, 1024)")
    if len(types) == 5:
        attention_bias(operand_shape("bias", types[4], 3, DType.S16), heads, rows, k[1])
    for shift in attrs.score_shift:
        shift_fits(shift)
    need(
        0 <= attrs.out_multiplier < 2**15, f"found out_multiplier {attrs.out_multiplier}, allowed 0 to 32767"
    )
    need(0 <= attrs.score_limit < 2**15, f"found score_limit {attrs.score_limit}, allowed 0 to 32767")
    need(-7 <= attrs.out_shift <= 24, f"found out_shift {attrs.out_shift}, allowed -7 to 24")
    return TensorType(DType(attrs.dtype), (rows, heads * width))


def qattention(
    q: Array, k: Array, vt: Array, exp_table: Array, attrs: QAttentionAttrs, bias: Array | None = None
) -> Array:
    """Return int8 or int16 [M, H * d] from q [H, M, d], k [H, N, d], vt [H * d, N], exp_table u8 [H, 1024].

    Per head and row: t_j = R(q . k_j, score_shift) + bias_j, saturated before the bias where q is int16;
    p_j = exp_table[min(1023, max t - t_j)];
    A = sum_j p_j v_j; L = sum_j p_j; the division A / L is deferred to the end (`divide_by_sum`).
    Normalised: p_j = (255 p_j + (L >> 1)) // L first, then A / 255, by way of A / 2: these p_j may sum to
    510.
    """
    heads, rows, width = q.shape
    if q.dtype == np.uint8:
        q = (q.astype(np.int16) - OFFSET).astype(np.int8)
    out = np.empty((rows, heads, width), dtype=DType(attrs.dtype).numpy)
    for head in range(heads):
        scores = shifted(product(q[head], k[head].T), attrs.score_shift[head])
        if q.dtype == np.int16:
            scores = np.clip(scores, -attrs.score_limit - 1, attrs.score_limit)
        if bias is not None:
            scores += bias[head % bias.shape[0]]
        assert -(2**15) <= scores.min() and scores.max() < 2**15, "scores do not fit int16"
        index = np.minimum(scores.max(axis=1, keepdims=True) - scores, EXP_ENTRIES - 1)
        p = exp_table[head].take(index)
        total = p.astype(np.int64).sum(axis=1, keepdims=True)
        out_shift = attrs.out_shift
        if attrs.normalised:
            p = ((255 * p.astype(np.int64) + (total >> 1)) // total).astype(np.uint8)
            total, out_shift = np.full_like(total, 510), out_shift - 1
        acc = product(p, vt[head * width : (head + 1) * width].T).astype(np.int64)
        out[:, head] = divide_by_sum(acc, total, attrs.out_multiplier, out_shift, attrs.dtype)
    return out.reshape(rows, heads * width)


def divide_by_sum(
    acc: Int, total: Int, out_multiplier: int, out_shift: int, dtype: Literal["s8", "s16"] = "s8"
) -> Array:
    """Return acc / total * out_multiplier / 2^out_shift, saturated, with one integer division per row.

    total is the sum of probabilities of a row, at least 255 since the largest of them is 255.
    """
    assert total.min(initial=255) >= 255, "the exp table does not start at 255"
    n = bit_length(total)
    narrowed = round_shift(acc, n - 8)
    aligned = np.where(n > 16, round_shift(total, np.maximum(n - 16, 0)), total << np.maximum(16 - n, 0))
    reciprocal = (2**30 + (aligned >> 1)) // aligned
    factor = round_shift(reciprocal * out_multiplier, 15)
    return saturated(round_shift(narrowed * factor, 7 + out_shift), dtype)


OP = OpDef(
    ("q", "k", "vt", "exp_table", "bias?"),
    QAttentionAttrs,
    infer,
    lambda x, at: qattention(x[0], x[1], x[2], x[3], at, *x[4:]),
    "integer attention",
)
