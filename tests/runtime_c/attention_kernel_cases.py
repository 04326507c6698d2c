"""One case for each of the kernels of attention, and one for all of them together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.runtime_c.kernel_interface import Case, Kernels, Rows, blank
from tests.runtime_c.random_operands import Integers, cores_in_some_order, integers
from tmc.ir.integer.arithmetic import round_shift, saturated
from tmc.ir.integer.qattention import QAttentionAttrs, divide_by_sum, qattention
from tmc.passes.integer_ops.attention import query_key_bits


def score_shift(rng: np.random.Generator, width: int) -> int:
    """Return a shift after which products of `width` int8 pairs fit int16."""
    return max(0, (width * 2**14).bit_length() - 15) + int(rng.integers(4))


def queries_and_keys(
    rng: np.random.Generator, heads: int, rows: int, keys: int, width: int, wide: bool
) -> tuple[Integers, Integers]:
    """Return q [heads, rows, width] and k [heads, keys, width], int8 or what int32 has room for."""
    q, k = (integers(rng, (heads, lines, width), np.int16 if wide else np.int8) for lines in (rows, keys))
    return (q >> 16 - query_key_bits(width), k >> 16 - query_key_bits(width)) if wide else (q, k)


def some_heads(rng: np.random.Generator, rows: int) -> int:
    """Return how many heads a call is for: up to 4, where there are few rows."""
    return int(rng.integers(1, 5)) if rows <= 20 else 1


def call_scores(
    kernels: Kernels,
    rng: np.random.Generator,
    q: Integers,
    k: Integers,
    scores: Rows,
    shifts: tuple[int, ...],
    limit: int,
) -> None:
    """Fill `scores` by the kernel for the type of q and k, one head in two blocks of keys.

    q: [heads, rows, width], k: [heads, keys, width]; shifts: one for each head. limit: of scores of int16.
    """
    narrow = q.dtype == np.int8
    heads, rows, width = q.shape
    q_rows = Rows(q.reshape(-1, width), int(rng.integers(3)))
    middle = int(rng.integers(k.shape[1] + 1)) // 2 * 2 if heads == 1 else 0
    for first, last in ((0, middle), (middle, k.shape[1])):
        if first == last:
            continue
        k_rows = Rows(k[:, first:last].reshape(-1, width), int(rng.integers(3)))
        kernels(
            "tmc_attention_scores_s8s8s16" if narrow else "tmc_attention_scores_s16s16s16",
            cores_in_some_order(rng),
            q=q_rows.memory,
            q_pitch=q_rows.pitch,
            k=k_rows.memory,
            k_pitch=k_rows.pitch,
            scores=scores.memory,
            scores_pitch=scores.pitch,
            rows=rows,
            keys=last - first,
            width=width,
            key0=first,
            heads=heads,
            shift=sum(shift << 8 * head for head, shift in enumerate(shifts)),
            **({} if narrow else {"limit": limit}),
        )


def call_softmax(
    kernels: Kernels, rng: np.random.Generator, scores: Rows, exp_table: Integers, out_multiplier: int
) -> tuple[Integers, Integers]:
    """Run tmc_attention_softmax_s16u8 in place; return p and the norm pairs. exp_table: [heads, 1024]."""
    rows, keys = scores.shape
    norm = np.zeros((rows, 2), dtype=np.int32)
    kernels(
        "tmc_attention_softmax_s16u8",
        cores_in_some_order(rng),
        scores=scores.memory,
        scores_pitch=scores.pitch,
        exp_table=exp_table,
        norm=norm,
        rows=rows // len(exp_table),
        keys=keys,
        heads=len(exp_table),
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
    wide: bool,
) -> Integers:
    """Return the result of tmc_attention_values_u8s8s8, or ..._u8s8s16. vt: [heads, channels, keys]."""
    heads, channels, _ = vt.shape
    vt_rows = Rows(vt.reshape(heads * channels, keys), int(rng.integers(3)))
    y = blank(p.shape[0] // heads, heads * channels, np.int16 if wide else np.int8, int(rng.integers(3)))
    kernels(
        "tmc_attention_values_u8s8s16" if wide else "tmc_attention_values_u8s8s8",
        cores_in_some_order(rng),
        p=p.memory,
        p_pitch=p.pitch,
        vt=vt_rows.memory,
        vt_pitch=vt_rows.pitch,
        norm=norm,
        y=y.memory,
        y_pitch=y.pitch,
        rows=p.shape[0] // heads,
        keys=keys,
        channels=channels,
        heads=heads,
        out_shift=out_shift,
    )
    return y.read()


def random_exp_table(rng: np.random.Generator) -> Integers:
    """Return a table of exponentials of some step; [0] is 255."""
    table: Integers = np.round(255 * np.exp(-np.arange(1024) / rng.choice([0.5, 40.0, 300.0])))
    return table.astype(np.uint8)


def check_scores(*, wide: bool) -> Case:
    """Return the case of tmc_attention_scores_s8s8s16, or ..._s16s16s16: blocks of keys, or some heads."""

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, width: int, keys: int) -> None:
        heads = some_heads(rng, rows)
        q, k = queries_and_keys(rng, heads, rows, keys, width, wide)
        limit = int(rng.integers(1, 2**15)) if wide else 2**15 - 1
        fitting = int(rng.integers(25)) if wide else score_shift(rng, width)
        shifts = (fitting, *(score_shift(rng, width) for _ in range(heads - 1)))
        scores = blank(heads * rows, keys, np.int16, int(rng.integers(3)))
        call_scores(kernels, rng, q, k, scores, shifts, limit)
        expected = [
            np.clip(round_shift(a.astype(np.int64) @ b.T.astype(np.int64), shift), -limit - 1, limit)
            for a, b, shift in zip(q, k, shifts, strict=True)
        ]
        np.testing.assert_array_equal(scores.read(), np.concatenate(expected))

    return case


def check_softmax(kernels: Kernels, rng: np.random.Generator, rows: int, keys: int, scale: int) -> None:
    """tmc_attention_softmax_s16u8: every p, and the division of all kinds of sums by the row's total."""
    heads = some_heads(rng, rows)
    t = integers(rng, (heads * rows, keys), np.int16)
    if rng.integers(2):
        t = (t // 2**6 + scale).astype(np.int16)
    exp_table = np.stack([random_exp_table(rng) for _ in range(heads)])
    out_multiplier = int(rng.integers(1, 2**15))
    p, norm = call_softmax(kernels, rng, Rows(t, int(rng.integers(3))), exp_table, out_multiplier)
    for head, table in enumerate(exp_table):
        of_head = slice(head * rows, (head + 1) * rows)
        check_weights(rng, t[of_head].astype(np.int64), table, out_multiplier, p[of_head], norm[of_head])


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


def check_values(*, wide: bool) -> Case:
    """Return the case of tmc_attention_values_u8s8s8, or ..._u8s8s16, with any shift and factor of a sum."""

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, keys: int, channels: int) -> None:
        heads = some_heads(rng, rows) if channels % 4 == 0 else 1
        p, vt = integers(rng, (heads * rows, keys), np.uint8), integers(rng, (heads, channels, keys), np.int8)
        bits = (keys * 255).bit_length()
        shift, factor = rng.integers(max(0, bits - 8), bits, len(p)), rng.integers(2**15 + 1, size=len(p))
        norm = np.stack([shift, factor], axis=1)
        out_shift = int(rng.integers(-7, 17))
        rows_of_p = Rows(p, int(rng.integers(3)))
        y = call_values(kernels, rng, rows_of_p, keys, vt, norm.astype(np.int32), out_shift, wide)
        sums = np.concatenate(
            [p[head * rows :][:rows].astype(np.int64) @ vt[head].T for head in range(heads)]
        )
        narrowed = round_shift(sums, norm[:, :1])
        expected = saturated(round_shift(narrowed * norm[:, 1:], 7 + out_shift), "s16" if wide else "s8")
        np.testing.assert_array_equal(y, np.hstack(np.split(expected, heads)))

    return case


