from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from tests.networks.small_transformer import Size, transformer, windows
from tests.passes.test_quantise import noise_ratios
from tmc.backend_gap9.stages.kernel_limits import check_kernel_limits
from tmc.ir.errors import PlanError, QuantisationError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.integer.qattention import QAttentionAttrs
from tmc.ir.types import Array
from tmc.passes.calibrate.calibrate import Ranges, calibrate
from tmc.passes.quantise_calibrated import quantise_calibrated
from tmc.passes.recipe import CHOICES, DEFAULT, NAIVE, NAMED, Recipe

GRAPH = transformer(Size(), outlier=20.0)
RANGES = calibrate(GRAPH, {"emg": windows(GRAPH, 16)})


def quantised(recipe: Recipe, graph: Graph = GRAPH, ranges: Ranges = RANGES) -> tuple[Graph, Graph]:
    """Return the float graph as it is quantised, and its integer graph."""
    made = quantise_calibrated(graph, ranges, recipe)
    return made.real, made.graph


def ratios(recipe: Recipe) -> dict[str, float]:
    return noise_ratios(*quantised(recipe), count=8)


def test_every_step_has_choices_and_its_default_is_one() -> None:
    assert list(CHOICES) == [field.name for field in fields(Recipe)]
    assert all(getattr(DEFAULT, step) in values and len(values) > 1 for step, values in CHOICES.items())
    assert Recipe() == DEFAULT == Recipe.named("default") and Recipe.named("naive") == NAIVE
    assert DEFAULT.changed() == {}


def test_settings() -> None:
    recipe = DEFAULT.with_settings(["zero_points=off", "residual_bits=8", "residual_headroom=1"])
    assert recipe == Recipe(zero_points=False, residual_bits=8, residual_headroom=1.0)
    assert recipe.changed() == {"zero_points": "off", "residual_bits": "8", "residual_headroom": "1"}
    other = DEFAULT.with_settings(["zero_points=off", "naive", "input_bits=13"])
    assert other == replace(NAIVE, input_bits=13)
    for named in NAMED.values():
        assert DEFAULT.with_settings([f"{step}={text}" for step, text in named.changed().items()]) == named


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        (
            "smoothing=on",
            "recipe: found smoothing=on, allowed default, naive, or step=value with the steps ra",
        ),
        ("clever", "recipe: found clever, allowed default, naive, or step=value with the steps range_se"),
        ("zero_points", "recipe: found zero_points=, allowed zero_points=on or off"),
        ("zero_points=maybe", "recipe: found zero_points=maybe, allowed zero_points=on or off"),
        ("residual_bits=12", "recipe: found residual_bits=12, allowed residual_bits=16 or 8"),
    ],
)
def test_settings_that_do_not_exist(setting: str, found: str) -> None:
    with pytest.raises(QuantisationError) as error:
        DEFAULT.with_settings([setting])
    assert str(error.value).startswith(found)


def test_a_recipe_that_does_not_exist() -> None:
    with pytest.raises(QuantisationError, match=r"^recipe: found clever, allowed default, naive$"):
        Recipe.named("clever")


# What the default comes to on this network, where columns of equal range leave nothing to cut.
SAME = {("migrate_outliers", "always"), ("input_bits", 15), ("norm_range", "mse"), ("norm_range", "p99.99")}
SINGLE = [
    (step, value)
    for step, values in CHOICES.items()
    for value in values
    if value != getattr(DEFAULT, step) and (step, value) not in SAME
]


@pytest.mark.parametrize(("step", "value"), SINGLE)
def test_every_choice_makes_another_network_that_works(step: str, value: Any) -> None:
    # with room for louder windows, that of the stream is more than `residual_headroom` asks for
    plain = DEFAULT if step == "loudness" else replace(DEFAULT, loudness=1.0)
    _, integer = quantised(replace(plain, **{step: value}))
    _, default = quantised(plain)
    same = (
        integer.ops == default.ops
        and integer.types == default.types
        and all(np.array_equal(array, default.constants[name]) for name, array in integer.constants.items())
    )
    assert not same


LOSSES = [
    ("migrate_outliers", "never", 5.0),
    ("residual_bits", 8, 5.0),
    ("input_bits", 8, 3.0),
    ("residual_headroom", 64.0, 1.0),
]


