"""The integer form of ops on rows: views, means, blends, norms."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import numpy as np

from tmc.ir import attrs as a
from tmc.ir.graph import Graph, Op, OpKind, uses
from tmc.ir.integer.qinterpolate_rows import QInterpolateRowsAttrs
from tmc.ir.integer.qrequantise import QRequantiseAttrs
from tmc.ir.types import DType
from tmc.passes.integer_form.builder import IntegerBuilder
from tmc.passes.integer_ops.activation_table import activation_table
from tmc.passes.integer_ops.convert import Stored, quantise_convert
from tmc.passes.integer_ops.interpolation import interpolation_table
from tmc.passes.integer_ops.layernorm import quantise_layernorm
from tmc.passes.integer_ops.linear import CodeRange
from tmc.passes.integer_ops.mean import quantise_mean
from tmc.passes.integer_ops.requantise_factors import requantise_factors
from tmc.passes.integer_ops.softmax import quantise_softmax
from tmc.passes.scales.value_roles import Role


def emit_concat(builder: IntegerBuilder, op: Op) -> None:
    """Emit values one behind the other, constants in the codes of the others."""
    quant = builder.scales.quants[op.output]
    dtype = DType.S8 if builder.scales.roles[op.output] is Role.ACTIVATION else DType.S16
    ends = np.iinfo(dtype.numpy)
    inputs = []
    for name in op.inputs:
        array = builder.graph.constants.get(name)
        if array is not None:
            codes = np.rint(array / quant.scale[0]) + quant.zero_point
            stored = np.clip(codes, ends.min, ends.max).astype(dtype.numpy)
            name = builder.constant(f"{op.output}.part", stored, quant)
        inputs.append(name)
    builder.emit(op, OpKind.CONCAT, tuple(inputs), op.attrs, quant)


def emit_convert(builder: IntegerBuilder, op: Op) -> None:
    """Emit a value in another stored form, or a view of it where it has that form already."""
    x, quant = op.inputs[0], builder.scales.quants[op.output]
    kind = builder.result.type_of(x)
    dtype: Stored = "s8" if builder.scales.roles[op.output] is Role.ACTIVATION else "s16"
    if kind.dtype.value == dtype and builder.quant(x) == quant:
        builder.emit(op, OpKind.RESHAPE, (x,), a.ReshapeAttrs(kind.shape), quant, builder.codes[x])
        return
    attrs = quantise_convert(op.loc, builder.quant(x), builder.stored(x), quant, dtype)
    builder.emit(op, OpKind.QCONVERT, (x,), attrs, quant)


def emit_table(builder: IntegerBuilder, op: Op) -> None:
    """Emit a function of one element of a stored int8 value as a table of its codes."""
    x, columns = op.inputs[0], builder.result.type_of(op.inputs[0]).shape[-1]
    before, quant = builder.quant(x), builder.scales.quants[op.output]
    ranges, one = [builder.codes[x]] * columns, [Fraction(1)] * columns
    factors = requantise_factors(op.loc, ranges, one, [Fraction(0)] * columns)
    inputs = (
        x,
        builder.constant(f"{op.output}.factors", factors),
        builder.constant(f"{op.output}.table", activation_table(op, before, quant)),
    )
    builder.emit(op, OpKind.QREQUANTISE, inputs, QRequantiseAttrs(0, "up"), quant)


def emit_view(builder: IntegerBuilder, op: Op) -> None:
    x = op.inputs[0]
    builder.emit(op, op.kind, op.inputs, op.attrs, builder.quant(x), builder.codes[x])


def is_transposed(graph: Graph, op: Op) -> bool:
    """Tell whether an interpolation is read by a transpose alone, which it can write by itself."""
    if op.kind is not OpKind.INTERPOLATE_ROWS or op.output in graph.outputs:
        return False
    return [reader.kind for reader in uses(graph).get(op.output, ())] == [OpKind.TRANSPOSE]


def emit_interpolate(builder: IntegerBuilder, op: Op) -> None:
    assert isinstance(op.attrs, a.InterpolateRowsAttrs)
    _emit_interpolation(builder, op, op.inputs[0], QInterpolateRowsAttrs(op.attrs.rows), op.loc)


def emit_transpose(builder: IntegerBuilder, op: Op) -> None:
    """Emit a transpose, as part of the interpolation before it where there is one that nothing else reads."""
    before = next((other for other in builder.graph.ops if other.output == op.inputs[0]), None)
    if before is None or not is_transposed(builder.graph, before):
        emit_view(builder, op)
        return
    assert isinstance(before.attrs, a.InterpolateRowsAttrs)
    attrs = QInterpolateRowsAttrs(before.attrs.rows, "transposed")
    _emit_interpolation(builder, op, before.inputs[0], attrs, before.loc)


def _emit_interpolation(
    builder: IntegerBuilder, op: Op, x: str, attrs: QInterpolateRowsAttrs, loc: str
) -> None:
    table = interpolation_table(loc, builder.result.type_of(x).shape[0], attrs.rows)
    inputs = (x, builder.constant(f"{op.output}.table", table))
    builder.emit(op, OpKind.QINTERPOLATE_ROWS, inputs, attrs, builder.quant(x), builder.codes[x], loc)


def emit_layernorm(builder: IntegerBuilder, op: Op) -> None:
    assert isinstance(op.attrs, a.LayerNormAttrs)
    gamma, beta = (builder.graph.constants[operand] for operand in op.inputs[1:])
    quant = builder.scales.quants[op.output]
    x_scale = builder.quant(op.inputs[0]).scale[0]
    dtype: Literal["s8", "s16"] = "s16" if builder.scales.roles[op.output] is Role.RESIDUAL else "s8"
    codes = quantise_layernorm(op.loc, gamma, beta, op.attrs, x_scale, quant, dtype)
    inputs = (
        op.inputs[0],
        builder.constant(f"{op.output}.gamma", codes.gamma),
        builder.constant(f"{op.output}.beta", codes.beta),
    )
    builder.emit(op, OpKind.QLAYERNORM, inputs, codes.attrs, quant)


def emit_mean_rows(builder: IntegerBuilder, op: Op) -> None:
    assert isinstance(op.attrs, a.MeanRowsAttrs)
    quant = builder.scales.quants[op.output]
    attrs, codes = quantise_mean(builder.quant(op.inputs[0]), quant, op.attrs.group_rows)
    builder.emit(op, OpKind.QMEAN_ROWS, op.inputs, attrs, quant, codes)


def emit_argmax(builder: IntegerBuilder, op: Op) -> None:
    codes = CodeRange(0, builder.graph.types[op.inputs[0]].shape[1] - 1)
    builder.emit(op, op.kind, op.inputs, op.attrs, builder.scales.quants[op.output], codes)


def emit_softmax(builder: IntegerBuilder, op: Op) -> None:
    assert op.attrs == a.AxisAttrs(1), "fuse_reductions leaves softmaxes of rows alone"
    columns = builder.graph.types[op.output].shape[1]
    attrs = quantise_softmax(op.loc, builder.quant(op.inputs[0]), columns)
    codes = CodeRange(0, 2**15 - 1)
    builder.emit(op, OpKind.QSOFTMAX, op.inputs, attrs, builder.scales.quants[op.output], codes)
