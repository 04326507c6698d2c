"""The op table: for every kind its operands, attribute record, shape rule and meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tmc.ir import attrs as a
from tmc.ir import float_semantics as f
from tmc.ir import function, pointwise
from tmc.ir import shapes as s
from tmc.ir.graph import OpKind
from tmc.ir.integer import (
    qadd,
    qattention,
    qclip,
    qconvert,
    qdepthwise_rows,
    qinterpolate_rows,
    qlayernorm,
    qlinear,
    qmatmul,
    qmean_rows,
    qmul,
    qrequantise,
    qrope,
    qsoftmax,
)
from tmc.ir.op_def import OpDef, Trait
from tmc.ir.types import Array


def _slice(x: Sequence[Array], attrs: a.SliceAttrs) -> Array:
    index = tuple(slice(*part) for part in zip(attrs.starts, attrs.ends, attrs.steps, strict=True))
    return x[0][index]


def _gather(x: Sequence[Array], attrs: a.GatherAttrs) -> Array:
    indices = np.array(attrs.indices, dtype=np.int64).reshape(attrs.shape)
    return np.asarray(np.take(x[0], indices, axis=attrs.axis))


def _permute_rows(x: Sequence[Array], attrs: a.PermuteRowsAttrs) -> Array:
    rows, columns = x[0].shape
    grouped = x[0].reshape(attrs.groups, rows // attrs.groups, columns)
    return np.ascontiguousarray(grouped.transpose(1, 0, 2)).reshape(rows, columns)


def _matmul_rows(x: Sequence[Array], attrs: a.MatmulRowsAttrs) -> Array:
    left, right = (each.reshape(attrs.groups, -1, each.shape[1]) for each in x)
    return np.asarray((left @ right.transpose(0, 2, 1)).reshape(x[0].shape[0], -1))


def _max_rows(x: Array, attrs: a.MaxRowsAttrs) -> Array:
    return np.asarray(x.reshape(-1, attrs.group_rows, x.shape[1]).max(axis=1))


OPS: Mapping[OpKind, OpDef] = {
    OpKind.RESHAPE: OpDef(
        ("x",), a.ReshapeAttrs, s.reshape, lambda x, at: x[0].reshape(at.shape), "view", "view"
    ),
    OpKind.TRANSPOSE: OpDef(
        ("x",),
        a.TransposeAttrs,
        s.transpose,
        lambda x, at: x[0].transpose(at.permutation),
        "axes in another order",
        "move",
    ),
    OpKind.SLICE: OpDef(("x",), a.SliceAttrs, s.slice_, _slice, "view", "view"),
    OpKind.CONCAT: OpDef(
        ("x*",),
        a.ConcatAttrs,
        s.concat,
        lambda x, at: np.concatenate(list(x), axis=at.axis),
        "join along an axis",
    ),
    OpKind.GATHER: OpDef(("x",), a.GatherAttrs, s.gather, _gather, "constant indices along an axis", "move"),
    OpKind.EXPAND: OpDef(
        ("x",), a.ExpandAttrs, s.expand, lambda x, at: np.broadcast_to(x[0], at.shape), "view", "view"
    ),
    **pointwise.PRIMITIVES,
    OpKind.MATMUL: OpDef(("x", "y"), a.Attrs, s.matmul, lambda x, _: x[0] @ x[1], "matrix product"),
    OpKind.SOFTMAX: OpDef(("x",), a.AxisAttrs, s.softmax, lambda x, at: f.softmax(x[0], at.axis), "softmax"),
    OpKind.REDUCE_MEAN: OpDef(
        ("x",),
        a.ReduceAttrs,
        s.reduce,
        lambda x, at: x[0].mean(axis=at.axes, keepdims=at.keepdims),
        "mean",
    ),
    OpKind.REDUCE_MAX: OpDef(
        ("x",),
        a.ReduceAttrs,
        s.reduce,
        lambda x, at: x[0].max(axis=at.axes, keepdims=at.keepdims),
        "largest",
    ),
    OpKind.ARGMAX: OpDef(
        ("x",),
        a.AxisAttrs,
        s.argmax,
        lambda x, at: x[0].argmax(axis=at.axis).astype(np.int32),
        "index of the largest, the first of equal ones",
    ),
    OpKind.CONV: OpDef(
        ("x", "weight", "bias"),
        a.ConvAttrs,
        s.conv,
        lambda x, at: f.conv(x[0], x[1], x[2], at),
        "2-D convolution",
    ),
    OpKind.FAKE_QUANTISE: OpDef(
        ("x",),
        a.FakeQuantiseAttrs,
        s.fake_quantise,
        lambda x, at: f.fake_quantise(x[0], at),
        "round to declared codes",
    ),
    OpKind.REQUANT_SHIFT: OpDef(
        ("x", "mul", "add"),
        a.RequantShiftAttrs,
        s.requant_shift,
        lambda x, at: f.requant_shift(x[0], x[1], x[2], at),
        "requantise integers by multiplier and shift",
    ),
    OpKind.LINEAR: OpDef(
        ("x", "weight", "bias"),
        a.Attrs,
        s.linear,
        lambda x, _: f.linear(x[0], x[1], x[2]),
        "x weight^T + bias",
        "weighted",
    ),
    OpKind.LAYERNORM: OpDef(
        ("x", "gamma", "beta"),
        a.LayerNormAttrs,
        s.layernorm,
        lambda x, at: f.layernorm(x[0], x[1], x[2], at),
        "LayerNorm",
    ),
    **pointwise.ACTIVATIONS,
    OpKind.FUNCTION: function.OP,
    OpKind.ROPE: OpDef(
        ("x", "cosine", "sine"),
        a.RopeAttrs,
        s.rope,
        lambda x, at: f.rope(x[0], x[1], x[2], at),
        "rotary position embedding",
    ),
    OpKind.ATTENTION: OpDef(
        ("q", "k", "v", "bias?"),
        a.AttentionAttrs,
        s.attention,
        lambda x, at: f.attention(x[0], x[1], x[2], at, *x[3:]),
        "softmax attention, all heads",
    ),
    OpKind.MEAN_ROWS: OpDef(
        ("x",), a.MeanRowsAttrs, s.mean_rows, lambda x, at: f.mean_rows(x[0], at), "mean over runs of rows"
    ),
    OpKind.DEPTHWISE_ROWS: OpDef(
        ("x", "weight", "bias"),
        a.Attrs,
        s.depthwise_rows,
        lambda x, _: f.depthwise_rows(x[0], x[1], x[2]),
        "convolution over rows, column by column",
        "weighted",
    ),
    OpKind.INTERPOLATE_ROWS: OpDef(
        ("x",),
        a.InterpolateRowsAttrs,
        s.interpolate_rows,
        lambda x, at: f.interpolate_rows(x[0], at),
        "linear interpolation over rows",
    ),
    OpKind.PERMUTE_ROWS: OpDef(
        ("x",), a.PermuteRowsAttrs, s.permute_rows, _permute_rows, "interleave runs of rows", "move"
    ),
    OpKind.CONVERT: OpDef(
        ("x",), a.ConvertAttrs, s.unary, lambda x, _: x[0], "x, stored in another form", "pointwise"
    ),
    OpKind.MAX_ROWS: OpDef(
        ("x",), a.MaxRowsAttrs, s.max_rows, lambda x, at: _max_rows(x[0], at), "largest of runs of rows"
    ),
    OpKind.MATMUL_ROWS: OpDef(
        ("x", "z"),
        a.MatmulRowsAttrs,
        s.matmul_rows,
        _matmul_rows,
        "product of two computed matrices, group by group",
    ),
    OpKind.ARGMAX_COLUMNS: OpDef(
        ("x",),
        a.Attrs,
        s.argmax_columns,
        lambda x, _: x[0].argmax(axis=1)[:, None].astype(np.int32),
        "column of the largest of each row, the first of equal ones",
    ),
    OpKind.QLINEAR: qlinear.OP,
    OpKind.QREQUANTISE: qrequantise.OP,
    OpKind.QCLIP: qclip.OP,
    OpKind.QCONVERT: qconvert.OP,
    OpKind.QSOFTMAX: qsoftmax.OP,
    OpKind.QMATMUL: qmatmul.OP,
    OpKind.QADD: qadd.OP,
    OpKind.QMUL: qmul.OP,
    OpKind.QLAYERNORM: qlayernorm.OP,
    OpKind.QROPE: qrope.OP,
    OpKind.QATTENTION: qattention.OP,
    OpKind.QMEAN_ROWS: qmean_rows.OP,
    OpKind.QDEPTHWISE_ROWS: qdepthwise_rows.OP,
    OpKind.QINTERPOLATE_ROWS: qinterpolate_rows.OP,
}


def _with(*traits: Trait) -> frozenset[OpKind]:
    return frozenset(kind for kind, row in OPS.items() if row.trait in traits)


VIEWS = _with("view")
MOVES = _with("view", "move")
POINTWISE = _with("pointwise")
WEIGHTED = _with("weighted")


def arity_allowed(kind: OpKind, count: int) -> bool:
    """Tell whether an op of this kind may have `count` operands."""
    operands = OPS[kind].operands
    if operands[-1].endswith("*"):
        return count >= len(operands)
    required = sum(not name.endswith("?") for name in operands)
    return required <= count <= len(operands)
