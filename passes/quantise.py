"""Turn a canonical float graph into the integer graph that the target runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, producers
from tmc.ir.types import DType, TensorType
from tmc.passes.integer_form.attention import emit_attention, emit_rope
from tmc.passes.integer_form.builder import IntegerBuilder
from tmc.passes.integer_form.clip import emit_clip
from tmc.passes.integer_form.linear import emit_depthwise, emit_linear
from tmc.passes.integer_form.pairs import emit_matmul, emit_product, emit_sum
from tmc.passes.integer_form.rows import (
    emit_argmax,
    emit_concat,
    emit_convert,
    emit_interpolate,
    emit_layernorm,
    emit_mean_rows,
    emit_softmax,
    emit_table,
    emit_transpose,
    emit_view,
    is_transposed,
)
from tmc.passes.integer_ops.activation_table import ACTIVATIONS
from tmc.passes.integer_ops.linear import CodeRange
from tmc.passes.quantise_clip import absorbed_clips, clips_before
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.choose_scales import Scales
from tmc.passes.scales.value_roles import Role

WRITERS: Mapping[OpKind, Callable[[IntegerBuilder, Op], None]] = {
    OpKind.RESHAPE: emit_view,
    OpKind.PERMUTE_ROWS: emit_view,
    OpKind.MAX_ROWS: emit_view,
    OpKind.ARGMAX_COLUMNS: emit_argmax,
    OpKind.SOFTMAX: emit_softmax,
    OpKind.CLIP: lambda builder, op: emit_clip(builder, op, op),
    OpKind.INTERPOLATE_ROWS: emit_interpolate,
    OpKind.TRANSPOSE: emit_transpose,
    OpKind.LAYERNORM: emit_layernorm,
    OpKind.ROPE: emit_rope,
    OpKind.ATTENTION: emit_attention,
    OpKind.MEAN_ROWS: emit_mean_rows,
    OpKind.ADD: emit_sum,
    OpKind.SUB: emit_sum,
    OpKind.MUL: emit_product,
    OpKind.MATMUL_ROWS: emit_matmul,
    OpKind.CONCAT: emit_concat,
    OpKind.GATHER: emit_view,
    OpKind.CONVERT: emit_convert,
}


def quantise(
    graph: Graph, scales: Scales, recipe: Recipe = DEFAULT, weight_scales: Sequence[float] = ()
) -> Graph:
    """Return the integer graph of a canonical float graph; values keep their names.

    linear + activation becomes one qlinear with a table, linear + add one with a residual; both take the name
    of the activation's or add's result. Weights that are integers times one of weight_scales, rising, keep
    these integers. Constants are named after the op that reads them.
    Raises: QuantisationError naming the op whose numbers do not fit the integer contract.
    """
    made_by = producers(graph)
    absorbed = absorbed_clips(graph, scales)
    done = {clip.output for clip in absorbed.values()}
    inputs = {}
    for name in graph.inputs:
        dtype = DType.S8 if scales.roles[name] is Role.ACTIVATION else DType.S16
        inputs[name] = TensorType(dtype, graph.types[name].shape, scales.quants[name])
    result = GraphBuilder(graph.name, inputs, graph.outputs, made_by)
    codes = {name: CodeRange(*kind.code_limits) for name, kind in inputs.items()}
    builder = IntegerBuilder(graph, scales, recipe, weight_scales, result, codes)
    for op in graph.ops:
        role = scales.roles[op.output]
        if role in (Role.TABLE_INPUT, Role.BRANCH) or op.output in done or is_transposed(graph, op):
            continue  # emitted with the activation, add, transpose or op that takes it in
        clip = absorbed.get(op.output)
        if op.kind in ACTIVATIONS and scales.roles[op.inputs[0]] is not Role.TABLE_INPUT:
            emit_table(builder, op if clip is None else replace(op, output=clip.output))
        elif op.kind in ACTIVATIONS:
            producer, limits = clips_before(graph, made_by, op.inputs[0])
            last = op if clip is None else replace(op, output=clip.output)
            emit = emit_depthwise if producer.kind is OpKind.DEPTHWISE_ROWS else emit_linear
            emit(builder, producer, last, limits)
        elif op.kind is OpKind.ADD and (branches := _branches(op, scales)):
            branch = made_by[branches[0]]
            if branch.kind is OpKind.CLIP:
                emit_clip(builder, branch, op)
            else:
                emit_linear(builder, branch, op)
        elif op.kind is OpKind.LINEAR:
            emit_linear(builder, op, clip or op)
        elif op.kind is OpKind.DEPTHWISE_ROWS:
            emit_depthwise(builder, op, clip or op)
        else:
            WRITERS[op.kind](builder, op if clip is None else replace(op, output=clip.output))
    return result.graph()


def _branches(add: Op, scales: Scales) -> list[str]:
    """Return the operands of an add that are linear results which it takes in: one, or none."""
    return [name for name in add.inputs if scales.roles.get(name) is Role.BRANCH]
