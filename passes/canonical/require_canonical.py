"""Refuse a float graph that did not become canonical, naming the ONNX nodes."""

from __future__ import annotations

from collections.abc import Sequence

from tmc.ir.errors import UnsupportedModel
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.ops import OPS
from tmc.passes.canonical.explain import explain
from tmc.passes.integer_ops.activation_table import ACTIVATIONS
from tmc.passes.pipeline import Declined, NamedPass, Pass
from tmc.passes.scales.value_roles import is_masked

CANONICAL = (
    OpKind.RESHAPE,
    OpKind.LINEAR,
    OpKind.LAYERNORM,
    *ACTIVATIONS,
    OpKind.CLIP,
    OpKind.ROPE,
    OpKind.ATTENTION,
    OpKind.MEAN_ROWS,
    OpKind.MAX_ROWS,
    OpKind.ARGMAX_COLUMNS,
    OpKind.SOFTMAX,
    OpKind.MATMUL_ROWS,
    OpKind.DEPTHWISE_ROWS,
    OpKind.INTERPOLATE_ROWS,
    OpKind.PERMUTE_ROWS,
    OpKind.TRANSPOSE,
    OpKind.GATHER,
    OpKind.CONCAT,
    OpKind.ADD,
    OpKind.SUB,
    OpKind.MUL,
)
# How many operands, from the left, are computed; the others are constants.
_COMPUTED = {OpKind.ADD: 2, OpKind.SUB: 2, OpKind.MATMUL_ROWS: 2, OpKind.ATTENTION: 3}
# Of these any operand may be constant.
_ANY = frozenset({OpKind.CONCAT, OpKind.MUL})
_SHOWN = 8
_REMEDY = "rewrite this part of the network with the ops above; docs/networks.md has encoders that compile"


def require_canonical(graph: Graph, passes: Sequence[Pass | NamedPass] = ()) -> Graph:
    """Return the graph if it has canonical ops alone, with constant weights; every value but views is 2-D.

    passes: those that ran before, whose recognisers say why they left what is left.
    Raises: UnsupportedModel with the nodes that are left over, and why the recognisers left them.
    """
    wrong = [(op, what) for op in graph.ops if (what := _violation(op, graph)) is not None]
    if not wrong:
        return graph
    shown = [f"{op.loc}: {what}" for op, what in wrong[:_SHOWN]]
    if len(wrong) > _SHOWN:
        shown.append(f"and {len(wrong) - _SHOWN} more")
    reasons = [f"left alone: {reason}" for reason in _without_repeats(explain(graph, passes))[:_SHOWN]]
    raise UnsupportedModel(
        wrong[0][0].loc,
        f"found {'; '.join(shown)}; allowed {', '.join(kind.value for kind in CANONICAL)}",
        *reasons,
        _REMEDY,
    )


def _violation(op: Op, graph: Graph) -> str | None:
    if op.kind not in CANONICAL:
        return str(op.kind.value)
    computed = _COMPUTED.get(op.kind, 1) + is_masked(op)
    operands = () if op.kind in _ANY else OPS[op.kind].operands
    for name, operand in zip(op.inputs, operands, strict=False):
        if (name in graph.constants) == (op.inputs.index(name) < computed):
            kind = "constant" if name in graph.constants else "computed"
            return f"{op.kind.value} with {kind} {operand}"
    if op.kind in (OpKind.ADD, OpKind.SUB) and len({graph.types[name].shape for name in op.inputs}) > 1:
        return f"{op.kind.value} of shapes {' and '.join(str(graph.types[name].shape) for name in op.inputs)}"
    if op.kind is not OpKind.RESHAPE and len(graph.types[op.output].shape) != 2:
        return f"{op.kind.value} of shape {graph.types[op.output].shape}"
    return None


def _without_repeats(reasons: tuple[Declined, ...]) -> list[Declined]:
    return list(dict.fromkeys(reasons))