def check_attention(*, wide: bool) -> Case:
    """Return the case of the three attention kernels in a row against the one op that they are."""

    def case(kernels: Kernels, rng: np.random.Generator, rows: int, width: int, keys: int) -> None:
        heads = some_heads(rng, rows) if width % 4 == 0 else 1
        q, k = queries_and_keys(rng, heads, rows, keys, width, wide)
        vt = integers(rng, (heads * width, keys), np.int8)
        exp_table = np.stack([random_exp_table(rng) for _ in range(heads)])
        attrs = QAttentionAttrs(
            heads=heads,
            score_shift=tuple(score_shift(rng, width) + 6 * wide for _ in range(heads)),
            out_multiplier=int(rng.integers(2**14, 2**15)),
            out_shift=int(rng.integers(6, 9) if wide else rng.integers(13, 16)),
            dtype="s16" if wide else "s8",
        )
        expected = qattention(q, k, vt, exp_table, attrs)
        scores = blank(heads * rows, keys, np.int16, int(rng.integers(3)))
        call_scores(kernels, rng, q, k, scores, attrs.score_shift, attrs.score_limit)
        _, norm = call_softmax(kernels, rng, scores, exp_table, attrs.out_multiplier)
        by_head = vt.reshape(heads, width, keys)
        y = call_values(kernels, rng, scores, keys, by_head, norm, attrs.out_shift, wide)
        np.testing.assert_array_equal(y, expected)
        # A bias comes with one head at a time, and needs its room beside the scores.
        q, k, vt, exp_table = q[:1], k[:1], vt[:width], exp_table[:1]
        bias = np.triu(np.full((rows, keys), -15_000, dtype=np.int16), 1)
        attrs = replace(attrs, heads=1, score_shift=(attrs.score_shift[0] + 1,))
        if wide:
            attrs = replace(attrs, score_limit=10_580)
        expected = qattention(q, k, vt, exp_table, attrs, bias[None])
        scores = blank(rows, keys, np.int16, int(rng.integers(3)))
        call_scores(kernels, rng, q, k, scores, attrs.score_shift, attrs.score_limit)
        _, norm = call_softmax_bias(kernels, rng, scores, bias, exp_table[0], attrs.out_multiplier)
        y = call_values(kernels, rng, scores, keys, vt[None], norm, attrs.out_shift, wide)
        np.testing.assert_array_equal(y, expected)

    return case
