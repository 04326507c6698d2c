"""Decide how each value of a canonical float graph is stored in the integer graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from tmc.ir.attrs import AttentionAttrs, ConvertAttrs
from tmc.ir.errors import NoIntegerForm
from tmc.ir.graph import Graph, Op, OpKind, producers, uses, values_through
from tmc.passes.integer_ops.activation_table import ACTIVATIONS
from tmc.passes.integer_ops.linear import takes_int16
from tmc.passes.scales.choose_sums import Sums, choose_sums
from tmc.passes.scales.last_values import last_values


class Role(Enum):
    """The storage forms; docs/numerics.md, section 2, gives type and scale of each."""

    INPUT = "int16 input"
    RESIDUAL = "int16 residual stream"
    ACTIVATION = "int8 with zero point"
    TABLE_INPUT = "int8 table index inside a linear or a convolution"
    BRANCH = "summand inside a linear, at the scale of the residual stream"
    UNROTATED = "int16 before a rotation"
    QUERY_KEY = "int8 per head"
    WIDE_QUERY_KEY = "int16 per head"
    VALUE = "int8, transposed"
    ATTENDED = "int8 without zero point"
    POOLED = "int16 mean"
    SHARE = "int16 share of a softmax"
    LOGITS = "int32 result"
    INDEX = "int32 index"


# Results stored as the operand is: the same elements in another shape or order, clipped, or blends of them.
SAME_AS_OPERAND = frozenset(
    {
        OpKind.RESHAPE,
        OpKind.PERMUTE_ROWS,
        OpKind.MAX_ROWS,
        OpKind.INTERPOLATE_ROWS,
        OpKind.TRANSPOSE,
        OpKind.CLIP,
        OpKind.GATHER,
    }
)
_WIDE = frozenset({Role.INPUT, Role.RESIDUAL, Role.POOLED, Role.SHARE})
_INT8 = frozenset({Role.ACTIVATION, Role.ATTENDED})
_STORED = _WIDE | _INT8
_QUERY_KEY = frozenset({Role.QUERY_KEY, Role.WIDE_QUERY_KEY})
# Which roles an op reads at operand 0 (for attention, products and concat: at each operand).
READS: Mapping[OpKind, tuple[frozenset[Role], ...]] = {
    OpKind.LINEAR: (_STORED,),
    OpKind.LAYERNORM: (_WIDE,),
    **{kind: (_INT8 | {Role.TABLE_INPUT},) for kind in ACTIVATIONS},
    OpKind.ROPE: (frozenset({Role.UNROTATED}),),
    OpKind.ATTENTION: (_QUERY_KEY, _QUERY_KEY, frozenset({Role.VALUE})),
    OpKind.MEAN_ROWS: (_INT8,),
    OpKind.RESHAPE: (_STORED | {Role.LOGITS, Role.INDEX},),
    OpKind.PERMUTE_ROWS: (_STORED,),
    OpKind.MAX_ROWS: (_STORED | {Role.LOGITS},),
    OpKind.ARGMAX_COLUMNS: (_STORED,),
    OpKind.SOFTMAX: (_WIDE,),
    OpKind.DEPTHWISE_ROWS: (_INT8,),
    OpKind.INTERPOLATE_ROWS: (_WIDE,),
    OpKind.TRANSPOSE: (_STORED,),
    OpKind.GATHER: (_STORED,),
    OpKind.CONVERT: (_STORED,),
    OpKind.MUL: (_STORED, _STORED),
    OpKind.MATMUL_ROWS: (_INT8, _INT8),
    OpKind.CLIP: (frozenset(Role) - {Role.BRANCH, Role.UNROTATED},),
}
# What an add reads that is part of a linear.
_FUSED_SUMMANDS = frozenset({Role.INPUT, Role.RESIDUAL, Role.BRANCH})
# What parts of an int16 value are: of one scale that the segment decides.
_INT16_PARTS = frozenset({Role.INPUT, Role.RESIDUAL})
# Ops that write int8 codes at any scale.
_ANY_SCALE = frozenset(
    {*ACTIVATIONS, OpKind.LINEAR, OpKind.DEPTHWISE_ROWS, OpKind.LAYERNORM, OpKind.ADD, OpKind.SUB}
    | {OpKind.CONVERT, OpKind.MUL, OpKind.MATMUL_ROWS}
)
_WRITE_INT16 = frozenset(
    {OpKind.LINEAR, OpKind.LAYERNORM, OpKind.MATMUL_ROWS, OpKind.ADD, OpKind.SUB, OpKind.CONCAT}
)
_SUMS = (OpKind.ADD, OpKind.SUB)
_OTHERS = (*_SUMS, OpKind.CONCAT)  # what they read depends on more than their kind
# Results of a linear that kernels compute from int8 values alone.
_OF_INT8 = frozenset({Role.BRANCH, Role.QUERY_KEY, Role.VALUE})
# The role of a result, where its op decides it alone.
WRITES: Mapping[OpKind, Role] = {
    **dict.fromkeys(ACTIVATIONS, Role.ACTIVATION),
    OpKind.ROPE: Role.QUERY_KEY,
    OpKind.ATTENTION: Role.ATTENDED,
    OpKind.MEAN_ROWS: Role.POOLED,
    OpKind.ARGMAX_COLUMNS: Role.INDEX,
    OpKind.SOFTMAX: Role.SHARE,
    OpKind.MUL: Role.ACTIVATION,
}
# Per value the (op, operand number) pairs that read it.
Readers: TypeAlias = Mapping[str, list[tuple[Op, int]]]
NOTE = "the integer form covers transformer blocks; docs/numerics.md lists what each op reads"
# Ops that read a LayerNorm or a linear as int16; of the others, most read int8.
WIDE_READERS = frozenset(
    {OpKind.ADD, OpKind.LAYERNORM, OpKind.INTERPOLATE_ROWS, OpKind.ARGMAX_COLUMNS, OpKind.SOFTMAX}
)
_SEEN_THROUGH = frozenset(
    {
        OpKind.RESHAPE,
        OpKind.PERMUTE_ROWS,
        OpKind.TRANSPOSE,
        OpKind.MAX_ROWS,
        OpKind.CLIP,
        OpKind.GATHER,
        OpKind.CONVERT,
        OpKind.CONCAT,
    }
)
# Those that a value has one scale for, not one per column, even where nothing else reads their result.
_OF_ONE_SCALE = frozenset({OpKind.CONCAT, OpKind.TRANSPOSE})


@dataclass(frozen=True, slots=True)
class Gap:
    """An operand that its reader cannot take in the form in which it is stored."""

    op: Op
    operand: int
    stored: Role
    allowed: frozenset[Role]


def value_roles(graph: Graph, narrow: Collection[str] = (), wide: Collection[str] = ()) -> dict[str, Role]:
    """Return the role of every input and computed value of a canonical float graph.

    narrow: the inputs that are int8 (narrow_inputs). wide: computed values that are int16 whoever reads them,
    beside those that cost nothing so (last_values).
    Raises: NoIntegerForm naming the op that has no integer form, or reads a value in a form it cannot, which
    choose_forms leaves nowhere.
    """
    roles, gaps = roles_and_gaps(graph, narrow, wide)
    for gap in gaps:
        name = gap.op.inputs[gap.operand]
        allowed = " or ".join(sorted(role.value for role in gap.allowed))
        raise NoIntegerForm(
            gap.op.loc, f"found operand %{name} as {gap.stored.value}, allowed {allowed}", NOTE
        )
    return roles


def roles_and_gaps(
    graph: Graph, narrow: Collection[str] = (), wide: Collection[str] = ()
) -> tuple[dict[str, Role], list[Gap]]:
    """Return the roles, as value_roles does, and every operand that its reader cannot take as it is stored.

    Raises: NoIntegerForm naming an op that has no integer form.
    """
    made_by, wide = producers(graph), last_values(graph).union(wide)
    readers, direct = _readers(graph, _SEEN_THROUGH), _readers(graph, {OpKind.CLIP})
    roles = {name: Role.ACTIVATION if name in narrow else Role.INPUT for name in graph.inputs}
    sums = choose_sums(graph, _fusable(graph, made_by, readers), narrow, wide)
    readers = _told_apart(readers, sums.int8)
    gaps: list[Gap] = []
    for op in graph.ops:
        if op.kind not in READS and op.kind not in _OTHERS:
            raise NoIntegerForm(
                op.loc,
                f"found {op.kind.value} in the graph to quantise, allowed "
                f"{', '.join(kind.value for kind in (*READS, *_OTHERS))}",
                NOTE,
            )
        role = _role(graph, op, roles, _Read(readers, direct), sums)
        role = roles[op.output] = _widened(op, role) if op.output in wide else role
        if op.kind is OpKind.CONCAT:
            gaps += _gaps_of_parts(graph, op, role, roles, made_by)
        else:
            gaps += _gaps(graph, op, role, roles, sums)
    return roles, gaps


@dataclass(frozen=True, slots=True)
class _Read:
    """Who reads every value: seen through all that keeps its form, and through clips alone."""

    seen: Readers
    direct: Readers


def _role(graph: Graph, op: Op, roles: Mapping[str, Role], read: _Read, sums: Sums) -> Role:
    """Choose how the result of an op is stored."""
    if op.kind in SAME_AS_OPERAND:
        return Role.BRANCH if op.output in sums.fused.values() else roles[op.inputs[0]]
    if op.kind is OpKind.LINEAR:
        return Role.BRANCH if op.output in sums.fused.values() else _linear_role(graph, op, read)
    if op.kind is OpKind.DEPTHWISE_ROWS:
        return _depthwise_role(graph, op, read.direct)
    if op.kind in (OpKind.LAYERNORM, OpKind.MATMUL_ROWS):
        return _norm_role(op, read.seen)
    if op.kind in _SUMS:  # with an int16 summand, stored so for other readers, the sum is int16 too
        wide = op.output not in sums.int8 or any(roles.get(name) in _WIDE for name in op.inputs)
        return Role.RESIDUAL if wide else Role.ACTIVATION
    if op.kind is OpKind.CONCAT:
        wide = any(roles.get(name) in _WIDE for name in op.inputs)
        return Role.RESIDUAL if wide else Role.ACTIVATION
    if isinstance(op.attrs, ConvertAttrs):
        return Role.ACTIVATION if op.attrs.form == "int8" else Role.RESIDUAL
    return WRITES[op.kind]


def _widened(op: Op, role: Role) -> Role:
    """Return the role of a value that is to have 16 bits. Raises: NoIntegerForm where it has none."""
    if role in _WIDE | {Role.LOGITS, Role.BRANCH, Role.UNROTATED}:
        return role
    if role is Role.ATTENDED or (role is Role.ACTIVATION and op.kind in _WRITE_INT16):
        return Role.RESIDUAL
    if op.kind is OpKind.ROPE:
        return Role.WIDE_QUERY_KEY
    raise NoIntegerForm(
        op.loc,
        f"found 16 bits for %{op.output}, {role.value}, allowed for results of a linear op, a norm, a sum, a "
        "concatenation or an attention that no function reads, and for Q and K",
        "functions of one element are tables of 256 codes, and V has 8 bits: give 16 bits to what this is "
        "computed from",
    )


def is_masked(op: Op) -> bool:
    """Tell whether an op is an attention with the mask of an input."""
    return isinstance(op.attrs, AttentionAttrs) and op.attrs.mask_factor is not None


def _reads(graph: Graph, op: Op, role: Role, sums: Sums) -> tuple[frozenset[Role], ...]:
    """Return what an op with a result of this role reads at each of its computed operands."""
    if op.kind in _SUMS:
        if op.output in sums.fused:
            return (_FUSED_SUMMANDS,) * 2
        return (_INT8 if role is Role.ACTIVATION else _STORED,) * 2
    if op.kind is OpKind.LINEAR and role in _OF_INT8:
        return (_INT8,)
    if is_masked(op):
        return (*READS[op.kind], frozenset({Role.INPUT}))
    weight = graph.constants.get(op.inputs[1]) if op.kind is OpKind.LINEAR else None
    if weight is not None and not takes_int16(weight, last=role is Role.LOGITS):
        return (_STORED - {Role.RESIDUAL},)  # an input or a mean has fewer bits where that makes room
    return READS[op.kind]


def _gaps(graph: Graph, op: Op, role: Role, roles: Mapping[str, Role], sums: Sums) -> list[Gap]:
    """Return the operands of an op that are stored in a form in which it does not read them."""
    reads, gaps = _reads(graph, op, role, sums), []
    for operand, name in enumerate(op.inputs):
        if operand >= len(reads):
            if name not in graph.constants:
                raise NoIntegerForm(
                    op.loc,
                    f"found computed operand %{name} of {op.kind.value}, allowed constants from the model",
                    NOTE,
                )
        elif name not in roles and op.kind not in (*_SUMS, OpKind.MUL):
            raise NoIntegerForm(
                op.loc, f"found constant operand %{name} of {op.kind.value}, allowed a computed value", NOTE
            )
        elif name in roles and roles[name] not in reads[operand]:
            gaps.append(Gap(op, operand, roles[name], reads[operand]))
    return gaps


def _gaps_of_parts(
    graph: Graph, op: Op, role: Role, roles: Mapping[str, Role], made_by: Mapping[str, Op]
) -> list[Gap]:
    """Return the operands of a concat that cannot have its scale: in int16 those outside of the stream, in
    int8 those that something else reads as well, or whose op does not write any scale."""
    gaps, readers = [], uses(graph)
    for operand, name in enumerate(op.inputs):
        if name not in roles:
            continue
        maker, allowed = made_by.get(name), _INT16_PARTS if role is Role.RESIDUAL else frozenset({role})
        shared = name in graph.outputs or any(reader != op for reader in readers[name])
        fixed = role is not Role.RESIDUAL and (shared or maker is None or maker.kind not in _ANY_SCALE)
        if fixed or roles[name] not in allowed:
            gaps.append(Gap(op, operand, roles[name], allowed))
    return gaps


def _readers(graph: Graph, through: Set[OpKind]) -> Readers:
    """Return the readers of every value, seen through ops of some kinds."""
    readers: dict[str, list[tuple[Op, int]]] = {}
    for op in reversed(graph.ops):
        for operand, name in enumerate(op.inputs):
            found = readers.get(op.output, []) if op.kind in through else [(op, operand)]
            if op.kind in _OF_ONE_SCALE & through:
                found = [*found, (op, operand)]
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


def _is_linear(name: str, made_by: Mapping[str, Op]) -> bool:
    """Tell whether a value is the result of a linear, or that clipped."""
    op = made_by.get(name)
    while op is not None and op.kind is OpKind.CLIP:
        op = made_by.get(op.inputs[0])
    return op is not None and op.kind is OpKind.LINEAR


def _depthwise_role(graph: Graph, op: Op, readers: Readers) -> Role:
    """Choose how the result of a convolution is stored: as the index of an activation's table, or as int8."""
    activated = [reader.kind in ACTIVATIONS for reader, _ in readers.get(op.output, [])]
    return Role.TABLE_INPUT if activated == [True] and op.output not in graph.outputs else Role.ACTIVATION


