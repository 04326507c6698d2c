"""Give products of attentions to the accelerator: those that it makes faster, with K and V of a head in L1.

It takes queries as codes + 128: a rotation makes them so for it alone, or a convert in front of such an
attention adds 128 to them. K and V stay as they are: the cores pack them within the stage.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from tmc.backend_gap9.kernels.attention_turns import (
    cycles_alone,
    cycles_with_jobs,
    has_room,
    k_is_streamed,
)
from tmc.backend_gap9.kernels.linear import job_costs
from tmc.backend_gap9.kernels.ne16 import INPUTS_READ
from tmc.backend_gap9.target.target import Target
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, uses
from tmc.ir.integer.qattention import QAttentionAttrs
from tmc.ir.integer.qconvert import TO_UNSIGNED, offset
from tmc.ir.integer.qrope import QRopeAttrs
from tmc.ir.types import DType

# How much faster, to make up for queries that are converted, and K and V that come before the first product.
WORTH_IT = 1.15


def offload_attention(graph: Graph, target: Target) -> Graph:
    """Return the integer graph with u8 queries in front of the attentions that are for the accelerator."""
    chosen = {op.output for op in graph.ops if _is_for_ne16(graph, op, target)}
    turned = set(_made_unsigned(graph, chosen))
    builder = GraphBuilder.like(graph)
    for op in graph.ops:
        if op.output in turned:
            assert isinstance(op.attrs, QRopeAttrs)
            quant, attrs = offset(graph.types[op.output].quant), replace(op.attrs, unsigned=True)
            builder.op(op.kind, op.inputs, attrs, op.loc, op.output, quant)
            continue
        if op.output not in chosen:
            builder.keep(op)
            continue
        q, *others = op.inputs
        if q in turned:
            builder.op(op.kind, op.inputs, op.attrs, op.loc, op.output, graph.types[op.output].quant)
            continue
        heads, rows, width = shape = graph.types[q].shape
        lines = builder.reshape(q, (heads * rows, width), op.loc, builder.fresh(f"{q}.lines"))
        unsigned = builder.op(
            OpKind.QCONVERT, (lines,), TO_UNSIGNED, op.loc, builder.fresh(f"{q}.unsigned.lines")
        )
        queries = builder.reshape(unsigned, shape, op.loc, builder.fresh(f"{q}.unsigned"))
        inputs = (queries, *others)
        builder.op(op.kind, inputs, op.attrs, op.loc, op.output, graph.types[op.output].quant)
    return builder.graph()


def _made_unsigned(graph: Graph, chosen: Collection[str]) -> Iterator[str]:
    """Yield the queries that a rotation makes for one of the chosen attentions alone."""
    readers = uses(graph)
    for op in graph.ops:
        if not isinstance(op.attrs, QRopeAttrs) or op.output in graph.outputs:
            continue
        read_as_queries = (
            reader.output in chosen
            and reader.inputs.index(op.output) == 0
            and op.output not in reader.inputs[1:]
            for reader in readers.get(op.output, ())
        )
        if all(read_as_queries):
            yield op.output


def _is_for_ne16(graph: Graph, op: Op, target: Target) -> bool:
    """Tell whether the accelerator is to compute the products of an attention.

    It has int8 operands and results and no bias; what it holds in L1 with the fewest query rows has room
    there; and all heads take clearly fewer modelled cycles than on the cores.
    """
    attrs = op.attrs
    if not isinstance(attrs, QAttentionAttrs) or attrs.normalised or attrs.dtype != "s8":
        return False
    q, k, vt = op.inputs[:3]
    if len(op.inputs) != 4 or graph.types[q].dtype is not DType.S8:
        return False
    if not graph.constants.keys().isdisjoint((q, k, vt)):
        return False
    heads, rows, width = graph.types[q].shape
    keys, tile_rows = graph.types[k].shape[1], min(rows, job_costs(target).rows)
    if not has_room(target, heads, rows, keys, width):
        return False
    streamed = k_is_streamed(target, heads, rows, keys, width)
    if streamed and (rows <= tile_rows or not _may_be_replaced(graph, k)):
        return False
    turns = [min(tile_rows, rows - first) for first in range(0, rows, tile_rows)]
    with_jobs = cycles_with_jobs(target, heads, turns, keys, width, streamed=streamed)
    return WORTH_IT * with_jobs < cycles_alone(target, heads, rows, keys, width)


def _may_be_replaced(graph: Graph, k: str) -> bool:
    """Tell whether packed keys can take the place of K in L2: nobody else reads it, nor are they longer."""
    if k in graph.outputs or len(uses(graph)[k]) > 1 or graph.types[k].shape[2] % INPUTS_READ:
        return False
    return any(op.output == k and op.kind is not OpKind.RESHAPE for op in graph.ops)
