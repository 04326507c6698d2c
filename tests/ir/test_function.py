"""`function`: what programs give, what they may be, and their text."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import graph_of, normal
from tmc.ir.attrs import Attrs, GeluAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.errors import VerifyError
from tmc.ir.function import STEPS, FunctionAttrs, Program, evaluate, name_of
from tmc.ir.graph import OpKind as K
from tmc.ir.interpret import interpret
from tmc.ir.ops import OPS
from tmc.ir.text import parse_graph, print_graph
from tmc.ir.types import DType, TensorType

SWISH: Program = ("x", "x", 1.5, "mul", "sigmoid", "mul")
HARD_SWISH: Program = ("x", "x", 3.0, "add", 0.0, 6.0, "clip", 6.0, "div", "mul")


def test_programs_give_what_their_ops_give() -> None:
    x = normal(3, 4)
    found = evaluate(x, HARD_SWISH)
    assert found.dtype == np.float32
    assert np.allclose(found, x * np.clip(x + 3, 0, 6) / 6, rtol=1e-6)
    assert np.allclose(evaluate(x, SWISH), x / (1 + np.exp(-1.5 * x)), rtol=1e-6)
    assert np.array_equal(evaluate(x, ("x",)), x)
    assert np.array_equal(evaluate(x, (2.5,)), np.full_like(x, 2.5))
    assert np.array_equal(OPS[K.FUNCTION].evaluate([x], FunctionAttrs(SWISH)), evaluate(x, SWISH))


@pytest.mark.parametrize("name", STEPS)
def test_every_step_is_its_op(name: str) -> None:
    kind, attrs = STEPS[name]
    constants = [0.5, 1.5][: len(OPS[kind].operands) - 1]
    x = np.abs(normal(2, 5)) + np.float32(0.25)
    alone = OPS[kind].evaluate([x, *(np.array(each, np.float32) for each in constants)], attrs)
    assert np.array_equal(evaluate(x, ("x", *constants, name)), alone)
    assert name_of(kind, attrs) == name


def test_ops_that_are_no_step() -> None:
    assert name_of(K.SOFTMAX, Attrs()) is None
    assert name_of(K.FUNCTION, FunctionAttrs(SWISH)) is None
    assert name_of(K.GELU, GeluAttrs("tanh")) == "gelu_tanh"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (("x", "cos"), "found cos in a program, allowed x, numbers, add, sub"),
        (("x", "mul"), "found 1 operands for mul in a program, allowed 2"),
        ((), "leaves 0 results, allowed one"),
        (("x", "x"), "leaves 2 results"),
        (("x", float("nan"), "mul"), "found nan in a program, allowed finite numbers"),
        (("x", 1e39, "mul"), "found 1e+39 in a program"),
    ],
)
def test_programs_that_are_none(program: Program, message: str) -> None:
    builder = GraphBuilder("g", {"x": TensorType(DType.F32, (2, 3))}, ["y"])
    with pytest.raises(VerifyError) as raised:
        builder.op(K.FUNCTION, ["x"], FunctionAttrs(program), "/y", "y")
    assert message in raised.value.what


def test_text_is_parsed_back() -> None:
    program: Program = ("x", 1e-05, "mul", 3.4028234663852886e38, "minimum", "gelu_tanh", -2.0, "add")
    graph = graph_of(f"y = function(x) {{program={program!r}}}", (2, 3))
    text = print_graph(graph)
    assert 'program=("x", 1e-05, "mul"' in text
    assert parse_graph(text, {}) == graph
    x = {"x": normal(2, 3)}
    assert np.array_equal(interpret(parse_graph(text, {}), x)["y"], evaluate(x["x"], program))
