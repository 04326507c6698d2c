"""The integer form of ops on rows: views, sums, means, blends, norms."""

from __future__ import annotations

from typing import Literal

from tmc.ir import attrs as a
from tmc.ir.graph import Graph, Op, OpKind, uses
from tmc.ir.integer.qinterpolate_rows import QInterpolateRowsAttrs
from tmc.passes.integer_form.builder import IntegerBuilder
from tmc.passes.integer_ops.add import quantise_add
from tmc.passes.integer_ops.interpolation import interpolation_table
from tmc.passes.integer_ops.layernorm import quantise_layernorm
from tmc.passes.integer_ops.mean import quantise_mean
from tmc.passes.scales.value_roles import Role


def emit_sum(builder: IntegerBuilder, op: Op) -> None:
    quant = builder.scales.quants[op.output]
    x, z = (builder.quant(name) for name in op.inputs)
    attrs = quantise_add(op.loc, x, z, quant)
    builder.emit(op, OpKind.QADD, op.inputs, attrs, quant)


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
    """Emit a transpose as part of the interpolation before it, else of one to the same rows."""
    before = next((other for other in builder.graph.ops if other.output == op.inputs[0]), None)
    if before is not None and is_transposed(builder.graph, before):
        assert isinstance(before.attrs, a.InterpolateRowsAttrs)
        x, rows, loc = before.inputs[0], before.attrs.rows, before.loc
    else:
        x, loc = op.inputs[0], op.loc
        rows = builder.result.type_of(x).shape[0]
    _emit_interpolation(builder, op, x, QInterpolateRowsAttrs(rows, "transposed"), loc)


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
