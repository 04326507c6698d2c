"""Make one op of every chain of functions of single elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.build import GraphBuilder
from tmc.ir.float_semantics import UNLIMITED
from tmc.ir.function import FunctionAttrs, Program, X, name_of
from tmc.ir.graph import Graph, Op, OpKind, uses
from tmc.ir.ops import POINTWISE
from tmc.passes.canonical.affine import AFFINE

# Steps of a program at most: what is longer is a function of a function.
_LONGEST = 200
# Ops that are canonical by themselves; clips before or behind one of the others are taken in with it.
_LIMITS = frozenset({OpKind.RELU, OpKind.CLIP})
_ACTIVATIONS = frozenset({OpKind.GELU, OpKind.SILU, OpKind.SIGMOID, OpKind.TANH, OpKind.FUNCTION})


@dataclass(frozen=True, slots=True)
class _Function:
    """A value as a program of one other; kinds: the ops of which it consists."""

    source: str
    program: Program
    kinds: tuple[OpKind, ...]


def fuse_function(graph: Graph) -> Graph:
    """Replace what is a function of one element of one value, by `function`; constants are single numbers.

    Every group of such ops becomes one, as far as nobody else reads what lies inside; else the function is
    one of that inner value, unless it needs other values too. Left alone, for they have forms of their own:
    known activations with or without clips, and factors and offsets. Minimum and maximum with a constant
    become clips. Exact: the same ops, in the same order.
    """
    graph = _with_clips(graph)
    readers = uses(graph)
    whole: dict[str, _Function] = {}
    for op in graph.ops:
        function = _composed(op, graph, whole) or _composed(op, graph, {})
        if function is not None:
            whole[op.output] = function
    inner = {name for name, function in whole.items() if _stays_inside(name, function, graph, readers, whole)}
    cut: dict[str, _Function] = {}
    builder = GraphBuilder.like(graph)
    for op in graph.ops:
        function = _composed(op, graph, {name: cut[name] for name in op.inputs if name in inner & cut.keys()})
        function = function or whole.get(op.output)
        if function is not None:
            cut[op.output] = function
        if function is None or _is_known(function):
            builder.keep(op)
        elif op.output not in inner:
            attrs = FunctionAttrs(function.program)
            builder.op(OpKind.FUNCTION, [function.source], attrs, op.loc, op.output)
    return builder.graph()


def _with_clips(graph: Graph) -> Graph:
    """Write minimum and maximum with a constant as clips."""
    builder = GraphBuilder.like(graph)
    for op in graph.ops:
        constants = [name for name in op.inputs if name in graph.constants]
        x = next((name for name in op.inputs if name not in graph.constants), None)
        same = x is not None and graph.types[x] == graph.types[op.output]
        if op.kind not in (OpKind.MINIMUM, OpKind.MAXIMUM) or len(constants) != 1 or x is None or not same:
            builder.keep(op)
        elif op.kind is OpKind.MAXIMUM and not graph.constants[constants[0]].any():
            builder.op(OpKind.RELU, [x], Attrs(), op.loc, op.output)
        else:
            end = np.array(UNLIMITED if op.kind is OpKind.MAXIMUM else -UNLIMITED, np.float32)
            other = builder.constant(end, f"{op.output}.unlimited")
            limits = (constants[0], other) if op.kind is OpKind.MAXIMUM else (other, constants[0])
            builder.keep(replace(op, kind=OpKind.CLIP, inputs=(x, *limits)))
    return builder.graph()


def _composed(op: Op, graph: Graph, functions: Mapping[str, _Function]) -> _Function | None:
    """Return the function that op computes, None if it is not one of a single value."""
    name = name_of(op.kind, op.attrs)
    own: Program = () if name is None else (name,)
    if op.kind not in POINTWISE or (name is None and not isinstance(op.attrs, FunctionAttrs)):
        return None
    parts: list[_Function] = []
    program: Program = ()
    for operand in op.inputs:
        constant = graph.constants.get(operand)
        if constant is None:
            parts.append(functions.get(operand, _Function(operand, (X,), ())))
            program += parts[-1].program
        elif constant.size == 1:
            program += (float(constant.reshape(())),)
        else:
            return None
    if isinstance(op.attrs, FunctionAttrs):
        program = _of(op.attrs.program, program)
    sources = {part.source for part in parts}
    if len(sources) != 1 or len(program) > _LONGEST:
        return None
    (source,) = sources
    if graph.types[op.output].shape != graph.types[source].shape:
        return None
    # A number over x is no line, but a power.
    kind = OpKind.POW if op.kind is OpKind.DIV and op.inputs[0] in graph.constants else op.kind
    kinds = (kind, *(kind for part in parts for kind in part.kinds))
    return _Function(source, program + own, kinds)


def _of(outer: Program, inner: Program) -> Program:
    """Return the program of a function of a function."""
    return tuple(each for step in outer for each in (inner if step == X else (step,)))


def _stays_inside(
    name: str,
    function: _Function,
    graph: Graph,
    readers: Mapping[str, Sequence[Op]],
    whole: Mapping[str, _Function],
) -> bool:
    """Tell whether all that read a value are functions of its own source."""
    if name in graph.outputs:
        return False
    found = (whole.get(reader.output) for reader in readers.get(name, ()))
    return all(other is not None and other.source == function.source for other in found)


def _is_known(function: _Function) -> bool:
    """Tell whether a function has another canonical form: one activation with clips, or lines and clips."""
    apart = [kind for kind in function.kinds if kind not in _LIMITS]
    if all(kind in AFFINE for kind in apart):
        return function.program.count(X) == 1
    return len(apart) == 1 and apart[0] in _ACTIVATIONS
