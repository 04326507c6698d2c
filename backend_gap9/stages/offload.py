"""Give linears to the accelerator of a target: those that read codes + 128.

NE16 has no signed inputs. In front of the linears that it can take, a convert adds 128 to their rows, once
for all of them, and their biases take it back: every result has the same bytes as before.
"""

from __future__ import annotations

from tmc.backend_gap9.kernels.ne16 import offset_bias
from tmc.backend_gap9.target.target import Target
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qconvert import TO_UNSIGNED
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.types import Array, DType

WORD_CHANNELS = 4  # of results, multipliers and biases, calls begin at words


def offload(graph: Graph, target: Target) -> Graph:
    """Return the integer graph with u8 in front of the accelerator's linears; the same without one."""
    if target.accelerator != "ne16":
        return graph
    builder = GraphBuilder.like(graph)
    unsigned: dict[str, str] = {}
    for op in graph.ops:
        bias = _bias_on_ne16(graph, op)
        if bias is None:
            builder.keep(op)
            continue
        x, weight, multiplier, _, *table = op.inputs
        if x not in unsigned:
            unsigned[x] = builder.op(
                OpKind.QCONVERT, (x,), TO_UNSIGNED, op.loc, builder.fresh(f"{x}.unsigned")
            )
        inputs = (unsigned[x], weight, multiplier, builder.constant(bias[None], f"{op.output}.bias"), *table)
        builder.op(op.kind, inputs, op.attrs, op.loc, op.output, graph.types[op.output].quant)
    return builder.graph()


def _bias_on_ne16(graph: Graph, op: Op) -> Array | None:
    """Return the bias of a linear on the accelerator, or None for what is none of its."""
    attrs = op.attrs
    if not isinstance(attrs, QLinearAttrs) or attrs.residual or attrs.layout == "transposed":
        return None
    weight, multiplier, bias = (graph.constants[name] for name in op.inputs[1:4])
    types = graph.types[op.inputs[0]].dtype, graph.types[op.output].dtype
    if types != (DType.S8, DType.S8) or len(bias) != 1 or op.inputs[0] in graph.constants:
        return None
    if (len(weight) // attrs.heads) % WORD_CHANNELS:
        return None
    return offset_bias(weight, multiplier, bias[0])
