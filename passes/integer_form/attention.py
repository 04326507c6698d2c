"""The integer form of attention and of the rotations before it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from tmc.ir import attrs as a
from tmc.ir.graph import Op, OpKind
from tmc.ir.integer.qclip import QClipAttrs
from tmc.ir.integer.qrope import QRopeAttrs
from tmc.ir.types import Quant
from tmc.passes.integer_form.builder import IntegerBuilder
from tmc.passes.integer_ops.attention import (
    COSINE_BITS,
    MASK_LIMIT,
    quantise_attention,
    quantise_mask,
    rotation_bits,
    rotation_table,
)
from tmc.passes.scales.choose_scales import out_factor
from tmc.passes.scales.value_roles import Role


def emit_rope(builder: IntegerBuilder, op: Op) -> None:
    assert isinstance(op.attrs, a.RopeAttrs)
    tables = op.inputs[1:]
    if tables not in builder.rotations:
        cosine, sine = (builder.graph.constants[operand] for operand in tables)
        table = rotation_table(op.loc, cosine, sine)
        builder.rotations[tables] = builder.constant(f"{op.output}.table", table)
    quant = builder.scales.quants[op.output]
    bits = quant.bits or 8
    attrs = QRopeAttrs(op.attrs.heads, COSINE_BITS + rotation_bits(bits), bits)
    inputs = (op.inputs[0], builder.rotations[tables])
    builder.emit(op, OpKind.QROPE, inputs, attrs, quant)


def emit_attention(builder: IntegerBuilder, op: Op) -> None:
    assert isinstance(op.attrs, a.AttentionAttrs)
    q, k, v = (builder.quant(operand) for operand in op.inputs[:3])
    quant = builder.scales.quants[op.output]
    _, keys, width = builder.result.type_of(op.inputs[1]).shape
    factor = out_factor(v.scale[0], quant.scale[0])
    bias = builder.graph.constants.get(op.inputs[3]) if len(op.inputs) > 3 else None
    masked = op.attrs.mask_factor is not None
    dtype: Literal["s8", "s16"] = "s16" if builder.scales.roles[op.output] is Role.RESIDUAL else "s8"
    codes = quantise_attention(
        *(op.loc, q, k, op.attrs.scale, width, keys, factor, builder.recipe, bias), masked=masked, dtype=dtype
    )
    inputs = [*op.inputs[:3], builder.constant(f"{op.output}.exp_table", codes.exp_table)]
    if codes.bias is not None:
        inputs.append(builder.constant(f"{op.output}.bias", codes.bias))
    if masked:
        inputs.append(_mask(builder, op, op.attrs, codes.steps[0]))
    builder.emit(op, OpKind.QATTENTION, tuple(inputs), codes.attrs, quant)


def _mask(builder: IntegerBuilder, op: Op, attrs: a.AttentionAttrs, step: float) -> str:
    """Return what the mask of an input adds to the scores of all heads, s16 [1, 1, N], of 15 bits."""
    assert attrs.mask_factor is not None and attrs.mask_offset is not None
    x, quant = op.inputs[3], Quant((step,))
    converted = quantise_mask(builder.quant(x), attrs.mask_factor, attrs.mask_offset, step)
    result, shape = builder.result, builder.result.type_of(x).shape
    added = result.op(OpKind.QCONVERT, [x], converted, op.loc, result.fresh(f"{op.output}.added"), quant)
    limits = [
        builder.constant(f"{op.output}.{end}", np.full(shape, code, dtype=np.int16))
        for end, code in (("least", -MASK_LIMIT), ("most", MASK_LIMIT - 1))
    ]
    name = result.fresh(f"{op.output}.mask")
    mask = result.op(OpKind.QCLIP, [added, *limits], QClipAttrs(), op.loc, name, quant)
    return result.op(
        OpKind.RESHAPE,
        [mask],
        a.ReshapeAttrs((1, *shape)),
        op.loc,
        result.fresh(f"{op.output}.mask_of_all"),
        quant,
    )
