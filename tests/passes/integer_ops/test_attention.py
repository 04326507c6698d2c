from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmc.ir.errors import QuantisationError
from tmc.ir.integer.qattention import QAttentionAttrs, qattention
from tmc.ir.integer.qconvert import qconvert
from tmc.ir.integer.qrope import QRopeAttrs, qrope
from tmc.ir.types import Quant
from tmc.passes.integer_ops.attention import (
    MAX_BIASED_SCORE,
    MAX_SCORE_SHIFT,
    quantise_attention,
    quantise_mask,
    query_key_bits,
    rotation_bits,
    rotation_table,
    smallest_score_shift,
)
from tmc.passes.recipe import DEFAULT
from tmc.passes.scales.choose_scales import out_factor


def test_rotation_table_interleaves_cosine_and_sine() -> None:
    angles = np.linspace(0, 6, 10).reshape(5, 2)
    table = rotation_table("/rope", np.cos(angles), np.sin(angles))
    assert table.dtype == np.int16 and table.shape == (5, 4)
    assert np.array_equal(table[:, 0::2], np.rint(np.cos(angles) * 2**14))
    assert np.array_equal(table[:, 1::2], np.rint(np.sin(angles) * 2**14))


@pytest.mark.parametrize("sign", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_rotation_of_extremes_fits(sign: tuple[int, int]) -> None:
    largest = 32767 / 2**14
    cosine, sine = largest * sign[0], (largest - 0.01) * sign[1]
    table = rotation_table("/rope", np.full((1, 1), cosine), np.full((1, 1), sine))
    x = np.array([[a, b] for a in (-32768, 32767) for b in (-32768, 32767)], dtype=np.int16)
    qrope(x, table, QRopeAttrs(1, 20))  # asserts int32


@pytest.mark.parametrize(("cosine", "sine"), [(2.1, 0.0), (0.0, -2.1), (1.99999, 1.99999)])
def test_tables_that_are_no_rotation(cosine: float, sine: float) -> None:
    with pytest.raises(QuantisationError, match=r"^/rope: found a rotation table with entries up to"):
        rotation_table("/rope", np.full((2, 2), cosine), np.full((2, 2), sine))


@settings(max_examples=60, deadline=None)
@given(q=st.floats(1e-4, 0.5), k=st.floats(1e-4, 0.5), width=st.sampled_from([8, 16, 32, 64, 128]))
def test_exp_table(q: float, k: float, width: int) -> None:
    scale = width**-0.5
    q_quant, k_quant = Quant((q, 2 * q), per="head"), Quant((k, k), per="head")
    codes = quantise_attention("/attn", q_quant, k_quant, scale, width, 400, (1, 0))
    assert codes.exp_table.shape == (2, 1024) and codes.exp_table.dtype == np.uint8
    for head, factor in enumerate((1, 2)):
        shift, table = codes.attrs.score_shift[head], codes.exp_table[head].astype(int)
        step = factor * q * k * scale * 2.0**shift
        assert smallest_score_shift(width) <= shift <= MAX_SCORE_SHIFT
        if shift > smallest_score_shift(width):
            assert step <= 1 / 40
        exact = 255 * np.exp(-step * np.arange(1023))
        if shift < MAX_SCORE_SHIFT:
            assert step > 1 / 80
            assert exact[-1] < 1e-3  # so the forced zero of the last entry cuts nothing off
        assert table[0] == 255 and table[-1] == 0
        # every entry next to the exact number, and every run of entries with the exact sum
        assert np.abs(table[:-1] - exact).max() <= 1.0
        sums = np.cumsum(table[:-1] - exact)
        assert np.abs(sums).max() <= 0.5 + 1e-9


def test_nearest_exp_table() -> None:
    quant = Quant((0.02,), per="head")
    recipe = DEFAULT.with_settings(["exp_table=nearest", "score_steps=80"])
    codes = quantise_attention("/attn", quant, quant, 0.125, 64, 400, (1, 0), recipe)
    step = 0.02 * 0.02 * 0.125 * 2.0 ** codes.attrs.score_shift[0]
    assert 1 / 160 < step <= 1 / 80
    assert np.array_equal(codes.exp_table[0, :-1], np.rint(255 * np.exp(-step * np.arange(1023))))


def test_many_small_weights_keep_their_mass() -> None:
    """One key 600 times as likely as each of 399 others, which together decide: nearest drops them all."""
    random = np.random.default_rng(0)
    q = random.integers(20, 61, (1, 32, 64)).astype(np.int8)
    k = random.integers(-10, 11, (1, 400, 64)).astype(np.int8)
    k[0, 0] = 60
    scale = np.log(600.0) / (64 * 40 * 60)
    v = np.where(np.arange(400) == 0, -100, 100).astype(np.int8)
    weights = np.exp(scale * (q[0].astype(float) @ k[0].T.astype(float)))
    exact = (weights @ v) / weights.sum(axis=1)
    errors = []
    for setting in ("diffused", "nearest"):
        recipe = DEFAULT.with_settings([f"exp_table={setting}"])
        quant = Quant((1.0,), per="head")
        codes = quantise_attention("/attn", quant, quant, scale, 64, 400, (2**14, 14), recipe)
        found = qattention(q, k, np.tile(v, (64, 1)), codes.exp_table, codes.attrs)
        errors.append(float((found - exact[:, None]).mean()))
    assert abs(errors[0]) < 1.0 and errors[1] < -10.0


def test_last_entry_is_zero_even_where_the_shift_ends() -> None:
    quant = Quant((1e-6,), per="head")
    codes = quantise_attention("/attn", quant, quant, 0.125, 64, 400, (1, 0))
    assert codes.attrs.score_shift == (MAX_SCORE_SHIFT,)
    assert codes.exp_table[0, -2] == 255 and codes.exp_table[0, -1] == 0


@pytest.mark.parametrize("width", [8, 64])
def test_a_bias_is_in_steps_of_the_scores(width: int) -> None:
    """Weights under a bias are those of float; what is masked has none, and nothing leaves int16."""
    random = np.random.default_rng(1)
    q, k = (random.integers(-127, 128, (2, 12, width)).astype(np.int8) for _ in range(2))
    quant = Quant((0.02, 0.01), per="head")
    bias = np.where(random.random((2, 12, 12)) < 0.3, -1e9, -random.random((2, 12, 12)))
    bias[..., 0] = 0
    codes = quantise_attention("/attn", quant, quant, width**-0.5, width, 12, (2**14, 14), bias=bias)
    assert codes.bias is not None and codes.bias.dtype == np.int16 and codes.bias.shape == (2, 12, 12)
    vt = np.tile(100 * np.eye(12, dtype=np.int8), (2, 1))[: 2 * width]
    vt = np.pad(vt, ((0, 2 * width - len(vt)), (0, 0)))
    got = qattention(q, k, vt, codes.exp_table, codes.attrs, codes.bias)
    scale = np.square(quant.scale).reshape(2, 1, 1) * width**-0.5
    scores = scale * (q.astype(float) @ k.astype(float).transpose(0, 2, 1)) + bias
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights /= weights.sum(axis=2, keepdims=True)
    exact = np.einsum("hij,hcj->ihc", weights, vt.reshape(2, width, 12).astype(float)).reshape(12, -1)
    assert np.abs(got - exact).max() <= 2.5


def test_a_bias_of_all_heads_stays_one() -> None:
    quant, bias = Quant((0.02, 0.02), per="head"), np.triu(np.full((1, 3, 3), -1e9), 1)
    codes = quantise_attention("/attn", quant, quant, 1.0, 8, 3, (1, 0), bias=bias)
    assert codes.bias is not None and codes.bias.shape == (1, 3, 3)
    assert (codes.bias[0] == np.triu(np.full((3, 3), codes.bias.min()), 1)).all()
    assert MAX_BIASED_SCORE - 2**15 <= codes.bias.min() <= -1023


def test_a_bias_decides_where_all_scores_are_next_to_zero() -> None:
    quant, bias = Quant((1e-6,), per="head"), np.array([[[0.0, -1.0]]])
    codes = quantise_attention("/attn", quant, quant, 0.125, 8, 2, (1, 0), bias=bias)
    assert codes.attrs.score_shift == (MAX_SCORE_SHIFT,) and codes.bias is not None
    assert codes.exp_table[0, -codes.bias[0, 0, 1]] == pytest.approx(255 / np.e, abs=1)


@pytest.mark.parametrize("width", [2, 8, 16, 32, 48, 64, 96, 128])
def test_smallest_score_shift_is_exact(width: int) -> None:
    shift = smallest_score_shift(width)
    q = np.full((1, 1, width), -128, dtype=np.int8)
    table = np.full((1, 1024), 255, dtype=np.uint8)
    vt = np.ones((width, 1), dtype=np.int8)
    qattention(q, q, vt, table, QAttentionAttrs(1, (shift,), 2**14, 14))  # asserts scores below 2^15
    if shift > 1:
        with pytest.raises(AssertionError, match="scores do not fit int16"):
            qattention(q, q, vt, table, QAttentionAttrs(1, (shift - 1,), 2**14, 14))


def test_sums_of_the_longest_row_fit() -> None:
    keys = (2**31 - 1) // (255 * 128)
    quant = Quant((0.1,), per="head")
    codes = quantise_attention("/attn", quant, quant, 1.0, 2, keys, (2**15 - 1, 0))
    q = np.zeros((1, 1, 2), dtype=np.int8)
    k = np.zeros((1, keys, 2), dtype=np.int8)
    got = qattention(q, k, np.full((2, keys), -128, dtype=np.int8), codes.exp_table, codes.attrs)
    assert (got == -128).all()


@pytest.mark.parametrize("width", [2, 12, 16, 31, 64, 127, 128, 1000])
@pytest.mark.parametrize(("bias", "masked"), [(False, False), (True, False), (False, True)])
def test_extremes_of_16_bits_fit(width: int, bias: bool, masked: bool) -> None:
    """All codes at their ends, and any bias, in int32 and then in int16: both ops assert it."""
    bits = query_key_bits(width)
    assert 8 < bits <= 16 and width * 4**bits + 2**25 >= 2**31 and 0 <= rotation_bits(bits) <= 6
    step, numbers = Quant((1e-3,), per="head", bits=bits), np.array([[[0.0, -1e9, -3.0]]])
    codes = quantise_attention(
        "/attn",
        step,
        step,
        1.0,
        width,
        3,
        (2**14, 6),
        DEFAULT,
        numbers if bias else None,
        masked=masked,
        dtype="s16",
    )
    assert codes.attrs.dtype == "s16" and codes.attrs.score_shift[0] <= MAX_SCORE_SHIFT
    added = codes.bias
    if masked:
        added = np.array([[[2**14 - 1, -(2**14), 0]]], np.int16)
    lowest = -(2 ** (bits - 1))
    q = np.full((1, 2, width), lowest, np.int16)
    q[:, 1] = -lowest - 1
    k = np.stack([q[0, 0], q[0, 1], q[0, 0]])[None]
    vt = np.full((width, 3), -128, np.int8)
    found = qattention(q, k, vt, codes.exp_table, replace(codes.attrs, heads=1), added)
    assert found.dtype == np.int16 and (found <= 2 - 2**15).all()


@pytest.mark.parametrize(("width", "keys"), [(64, 65_794), (2**17, 400)])
def test_sizes_that_could_overflow(width: int, keys: int) -> None:
    with pytest.raises(QuantisationError, match=f"^/attn: found heads of {width} columns over {keys} keys"):
        quantise_attention("/attn", Quant((0.1,)), Quant((0.1,)), 1.0, width, keys, (1, 0))


@pytest.mark.parametrize("scale", [0.0, -0.125])
def test_scale_must_be_positive(scale: float) -> None:
    with pytest.raises(QuantisationError, match=r"^/attn: found attention scale .*, allowed positive"):
        quantise_attention("/attn", Quant((0.1,)), Quant((0.1,)), scale, 64, 400, (1, 0))


@settings(max_examples=200, deadline=None)
@given(value=st.floats(1e-4, 10), ratio=st.floats(1e-4, 1e6))
def test_out_factor_is_a_15_bit_multiplier(value: float, ratio: float) -> None:
    multiplier, shift = out_factor(value, value / ratio)
    assert 1 <= multiplier < 2**15 and -7 <= shift <= 23
    if 2**-8 < ratio < 2**22:
        assert ratio * (1 - 2**-14) <= multiplier / 2**shift <= ratio * (1 + 1e-9)


@pytest.mark.parametrize(
    ("factor", "offset"), [(1e4, -1e4), (3.4e38, -3.4e38), (30.0, -30.0), (1.5, 0.0), (-2.0, 1.0)]
)
@pytest.mark.parametrize("room", [1, 8])
def test_codes_of_a_mask(factor: float, offset: float, room: int) -> None:
    """0 and 1 give what they add in steps of the scores, as far as codes reach; what counts adds nearly 0."""
    step, x = 1 / 60, Quant((room / 32767,))
    attrs = quantise_mask(x, factor, offset, step)
    given = np.array([[0.0, 0.25, 1.0]])
    codes = qconvert(np.rint(given / x.scale[0]).astype(np.int16), attrs)
    added = np.clip((factor * given + offset) / step, -(2**14), 2**14 - 1)
    found = np.clip(codes, -(2**14), 2**14 - 1)
    assert np.abs(found - added).max() <= (1 + abs(factor) * x.scale[0] / step if factor < 1e3 else 16)


@pytest.mark.parametrize("factor", [-1e9, -1e30, 1e30])
def test_of_a_mask_beyond_all_multipliers_only_0_counts(factor: float) -> None:
    attrs = quantise_mask(Quant((8 / 32767,)), factor, 0.0, 1 / 60)
    codes = qconvert(np.array([[-32768, -1, 0, 1, 4096, 32767]], dtype=np.int16), attrs)
    found = np.clip(codes, -(2**14), 2**14 - 1)
    expected = np.sign(factor) * np.array([[-1, -1, 0, 1, 1, 1]])
    assert np.array_equal(np.sign(found), expected) and (np.abs(found) >= (2**14 - 1) * abs(expected)).all()


def test_scores_leave_room_for_a_mask() -> None:
    """With the lowest code of a mask a key counts nothing beside one without, whatever their scores."""
    width, heads = 64, 2
    q, k = Quant((0.5, 0.5), per="head"), Quant((0.5, 0.5), per="head")
    codes = quantise_attention("/attn", q, k, 0.125, width, 3, (1, 0), masked=True)
    assert len(set(codes.steps)) == 1
    extreme = np.full((heads, 1, width), -128, dtype=np.int8)
    keys = np.stack([np.full((2, width), 127), np.full((2, width), -128)], axis=1).astype(np.int8)
    mask = np.array([[[0, -(2**14)]]], dtype=np.int16)
    values = np.stack([np.full(heads * width, 50), np.full(heads * width, -50)], axis=1).astype(np.int8)
    attrs = replace(codes.attrs, out_multiplier=2**14, out_shift=14)
    found = qattention(extreme, keys, values, codes.exp_table, attrs, mask)
    assert (found == 50).all()
    highest = np.full((1, 1, 2), 2**14 - 1, dtype=np.int16)
    qattention(extreme, keys, values, codes.exp_table, attrs, highest)  # asserts that scores fit int16
