"""Give linears and attentions to the accelerator of a target: those that read codes + 128.

NE16 has no signed inputs. What it alone reads is made with 128 added, by a LayerNorm or by a table behind a
linear of its own; in front of its other linears a convert adds 128 to their rows, once for all of them. Their
biases take it back: every other result has the same bytes as before. A linear that takes the cores no longer,
as that of a few rows, stays there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tmc.backend_gap9.kernels.costs import call_cycles
from tmc.backend_gap9.kernels.grid import SPLIT, best_split
from tmc.backend_gap9.kernels.linear import HEAD_CHANNELS, LinearJob, job_for
from tmc.backend_gap9.kernels.ne16 import offset_bias
from tmc.backend_gap9.kernels.table import record_of
from tmc.backend_gap9.stages.offload_attention import offload_attention
from tmc.backend_gap9.target.target import Target
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, uses
from tmc.ir.integer.arithmetic import unsigned
from tmc.ir.integer.qconvert import TO_UNSIGNED, offset
from tmc.ir.integer.qlayernorm import QLayerNormAttrs
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.types import Array, DType

WORD_CHANNELS = 4  # of results, multipliers and biases, calls begin at words


def offload(graph: Graph, target: Target) -> Graph:
    """Return the integer graph with u8 in front of the accelerator's linears; the same without one."""
    if target.accelerator != "ne16":
        return graph
    biases = {op.output: bias for op in graph.ops if (bias := _bias_on_ne16(graph, op, target)) is not None}
    builder = GraphBuilder.like(graph)
    # What the accelerator reads, by the name of the codes.
    read = {name: name for name in _made_unsigned(graph, biases)}
    for op in graph.ops:
        attrs, quant = op.attrs, graph.types[op.output].quant
        if op.output in read:
            assert isinstance(attrs, QLayerNormAttrs | QLinearAttrs)
            attrs, quant = replace(attrs, dtype="u8"), offset(quant)
        bias = biases.get(op.output)
        if bias is None:
            builder.op(op.kind, op.inputs, attrs, op.loc, op.output, quant)
            continue
        x, weight, multiplier, _, *others = op.inputs
        if op.output in read:
            others = [builder.constant(unsigned(graph.constants[others[0]]), f"{op.output}.table")]
        if x not in read:
            read[x] = builder.op(OpKind.QCONVERT, (x,), TO_UNSIGNED, op.loc, builder.fresh(f"{x}.unsigned"))
        inputs = (read[x], weight, multiplier, builder.constant(bias[None], f"{op.output}.bias"), *others)
        builder.op(op.kind, inputs, attrs, op.loc, op.output, quant)
    return offload_attention(builder.graph(), target)


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


def _bias_on_ne16(graph: Graph, op: Op, target: Target) -> Array | None:
    """Return the bias of a linear on the accelerator, or None for what is none of its."""
    attrs = op.attrs
    job = job_for(attrs) if isinstance(attrs, QLinearAttrs) else None
    if not isinstance(attrs, QLinearAttrs) or job is None:
        return None
    weight, multiplier, bias = (graph.constants[name] for name in op.inputs[1:4])
    if graph.types[op.inputs[0]].dtype is not DType.S8 or op.inputs[0] in graph.constants:
        return None
    if (
        len(bias) != 1
        or (len(weight) // attrs.heads) % WORD_CHANNELS
        or not _is_faster(graph, op, job, target)
    ):
        return None
    return offset_bias(weight, multiplier, bias[0])


def _is_faster(graph: Graph, op: Op, job: LinearJob, target: Target) -> bool:
    """Tell whether a job, and what the cores finish of it, take less than the cores alone."""
    record = record_of(op.kind)
    (kernel,) = record.chosen(graph, op)
    rows, channels = graph.types[op.inputs[0]].shape[0], graph.types[op.inputs[1]].shape[0]
    numbers = {HEAD_CHANNELS: channels, **record.numbers(graph, op), "rows": rows, "channels": channels}
    job_cycles, *calls = (
        each.core_cycles(target, numbers)
        if each.is_job
        else call_cycles(target, each, {**numbers, SPLIT: best_split(target, each, numbers)})
        for each in job.kernels
    )
    alone = call_cycles(target, kernel, {**numbers, SPLIT: best_split(target, kernel, numbers)})
    return target.calls.job_cycles + job_cycles + sum(calls) < alone
