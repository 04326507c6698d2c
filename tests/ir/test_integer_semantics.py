"""Integer ops against their second rendering in plain Python integers, bit for bit."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ir import integer_oracle as oracle
from tmc.ir import attrs as a
from tmc.ir.graph import OpKind as K
from tmc.ir.integer.arithmetic import bit_length, product, round_shift, shifted
from tmc.ir.integer.qdepthwise_rows import QDepthwiseRowsAttrs
from tmc.ir.integer.qinterpolate_rows import QInterpolateRowsAttrs
from tmc.ir.integer.qlayernorm import RSQRT_TABLE
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.integer.qmean_rows import QMeanRowsAttrs
from tmc.ir.integer.qrope import QRopeAttrs
from tmc.ir.ops import OPS
from tmc.ir.types import Array, DType, TensorType

SETTINGS = settings(max_examples=150, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)
Narrow = type[np.int8] | type[np.int16]
LIMITS: dict[Narrow, tuple[int, int]] = {np.int8: (-128, 127), np.int16: (-32768, 32767)}
DTYPES: list[Literal["s8", "u8", "s16", "s32"]] = ["s8", "u8", "s16", "s32"]
LAYOUTS: list[a.Layout] = ["rows", "heads", "transposed"]


def evaluate(kind: K, operands: list[Array], attrs: a.Attrs) -> Array:
    """Return what the op table computes; operands and result have to follow the shape rule."""
    types = [TensorType(DType.of(operand), operand.shape) for operand in operands]
    inferred = OPS[kind].infer(types, attrs)
    result = OPS[kind].evaluate(operands, attrs)
    assert inferred == TensorType(DType.of(result), result.shape)
    return result


def matrix(seed: int, rows: int, columns: int, dtype: Narrow, kind: str) -> Array:
    """Draw rows of one kind."""
    random = np.random.default_rng(seed)
    low, high = LIMITS[dtype]
    shape = (rows, columns)
    if kind == "full scale":
        drawn = random.choice([low, high], shape)
    elif kind == "constant":
        drawn = np.repeat(random.integers(low, high, (rows, 1), endpoint=True), columns, axis=1)
    elif kind == "one outlier":
        drawn = random.integers(-2, 3, shape)
        drawn[np.arange(rows), random.integers(0, columns, rows)] = random.choice([low, high], rows)
    elif kind == "small":
        drawn = random.integers(-3, 4, shape)
    elif kind == "lowest":
        drawn = np.full(shape, low)
    else:
        assert kind == "any"
        drawn = random.integers(low, high, shape, endpoint=True)
    return drawn.astype(dtype)


KINDS = st.sampled_from(["any", "full scale", "constant", "one outlier", "small", "lowest"])


@SETTINGS
@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 31))
def test_round_shift(value: int, shift: int) -> None:
    half = (1 << shift) // 2
    if value + half >= 2**31:
        with pytest.raises(AssertionError, match="int32 overflow"):
            round_shift(np.array([value]), shift)
        return
    found = int(round_shift(np.array([value]), shift)[0])
    assert found == oracle.rounded(value, shift)
    # to nearest, ties up
    assert -half <= value - (found << shift) < max(half, 1)
    assert int(round_shift(np.array([value]), np.array([shift]))[0]) == found


def test_round_shift_takes_no_negative_shift() -> None:
    with pytest.raises(AssertionError, match="negative shift"):
        round_shift(np.array([1]), -1)


def test_bit_length() -> None:
    values = sorted({max(0, 2**bit + step) for bit in range(52) for step in (-1, 0, 1)})
    assert bit_length(np.array(values)).tolist() == [value.bit_length() for value in values]


def test_reciprocal_roots() -> None:
    assert RSQRT_TABLE.tolist() == oracle.ROOTS
    assert max(oracle.ROOTS) < 2**16


# M, K, N, G
SIZES = st.tuples(
    st.sampled_from([2, 4, 6]),
    st.sampled_from([1, 7, 20, 33]),
    st.sampled_from([2, 4]),
    st.sampled_from([1, 2]),
)


@st.composite
def linear_cases(draw: st.DrawFn) -> tuple[list[Array], QLinearAttrs]:
    """Draw operands inside the contract: the sums fit int32 for the weights drawn, whatever the input."""
    rows, depth, channels, groups = draw(SIZES)
    random = np.random.default_rng(draw(SEEDS))
    x_type = draw(st.sampled_from(list(LIMITS)))
    x = matrix(draw(SEEDS), rows, depth, x_type, draw(KINDS))
    weight = np.maximum(matrix(draw(SEEDS), channels, depth, np.int8, draw(KINDS)), -127)
    bound = -LIMITS[x_type][0] * int(np.abs(weight.astype(np.int64)).sum(axis=1).max())
    multiplier = random.integers(0, min(255, (2**31 - 1) // max(bound, 1)), channels, endpoint=True)
    room = 2**31 - 1 - bound * int(multiplier.max())
    bias = random.integers(-room, room, (groups, channels), endpoint=True)
    dtype = draw(st.sampled_from(DTYPES))
    attrs = QLinearAttrs(
        shift=draw(st.integers(0, 31)),
        dtype=dtype,
        layout=draw(st.sampled_from(LAYOUTS)),
        heads=draw(st.sampled_from([1, 2])),
        table=dtype == "u8" or (dtype == "s8" and draw(st.booleans())),
        residual=dtype == "s16" and draw(st.booleans()),
    )
    operands: list[Array] = [x, weight, multiplier.astype(np.int32), bias.astype(np.int32)]
    table = random.integers(-128, 128, 256).astype(np.int8)
    operands += [table.view(np.uint8) if dtype == "u8" else table] * attrs.table
    operands += [matrix(draw(SEEDS), rows, channels, np.int16, draw(KINDS))] * attrs.residual
    return operands, attrs


@SETTINGS
@given(linear_cases())
def test_qlinear(case: tuple[list[Array], QLinearAttrs]) -> None:
    operands, attrs = case
    x, weight, multiplier, bias, *_ = [operand.tolist() for operand in operands]
    expected = np.array(
        oracle.qlinear(
            x,
            weight,
            multiplier,
            bias,
            attrs,
            operands[4].tolist() if attrs.table else None,
            operands[-1].tolist() if attrs.residual else None,
        )
    )
    if attrs.layout == "heads":
        expected = np.stack(np.split(expected, attrs.heads, axis=1))
    if attrs.layout == "transposed":
        expected = expected.T
    found = evaluate(K.QLINEAR, operands, attrs)
    assert found.tolist() == expected.tolist()
    assert found.flags.c_contiguous


def test_qlinear_notices_an_overflow() -> None:
    x, weight = np.full((1, 70000), -128, np.int8), np.full((1, 70000), -127, np.int8)
    two = np.full(1, 2, np.int32)
    # the largest depth at which twice the sum fits, and the next one; 128 * 127 * 66052 * 2 < 2^31
    for depth, bias in ((66053, 0), (66052, 2**31 - 1)):
        operands: list[Array] = [x[:, :depth], weight[:, :depth], two, np.full((1, 1), bias, np.int32)]
        with pytest.raises(AssertionError, match="int32 overflow"):
            evaluate(K.QLINEAR, operands, QLinearAttrs(7))
    fits: list[Array] = [x[:, :66052], weight[:, :66052], two, np.zeros((1, 1), np.int32)]
    assert evaluate(K.QLINEAR, fits, QLinearAttrs(0, "s32")).tolist() == [[128 * 127 * 66052 * 2]]


@SETTINGS
@given(
    SEEDS, KINDS, st.sampled_from([1, 3]), st.sampled_from([1, 2, 5]), st.integers(14, 24), st.integers(8, 16)
)
def test_qrope(seed: int, kind: str, heads: int, positions: int, shift: int, bits: int) -> None:
    x = matrix(seed, 10, heads * 6, np.int16, kind)
    angle = np.random.default_rng(seed).uniform(-4, 4, (positions, 3))
    table = np.stack([np.cos(angle), np.sin(angle)], axis=-1).reshape(positions, 6)
    table = np.round(2**14 * table).astype(np.int16)
    for unsigned in (False, True)[: 1 + (bits == 8)]:
        attrs = QRopeAttrs(heads, shift, bits, unsigned)
        found = evaluate(K.QROPE, [x, table], attrs)
        assert found.dtype == (np.uint8 if unsigned else np.int8 if bits == 8 else np.int16)
        assert found.tolist() == oracle.qrope(x.tolist(), table.tolist(), attrs)


@SETTINGS
@given(SEEDS, KINDS, st.sampled_from([1, 2, 50]), st.integers(0, 2**15 - 1), st.integers(0, 20))
def test_qmean_rows(seed: int, kind: str, group_rows: int, multiplier: int, shift: int) -> None:
    x = matrix(seed, 100, 5, np.int8, kind)
    attrs = QMeanRowsAttrs(group_rows, multiplier, (1 << shift) // 2 - 3 * multiplier, shift)
    found = evaluate(K.QMEAN_ROWS, [x], attrs)
    assert found.tolist() == oracle.qmean_rows(x.tolist(), attrs)


@SETTINGS
@given(
    SEEDS,
    KINDS,
    KINDS,
    st.sampled_from([1, 2, 9]),
    st.sampled_from([1, 3, 5]),
    st.integers(-128, 127),
    st.integers(0, 31),
    st.booleans(),
)
def test_qdepthwise_rows(
    seed: int, kind: str, weights: str, rows: int, taps: int, zero_point: int, shift: int, has_table: bool
) -> None:
    random = np.random.default_rng(seed)
    x, weight = matrix(seed, rows, 4, np.int8, kind), matrix(seed + 1, 4, taps, np.int8, weights)
    multiplier = random.integers(0, 255, 4, endpoint=True).astype(np.int32)
    room = 2**31 - 1 - 255 * 128 * 128 * taps
    bias = random.integers(-room, room, 4, endpoint=True).astype(np.int32)
    table = random.integers(-128, 128, 256).astype(np.int8)
    attrs = QDepthwiseRowsAttrs(shift, zero_point, has_table)
    found = evaluate(K.QDEPTHWISE_ROWS, [x, weight, multiplier, bias, *[table] * has_table], attrs)
    expected = oracle.qdepthwise_rows(
        x.tolist(),
        weight.tolist(),
        multiplier.tolist(),
        bias.tolist(),
        attrs,
        table.tolist() if has_table else None,
    )
    assert found.tolist() == expected


def test_qdepthwise_rows_notices_an_overflow() -> None:
    x, weight, one = np.full((1, 1), -128, np.int8), np.full((1, 1), -127, np.int8), np.ones(1, np.int32)
    for multiplier, bias in ((2**31 // (128 * 127) + 1, 0), (1, 2**31 - 1)):
        operands: list[Array] = [x, weight, one * multiplier, one * bias]
        with pytest.raises(AssertionError, match="int32 overflow"):
            evaluate(K.QDEPTHWISE_ROWS, operands, QDepthwiseRowsAttrs(0, 0))


@SETTINGS
@given(
    SEEDS,
    KINDS,
    st.sampled_from([2, 3, 50]),
    st.sampled_from([1, 4, 500]),
    st.sampled_from(["rows", "transposed"]),
)
def test_qinterpolate_rows(
    seed: int, kind: str, rows: int, out_rows: int, layout: Literal["rows", "transposed"]
) -> None:
    random = np.random.default_rng(seed)
    x = matrix(seed, rows, 5, np.int16, kind)
    weight = random.choice([0, 1, 2**13, 2**14 - 1, 2**14, int(random.integers(0, 2**14))], out_rows)
    table = np.stack([random.integers(0, rows - 1, out_rows), weight], axis=1).astype(np.int16)
    found = evaluate(K.QINTERPOLATE_ROWS, [x, table], QInterpolateRowsAttrs(out_rows, layout))
    expected = np.array(oracle.qinterpolate_rows(x.tolist(), table.tolist()))
    assert found.tolist() == (expected.T if layout == "transposed" else expected).tolist()
    assert found.flags.c_contiguous


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ((2, 0), "row outside the input"),
        ((-1, 0), "row outside"),
        ((0, 2**14 + 1), "weight outside"),
        ((0, -1), "weight outside"),
    ],
)
def test_qinterpolate_rows_stays_inside(entry: tuple[int, int], message: str) -> None:
    x, table = np.zeros((3, 1), np.int16), np.array([(0, 0), entry], np.int16)
    with pytest.raises(AssertionError, match=message):
        evaluate(K.QINTERPOLATE_ROWS, [x, table], QInterpolateRowsAttrs(2))


@pytest.mark.parametrize("bound", [2**24 - 1, 2**24, 2**24 + 1, 2**31 - 1])
def test_products_are_exact_on_both_sides_of_float32(bound: int) -> None:
    """Sums that reach the bound, odd ones too, which float32 cannot hold from 2^24 on."""
    ones = np.ones((1, 2), np.int32)
    for sign in (1, -1):
        assert product(sign * np.array([[bound - 1, 1]], np.int32), ones.T).tolist() == [[sign * bound]]
    # magnitude by magnitude this could be twice as much; row by row it is not
    assert product(np.array([[bound, 0]], np.int32), ones.T).tolist() == [[bound]]
    assert product(np.zeros((0, 2), np.int8), ones.T).shape == (0, 1)


def test_products_have_to_fit_int32() -> None:
    x = np.array([[2**30, 2**30]], np.int32)
    with pytest.raises(AssertionError, match="int32 overflow"):
        product(x, np.ones((2, 1), np.int8))
    assert product(x, np.array([[1], [-1]], np.int8)).tolist() == [[0]]
    with pytest.raises(AssertionError, match="too large for an exact float64 product"):
        product(x, np.full((2, 1), 2**23, np.int32))


@SETTINGS
@given(SEEDS, KINDS, st.sampled_from([np.int8, np.int16]), st.sampled_from([1, 7, 400, 511]))
def test_products(seed: int, kind: str, dtype: Narrow, depth: int) -> None:
    x, weight = matrix(seed, 3, depth, dtype, kind), matrix(seed + 1, 2, depth, np.int8, kind)
    columns = weight.tolist()
    expected = [
        [sum(one * other for one, other in zip(row, column, strict=True)) for column in columns]
        for row in x.tolist()
    ]
    assert product(x, weight.T).tolist() == expected


@pytest.mark.parametrize(("extreme", "shift"), [(2**31 - 1, 1), (2**31 - 64, 7)])
def test_shifted_scores_have_to_fit_int32(extreme: int, shift: int) -> None:
    with pytest.raises(AssertionError, match="int32 overflow"):
        shifted(np.array([[extreme]], np.int32), shift)
    half = 1 << (shift - 1)
    assert shifted(np.array([[extreme - half]], np.int32), shift).tolist() == [[extreme >> shift]]
