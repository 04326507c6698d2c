"""The interpreter: inputs, values and what it forgets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tmc.ir.errors import VerifyError
from tmc.ir.interpret import interpret
from tmc.ir.text import parse_graph
from tmc.ir.types import Array
from tmc.ir.verify import verify

X = np.arange(6, dtype=np.float32).reshape(2, 3)
GRAPH = parse_graph(
    """
graph @net(%x: f32[2x3]) {
  %two = constant f32[]
  %a: f32[2x3] = mul(%x, %two)
  %b: f32[2x3] = sub(%a, %x)
  %c: f32[3x2] = transpose(%b) {permutation=(1, 0)}
  %d: f32[2x2] = matmul(%a, %c)
  return %d, %b
}""",
    {"two": np.array(2, np.float32)},
)


def test_outputs_by_name_in_their_order() -> None:
    verify(GRAPH)
    outputs = interpret(GRAPH, {"x": X})
    assert list(outputs) == ["d", "b"]
    assert np.array_equal(outputs["b"], X)
    assert np.array_equal(outputs["d"], 2 * X @ X.T)


def test_observer_sees_every_computed_value() -> None:
    seen: dict[str, Array] = {}
    interpret(GRAPH, {"x": X}, lambda name, array: seen.update({name: array}))
    assert list(seen) == ["a", "b", "c", "d"]
    for name, array in seen.items():
        assert (array.shape, array.dtype) == (GRAPH.types[name].shape, GRAPH.types[name].dtype.numpy)


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        ({}, "nothing"),
        ({"y": X}, "nothing"),
        ({"x": X.T}, r"float32 \(3, 2\)"),
        ({"x": X.astype(np.float64)}, r"float64 \(2, 3\)"),
    ],
)
def test_wrong_inputs(inputs: dict[str, Array], found: str) -> None:
    with pytest.raises(VerifyError, match=rf"input %x: found {found}, allowed float32 \(2, 3\)"):
        interpret(GRAPH, inputs)


def test_inputs_and_constants_may_be_outputs() -> None:
    outputs = interpret(replace(GRAPH, outputs=("x", "two")), {"x": X})
    assert np.array_equal(outputs["x"], X)
    assert outputs["two"] == 2
