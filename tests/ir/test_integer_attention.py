"""Integer attention against its oracle, and the extremes of its sums."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.ir import integer_oracle as oracle
from tests.ir.test_integer_semantics import KINDS, SEEDS, SETTINGS, evaluate, matrix
from tmc.ir.graph import OpKind as K
from tmc.ir.integer.arithmetic import unsigned
from tmc.ir.integer.qattention import QAttentionAttrs, divide_by_sum
from tmc.ir.types import Array


def exp_table(step: float) -> Array:
    table: Array = np.round(255 * np.exp(-np.arange(1024) * step)).astype(np.uint8)
    table[-1] = 0
    return table


@st.composite
def attention_cases(draw: st.DrawFn) -> tuple[list[Array], QAttentionAttrs]:
    sizes = [(1, 3, 1, 4), (2, 2, 9, 8), (1, 2, 700, 2), (3, 1, 40, 64)]
    heads, rows, keys, width = draw(st.sampled_from(sizes))
    stacked = [matrix(draw(SEEDS), heads * size, width, np.int8, draw(KINDS)) for size in (rows, keys)]
    vt = matrix(draw(SEEDS), heads * width, keys, np.int8, draw(KINDS))
    tables = np.stack([exp_table(draw(st.floats(0.001, 0.2))) for _ in range(heads)])
    # scores are at most 64 * 2^14 = 2^20, and have to fit int16 once shifted
    shifts = tuple(draw(st.integers(6, 12)) for _ in range(heads))
    attrs = QAttentionAttrs(
        heads, shifts, draw(st.integers(2**14, 2**15 - 1)), draw(st.integers(10, 18)), draw(st.booleans())
    )
    q_, k = stacked
    operands = [q_.reshape(heads, rows, width), k.reshape(heads, keys, width), vt, tables]
    if draw(st.booleans()):
        # scores are below 2^14 with one shift more
        attrs = replace(attrs, score_shift=tuple(shift + 1 for shift in shifts))
        shape = draw(st.sampled_from((1, heads))), draw(st.sampled_from((1, rows))), keys
        bias = matrix(draw(SEEDS), shape[0] * shape[1], keys, np.int16, draw(KINDS)) // 2
        operands.append(bias.astype(np.int16).reshape(shape))
    return operands, attrs


@st.composite
def wide_cases(draw: st.DrawFn) -> tuple[list[Array], QAttentionAttrs]:
    """Return a case of Q and K of 12 bits, whose scores saturate at some limit."""
    (q_, k, vt, tables, *bias), attrs = draw(attention_cases())
    finer = [16 * operand.astype(np.int16) for operand in (q_, k)]
    limit = draw(st.integers(1, 2**14 - 1))
    attrs = replace(attrs, score_limit=limit, dtype=draw(st.sampled_from(("s8", "s16"))))
    return [*finer, vt, tables, *bias], attrs


@SETTINGS
@given(attention_cases() | wide_cases())
def test_qattention(case: tuple[list[Array], QAttentionAttrs]) -> None:
    operands, attrs = case
    q_, k, vt, tables, *bias = [operand.tolist() for operand in operands]
    expected = oracle.qattention(q_, k, vt, tables, attrs, *bias)
    assert evaluate(K.QATTENTION, operands, attrs).tolist() == expected
    if operands[0].dtype == np.int8:
        assert evaluate(K.QATTENTION, [unsigned(operands[0]), *operands[1:]], attrs).tolist() == expected


def test_equal_scores_average_the_values() -> None:
    """All p are 255, so that the sums are the largest there are; and 255 where one key wins by far."""
    q_, k = np.full((1, 2, 64), -128, np.int8), np.full((1, 800, 64), -128, np.int8)
    vt = np.repeat(np.array([[-128], [127], [-7], [0]], np.int8), 800, axis=1)
    vt = np.tile(vt, (16, 1))
    attrs = QAttentionAttrs(1, (7,), 2**14, 14)
    table = exp_table(0.02)[None]
    assert evaluate(K.QATTENTION, [q_, k, vt, table], attrs).tolist() == [[-128, 127, -7, 0] * 16] * 2
    k[0, 1:] = 127
    vt[:, 0] = 90
    assert np.all(evaluate(K.QATTENTION, [q_, k, vt, table], attrs) == 90)


def test_scores_of_16_bits_saturate() -> None:
    """The best of two keys that both do is not told from the other."""
    q_, k = np.full((1, 1, 4), 2**11, np.int16), np.array([[[2**11] * 4, [2**10] * 4]], np.int16)
    vt, table = np.array([[-100, 50]] * 4, np.int8), exp_table(0.1)[None]
    for limit, mean in ((2**15 - 1, -100), (1000, -25)):
        attrs = QAttentionAttrs(1, (9,), 2**14, 14, score_limit=limit)
        assert evaluate(K.QATTENTION, [q_, k, vt, table], attrs).tolist() == [[mean] * 4]


def test_scores_have_to_fit_int16() -> None:
    q_ = np.full((1, 1, 64), -128, np.int8)
    with pytest.raises(AssertionError, match="scores do not fit int16"):
        evaluate(
            K.QATTENTION,
            [q_, q_, np.zeros((64, 1), np.int8), exp_table(0.1)[None]],
            QAttentionAttrs(1, (5,), 2**14, 14),
        )


def test_exp_table_has_to_start_at_255() -> None:
    q_ = np.zeros((1, 1, 4), np.int8)
    with pytest.raises(AssertionError, match="the exp table does not start at 255"):
        evaluate(
            K.QATTENTION,
            [q_, q_, np.zeros((4, 1), np.int8), exp_table(0.1)[None] // 2],
            QAttentionAttrs(1, (5,), 2**14, 14),
        )


@SETTINGS
@given(
    st.integers(255, 255 * 65000), st.floats(-128, 127), st.integers(2**14, 2**15 - 1), st.integers(12, 18)
)
@example(255, -128.0, 2**15 - 1, 12)
@example(2**16 - 1, -128.0, 2**15 - 1, 14)
@example(2**16, 127.0, 2**14, 14)
@example(2**17 - 1, -128.0, 2**15 - 1, 14)
def test_divide_by_sum(total: int, mean: float, multiplier: int, shift: int) -> None:
    acc = math.floor(mean * total)
    found = divide_by_sum(np.array([[acc]]), np.array([[total]]), multiplier, shift)
    assert found.tolist() == [[oracle.divide_by_sum(acc, total, multiplier, shift)]]


def test_divide_by_sum_is_exact_to_half_a_step() -> None:
    random = np.random.default_rng(3)
    count = 200_000
    total = np.exp(random.uniform(math.log(255), math.log(255 * 800), (count, 1))).astype(np.int64)
    acc = np.round(random.uniform(-128, 127, (count, 1)) * total).astype(np.int64)
    for multiplier, shift in ((2**14, 14), (20011, 14), (2**15 - 1, 15), (29000, 16)):
        exact = acc / total * multiplier / 2**shift
        error = np.abs(divide_by_sum(acc, total, multiplier, shift) - np.clip(exact, -128, 127))
        assert float(error.max()) <= 0.51
