"""Put an op between a value and a reader that takes it in another stored form."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from tmc.ir.attrs import Attrs, ConvertAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, producers
from tmc.passes.scales.value_roles import Gap, Role, roles_and_gaps

# Forms that only a linear or a rotation writes, and what copies for them are called.
_WRITTEN_BY_LINEARS: Mapping[Role, str] = {
    Role.QUERY_KEY: "heads",
    Role.VALUE: "columns",
    Role.UNROTATED: "unrotated",
}
# A copy of a linear may itself read another form: a second round gives it that, a third finds nothing.
_ROUNDS = 3
_CONVERTS: Mapping[str, ConvertAttrs] = {"int8": ConvertAttrs("int8"), "int16": ConvertAttrs("int16")}


def choose_forms(graph: Graph, wide: Collection[str] = ()) -> Graph:
    """Return an equal canonical float graph in which every op reads its operands as they are stored.

    Where the forms differ a `convert` stands between, one for all readers of a form. What attention and
    rotations read is written by linears alone: a linear result is computed once more for them, any other
    value goes through a linear of ones. wide: values that are int16 whoever reads them; what a graph has
    been given for others before is chosen anew. A graph without such differences stays as it is.
    Raises: NoIntegerForm naming an op that has no integer form.
    """
    if wide:
        graph = _without_converts(graph)
    for _ in range(_ROUNDS):
        _, gaps = roles_and_gaps(graph, wide=wide)
        if not gaps:
            break
        graph = _filled(graph, gaps)
    return graph


def _without_converts(graph: Graph) -> Graph:
    """Return the graph with every value read as it is made."""
    made_by, builder = producers(graph), GraphBuilder.like(graph)

    def original(name: str) -> str:
        while name in made_by and made_by[name].kind is OpKind.CONVERT:
            name = made_by[name].inputs[0]
        return name

    for op in graph.ops:
        if op.kind is not OpKind.CONVERT:
            builder.keep(_with(op, tuple(map(original, op.inputs))))
    return builder.graph()


def _filled(graph: Graph, gaps: list[Gap]) -> Graph:
    made_by, builder = producers(graph), GraphBuilder.like(graph)
    wanted: dict[str, list[Gap]] = {}
    for gap in gaps:
        wanted.setdefault(gap.op.output, []).append(gap)
    copies: dict[tuple[str, str], str] = {}
    for op in graph.ops:
        inputs = list(op.inputs)
        for gap in wanted.get(op.output, ()):
            name, form = op.inputs[gap.operand], _form(gap)
            if (name, form) not in copies:
                copies[name, form] = _copy(builder, made_by.get(name), name, form, op.loc)
            inputs[gap.operand] = copies[name, form]
        builder.keep(_with(op, tuple(inputs)))
    return builder.graph()


def _with(op: Op, inputs: tuple[str, ...]) -> Op:
    return Op(op.kind, inputs, op.output, op.attrs, op.loc)


def _form(gap: Gap) -> str:
    """Return the form in which a value is to be stored once more; int8 where the reader takes both."""
    for role, form in _WRITTEN_BY_LINEARS.items():
        if role in gap.allowed:
            return form
    return "int8" if Role.ACTIVATION in gap.allowed else "int16"


def _copy(builder: GraphBuilder, maker: Op | None, name: str, form: str, loc: str) -> str:
    """Add what stores a value in another form and return its name; `loc` is the node that asks for it."""
    output = builder.fresh(f"{name}.{form}")
    if form in _CONVERTS:
        return builder.op(OpKind.CONVERT, [name], _CONVERTS[form], loc, output)
    if maker is not None and maker.kind is OpKind.LINEAR:
        return builder.op(OpKind.LINEAR, maker.inputs, Attrs(), maker.loc, output)
    columns = builder.type_of(name).shape[1]
    weight = builder.constant(np.eye(columns, dtype=np.float32), f"{output}.weight")
    bias = builder.constant(np.zeros((1, columns), np.float32), f"{output}.bias")
    return builder.op(OpKind.LINEAR, [name, weight, bias], Attrs(), loc, output)
