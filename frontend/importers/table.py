"""The table of ONNX ops the frontend takes, and one short function for each.

A function receives the node and returns the names of the values for its outputs, first output first. Nodes
whose inputs are all known never come here. Source: the ONNX operator specification, opsets 10 to 24.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

import numpy as np

from tmc.frontend.importers import fused, quantised, views
from tmc.frontend.importers.resize import resize
from tmc.frontend.node import Node
from tmc.ir.attrs import AxisAttrs, ConvAttrs, GeluAttrs, ReduceAttrs
from tmc.ir.float_semantics import UNLIMITED
from tmc.ir.graph import OpKind
from tmc.ir.types import Array

Importer = Callable[[Node], Sequence[str]]


def _binary(kind: OpKind) -> Importer:
    return lambda node: [node.emit(kind, [node.value(0), node.value(1)])]


def _unary(kind: OpKind) -> Importer:
    return lambda node: [node.emit(kind, [node.value(0)])]


def _reciprocal(node: Node) -> Sequence[str]:
    return [node.emit(OpKind.DIV, [node.scalar(1.0), node.value(0)])]


def _where(node: Node) -> Sequence[str]:
    """Choose by a constant condition: x * c + y * (1 - c), exact for finite numbers."""
    condition = node.known(0, "condition").astype(np.float32)
    chosen = []
    for index, mask in ((1, condition), (2, 1 - condition)):
        factor = node.constant(mask, f"{node.loc}.mask")
        chosen.append(node.emit(OpKind.MUL, [node.value(index), factor]))
    return [node.emit(OpKind.ADD, chosen)]


def _softmax(node: Node) -> Sequence[str]:
    rank = node.rank(0)
    axis = node.axis(node.attribute("axis", 1 if node.opset < 13 else -1), rank)
    # Before opset 13 softmax ran over the axis and all that follow it.
    node.refuse(node.opset < 13 and axis != rank - 1, f"axis {axis} of rank {rank}", "the last axis")
    return [node.emit(OpKind.SOFTMAX, [node.value(0)], AxisAttrs(axis))]


def _reduce_mean(node: Node) -> Sequence[str]:
    rank = node.rank(0)
    axes = node.integers(1, "axes") if node.has(1) else tuple(node.attribute("axes", ()))
    if not axes:
        if node.attribute("noop_with_empty_axes", 0):
            return [node.value(0)]
        axes = tuple(range(rank))
    counted = tuple(sorted(node.axis(axis, rank) for axis in axes))
    attrs = ReduceAttrs(counted, bool(node.attribute("keepdims", 1)))
    return [node.emit(OpKind.REDUCE_MEAN, [node.value(0)], attrs)]


def _global_average_pool(node: Node) -> Sequence[str]:
    attrs = ReduceAttrs(tuple(range(2, node.rank(0))), True)
    return [node.emit(OpKind.REDUCE_MEAN, [node.value(0)], attrs)]


def _matmul(node: Node) -> Sequence[str]:
    """Multiply; an operand of rank 1 gets an axis of 1 that the result loses again."""
    left, right = node.shape(0), node.shape(1)
    node.refuse(not left or not right, "an operand of rank 0", "rank 1 or more")
    x = node.value(0) if len(left) > 1 else node.reshape(node.value(0), (1, *left))
    y = node.value(1) if len(right) > 1 else node.reshape(node.value(1), (*right, 1))
    result = node.emit(OpKind.MATMUL, [x, y])
    shape = list(node.builder.type_of(result).shape)
    if len(right) == 1:
        del shape[-1]
    if len(left) == 1:
        del shape[-1 if len(right) == 1 else -2]
    return [node.reshape(result, shape)]


def _gemm(node: Node) -> Sequence[str]:
    """alpha * A' * B' + beta * C."""
    operands = []
    for index, flag in ((0, "transA"), (1, "transB")):
        swap = bool(node.attribute(flag, 0))
        if node.is_known(index):
            array = node.known(index, "operand")
            operands.append(node.constant(array.T if swap else array, node.proto.input[index]))
        else:
            operands.append(views.transposed(node, node.value(index), (1, 0)) if swap else node.value(index))
    result = node.emit(OpKind.MATMUL, operands)
    alpha, beta = float(node.attribute("alpha", 1.0)), float(node.attribute("beta", 1.0))
    if alpha != 1.0:
        result = node.emit(OpKind.MUL, [result, node.scalar(alpha)])
    if not node.has(2) or beta == 0.0:
        return [result]
    bias = node.value(2)
    if beta != 1.0:
        bias = node.emit(OpKind.MUL, [bias, node.scalar(beta)])
    return [node.emit(OpKind.ADD, [result, bias])]


def _conv(node: Node) -> Sequence[str]:
    """Convolve in 2-D; a 1-D convolution gets a height of 1."""
    spatial = node.rank(0) - 2
    node.refuse(spatial not in (1, 2), f"{spatial} spatial axes", "1 or 2")
    weight = node.known(1, "weight")
    node.refuse(weight.ndim != spatial + 2, f"a weight of rank {weight.ndim}", f"rank {spatial + 2}")
    dilations = node.attribute("dilations", [1] * spatial)
    node.refuse(any(step != 1 for step in dilations), f"dilations {dilations}", "1")
    auto_pad = node.attribute("auto_pad", "NOTSET")
    node.refuse(
        auto_pad not in ("NOTSET", "VALID"),
        f"auto_pad {auto_pad}",
        "NOTSET or VALID",
        "export with explicit pads",
    )
    strides = tuple(node.attribute("strides", [1] * spatial))
    pads = (
        tuple(node.attribute("pads", [0] * (2 * spatial))) if auto_pad == "NOTSET" else (0,) * (2 * spatial)
    )
    for name, found, count in (("strides", strides, spatial), ("pads", pads, 2 * spatial)):
        node.refuse(len(found) != count, f"{len(found)} {name}", f"{count} for {spatial} spatial axes")
    group = int(node.attribute("group", 1))
    node.refuse(
        min(strides) < 1 or min(pads) < 0 or group < 1,
        f"strides {strides}, pads {pads}, group {group}",
        "strides and group from 1 on, pads from 0 on",
    )
    batch, channels, *size = node.shape(0)
    x = node.value(0)
    if spatial == 1:
        x = node.reshape(x, (batch, channels, 1, *size))
        weight = weight.reshape(*weight.shape[:2], 1, weight.shape[2])
        strides, pads = (1, *strides), (0, pads[0], 0, pads[1])
    bias = node.known(2, "bias") if node.has(2) else np.zeros(weight.shape[0])
    names = [node.constant(weight, node.proto.input[1]), node.constant(bias, f"{node.loc}.bias")]
    attrs = ConvAttrs((strides[0], strides[1]), (pads[0], pads[1], pads[2], pads[3]), group)
    result = node.emit(OpKind.CONV, [x, *names], attrs)
    if spatial == 2:
        return [result]
    shape = node.builder.type_of(result).shape
    return [node.reshape(result, (*shape[:2], shape[3]))]


def _gelu(node: Node) -> Sequence[str]:
    approximate = node.attribute("approximate", "none")
    return [node.emit(OpKind.GELU, [node.value(0)], GeluAttrs("tanh" if approximate == "tanh" else "none"))]


def _swish(node: Node) -> Sequence[str]:
    """x * sigmoid(alpha x)."""
    x = node.value(0)
    alpha = float(node.attribute("alpha", 1.0))
    inner = x if alpha == 1.0 else node.emit(OpKind.MUL, [x, node.scalar(alpha)])
    return [node.emit(OpKind.MUL, [x, node.emit(OpKind.SIGMOID, [inner])])]


def _clip(node: Node) -> Sequence[str]:
    """Clip to known limits: attributes before opset 11, operands since."""
    ends = []
    for index, name, unlimited in ((1, "min", -UNLIMITED), (2, "max", UNLIMITED)):
        known = node.known(index, name) if node.has(index) else np.array(node.attribute(name, unlimited))
        node.refuse(known.size != 1, f"{known.size} numbers as {name}", "one")
        ends.append(min(max(float(known.reshape(-1)[0]), -UNLIMITED), UNLIMITED))
    if ends == [0.0, UNLIMITED]:
        return [node.emit(OpKind.RELU, [node.value(0)])]
    return [node.emit(OpKind.CLIP, [node.value(0), node.scalar(ends[0]), node.scalar(ends[1])])]


def _shape(node: Node) -> Array:
    start, end = int(node.attribute("start", 0)), node.attribute("end", None)
    return np.array(node.shape(0)[start:end], dtype=np.int64)


def _size(node: Node) -> Array:
    return np.array(prod(node.shape(0)), dtype=np.int64)


# What depends on the shape of an input alone.
STATIC: Mapping[str, Callable[[Node], Array]] = {"Shape": _shape, "Size": _size}

# Taken only where their inputs are known; named here so that an error does not list them as unknown.
FOLDED_ONLY = frozenset(
    {"Constant", "ConstantOfShape", "Range", "Equal", "Less", "Greater", "Not", "And", "Or", "Mod"}
)

IMPORTERS: Mapping[str, Importer] = {
    "Add": _binary(OpKind.ADD),
    "Sub": _binary(OpKind.SUB),
    "Mul": _binary(OpKind.MUL),
    "Div": _binary(OpKind.DIV),
    "Pow": _binary(OpKind.POW),
    "Neg": _unary(OpKind.NEG),
    "Sqrt": _unary(OpKind.SQRT),
    "Erf": _unary(OpKind.ERF),
    "Tanh": _unary(OpKind.TANH),
    "Sigmoid": _unary(OpKind.SIGMOID),
    "Relu": _unary(OpKind.RELU),
    "Clip": _clip,
    "Swish": _swish,
    "Reciprocal": _reciprocal,
    "Where": _where,
    "Softmax": _softmax,
    "ReduceMean": _reduce_mean,
    "GlobalAveragePool": _global_average_pool,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Conv": _conv,
    "Resize": resize,
    "Gelu": _gelu,
    "LayerNormalization": fused.layer_normalization,
    "Attention": fused.attention,
    "RotaryEmbedding": fused.rotary_embedding,
    "QuantizeLinear": quantised.quantize_linear,
    "DequantizeLinear": quantised.dequantize_linear,
    "RequantShift": quantised.requant_shift,
    "Identity": views.same,
    "Dropout": views.dropout,
    "Cast": views.cast,
    "CastLike": views.cast_like,
    "Reshape": views.reshape,
    "Flatten": views.flatten,
    "Squeeze": views.squeeze,
    "Unsqueeze": views.unsqueeze,
    "Transpose": views.transpose,
    "Slice": views.slice_,
    "Split": views.split,
    "Concat": views.concat,
    "Gather": views.gather,
    "GatherND": views.gather_nd,
    "Expand": views.expand,
    "Tile": views.tile,
    "com.microsoft.Gelu": _gelu,
    "com.microsoft.FastGelu": fused.fast_gelu,
    "com.microsoft.BiasGelu": fused.bias_gelu,
    "com.microsoft.SkipLayerNormalization": fused.skip_layer_normalization,
    "com.microsoft.RotaryEmbedding": fused.microsoft_rotary_embedding,
}
