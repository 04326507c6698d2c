"""Run one pass on a graph written as short text, and see that it computes the same as before."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.ir.ops import OPS
from tmc.ir.text import print_graph
from tmc.ir.types import DType, TensorType
from tmc.ir.verify import verify

Arrays = Mapping[str, NDArray[Any] | float]
_LINE = re.compile(r"(\w+) = (\w+)\(([\w, ]*)\)(?: \{(.*)\})?")


def normal(*shape: int) -> NDArray[np.float32]:
    """Return seeded normal numbers."""
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


def graph_of(
    lines: str, x: Sequence[int], constants: Arrays | None = None, outputs: Sequence[str] = ("y",)
) -> Graph:
    """Return a graph of one input x; lines are `name = op(operands) {attributes}`, types are inferred."""
    builder = GraphBuilder("g", {"x": TensorType(DType.F32, tuple(x))}, outputs)
    for name, array in (constants or {}).items():
        builder.constant(np.asarray(array, dtype=np.float32), name)
    add_lines(builder, lines)
    return builder.graph()


def add_lines(builder: GraphBuilder, lines: str) -> None:
    """Add ops to a graph, one on each line."""
    for line in filter(None, map(str.strip, lines.splitlines())):
        match = _LINE.fullmatch(line)
        assert match, line
        kind = OpKind(match[2])
        call = ast.parse(f"f({match[4] or ''})", mode="eval").body
        assert isinstance(call, ast.Call)
        fields = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
        operands = match[3].replace(" ", "").split(",")
        builder.op(kind, operands, OPS[kind].attrs(**fields), f"/{match[1]}", match[1])


def same_numbers(before: Graph, run: Callable[[Graph], Graph], tolerance: float = 0.0) -> Graph:
    """Return the graph after a pass; its outputs must be those of before, up to a relative tolerance."""
    after = run(before)
    verify(after)
    assert (after.inputs, after.outputs) == (before.inputs, before.outputs)
    x = {name: normal(*before.types[name].shape) for name in before.inputs}
    expected, found = interpret(before, x), interpret(after, x)
    for name in before.outputs:
        limit = tolerance * float(np.abs(expected[name]).max())
        assert found[name].shape == expected[name].shape
        assert float(np.abs(found[name] - expected[name]).max()) <= limit
    return after


def body(graph: Graph) -> list[str]:
    """Return the ops of a graph, one a line, without types and locations."""
    lines = [line.strip() for line in print_graph(graph, locations=False).splitlines()[1:-2]]
    ops = [line for line in lines if " = constant " not in line]
    return [f"{line.split(':')[0]} = {line.split(' = ', 1)[1]}".replace("%", "") for line in ops]
