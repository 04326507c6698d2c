"""GraphBuilder: inference, unique names, forwarding, and what it leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from tmc.ir.attrs import Attrs
from tmc.ir.build import GraphBuilder
from tmc.ir.errors import VerifyError
from tmc.ir.graph import OpKind
from tmc.ir.types import DType, TensorType
from tmc.ir.verify import verify

X = {"x": TensorType(DType.F32, (2, 3))}


def test_types_are_inferred_and_names_are_unique() -> None:
    builder = GraphBuilder("g", X, ["y"])
    first = builder.op(OpKind.NEG, ["x"], Attrs(), "a")
    second = builder.op(OpKind.NEG, [first], Attrs(), "b")
    builder.reshape(second, (3, 2), "c", "y")
    graph = builder.graph()
    verify(graph)
    assert [op.output for op in graph.ops] == ["neg", "neg.1", "y"]
    assert graph.types["y"].shape == (3, 2) and builder.type_of(first).shape == (2, 3)


def test_operands_that_do_not_fit_are_named() -> None:
    builder = GraphBuilder("g", X, ["y"])
    with pytest.raises(VerifyError, match=r"node \(matmul\): found shapes \(2, 3\) and \(2, 3\)"):
        builder.op(OpKind.MATMUL, ["x", "x"], Attrs(), "node")


def test_reshape_to_the_same_shape_is_nothing() -> None:
    assert GraphBuilder("g", X, ["y"]).reshape("x", (2, 3), "a") == "x"


def test_forwarded_values_and_what_nobody_needs_are_gone() -> None:
    builder = GraphBuilder("g", X, ["y"])
    builder.constant(np.ones(3, dtype=np.float32), "unused")
    kept = builder.op(OpKind.NEG, ["x"], Attrs(), "a")
    dropped = builder.op(OpKind.TANH, [kept], Attrs(), "b")
    builder.forward(dropped, kept)
    builder.op(OpKind.ADD, [dropped, "x"], Attrs(), "c", "y")
    graph = builder.graph()
    verify(graph)
    assert [op.inputs for op in graph.ops] == [("x",), ("neg", "x")]
    assert set(graph.types) == {"x", "neg", "y"} and not graph.constants


def test_a_forwarded_output_keeps_its_name() -> None:
    builder = GraphBuilder("g", X, ["y", "z"])
    value = builder.op(OpKind.NEG, ["x"], Attrs(), "a")
    builder.op(OpKind.TANH, [value], Attrs(), "b", "z")
    builder.forward("y", value)
    graph = builder.graph()
    verify(graph)
    assert [(op.inputs, op.output) for op in graph.ops] == [(("x",), "y"), (("y",), "z")]


@pytest.mark.parametrize("target", ["later", "x"])
def test_an_op_with_the_name_of_an_output_that_is_forwarded_gets_another(target: str) -> None:
    builder = GraphBuilder("g", X, ["y", "z"])
    builder.op(OpKind.NEG, ["x"], Attrs(), "a", "y")
    builder.op(OpKind.TANH, ["y"], Attrs(), "b", "later")
    builder.op(OpKind.SQRT, ["y"], Attrs(), "c", "z")
    builder.forward("y", target)
    graph = builder.graph()
    verify(graph)
    made = {op.loc: op for op in graph.ops}
    assert made["a"].output == "y.1" and made["c"].inputs == ("y.1",)
    assert made["b" if target == "later" else "y"].output == "y"
    assert len(graph.ops) == 3


def test_outputs_that_cannot_be_renamed_become_reshapes() -> None:
    builder = GraphBuilder("g", X, ["y", "z", "w"])
    value = builder.op(OpKind.NEG, ["x"], Attrs(), "a")
    for output, target in (("y", value), ("z", value), ("w", "x")):
        builder.forward(output, target)
    graph = builder.graph()
    verify(graph)
    assert [op.kind for op in graph.ops] == [OpKind.NEG, OpKind.RESHAPE, OpKind.RESHAPE]


def test_like_reserves_the_names_of_the_old_graph() -> None:
    builder = GraphBuilder("g", X, ["y"])
    builder.op(OpKind.NEG, ["x"], Attrs(), "a", "neg")
    builder.op(OpKind.TANH, ["neg"], Attrs(), "b", "y")
    again = GraphBuilder.like(builder.graph())
    assert again.op(OpKind.NEG, ["x"], Attrs(), "new") == "neg.1"
