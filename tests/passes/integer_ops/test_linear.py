from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmc.ir.errors import QuantisationError
from tmc.ir.integer.qlinear import QLinearAttrs, qlinear
from tmc.ir.types import Quant
from tmc.passes.integer_ops.declared_weights import DeclaredWeights
from tmc.passes.integer_ops.linear import CodeRange, LinearTask, overflow, quantise_linear, quantise_logits
from tmc.passes.integer_ops.wide import quantise_wide

INT8 = CodeRange(-128, 127)
X = Quant((0.03,), -20)


def task_of(
    seed: int,
    depth: int = 64,
    channels: int = 12,
    spread: float = 1.0,
    x: Quant = X,
    y: float = 0.05,
    groups: int = 1,
    codes: CodeRange = INT8,
) -> LinearTask:
    generator = np.random.default_rng(seed)
    weight = generator.normal(0, 0.1, (channels, depth)) * np.exp(generator.normal(0, spread, (channels, 1)))
    bias = generator.normal(0, 0.5, (groups, channels))
    return LinearTask("/fc", weight, bias, x, codes, np.full(channels, y), 7, residual=False)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), spread=st.floats(0, 3), y=st.floats(1e-3, 1.0), depth=st.integers(1, 300))
def test_multiplier_over_shift_is_the_ratio_of_the_scales(
    seed: int, spread: float, y: float, depth: int
) -> None:
    task = task_of(seed, depth=depth, spread=spread, y=y)
    codes = quantise_linear(task)
    assert 1 <= codes.multiplier.min() and codes.multiplier.max() <= 255
    for n, multiplier in enumerate(codes.multiplier):
        ratio = Fraction(task.x.scale[0]) * Fraction(codes.weight_scale[n]) / Fraction(task.y_scale[n])
        assert abs(ratio * 2**codes.shift / int(multiplier) - 1) < 1e-14
    # no weight clips, and each is the nearest code
    assert np.abs(codes.weight.astype(int)).max() <= 127
    error = codes.weight * codes.weight_scale[:, None] - task.weight
    assert (np.abs(error) <= codes.weight_scale[:, None] * 0.5000001).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    y=st.floats(1e-4, 1.0),
    groups=st.sampled_from([1, 2, 4]),
    zero_point=st.integers(-128, 127),
)
def test_result_is_the_real_result_to_half_a_step(seed: int, y: float, groups: int, zero_point: int) -> None:
    task = task_of(seed, y=y, groups=groups, x=Quant((0.03,), zero_point))
    codes = quantise_linear(task)
    x = np.random.default_rng(seed + 1).integers(-128, 128, (8, 64)).astype(np.int8)
    got = qlinear(x, codes.weight, codes.multiplier, codes.bias, QLinearAttrs(codes.shift, "s32"))
    weight = codes.weight * codes.weight_scale[:, None]
    real = 0.03 * (x.astype(int) - zero_point) @ weight.T + np.repeat(task.bias, 8 // groups, axis=0)
    # the bias is rounded at 2^-shift steps: the only error besides the final rounding
    assert np.abs(got - (real / task.y_scale + 7)).max() <= 0.5 + 2.0**-codes.shift


def test_shift_is_the_largest_that_keeps_multipliers_in_8_bits() -> None:
    codes = quantise_linear(task_of(0, depth=4, y=1.0))
    assert 128 <= codes.multiplier.max() <= 255


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("x_codes", [INT8, CodeRange(-4096, 4095), CodeRange(-32768, 32767)])
def test_bounds_are_reached_by_the_worst_input_and_proved(sign: int, x_codes: CodeRange) -> None:
    task = task_of(1, depth=2000, spread=0.0, x=Quant((0.001,)), y=0.2, codes=x_codes)
    task = replace(task, weight=np.abs(task.weight) * sign)
    codes = quantise_linear(task)
    dtype = np.int8 if x_codes is INT8 else np.int16
    attrs = QLinearAttrs(codes.shift, "s32")
    for end in (x_codes.low, x_codes.high):
        worst = np.full((1, 2000), end, dtype=dtype)
        qlinear(worst, codes.weight, codes.multiplier, codes.bias, attrs)  # asserts int32 at every step
    assert overflow(task, codes) is None


def test_shift_gives_way_to_the_proof() -> None:
    # Worst-case sums of 3000 x 127 x 128 leave room for 5-bit multipliers only.
    task = replace(task_of(2, depth=3000, y=1e-2, x=Quant((1e-3,))), weight=np.full((12, 3000), 0.5))
    codes = quantise_linear(task)
    assert codes.multiplier.max() < 64
    assert overflow(task, codes) is None
    finer = replace(codes, multiplier=codes.multiplier * 2, bias=codes.bias * 2, shift=codes.shift + 1)
    assert "a scaled sum" in str(overflow(task, finer))


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("weight", 127, "a sum"),
        ("bias", 2**31, "a bias"),
        ("multiplier", 255, "a scaled sum"),
        ("bias", 2**31 - 1, "a scaled sum with bias"),
    ],
)
def test_each_step_of_the_proof_can_fail(field: str, value: int, what: str) -> None:
    depth = {"weight": 140_000, "multiplier": 700}.get(field, 10)
    task = replace(task_of(0, depth=depth, channels=1), x_codes=INT8)
    codes = quantise_linear(task_of(0, depth=10, channels=1))
    codes = replace(
        codes,
        weight=np.full((1, depth), 127),
        bias=np.zeros((1, 1), dtype=np.int64),
        multiplier=np.ones(1, dtype=np.int64),
    )
    assert field == "weight" or overflow(task, codes) is None
    changed = replace(codes, **{field: np.full(getattr(codes, field).shape, value, dtype=np.int64)})
    message = overflow(task, changed)
    assert message is not None and message.startswith(f"{what} of channel 0 between")