@pytest.fixture(scope="module")
def default() -> dict[str, float]:
    return ratios(DEFAULT)


@pytest.mark.parametrize(("step", "value", "loss"), LOSSES)
def test_what_a_step_is_worth(default: dict[str, float], step: str, value: Any, loss: float) -> None:
    assert ratios(replace(DEFAULT, **{step: value}))["tokens"] < default["tokens"] - loss


def with_spikes(graph: Graph, count: int, seed: int = 1) -> Array:
    """Return windows in which one sample of a thousand is 60 times as large."""
    plain = windows(graph, count, seed)
    return np.where(np.random.default_rng(seed + 100).random(plain.shape) < 0.001, 60 * plain, plain)


def spiky() -> Graph:
    """Return the network with a column of its own for every sample of a token: a spike stays in one place."""
    weight = GRAPH.constants["embedded.w"].copy()
    weight[:20] += 3 * np.eye(20, dtype=np.float32)
    return replace(GRAPH, constants={**GRAPH.constants, "embedded.w": weight})


def test_what_rare_large_values_lose_by_a_percentile() -> None:
    graph = spiky()
    ranges = calibrate(graph, {"emg": with_spikes(graph, 16)})
    found = {}
    for method in ("mse", "p99.9"):
        pair = quantised(DEFAULT.with_settings([f"range_search={method}"]), graph, ranges)
        found[method] = noise_ratios(*pair, 8, with_spikes)["tokens"]
    assert found["p99.9"] < found["mse"] - 2.0


def test_naive_is_far_worse(default: dict[str, float]) -> None:
    naive = ratios(NAIVE)
    assert naive["logits"] < default["logits"] - 15 and naive["tokens"] < default["tokens"] - 15


def test_naive_is_what_it_says() -> None:
    graph, integer = quantised(NAIVE)
    assert graph is GRAPH
    quants = {name: kind.quant for name, kind in integer.types.items() if kind.quant is not None}
    assert all(quant.zero_point == 0 for quant in quants.values())
    for name in ("0.q", "0.v", "0.after_attention", "0.gelu"):
        assert len(set(quants[f"{name}.weight"].scale)) == 1
    assert quants["emg"].scale == (RANGES.values["emg"].magnitude / 127,)
    stream = max(
        RANGES.values[name].magnitude
        for name in ("embedded", "0.after_attention", "0.after_mlp", "1.after_attention", "1.after_mlp")
    )
    assert quants["0.after_mlp"].scale[0] == pytest.approx(stream / 127)
    assert quants["pooled"].scale[0] == pytest.approx(quants["tokens"].scale[0], rel=1e-3)
    assert len(set(quants["0.q_turned"].scale)) == 1


def test_multipliers_have_the_bits_they_may() -> None:
    for bits in (8, 4):
        _, integer = quantised(Recipe(multiplier_bits=bits))
        found = max(int(array.max()) for name, array in integer.constants.items() if "multiplier" in name)
        assert 2 ** (bits - 1) <= found < 2**bits


def test_weight_scales_without_snapping_are_those_of_the_weights() -> None:
    graph, integer = quantised(Recipe(snap_weight_scales=False, weight_rounding="nearest"))
    weight = next(graph.constants[op.inputs[1]] for op in graph.ops if op.output == "0.v")
    quant = integer.types["0.v.weight"].quant
    assert quant is not None
    assert np.allclose(quant.scale, np.abs(weight).max(axis=1) / 127, rtol=1e-6)
    assert np.abs(integer.constants["0.v.weight"]).max(axis=1).tolist() == [127] * len(weight)


def test_no_kernel_normalises_first() -> None:
    _, integer = quantised(Recipe(softmax_division="first"))
    attention = next(op for op in integer.ops if op.kind is OpKind.QATTENTION)
    assert isinstance(attention.attrs, QAttentionAttrs) and attention.attrs.normalised
    with pytest.raises(PlanError, match=r"^/0\.attended: found a softmax divided by its sum before") as error:
        check_kernel_limits(integer, {})
    assert "softmax_division=deferred" in error.value.notes[0]
