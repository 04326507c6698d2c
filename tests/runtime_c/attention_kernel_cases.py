"""One case for each of the kernels of attention, and one for all of them together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.runtime_c.kernel_interface import Kernels, Rows, blank
from tests.runtime_c.random_operands import Integers, cores_in_some_order, integers
from tmc.ir.integer.arithmetic import round_shift
from tmc.ir.integer.qattention import QAttentionAttrs, divide_by_sum, qattention


def score_shift(rng: np.random.Generator, width: int) -> int:
    """Return a shift after which products of `width` int8 pairs fit int16."""
    return max(0, (width * 2**14).bit_length() - 15) + int(rng.integers(4))


def call_scores(
    kernels: Kernels, rng: np.random.Generator, q: Integers, k: Integers, scores: Rows, shift: int
) -> None:
    """Fill `scores` by tmc_attention_scores_s8s8s16, in two blocks of keys."""
    q_rows = Rows(q, int(rng.integers(3)))
    middle = int(rng.integers(len(k) + 1)) // 2 * 2
    for first, last in ((0, middle), (middle, len(k))):
        if first == last:
            continue
        k_rows = Rows(k[first:last], int(rng.integers(3)))
        kernels(
            "tmc_attention_scores_s8s8s16",
            cores_in_some_order(rng),
            q=q_rows.memory,
            q_pitch=q_rows.pitch,
            k=k_rows.memory,
            k_pitch=k_rows.pitch,
            scores=scores.memory,
            scores_pitch=scores.pitch,
            rows=len(q),
            keys=last - first,
            width=q.shape[1],
            key0=first,
            shift=shift,
        )


def call_softmax(
    kernels: Kernels, rng: np.random.Generator, scores: Rows, exp_table: Integers, out_multiplier: int
) -> tuple[Integers, Integers]:
    """Run tmc_attention_softmax_s16u8 in place; return p and the norm pairs."""
    rows, keys = scores.shape
    norm = np.zeros((rows, 2), dtype=np.int32)
    kernels(
        "tmc_attention_softmax_s16u8",
        cores_in_some_order(rng),
        scores=scores.memory,
        scores_pitch=scores.pitch,
        exp_table=exp_table,
        norm=norm,
        rows=rows,
        keys=keys,
        out_multiplier=out_multiplier,
    )
    return scores.read().view(np.uint8)[:, :keys], norm


def call_softmax_bias(
    kernels: Kernels,
    rng: np.random.Generator,
    scores: Rows,
    bias: Integers,
    exp_table: Integers,
    out_multiplier: int,
) -> tuple[Integers, Integers]:
    """Run tmc_attention_softmax_bias_s16s16u8 in place; return p and the norm pairs. bias: a line or all."""
    rows, keys = scores.shape
    norm, lines = np.zeros((rows, 2), dtype=np.int32), Rows(bias, int(rng.integers(3)))
    kernels(
        "tmc_attention_softmax_bias_s16s16u8",
        cores_in_some_order(rng),
        scores=scores.memory,
        scores_pitch=scores.pitch,
        bias=lines.memory,
        bias_pitch=lines.pitch,
        bias_rows=len(bias),
        exp_table=exp_table,
        norm=norm,
        rows=rows,
        keys=keys,
        out_multiplier=out_multiplier,
    )
    return scores.read().view(np.uint8)[:, :keys], norm


def call_values(
    kernels: Kernels,
    rng: np.random.Generator,
    p: Rows,
    keys: int,
    vt: Integers,
    norm: Integers,
    out_shift: int,
) -> Integers:
    """Return the result of tmc_attention_values_u8s8s8."""
    vt_rows = Rows(vt, int(rng.integers(3)))
    y = blank(p.shape[0], len(vt), np.int8, int(rng.integers(3)))
    kernels(
        "tmc_attention_values_u8s8s8",
        cores_in_some_order(rng),
        p=p.memory,
        p_pitch=p.pitch,
        vt=vt_rows.memory,
        vt_pitch=vt_rows.pitch,
        norm=norm,
        y=y.memory,
        y_pitch=y.pitch,
        rows=p.shape[0],
        keys=keys,
        channels=len(vt),
        out_shift=out_shift,
    )
    return y.read()


def random_exp_table(rng: np.random.Generator) -> Integers:
    """Return a table of exponentials of some step; [0] is 255."""
    table: Integers = np.round(255 * np.exp(-np.arange(1024) / rng.choice([0.5, 40.0, 300.0])))
    return table.astype(np.uint8)


def check_scores(kernels: Kernels, rng: np.random.Generator, rows: int, width: int, keys: int) -> None:
    """tmc_attention_scores_s8s8s16 in blocks of keys."""
    q, k = integers(rng, (rows, width), np.int8), integers(rng, (keys, width), np.int8)
    shift = score_shift(rng, width)
    scores = blank(rows, keys, np.int16, int(rng.integers(3)))
    call_scores(kernels, rng, q, k, scores, shift)
    expected = round_shift(q.astype(np.int64) @ k.T.astype(np.int64), shift)
    np.testing.assert_array_equal(scores.read(), expected)


def check_softmax(kernels: Kernels, rng: np.random.Generator, rows: int, keys: int, scale: int) -> None:
    """tmc_attention_softmax_s16u8: every p, and the division of all kinds of sums by the row's total."""
    t = integers(rng, (rows, keys), np.int16)
    if rng.integers(2):
        t = (t // 2**6 + scale).astype(np.int16)
    exp_table = random_exp_table(rng)
    out_multiplier = int(rng.integers(1, 2**15))
    p, norm = call_softmax(kernels, rng, Rows(t, int(rng.integers(3))), exp_table, out_multiplier)
    check_weights(rng, t.astype(np.int64), exp_table, out_multiplier, p, norm)


def check_softmax_bias(kernels: Kernels, rng: np.random.Generator, rows: int, keys: int, lines: int) -> None:
    """tmc_attention_softmax_bias_s16s16u8: sums that just fit int16, with a bias for all rows or for each."""
    bias = integers(rng, (rows if lines % 2 else 1, keys), np.int16)
    room = [np.iinfo(np.int16).min - np.minimum(bias, 0), np.iinfo(np.int16).max - np.maximum(bias, 0)]
    t = rng.integers(*(np.broadcast_to(end, (rows, keys)) for end in room), endpoint=True).astype(np.int16)
    exp_table = random_exp_table(rng)
    out_multiplier = int(rng.integers(1, 2**15))
    scores = Rows(t, int(rng.integers(3)))
    p, norm = call_softmax_bias(kernels, rng, scores, bias, exp_table, out_multiplier)
    check_weights(rng, t.astype(np.int64) + bias, exp_table, out_multiplier, p, norm)


def check_weights(
    rng: np.random.Generator,
    t: Integers,
    exp_table: Integers,
    out_multiplier: int,
    p: Integers,
    norm: Integers,
) -> None:
    """Check every p of scores t, and the division of all kinds of sums by the row's total."""
    rows = len(t)
    expected = exp_table[np.minimum(t.max(axis=1, keepdims=True) - t, 1023)]
    np.testing.assert_array_equal(p, expected)
    total = expected.astype(np.int64).sum(axis=1, keepdims=True)
    sums = rng.integers(-128 * total, 127 * total + 1, (rows, 50))
    out_shift = int(rng.integers(-3, 16))
    quotient = round_shift(round_shift(sums, norm[:, :1]) * norm[:, 1:], 7 + out_shift)
    np.testing.assert_array_equal(
        np.clip(quotient, -128, 127), divide_by_sum(sums, total, out_multiplier, out_shift)
    )


def check_values(kernels: Kernels, rng: np.random.Generator, rows: int, keys: int, channels: int) -> None:
    """tmc_attention_values_u8s8s8 with any shift and factor that a sum may give."""
    p, vt = integers(rng, (rows, keys), np.uint8), integers(rng, (channels, keys), np.int8)
    bits = (keys * 255).bit_length()
    norm = np.stack([rng.integers(max(0, bits - 8), bits, rows), rng.integers(2**15 + 1, size=rows)], axis=1)
    out_shift = int(rng.integers(-7, 17))
    y = call_values(kernels, rng, Rows(p, int(rng.integers(3))), keys, vt, norm.astype(np.int32), out_shift)
    narrowed = round_shift(p.astype(np.int64) @ vt.T.astype(np.int64), norm[:, :1])
    expected = np.clip(round_shift(narrowed * norm[:, 1:], 7 + out_shift), -128, 127)
    np.testing.assert_array_equal(y, expected)


def check_attention(kernels: Kernels, rng: np.random.Generator, rows: int, width: int, keys: int) -> None:
    """The three attention kernels in a row against the one op that they are, without a bias and with one."""
    q, k = integers(rng, (rows, width), np.int8), integers(rng, (keys, width), np.int8)
    vt = integers(rng, (width, keys), np.int8)
    exp_table = random_exp_table(rng)
    attrs = QAttentionAttrs(
        heads=1,
        score_shift=(score_shift(rng, width),),
        out_multiplier=int(rng.integers(2**14, 2**15)),
        out_shift=int(rng.integers(13, 16)),
    )
    expected = qattention(q[None], k[None], vt, exp_table[None], attrs)
    scores = blank(rows, keys, np.int16, int(rng.integers(3)))
    call_scores(kernels, rng, q, k, scores, attrs.score_shift[0])
    _, norm = call_softmax(kernels, rng, scores, exp_table, attrs.out_multiplier)
    y = call_values(kernels, rng, scores, keys, vt, norm, attrs.out_shift)
    np.testing.assert_array_equal(y, expected)
    bias = np.triu(np.full((rows, keys), -15_000, dtype=np.int16), 1)
    attrs = replace(attrs, score_shift=(attrs.score_shift[0] + 1,))  # leaves the bias its room
    expected = qattention(q[None], k[None], vt, exp_table[None], attrs, bias[None])
    scores = blank(rows, keys, np.int16, int(rng.integers(3)))
    call_scores(kernels, rng, q, k, scores, attrs.score_shift[0])
    _, norm = call_softmax_bias(kernels, rng, scores, bias, exp_table, attrs.out_multiplier)
    y = call_values(kernels, rng, scores, keys, vt, norm, attrs.out_shift)
    np.testing.assert_array_equal(y, expected)