@pytest.mark.parametrize("x_codes", [INT8, CodeRange(-4096, 4095), CodeRange(-3, 900)])
def test_bound_is_exact(x_codes: CodeRange) -> None:
    weight = np.random.default_rng(0).integers(-127, 128, (1, 50))
    low = int(np.where(weight > 0, x_codes.low, x_codes.high)[0] @ weight[0])
    high = int(np.where(weight > 0, x_codes.high, x_codes.low)[0] @ weight[0])
    task = replace(task_of(0, depth=50, channels=1), x_codes=x_codes)
    codes = replace(quantise_linear(task), weight=weight, multiplier=np.full(1, 100))

    def fits(bias: int) -> bool:
        return overflow(task, replace(codes, bias=np.full((1, 1), bias, dtype=np.int64))) is None

    assert fits(2**31 - 1 - 100 * high) and not fits(2**31 - 100 * high)
    assert fits(-(2**31) - 100 * low) and not fits(-(2**31) - 1 - 100 * low)


def test_residual_needs_room_for_its_summand() -> None:
    task = replace(task_of(0, depth=1, channels=1), residual=True)
    codes = replace(
        quantise_linear(task),
        weight=np.zeros((1, 1), dtype=np.int64),
        shift=0,
        bias=np.full((1, 1), 2**31 - 100, dtype=np.int64),
    )
    assert "a result with residual" in str(overflow(task, codes))
    assert overflow(replace(task, residual=False), codes) is None


def test_dead_channels_and_dead_layers() -> None:
    task = task_of(3)
    weight = task.weight.copy()
    weight[4] = 0
    codes = quantise_linear(replace(task, weight=weight))
    assert codes.multiplier[4] == 1 and not codes.weight[4].any()
    dead = quantise_linear(replace(task, weight=np.zeros_like(weight)))
    x = np.zeros((1, 64), dtype=np.int8)
    got = qlinear(x, dead.weight, dead.multiplier, dead.bias, QLinearAttrs(dead.shift, "s32"))
    assert np.abs(got - (task.bias / task.y_scale + 7)).max() <= 0.51


def test_impossible_ratio_is_refused_by_name() -> None:
    with pytest.raises(QuantisationError, match=r"^/fc: found a scale ratio of .*, allowed at most 255"):
        quantise_linear(task_of(0, y=1e-9))


