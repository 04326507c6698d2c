"""Decide how each value of a canonical float graph is stored in the integer graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import TypeAlias

from tmc.ir.errors import NoIntegerForm
from tmc.ir.graph import Graph, Op, OpKind, producers, uses, values_through
from tmc.passes.integer_ops.activation_table import ACTIVATIONS
from tmc.passes.integer_ops.add import int8_sums


class Role(Enum):
    """The storage forms; docs/numerics.md, section 2, gives type and scale of each."""

    INPUT = "int16 input"
    RESIDUAL = "int16 residual stream"
    ACTIVATION = "int8 with zero point"
    TABLE_INPUT = "int8 table index inside a linear or a convolution"
    BRANCH = "summand inside a linear, at the scale of the residual stream"
    UNROTATED = "int16 before a rotation"
    QUERY_KEY = "int8 per head"
    VALUE = "int8, transposed"
    ATTENDED = "int8 without zero point"
    POOLED = "int16 mean"
    LOGITS = "int32 result"


# Results stored as the operand is: the same elements in another shape or order, clipped, or blends of them.
SAME_AS_OPERAND = frozenset(
    {OpKind.RESHAPE, OpKind.PERMUTE_ROWS, OpKind.INTERPOLATE_ROWS, OpKind.TRANSPOSE, OpKind.CLIP}
)
_WIDE = frozenset({Role.INPUT, Role.RESIDUAL, Role.POOLED})
# Which roles an op reads at operand 0 (for attention: at each operand; for add: the operand that stays).
READS: Mapping[OpKind, tuple[frozenset[Role], ...]] = {
    OpKind.LINEAR: (frozenset({Role.INPUT, Role.ACTIVATION, Role.ATTENDED, Role.POOLED, Role.RESIDUAL}),),
    OpKind.LAYERNORM: (_WIDE,),
    **{kind: (frozenset({Role.TABLE_INPUT}),) for kind in ACTIVATIONS},
    OpKind.ROPE: (frozenset({Role.UNROTATED}),),
    OpKind.ATTENTION: (frozenset({Role.QUERY_KEY}), frozenset({Role.QUERY_KEY}), frozenset({Role.VALUE})),
    OpKind.MEAN_ROWS: (frozenset({Role.ACTIVATION, Role.ATTENDED}),),
    OpKind.ADD: (frozenset({Role.INPUT, Role.RESIDUAL, Role.BRANCH}),) * 2,
    OpKind.RESHAPE: (
        frozenset({Role.INPUT, Role.ACTIVATION, Role.ATTENDED, Role.POOLED, Role.RESIDUAL, Role.LOGITS}),
    ),
    OpKind.PERMUTE_ROWS: (_WIDE | {Role.ACTIVATION, Role.ATTENDED},),
    OpKind.DEPTHWISE_ROWS: (frozenset({Role.ACTIVATION, Role.ATTENDED}),),
    OpKind.INTERPOLATE_ROWS: (_WIDE,),
    OpKind.TRANSPOSE: (_WIDE,),
    OpKind.CLIP: (frozenset(Role) - {Role.BRANCH, Role.UNROTATED},),
}
# The role of a result, where its op decides it alone.
WRITES: Mapping[OpKind, Role] = {
    **dict.fromkeys(ACTIVATIONS, Role.ACTIVATION),
    OpKind.ROPE: Role.QUERY_KEY,
    OpKind.ATTENTION: Role.ATTENDED,
    OpKind.MEAN_ROWS: Role.POOLED,
    OpKind.ADD: Role.RESIDUAL,
}
INT8_SUMMANDS = frozenset({Role.ACTIVATION, Role.ATTENDED})
# Per value the (op, operand number) pairs that read it.
Readers: TypeAlias = Mapping[str, list[tuple[Op, int]]]
NOTE = "the integer form covers transformer blocks; docs/numerics.md lists what each op reads"
NARROW_NOTE = (
    "an input is int8 where --recipe input_bits=8, or the quantised model, says so and all that reads it can"
)
# Ops that read a LayerNorm or a linear as int16; of the others, most read int8.
WIDE_READERS = frozenset({OpKind.ADD, OpKind.LAYERNORM, OpKind.INTERPOLATE_ROWS, OpKind.TRANSPOSE})
_SEEN_THROUGH = frozenset({OpKind.RESHAPE, OpKind.PERMUTE_ROWS, OpKind.CLIP})


def value_roles(graph: Graph, narrow: Collection[str] = ()) -> dict[str, Role]:
    """Return the role of every input and computed value of a canonical float graph.

    narrow: the inputs that are int8 (narrow_inputs).
    Raises: QuantisationError naming the op that has no integer form, or reads a value in a form it cannot.
    """
    made_by = producers(graph)
    readers = _readers(graph)
    roles = {name: Role.ACTIVATION if name in narrow else Role.INPUT for name in graph.inputs}
    fusable = _fusable(graph, made_by, readers)
    sums = int8_sums(graph, fusable, narrow)
    branches = _branches(graph, fusable, sums)
    readers = _told_apart(readers, sums)
    for op in graph.ops:
        if op.kind not in READS:
            raise NoIntegerForm(
                op.loc,
                f"found {op.kind.value} in the graph to quantise, allowed "
                f"{', '.join(kind.value for kind in READS)}",
                NOTE,
            )
        _check_operands(graph, op, roles, branches, sums)
        if op.kind in SAME_AS_OPERAND:
            roles[op.output] = Role.BRANCH if op.output in branches else roles[op.inputs[0]]
        elif op.kind is OpKind.LINEAR:
            roles[op.output] = _linear_role(graph, op, readers, branches)
        elif op.kind is OpKind.DEPTHWISE_ROWS:
            roles[op.output] = _depthwise_role(graph, op, readers)
        elif op.kind is OpKind.LAYERNORM:
            roles[op.output] = _norm_role(op, readers)
        else:
            roles[op.output] = Role.ACTIVATION if op.output in sums else WRITES[op.kind]
    return roles


def _readers(graph: Graph) -> Readers:
    """Return the readers of every value, seen through reshapes, other orders of rows and clips."""
    readers: dict[str, list[tuple[Op, int]]] = {}
    for op in reversed(graph.ops):
        for operand, name in enumerate(op.inputs):
            found = readers.get(op.output, []) if op.kind in _SEEN_THROUGH else [(op, operand)]
            readers.setdefault(name, []).extend(found)
    return readers


def _told_apart(readers: Readers, sums: Collection[str]) -> Readers:
    """Return the readers with sums of int8 values as what they will be: they read no int16."""

    def told(op: Op) -> Op:
        return replace(op, kind=OpKind.QADD) if op.output in sums else op

    return {name: [(told(op), operand) for op, operand in found] for name, found in readers.items()}


def _fusable(graph: Graph, made_by: Mapping[str, Op], readers: Readers) -> dict[str, list[str]]:
    """Return for each add the linear results, clipped or not, that nobody else reads, the latest last."""
    order = {op.output: index for index, op in enumerate(graph.ops)}
    fusable = {}
    for op in graph.ops:
        if op.kind is OpKind.ADD:
            found = [
                name
                for name in op.inputs
                if _is_linear(name, made_by) and len(readers[name]) == 1 and name not in graph.outputs
            ]
            fusable[op.output] = sorted(found, key=order.__getitem__)
    return fusable


def _branches(graph: Graph, fusable: Mapping[str, Sequence[str]], sums: Collection[str]) -> set[str]:
    """Return the linear outputs, clipped or not, that an add takes in: the later of those that it could."""
    return {name for add, found in fusable.items() if add not in sums for name in found[-1:]}


def _is_linear(name: str, made_by: Mapping[str, Op]) -> bool:
    """Tell whether a value is the result of a linear, or that clipped."""
    op = made_by.get(name)
    while op is not None and op.kind is OpKind.CLIP:
        op = made_by.get(op.inputs[0])
    return op is not None and op.kind is OpKind.LINEAR


def _check_operands(
    graph: Graph, op: Op, roles: Mapping[str, Role], branches: set[str], sums: Collection[str]
) -> None:
    for operand, name in enumerate(op.inputs):
        if operand >= len(READS[op.kind]):
            if name not in graph.constants:
                raise NoIntegerForm(
                    op.loc,
                    f"found computed operand %{name} of {op.kind.value}, allowed constants from the model",
                    NOTE,
                )
            continue
        allowed = INT8_SUMMANDS if op.output in sums else READS[op.kind][operand]
        if name not in roles:
            raise NoIntegerForm(
                op.loc, f"found constant operand %{name} of {op.kind.value}, allowed a computed value", NOTE
            )
        if roles[name] not in allowed:
            raise NoIntegerForm(
                op.loc,
                f"found operand %{name} as {roles[name].value}, allowed "
                f"{' or '.join(sorted(role.value for role in allowed))}",
                *((NARROW_NOTE,) if roles[name] is Role.INPUT and Role.ACTIVATION in allowed else ()),
                NOTE,
            )
    if op.kind is OpKind.ADD and op.output not in sums and not branches & set(op.inputs):
        raise NoIntegerForm(
            op.loc,
            "found an add of two values that are both used elsewhere, allowed "
            "the residual stream plus a linear output that it alone reads, or two values of int8",
            NOTE,
        )


def _depthwise_role(graph: Graph, op: Op, readers: Readers) -> Role:
    """Choose how the result of a convolution is stored: as the index of an activation's table, or as int8."""
    activated = [reader.kind in ACTIVATIONS for reader, _ in readers.get(op.output, [])]
    return Role.TABLE_INPUT if activated == [True] and op.output not in graph.outputs else Role.ACTIVATION


