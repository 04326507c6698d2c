"""The integer form of linears and depthwise convolutions, with what they take in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from tmc.ir import attrs as a
from tmc.ir.graph import Op, OpKind
from tmc.ir.integer.qdepthwise_rows import QDepthwiseRowsAttrs
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.integer.qrequantise import QRequantiseAttrs
from tmc.ir.types import Array, DType, Quant
from tmc.passes.integer_form.builder import IntegerBuilder
from tmc.passes.integer_ops.activation_table import ANY, activation_table
from tmc.passes.integer_ops.declared_weights import declared_weights
from tmc.passes.integer_ops.linear import LinearTask, quantise_linear, quantise_logits
from tmc.passes.integer_ops.wide import quantise_wide
from tmc.passes.quantise_clip import clip_table, saturates
from tmc.passes.scales.value_roles import Role

RESULTS: Mapping[Role, Literal["s16", "s32"]] = {
    Role.LOGITS: "s32",
    Role.RESIDUAL: "s16",
    Role.BRANCH: "s16",
    Role.UNROTATED: "s16",
}
IDENTITY = np.arange(-128, 128).astype(np.int8)
LAYOUTS: Mapping[Role, a.Layout] = {Role.QUERY_KEY: "heads", Role.VALUE: "transposed"}


def emit_linear(builder: IntegerBuilder, op: Op, last: Op, limits: tuple[float, float] = ANY) -> None:
    """Emit a linear op together with `last`, the activation, add or clip that takes it in, or itself.

    limits: of what an activation reads.
    """
    scales, role, name = builder.scales, builder.scales.roles[op.output], last.output
    x = op.inputs[0]
    weight, bias = (builder.graph.constants[operand] for operand in op.inputs[1:])
    x_quant = builder.quant(x)
    sums, table = sums_of(builder, op, last, limits)
    y_scale = np.repeat(np.array(sums.scale), len(weight) // len(sums.scale))
    task = LinearTask(
        op.loc,
        weight,
        bias,
        x_quant,
        builder.codes[x],
        y_scale,
        sums.zero_point,
        role is Role.BRANCH,
        declared_weights(weight, builder.weight_scales),
        scales.rows.get(x),
    )
    if builder.result.type_of(x).dtype is DType.S16 and role in (Role.TABLE_INPUT, Role.ACTIVATION):
        _wide(builder, task, op, last, sums, table)
        return
    if role is Role.LOGITS:
        codes = quantise_logits(task)
        steps = tuple(float(scale) for scale in codes.weight_scale)
        same = len(set(steps)) == 1
        weight_quant = Quant(steps[:1]) if same else Quant(steps, per="output_channel")
        sums_scale = tuple(x_quant.scale[0] * step for step in weight_quant.scale)
        quant = Quant(sums_scale, per=None if same else "channel")
    else:
        codes = quantise_linear(task, builder.recipe)
        weight_quant = Quant(tuple(float(scale) for scale in codes.weight_scale), per="output_channel")
        quant = scales.quants[name]
    inputs = [
        x,
        builder.constant(f"{name}.weight", codes.weight, weight_quant),
        builder.constant(f"{name}.multiplier", codes.multiplier),
        builder.constant(f"{name}.bias", codes.bias),
    ]
    if table is not None:
        inputs.append(builder.constant(f"{name}.table", table))
    if role is Role.BRANCH:
        inputs.append(next(operand for operand in last.inputs if operand != op.output))
    heads = len(sums.scale) if role is Role.QUERY_KEY else 1
    attrs = QLinearAttrs(
        codes.shift,
        RESULTS.get(role, "s8"),
        LAYOUTS.get(role, "rows"),
        heads,
        table is not None,
        role is Role.BRANCH,
    )
    builder.emit(last, OpKind.QLINEAR, tuple(inputs), attrs, quant, loc=op.loc)


def _wide(
    builder: IntegerBuilder, task: LinearTask, op: Op, last: Op, sums: Quant, table: Array | None
) -> None:
    """Emit a linear of int16 values as one with int32 results, and what makes int8 of them as a
    requantisation: its activation, its clip, or nothing but the rounding."""
    codes = quantise_wide(task)
    name, result = op.output, builder.scales.quants[last.output]
    sums_name = builder.result.fresh(f"{name}.sums") if op is last else name
    weight_quant = Quant(tuple(float(scale) for scale in codes.linear.weight_scale), per="output_channel")
    operands = (
        op.inputs[0],
        builder.constant(f"{name}.weight", codes.linear.weight, weight_quant),
        builder.constant(f"{name}.multiplier", codes.linear.multiplier),
        builder.constant(f"{name}.bias", codes.linear.bias),
    )
    wide = replace(op, output=sums_name)
    builder.emit(wide, OpKind.QLINEAR, operands, QLinearAttrs(codes.linear.shift, "s32"), codes.sums)
    inputs = (
        sums_name,
        builder.constant(f"{last.output}.factors", codes.factors),
        builder.constant(f"{last.output}.table", IDENTITY if table is None else table),
    )
    attrs = QRequantiseAttrs(sums.zero_point, "up")
    builder.emit(last, OpKind.QREQUANTISE, inputs, attrs, result)


def emit_depthwise(builder: IntegerBuilder, op: Op, last: Op, limits: tuple[float, float] = ANY) -> None:
    """Emit a convolution together with `last`, the activation or clip that takes it in, or itself."""
    x, name = op.inputs[0], last.output
    weight, bias = (builder.graph.constants[operand] for operand in op.inputs[1:])
    x_quant = builder.quant(x)
    sums, table = sums_of(builder, op, last, limits)
    y_scale = np.full(len(weight), sums.scale[0])
    task = LinearTask(op.loc, weight, bias[None], x_quant, builder.codes[x], y_scale, sums.zero_point, False)
    codes = quantise_linear(task, builder.recipe)
    weight_quant = Quant(tuple(float(scale) for scale in codes.weight_scale), per="output_channel")
    quant = builder.scales.quants[name]
    inputs = [
        x,
        builder.constant(f"{name}.weight", codes.weight, weight_quant),
        builder.constant(f"{name}.multiplier", codes.multiplier),
        builder.constant(f"{name}.bias", codes.bias[0]),
    ]
    if table is not None:
        inputs.append(builder.constant(f"{name}.table", table))
    attrs = QDepthwiseRowsAttrs(codes.shift, x_quant.zero_point, table is not None)
    builder.emit(last, OpKind.QDEPTHWISE_ROWS, tuple(inputs), attrs, quant, loc=op.loc)


def sums_of(
    builder: IntegerBuilder, op: Op, last: Op, limits: tuple[float, float] = ANY
) -> tuple[Quant, Array | None]:
    """Return the quantisation of the sums of an op, and the table that turns them into the result, if any.

    Where the lowest code of a ReLU's result stands for 0, saturation at that code is the ReLU.
    """
    scales = builder.scales
    result = scales.quants.get(last.output)
    if last.kind is OpKind.CLIP and result is not None:
        enough = saturates(builder.graph, last, result, scales.roles[last.output])
        return result, None if enough else clip_table(builder.graph, last, result)
    if last.kind is OpKind.RELU and limits == ANY and result is not None and result.zero_point == -128:
        return result, None
    sums = scales.quants.get(op.output, Quant((1.0,)))
    if scales.roles[op.output] is not Role.TABLE_INPUT:
        return sums, None
    return sums, activation_table(last, sums, builder.scales.quants[last.output], limits)
