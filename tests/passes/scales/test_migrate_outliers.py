from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.networks.small_transformer import Size, transformer, windows
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.ir.verify import verify
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.recipe import DEFAULT
from tmc.passes.scales.migrate_outliers import STRENGTHS, migrate_outliers
from tmc.passes.scales.search_range import search_range

SIZE = Size(layers=1)
PLANTED = transformer(SIZE, outlier=20.0)


def constants_of(graph: Graph, value: str) -> list[np.ndarray]:
    op = next(op for op in graph.ops if op.output == value)
    return [graph.constants[name] for name in op.inputs[1:]]


def test_function_is_preserved() -> None:
    ranges = calibrate(PLANTED, {"emg": windows(PLANTED, 4)})
    migrated, _ = migrate_outliers(PLANTED, ranges)
    verify(migrated)
    window = windows(PLANTED, 1, seed=9)[0]
    before, after = interpret(PLANTED, {"emg": window}), interpret(migrated, {"emg": window})
    for name, array in before.items():
        assert np.allclose(array, after[name], rtol=0, atol=2e-5 * np.abs(array).max())


def test_outliers_shrink_to_the_square_root_or_more() -> None:
    ranges = calibrate(PLANTED, {"emg": windows(PLANTED, 4)})
    _, after = migrate_outliers(PLANTED, ranges)
    for name in ("0.norm1", "0.norm2"):
        old, new = (found.values[name].column_magnitude for found in (ranges, after))
        assert old.max() > 10 * np.median(old)
        assert new.max() / np.median(new) < 2 * (old.max() / np.median(old)) ** 0.5


@pytest.mark.parametrize("strengths", [(0.5,), (0.75,), (1.0,), STRENGTHS])
def test_factor_is_the_published_one(monkeypatch: pytest.MonkeyPatch, strengths: tuple[float, ...]) -> None:
    ranges = calibrate(PLANTED, {"emg": windows(PLANTED, 4)})
    monkeypatch.setattr("tmc.passes.scales.migrate_outliers.STRENGTHS", strengths)
    migrated, _ = migrate_outliers(PLANTED, ranges)
    magnitude = ranges.values["0.norm1"].column_magnitude.astype(np.float64)
    weight = np.abs(np.concatenate([constants_of(PLANTED, f"0.{name}")[0] for name in "qkv"])).max(axis=0)
    raw = (magnitude**strength / weight ** (1 - strength) for strength in strengths)
    factors = [factor / np.exp(np.log(factor).mean()) for factor in raw]
    gamma, beta = constants_of(migrated, "0.norm1")
    old_gamma, old_beta = constants_of(PLANTED, "0.norm1")
    found = [factor for factor in factors if np.allclose(gamma, old_gamma / factor, rtol=1e-5)]
    assert len(found) == 1
    assert np.allclose(beta, old_beta / found[0], rtol=1e-5)
    new, old = constants_of(migrated, "0.k")[0], constants_of(PLANTED, "0.k")[0]
    assert np.allclose(new, old * found[0], rtol=1e-5)


def test_the_quietest_strength_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    ranges = calibrate(PLANTED, {"emg": windows(PLANTED, 16)})

    def noise(strengths: tuple[float, ...]) -> float:
        """Measure what rounding norm1 and the weights does to Q, K and V, on all rows."""
        monkeypatch.setattr("tmc.passes.scales.migrate_outliers.STRENGTHS", strengths)
        graph, after = migrate_outliers(PLANTED, ranges)
        scale, zero_point = search_range(after.values["0.norm1"], False, DEFAULT.norm_range)
        total = 0.0
        for name in "qkv":
            x, weight = after.values["0.norm1"].rows.astype(np.float64), constants_of(graph, f"0.{name}")[0]
            step = np.abs(weight).max(axis=1, keepdims=True) / 127
            codes = np.clip(np.rint(x / scale), -128 - zero_point, 127 - zero_point)
            rounded, exact = codes * scale @ (np.rint(weight / step) * step).T, x @ weight.T
            total += float(np.square(rounded - exact).sum() / np.square(exact).sum())
        return total

    singly = {strength: noise((strength,)) for strength in STRENGTHS}
    assert noise(STRENGTHS) == pytest.approx(min(singly.values()))
    assert max(singly.values()) > 1.05 * min(singly.values())