def _norm_role(op: Op, readers: Readers) -> Role:
    """Choose how a LayerNorm's result is stored: int16 for sums, norms and the caller, else int8."""
    wide = all(reader.kind in WIDE_READERS for reader, _ in readers.get(op.output, []))
    return Role.RESIDUAL if wide else Role.ACTIVATION


def _linear_role(graph: Graph, op: Op, readers: Readers, branches: set[str]) -> Role:
    """Choose how a linear output is stored from the ops that read it."""
    if op.output in branches:
        return Role.BRANCH
    found = {
        (reader.kind, operand if reader.kind is OpKind.ATTENTION else 0)
        for reader, operand in readers.get(op.output, [])
    }
    kinds = {kind for kind, _ in found}
    if not found:
        return Role.LOGITS
    if _is_given(graph, op.output) or kinds & WIDE_READERS:
        return Role.RESIDUAL
    if kinds <= ACTIVATIONS.keys() and len(readers[op.output]) == 1:
        return Role.TABLE_INPUT
    if kinds == {OpKind.ROPE}:
        return Role.UNROTATED
    if found <= {(OpKind.ATTENTION, 0), (OpKind.ATTENTION, 1)}:
        return Role.QUERY_KEY
    if found == {(OpKind.ATTENTION, 2)}:
        return Role.VALUE
    return Role.ACTIVATION


def _is_given(graph: Graph, name: str) -> bool:
    """Tell whether the caller gets a value, or that clipped."""
    return any(value in graph.outputs for value in values_through(uses(graph), name, {OpKind.CLIP}))
