"""The integer form of clips."""

from __future__ import annotations

from tmc.ir import attrs as a
from tmc.ir.errors import NoIntegerForm
from tmc.ir.graph import Op, OpKind
from tmc.ir.integer.qclip import QClipAttrs
from tmc.ir.types import DType
from tmc.passes.integer_form.builder import IntegerBuilder
from tmc.passes.integer_ops.linear import CodeRange
from tmc.passes.quantise_clip import NOTE, limit_codes, limits_text, saturates


def emit_clip(builder: IntegerBuilder, op: Op, last: Op) -> None:
    """Emit a clip, or together with `last` the add that takes it in. Where int8 codes end, nothing is cut."""
    x = op.inputs[0]
    kind, quant = builder.result.type_of(x), builder.quant(x)
    if op is last and kind.dtype is DType.S8 and saturates(builder.graph, op, quant, builder.scales.roles[x]):
        builder.emit(op, OpKind.RESHAPE, (x,), a.ReshapeAttrs(kind.shape), quant, builder.codes[x])
        return
    if len(kind.shape) != 2:
        raise NoIntegerForm(
            op.loc,
            f"found {limits_text(builder.graph, op)} of {kind.shape}, stored by "
            "heads, allowed one of rows of channels",
            NOTE,
        )
    low, high = limit_codes(builder.graph, op, kind.dtype, quant)
    limits = builder.constant(f"{op.output}.low", low), builder.constant(f"{op.output}.high", high)
    if op is not last:
        residual = next(operand for operand in last.inputs if operand != op.output)
        builder.emit(last, OpKind.QCLIP, (x, *limits, residual), QClipAttrs(True), builder.quant(residual))
        return
    before = builder.codes[x]
    codes = CodeRange(*(int(min(max(end, low.min()), high.max())) for end in (before.low, before.high)))
    builder.emit(op, OpKind.QCLIP, (x, *limits), QClipAttrs(), quant, codes)