def test_ranges_are_those_of_another_calibration() -> None:
    samples = {"emg": windows(PLANTED, 4)}
    migrated, moved = migrate_outliers(PLANTED, calibrate(PLANTED, samples))
    again = calibrate(migrated, samples)
    for name, found in again.values.items():
        bound = 2e-5 * found.magnitude
        assert np.allclose(found.column_low, moved.values[name].column_low, rtol=0, atol=bound)
        assert np.allclose(found.column_high, moved.values[name].column_high, rtol=0, atol=bound)
        assert np.allclose(found.sample, moved.values[name].sample, rtol=0, atol=bound)


def test_where_nothing_is_gained_nothing_changes() -> None:
    graph = even(transformer(SIZE))
    for op in graph.ops:  # what one norm changes, the next one sees
        if op.kind is OpKind.LAYERNORM:
            ranges = calibrate(graph, {"emg": windows(graph, 4)})
            graph.constants[op.inputs[1]][:] /= ranges.values[op.output].column_magnitude
    ranges = calibrate(graph, {"emg": windows(graph, 4)})
    same, ranges_after = migrate_outliers(graph, ranges)
    assert same.ops == graph.ops
    assert set(same.constants) == set(graph.constants)
    assert ranges_after.values == ranges.values


def even(graph: Graph, factor: float = 1.0) -> Graph:
    """Return a network whose LayerNorms have equal channels, but channel 0, which is `factor` times larger.

    The weights behind them are equally large, and those behind channel 0 larger by the same factor: to move
    anything makes no step any finer.
    """
    constants = {
        name: np.ones_like(array)
        if name.endswith(".g")
        else np.zeros_like(array)
        if name.endswith(".beta")
        else array.copy()
        for name, array in graph.constants.items()
    }
    for op in graph.ops:
        if op.kind is OpKind.LAYERNORM and op.output != "tokens":
            constants[op.inputs[1]][0] = factor
        if op.kind is OpKind.LINEAR and "norm" in op.inputs[0]:
            weight = constants[op.inputs[1]]
            weight /= np.abs(weight).max(axis=0)
            weight[:, 0] *= np.float32(factor)
    return replace(graph, constants=constants)


def moved(graph: Graph, how: str) -> set[str]:
    recipe = DEFAULT.with_settings([f"migrate_outliers={how}"])
    found, _ = migrate_outliers(graph, calibrate(graph, {"emg": windows(graph, 4)}), recipe)
    verify(found)
    return {name.removesuffix(".gamma_migrated") for name in found.constants if "gamma_migrated" in name}


def test_moved_where_it_gains_always_or_never() -> None:
    norms = {"0.norm1", "0.norm2"}
    assert moved(PLANTED, "where_it_gains") == moved(PLANTED, "always") == norms
    assert moved(PLANTED, "never") == set()
    even_weights = even(transformer(SIZE), 20.0)
    assert moved(even_weights, "where_it_gains") == set()
    assert moved(even_weights, "always") == norms


@pytest.mark.parametrize("reason", ["graph output", "read by another op"])
def test_a_norm_that_others_see_stays(reason: str) -> None:
    graph = PLANTED
    if reason == "graph output":
        graph = replace(graph, outputs=(*graph.outputs, "0.norm1", "0.norm2"))
        kept = ("0.norm1", "0.norm2")
    else:  # the final norm feeds a mean
        kept = ("tokens",)
    migrated, _ = migrate_outliers(graph, calibrate(graph, {"emg": windows(graph, 2)}))
    for name in kept:
        op = next(op for op in migrated.ops if op.output == name)
        assert op == next(op for op in graph.ops if op.output == name)


def test_shared_constants_are_not_changed_under_their_other_readers() -> None:
    ops = tuple(
        replace(op, inputs=("features", "0.q.w", "0.q.b")) if op.output == "logits" else op
        for op in PLANTED.ops
    )
    types = dict(PLANTED.types)
    types["features"] = replace(types["features"], shape=(4, 48))
    types["logits"] = replace(types["logits"], shape=(4, 48))
    ops = tuple(replace(op, attrs=type(op.attrs)((4, 48))) if op.output == "features" else op for op in ops)
    constants = {name: array for name, array in PLANTED.constants.items() if not name.startswith("logits.")}
    types = {name: kind for name, kind in types.items() if not name.startswith("logits.")}
    graph = replace(PLANTED, ops=ops, types=types, constants=constants)
    verify(graph)
    migrated, _ = migrate_outliers(graph, calibrate(graph, {"emg": windows(graph, 2)}))
    verify(migrated)
    assert np.array_equal(migrated.constants["0.q.w"], graph.constants["0.q.w"])
    reader = next(op for op in migrated.ops if op.output == "0.q")
    assert reader.kind is OpKind.LINEAR and reader.inputs[1] == "0.q.weight_migrated"
