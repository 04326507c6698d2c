"""Give linears to the accelerator of a target: those that read codes + 128.

NE16 has no signed inputs. What it alone reads is made with 128 added, by a LayerNorm or by a table behind a
linear of its own; in front of its other linears a convert adds 128 to their rows, once for all of them. Their
biases take it back: every other result has the same bytes as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tmc.backend_gap9.kernels.ne16 import offset_bias
from tmc.backend_gap9.target.target import Target
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, uses
from tmc.ir.integer.arithmetic import OFFSET, unsigned
from tmc.ir.integer.qconvert import TO_UNSIGNED
from tmc.ir.integer.qlayernorm import QLayerNormAttrs
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.types import Array, DType, Quant

WORD_CHANNELS = 4  # of results, multipliers and biases, calls begin at words


def offload(graph: Graph, target: Target) -> Graph:
    """Return the integer graph with u8 in front of the accelerator's linears; the same without one."""
    if target.accelerator != "ne16":
        return graph
    biases = {op.output: bias for op in graph.ops if (bias := _bias_on_ne16(graph, op)) is not None}
    builder = GraphBuilder.like(graph)
    # What the accelerator reads, by the name of the codes.
    read = {name: name for name in _made_unsigned(graph, biases)}
    for op in graph.ops:
        attrs, quant = op.attrs, graph.types[op.output].quant
        if op.output in read:
            assert isinstance(attrs, QLayerNormAttrs | QLinearAttrs)
            attrs, quant = replace(attrs, dtype="u8"), _offset(quant)
        bias = biases.get(op.output)
        if bias is None:
            builder.op(op.kind, op.inputs, attrs, op.loc, op.output, quant)
            continue
        x, weight, multiplier, _, *table = op.inputs
        if op.output in read:
            table = [builder.constant(unsigned(graph.constants[table[0]]), f"{op.output}.table")]
        if x not in read:
            read[x] = builder.op(OpKind.QCONVERT, (x,), TO_UNSIGNED, op.loc, builder.fresh(f"{x}.unsigned"))
        inputs = (read[x], weight, multiplier, builder.constant(bias[None], f"{op.output}.bias"), *table)
        builder.op(op.kind, inputs, attrs, op.loc, op.output, quant)
    return builder.graph()


def _made_unsigned(graph: Graph, biases: Mapping[str, Array]) -> Iterator[str]:
    """Yield the results that can be codes + 128 from the start: the accelerator alone reads them. biases: of
    its linears, by their results."""
    readers = uses(graph)
    for op in graph.ops:
        attrs = op.attrs
        norm = isinstance(attrs, QLayerNormAttrs) and attrs.dtype == "s8"
        looked_up = isinstance(attrs, QLinearAttrs) and attrs.table and op.output in biases
        if not (norm or looked_up) or op.output in graph.outputs:
            continue
        if all(reader.output in biases for reader in readers.get(op.output, ())):
            yield op.output


def _offset(quant: Quant | None) -> Quant | None:
    """Return what codes + 128 stand for, of what codes do."""
    return None if quant is None else replace(quant, zero_point=quant.zero_point + OFFSET)


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
