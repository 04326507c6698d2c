"""Columns of Q and K get equal ranges, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.networks.small_transformer import Size, transformer, windows
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.ir.verify import verify
from tmc.passes.calibrate.calibrate import Ranges, calibrate
from tmc.passes.recipe import DEFAULT
from tmc.passes.scales.balance_query_key import balance_query_key


def uneven(rotary: bool = True) -> Graph:
    """Return a transformer of one block in which pairs of columns of Q differ a hundredfold."""
    graph = transformer(Size(layers=1, rotary=rotary))
    constants = dict(graph.constants)
    spread = np.geomspace(0.1, 10.0, len(constants["0.q.w"]) // 2).astype(np.float32)
    factor = np.repeat(spread, 2)
    constants["0.q.w"] = constants["0.q.w"] * factor[:, None]
    constants["0.q.b"] = constants["0.q.b"] * factor
    return replace(graph, constants=constants)


def balanced(graph: Graph) -> tuple[Graph, Ranges, Ranges]:
    before = calibrate(graph, {"emg": windows(graph, 4)})
    result, after = balance_query_key(graph, before)
    verify(result)
    return result, before, after


@pytest.mark.parametrize("rotary", [True, False])
def test_function_is_preserved(rotary: bool) -> None:
    graph = uneven(rotary)
    result, _, _ = balanced(graph)
    window = windows(graph, 1, seed=9)[0]
    before, after = interpret(graph, {"emg": window}), interpret(result, {"emg": window})
    for name, array in before.items():
        assert np.allclose(array, after[name], rtol=0, atol=5e-5 * np.abs(array).max())


@pytest.mark.parametrize("rotary", [True, False])
def test_ranges_are_equal_and_those_of_another_calibration(rotary: bool) -> None:
    result, before, after = balanced(uneven(rotary))
    again = calibrate(result, {"emg": windows(result, 4)})
    for name, found in again.values.items():
        bound = 5e-5 * found.magnitude
        assert np.allclose(found.column_low, after.values[name].column_low, rtol=0, atol=bound)
        assert np.allclose(found.column_high, after.values[name].column_high, rtol=0, atol=bound)
    suffix = "_turned" if rotary else ""

    def largest(ranges: Ranges, name: str, width: int) -> np.ndarray:
        return np.asarray(ranges.values[name].column_magnitude.reshape(-1, width).max(axis=1))

    width = 2 if rotary else 1
    query, key = (largest(after, f"0.{name}{suffix}", width) for name in "qk")
    assert np.allclose(query, key, rtol=1e-4)
    product = largest(before, f"0.q{suffix}", width) * largest(before, f"0.k{suffix}", width)
    assert np.allclose(query * key, product, rtol=1e-4)


def test_one_factor_for_the_columns_that_a_rotation_mixes() -> None:
    graph = uneven()
    result, _, _ = balanced(graph)
    for name in ("0.q", "0.k"):
        ratio = (weight(result, name) / weight(graph, name))[:, 0]
        assert np.allclose(ratio[::2], ratio[1::2], rtol=1e-5) and ratio.max() > 2 * ratio.min()


def weight(graph: Graph, output: str) -> np.ndarray:
    return graph.constants[next(op.inputs[1] for op in graph.ops if op.output == output)]


def test_off_it_changes_nothing() -> None:
    graph = uneven()
    ranges = calibrate(graph, {"emg": windows(graph, 2)})
    same, found = balance_query_key(graph, ranges, replace(DEFAULT, balance_query_key=False))
    assert same is graph and found is ranges


def seen(graph: Graph, name: str) -> Graph:
    return replace(graph, outputs=(*graph.outputs, name))


def read_twice(graph: Graph, name: str) -> Graph:
    """Return a graph in which the value is the key as well."""
    ops = tuple(
        replace(op, inputs=(op.inputs[0], name, op.inputs[2])) if op.kind is OpKind.ATTENTION else op
        for op in graph.ops
    )
    return replace(graph, ops=ops)


@pytest.mark.parametrize(
    ("change", "name"), [(seen, "0.q_turned"), (seen, "0.k"), (seen, "0.k_turned"), (read_twice, "0.v")]
)
def test_values_that_others_see_stay(change: Callable[[Graph, str], Graph], name: str) -> None:
    graph = change(uneven(), name)
    result, _, _ = balanced(graph)
    assert result.constants.keys() <= graph.constants.keys(), "a changed constant has a name of its own"