def _norm_role(op: Op, readers: Readers) -> Role:
    """Choose how the result of a LayerNorm or a product of matrices is stored.

    int16 for sums, norms and the caller, else int8.
    """
    allowed = WIDE_READERS | _OF_ONE_SCALE  # of their results the readers are here too
    wide = all(reader.kind in allowed for reader, _ in readers.get(op.output, []))
    return Role.RESIDUAL if wide else Role.ACTIVATION


def _linear_role(graph: Graph, op: Op, read: _Read) -> Role:
    """Choose how a linear output is stored from the ops that read it.

    Tables, rotations and attention take it in their own form only where nothing but clips stands between.
    """
    seen = {reader.kind for reader, _ in read.seen.get(op.output, [])}
    if not seen:
        return Role.LOGITS
    if _is_given(graph, op.output, not seen.isdisjoint(_OF_ONE_SCALE)) or seen & WIDE_READERS:
        return Role.RESIDUAL
    direct = read.direct.get(op.output, [])
    found = {(reader.kind, operand if reader.kind is OpKind.ATTENTION else 0) for reader, operand in direct}
    kinds = {kind for kind, _ in found}
    if kinds <= ACTIVATIONS.keys() and len(direct) == 1:
        return Role.TABLE_INPUT
    if kinds == {OpKind.ROPE}:
        return Role.UNROTATED
    if found <= {(OpKind.ATTENTION, 0), (OpKind.ATTENTION, 1)}:
        return Role.QUERY_KEY
    if found == {(OpKind.ATTENTION, 2)}:
        return Role.VALUE
    return Role.ACTIVATION


def _is_given(graph: Graph, name: str, moved: bool = False) -> bool:
    """Tell whether the caller gets a value, or that clipped; moved: or in another place, or form."""
    through = _SEEN_THROUGH if moved else {OpKind.CLIP}
    return any(value in graph.outputs for value in values_through(uses(graph), name, through))