def test_impossible_sum_is_refused_by_name() -> None:
    task = task_of(0, depth=600, x=Quant((1.0,)), codes=CodeRange(-32768, 32767), y=1.0)
    task = replace(task, weight=np.full((12, 600), 0.5))
    with pytest.raises(QuantisationError, match=r"^/fc: found a scaled sum.* of channel .* int32"):
        quantise_linear(task)


def test_weights_of_the_model_that_leave_no_room_are_refused_by_name() -> None:
    codes = np.full((12, 64), 100, dtype=np.int8)
    declared = DeclaredWeights(codes, np.full(12, 0.01))
    fits = replace(task_of(0), declared=declared)
    assert np.array_equal(quantise_linear(fits).weight, codes)
    with pytest.raises(QuantisationError, match=r"^/fc: found a scale ratio .* no room in int32") as error:
        quantise_linear(replace(fits, y_scale=np.full(12, 1e-9)))
    assert any("quantise the network again" in note for note in error.value.notes)


def test_logits_share_one_scale() -> None:
    task = task_of(5, x=Quant((2e-4,)), codes=CodeRange(-32640, 32640), depth=100)
    codes = quantise_logits(task)
    assert codes.shift == 0 and (codes.multiplier == 1).all() and len(set(codes.weight_scale)) == 1
    assert np.abs(codes.weight.astype(int)).max() == 127
    x = np.random.default_rng(0).integers(-32640, 32640, (4, 100)).astype(np.int16)
    got = qlinear(x, codes.weight, codes.multiplier, codes.bias, QLinearAttrs(0, "s32"))
    real = (x * 2e-4) @ (codes.weight * codes.weight_scale[0]).T + task.bias
    assert np.abs(got * (2e-4 * codes.weight_scale[0]) - real).max() <= 2e-4 * codes.weight_scale[0]


def test_logits_of_zero_weights() -> None:
    task = replace(task_of(5, x=Quant((2e-4,))), weight=np.zeros((12, 64)))
    codes = quantise_logits(task)
    assert not codes.weight.any()
    assert np.allclose(codes.bias * 2e-4 * codes.weight_scale[0], task.bias, atol=2e-4)


@pytest.mark.parametrize("cause", ["sum", "bias"])
def test_logits_that_do_not_fit_are_refused_by_name(cause: str) -> None:
    task = task_of(5, depth=2000, codes=CodeRange(-32768, 32767))
    task = replace(task, weight=np.full((12, 2000), 0.1))
    if cause == "bias":
        task = replace(task, x_codes=INT8, bias=np.full((1, 12), 1e30))
    with pytest.raises(QuantisationError, match=rf"^/fc: found a {cause} of channel"):
        quantise_logits(task)


@pytest.mark.parametrize("result", ["int8", "logits", "wide"])
def test_a_large_mean_of_the_operand_costs_nothing(result: str) -> None:
    """Counts of a converter around 2048, of which the network wants what differs from their mean."""
    generator = np.random.default_rng(5)
    mean = 2048 + generator.normal(0, 30, 40)
    rows = (mean + generator.normal(0, 100, (400, 40))).astype(np.float32)
    weight = generator.normal(0, 0.01, (12, 40))
    x, y = Quant((0.125,)), np.full(12, 0.05)
    bias = -(weight @ mean)[None]
    task = LinearTask("/fc", weight, bias, x, CodeRange(-(2**15), 2**15 - 1), y, 0, False, None, rows)
    wanted = rows @ weight.T + bias
    codes = np.rint(rows / 0.125)
    errors = []
    for about in (task, replace(task, rows=None)):
        if result == "int8":
            made = quantise_linear(about)
            found = ((codes @ made.weight.T * made.multiplier + made.bias) / 2.0**made.shift - 0.5) * 0.05
        else:
            made = quantise_logits(about) if result == "logits" else quantise_wide(about).linear
            found = (codes @ made.weight.T + made.bias) * made.weight_scale * 0.125
        errors.append(float(np.square(found - wanted).mean()))
    assert errors[0] < errors[1] / 20
    assert 10 * np.log10(np.square(wanted).mean() / errors[0]) > 35
