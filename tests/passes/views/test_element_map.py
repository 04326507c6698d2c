"""The analysis of views and linear element-wise ops, against the interpreter."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import graph_of, normal
from tmc.ir.graph import Graph
from tmc.ir.interpret import interpret
from tmc.ir.types import Array
from tmc.passes.views.element_map import ElementMap, Tracer

CONSTANTS = {"c": normal(3, 4), "row": normal(4) + 3, "two": 2.0, "zero": 0.0, "ones": np.ones((2, 1, 1))}


def evaluated(found: ElementMap, source: Array) -> Array:
    """Return what a map says that the value is."""
    total = np.zeros(found.terms[0].index.shape)
    for term in found.terms:
        factor = 1.0 if term.coefficient is None else term.coefficient
        total += factor * source.reshape(-1)[term.index]
    return np.asarray(total * found.scale)


def trace(graph: Graph) -> ElementMap:
    """Return the map of output y."""
    return Tracer(graph).trace("y")


@pytest.mark.parametrize(
    "text",
    [
        "y = transpose(x) {permutation=(1, 0)}",
        "a = slice(x) {starts=(0, 1), ends=(3, 4), steps=(2, 2)}\n y = expand(a) {shape=(2, 2, 2)}",
        "a = gather(x) {axis=1, indices=(3, 3, 0), shape=(3,)}\n y = reshape(a) {shape=(9,)}",
        "a = mul(x, two)\n b = mul(row, a)\n y = neg(b)",
        "a = div(x, two)\n y = div(a, row)",
        "a = mul(x, c)\n y = div(a, row)",
        "a = mul(x, ones)\n y = mul(a, c)",
        "a = mul(x, two)\n b = mul(x, c)\n y = sub(a, b)",
        "a = neg(x)\n y = add(x, a)",
        "a = mul(x, zero)\n y = add(a, x)",
        "a = mul(x, zero)\n y = concat(a, x) {axis=0}",
        "a = mul(x, two)\n b = neg(a)\n y = concat(b, a) {axis=0}",
        "a = add(x, x)\n y = concat(x, a) {axis=1}",
        "a = mul(x, c)\n b = sub(a, x)\n d = mul(b, c)\n y = concat(d, x, b) {axis=1}",
    ],
)
def test_map_is_what_the_ops_compute(text: str) -> None:
    graph = graph_of(text, (3, 4), CONSTANTS)
    x = normal(3, 4)
    found = trace(graph)
    assert found.source == "x"
    np.testing.assert_allclose(evaluated(found, x), interpret(graph, {"x": x})["y"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "y = tanh(x)",
        "y = add(x, row)",
        "y = div(two, x)",
        "y = div(x, zero)",
        "y = concat(x, c) {axis=0}",
        "y = mul(x, x)",
        "a = tanh(x)\n y = add(a, x)",
        "a = add(x, x)\n b = add(a, a)\n d = add(b, b)\n y = add(d, d)",
    ],
)
def test_what_cannot_be_followed_is_its_own_source(text: str) -> None:
    found = trace(graph_of(text, (3, 4), CONSTANTS))
    assert found.source == "y" and found.view() is not None


def test_only_plain_rearrangements_are_views() -> None:
    graph = graph_of("t = transpose(x) {permutation=(1, 0)}\n y = mul(t, two)", (3, 4), CONSTANTS)
    index = Tracer(graph).trace("t").view()
    assert index is not None and index[1, 2] == 9
    assert trace(graph).view() is None
    assert Tracer(graph, views_only=True).trace("y").source == "y"
