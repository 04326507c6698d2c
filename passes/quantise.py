"""Turn a canonical float graph into the integer graph that the target runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from tmc.ir import attrs as a
from tmc.ir.build import GraphBuilder
from tmc.ir.errors import NoIntegerForm
from tmc.ir.graph import Graph, Op, OpKind, producers, uses
from tmc.ir.integer.qclip import QClipAttrs
from tmc.ir.integer.qdepthwise_rows import QDepthwiseRowsAttrs
from tmc.ir.integer.qinterpolate_rows import QInterpolateRowsAttrs
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.integer.qrequantise import QRequantiseAttrs
from tmc.ir.integer.qrope import QRopeAttrs
from tmc.ir.types import Array, DType, Quant, TensorType
from tmc.passes.integer_ops.activation_table import ACTIVATIONS, ANY, activation_table
from tmc.passes.integer_ops.add import quantise_add
from tmc.passes.integer_ops.attention import COSINE_BITS, quantise_attention, rotation_table
from tmc.passes.integer_ops.declared_weights import declared_weights
from tmc.passes.integer_ops.interpolation import interpolation_table
from tmc.passes.integer_ops.layernorm import quantise_layernorm
from tmc.passes.integer_ops.linear import CodeRange, LinearTask, quantise_linear, quantise_logits
from tmc.passes.integer_ops.mean import quantise_mean
from tmc.passes.integer_ops.wide import quantise_wide
from tmc.passes.quantise_clip import (
    NOTE,
    absorbed_clips,
    clip_table,
    clips_before,
    limit_codes,
    limits_text,
    saturates,
)
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.choose_scales import ROTATION_BITS, Scales, out_factor
from tmc.passes.scales.value_roles import Role

CODES: Mapping[DType, CodeRange] = {
    DType.S8: CodeRange(-128, 127),
    DType.S16: CodeRange(-(2**15), 2**15 - 1),
    DType.S32: CodeRange(-(2**31), 2**31 - 1),
}
RESULTS: Mapping[Role, Literal["s16", "s32"]] = {
    Role.LOGITS: "s32",
    Role.RESIDUAL: "s16",
    Role.BRANCH: "s16",
    Role.UNROTATED: "s16",
}
IDENTITY = np.arange(-128, 128).astype(np.int8)
LAYOUTS: Mapping[Role, a.Layout] = {Role.QUERY_KEY: "heads", Role.VALUE: "transposed"}


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
    builder = _Builder(graph, scales, recipe, weight_scales, result, codes)
    for op in graph.ops:
        role = scales.roles[op.output]
        if role in (Role.TABLE_INPUT, Role.BRANCH) or op.output in done or _is_transposed(graph, op):
            continue  # emitted with the activation, add, transpose or op that takes it in
        clip = absorbed.get(op.output)
        if op.kind in ACTIVATIONS:
            producer, limits = clips_before(graph, made_by, op.inputs[0])
            last = op if clip is None else replace(op, output=clip.output)
            emit = _depthwise if producer.kind is OpKind.DEPTHWISE_ROWS else _linear
            emit(builder, producer, last, limits)
        elif op.kind is OpKind.ADD and role is Role.ACTIVATION:
            _int8_sum(builder, op)
        elif op.kind is OpKind.ADD:
            branch = made_by[next(name for name in op.inputs if scales.roles[name] is Role.BRANCH)]
            if branch.kind is OpKind.CLIP:
                _clip(builder, branch, op)
            else:
                _linear(builder, branch, op)
        elif op.kind is OpKind.LINEAR:
            _linear(builder, op, clip or op)
        elif op.kind is OpKind.DEPTHWISE_ROWS:
            _depthwise(builder, op, clip or op)
        else:
            WRITERS[op.kind](builder, op if clip is None else replace(op, output=clip.output))
    return result.graph()


@dataclass(slots=True)
class _Builder:
    """The integer graph so far, and the range that the codes of each value can take."""

    graph: Graph
    scales: Scales
    recipe: Recipe
    weight_scales: Sequence[float]
    result: GraphBuilder
    codes: dict[str, CodeRange]
    rotations: dict[tuple[str, ...], str] = field(default_factory=dict)

    def quant(self, name: str) -> Quant:
        quant = self.result.type_of(name).quant
        assert quant is not None
        return quant

    def constant(self, name: str, array: Array, quant: Quant | None = None) -> str:
        return self.result.constant(array, name, quant)

    def emit(
        self,
        op: Op,
        kind: OpKind,
        inputs: tuple[str, ...],
        attrs: a.Attrs,
        quant: Quant,
        codes: CodeRange | None = None,
        loc: str | None = None,
    ) -> None:
        """Append the integer form of `op`; its codes fill their type if no tighter range is given."""
        name = self.result.op(kind, inputs, attrs, op.loc if loc is None else loc, op.output, quant)
        self.codes[name] = CODES[self.result.type_of(name).dtype] if codes is None else codes


def _linear(builder: _Builder, op: Op, last: Op, limits: tuple[float, float] = ANY) -> None:
    """Emit a linear op together with `last`, the activation, add or clip that takes it in, or itself.

    limits: of what an activation reads.
    """
    scales, role, name = builder.scales, builder.scales.roles[op.output], last.output
    x = op.inputs[0]
    weight, bias = (builder.graph.constants[operand] for operand in op.inputs[1:])
    x_quant = builder.quant(x)
    sums, table = _sums(builder, op, last, limits)
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


def _int8_sum(builder: _Builder, op: Op) -> None:
    quant = builder.scales.quants[op.output]
    x, z = (builder.quant(name) for name in op.inputs)
    attrs = quantise_add(op.loc, x, z, quant)
    builder.emit(op, OpKind.QADD, op.inputs, attrs, quant)


def _wide(builder: _Builder, task: LinearTask, op: Op, last: Op, sums: Quant, table: Array | None) -> None:
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


def _sums(
    builder: _Builder, op: Op, last: Op, limits: tuple[float, float] = ANY
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


def _clip(builder: _Builder, op: Op, last: Op) -> None:
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


def _depthwise(builder: _Builder, op: Op, last: Op, limits: tuple[float, float] = ANY) -> None:
    """Emit a convolution together with `last`, the activation or clip that takes it in, or itself."""
    x, name = op.inputs[0], last.output
    weight, bias = (builder.graph.constants[operand] for operand in op.inputs[1:])
    x_quant = builder.quant(x)
    sums, table = _sums(builder, op, last, limits)
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


def _view(builder: _Builder, op: Op) -> None:
    x = op.inputs[0]
    builder.emit(op, op.kind, op.inputs, op.attrs, builder.quant(x), builder.codes[x])


def _is_transposed(graph: Graph, op: Op) -> bool:
    """Tell whether an interpolation is read by a transpose alone, which it can write by itself."""
    if op.kind is not OpKind.INTERPOLATE_ROWS or op.output in graph.outputs:
        return False
    return [reader.kind for reader in uses(graph).get(op.output, ())] == [OpKind.TRANSPOSE]


def _interpolate(builder: _Builder, op: Op) -> None:
    assert isinstance(op.attrs, a.InterpolateRowsAttrs)
    _emit_interpolation(builder, op, op.inputs[0], QInterpolateRowsAttrs(op.attrs.rows), op.loc)


def _transpose(builder: _Builder, op: Op) -> None:
    """Emit a transpose as part of the interpolation before it, else of one to the same rows."""
    before = next((other for other in builder.graph.ops if other.output == op.inputs[0]), None)
    if before is not None and _is_transposed(builder.graph, before):
        assert isinstance(before.attrs, a.InterpolateRowsAttrs)
        x, rows, loc = before.inputs[0], before.attrs.rows, before.loc
    else:
        x, loc = op.inputs[0], op.loc
        rows = builder.result.type_of(x).shape[0]
    _emit_interpolation(builder, op, x, QInterpolateRowsAttrs(rows, "transposed"), loc)


def _emit_interpolation(builder: _Builder, op: Op, x: str, attrs: QInterpolateRowsAttrs, loc: str) -> None:
    table = interpolation_table(loc, builder.result.type_of(x).shape[0], attrs.rows)
    inputs = (x, builder.constant(f"{op.output}.table", table))
    builder.emit(op, OpKind.QINTERPOLATE_ROWS, inputs, attrs, builder.quant(x), builder.codes[x], loc)


def _layernorm(builder: _Builder, op: Op) -> None:
    assert isinstance(op.attrs, a.LayerNormAttrs)
    gamma, beta = (builder.graph.constants[operand] for operand in op.inputs[1:])
    quant = builder.scales.quants[op.output]
    x_scale = builder.quant(op.inputs[0]).scale[0]
    dtype: Literal["s8", "s16"] = "s16" if builder.scales.roles[op.output] is Role.RESIDUAL else "s8"
    codes = quantise_layernorm(op.loc, gamma, beta, op.attrs.epsilon, x_scale, quant, dtype)
    inputs = (
        op.inputs[0],
        builder.constant(f"{op.output}.gamma", codes.gamma),
        builder.constant(f"{op.output}.beta", codes.beta),
    )
    builder.emit(op, OpKind.QLAYERNORM, inputs, codes.attrs, quant)


def _rope(builder: _Builder, op: Op) -> None:
    assert isinstance(op.attrs, a.RopeAttrs)
    tables = op.inputs[1:]
    if tables not in builder.rotations:
        cosine, sine = (builder.graph.constants[operand] for operand in tables)
        table = rotation_table(op.loc, cosine, sine)
        builder.rotations[tables] = builder.constant(f"{op.output}.table", table)
    attrs = QRopeAttrs(op.attrs.heads, COSINE_BITS + ROTATION_BITS)
    inputs = (op.inputs[0], builder.rotations[tables])
    builder.emit(op, OpKind.QROPE, inputs, attrs, builder.scales.quants[op.output])


def _attention(builder: _Builder, op: Op) -> None:
    assert isinstance(op.attrs, a.AttentionAttrs)
    q, k, v = (builder.quant(operand) for operand in op.inputs)
    quant = builder.scales.quants[op.output]
    _, keys, width = builder.result.type_of(op.inputs[1]).shape
    factor = out_factor(v.scale[0], quant.scale[0])
    codes = quantise_attention(op.loc, q, k, op.attrs.scale, width, keys, factor, builder.recipe)
    inputs = (*op.inputs, builder.constant(f"{op.output}.exp_table", codes.exp_table))
    builder.emit(op, OpKind.QATTENTION, inputs, codes.attrs, quant)


def _mean_rows(builder: _Builder, op: Op) -> None:
    assert isinstance(op.attrs, a.MeanRowsAttrs)
    quant = builder.scales.quants[op.output]
    attrs, codes = quantise_mean(builder.quant(op.inputs[0]), quant, op.attrs.group_rows)
    builder.emit(op, OpKind.QMEAN_ROWS, op.inputs, attrs, quant, codes)


WRITERS: Mapping[OpKind, Callable[[_Builder, Op], None]] = {
    OpKind.RESHAPE: _view,
    OpKind.PERMUTE_ROWS: _view,
    OpKind.CLIP: lambda builder, op: _clip(builder, op, op),
    OpKind.INTERPOLATE_ROWS: _interpolate,
    OpKind.TRANSPOSE: _transpose,
    OpKind.LAYERNORM: _layernorm,
    OpKind.ROPE: _rope,
    OpKind.ATTENTION: _attention,
    OpKind.MEAN_ROWS: _mean_rows,
}
