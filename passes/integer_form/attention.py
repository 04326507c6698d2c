"""The integer form of attention and of the rotations before it."""

from __future__ import annotations

from tmc.ir import attrs as a
from tmc.ir.graph import Op, OpKind
from tmc.ir.integer.qrope import QRopeAttrs
from tmc.passes.integer_form.builder import IntegerBuilder
from tmc.passes.integer_ops.attention import COSINE_BITS, quantise_attention, rotation_table
from tmc.passes.scales.choose_scales import ROTATION_BITS, out_factor


def emit_rope(builder: IntegerBuilder, op: Op) -> None:
    assert isinstance(op.attrs, a.RopeAttrs)
    tables = op.inputs[1:]
    if tables not in builder.rotations:
        cosine, sine = (builder.graph.constants[operand] for operand in tables)
        table = rotation_table(op.loc, cosine, sine)
        builder.rotations[tables] = builder.constant(f"{op.output}.table", table)
    attrs = QRopeAttrs(op.attrs.heads, COSINE_BITS + ROTATION_BITS)
    inputs = (op.inputs[0], builder.rotations[tables])
    builder.emit(op, OpKind.QROPE, inputs, attrs, builder.scales.quants[op.output])


def emit_attention(builder: IntegerBuilder, op: Op) -> None:
    assert isinstance(op.attrs, a.AttentionAttrs)
    q, k, v = (builder.quant(operand) for operand in op.inputs[:3])
    quant = builder.scales.quants[op.output]
    _, keys, width = builder.result.type_of(op.inputs[1]).shape
    factor = out_factor(v.scale[0], quant.scale[0])
    bias = builder.graph.constants[op.inputs[3]] if len(op.inputs) > 3 else None
    codes = quantise_attention(op.loc, q, k, op.attrs.scale, width, keys, factor, builder.recipe, bias)
    inputs = [*op.inputs[:3], builder.constant(f"{op.output}.exp_table", codes.exp_table)]
    if codes.bias is not None:
        inputs.append(builder.constant(f"{op.output}.bias", codes.bias))
    builder.emit(op, OpKind.QATTENTION, tuple(inputs), codes.attrs, quant)
