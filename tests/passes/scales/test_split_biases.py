"""split_biases: constants that differ from row to row are added behind linears of int8."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import body, graph_of, normal, same_numbers
from tmc.passes.scales.split_biases import split_biases

CONSTANTS = {"w": normal(4, 4), "b": normal(1, 4), "rows": normal(6, 4), "groups": normal(2, 4)}


@pytest.mark.parametrize("bias", ["rows", "groups"])
def test_a_linear_of_int8_gets_a_sum(bias: str) -> None:
    text = f"h = linear(x, w, b)\n t = tanh(h)\n p = linear(t, w, {bias})\n y = linear(p, w, b)"
    after = same_numbers(graph_of(text, (6, 4), CONSTANTS), split_biases, 1e-6)
    assert body(after) == [
        "h = linear(x, w, b)",
        "t = tanh(h)",
        "p.product = linear(t, w, p.product.bias)",
        "p = add(p.product, p.rows)",
        "y = linear(p, w, b)",
    ]
    expected = np.repeat(CONSTANTS[bias], 6 // len(CONSTANTS[bias]), axis=0)
    assert np.array_equal(after.constants["p.rows"], expected)


@pytest.mark.parametrize(
    "text",
    [
        # int16 of int16, as the embedding of an input is
        "e = linear(x, w, rows)\n n = layernorm(e, g, g) {epsilon=0.001}\n y = linear(n, w, b)",
        # one row
        "h = linear(x, w, b)\n t = tanh(h)\n y = linear(t, w, b)",
    ],
)
def test_others_stay(text: str) -> None:
    graph = graph_of(text, (6, 4), CONSTANTS | {"g": normal(4) + 2})
    assert split_biases(graph) == graph
