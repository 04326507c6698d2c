"""The table of ONNX ops that the frontend takes: for each its importer, and what it does not take of it.

An importer receives the node and returns the names of the values for its outputs, first output first. Nodes
whose inputs are all known never come here. Sources: the ONNX operator specification, opsets 7 to 28;
onnxruntime's ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from tmc.frontend.importers import (
    activations,
    attention,
    integer_functions,
    norms,
    pointwise,
    pools,
    products,
    quantised,
    reductions,
    rotary,
    rounding,
    views,
    windows,
)
from tmc.frontend.importers.einsum import einsum
from tmc.frontend.importers.resize import resize
from tmc.frontend.node import Node
from tmc.ir.graph import OpKind
from tmc.ir.types import Array

Importer = Callable[[Node], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Row:
    """An importer, and in words what of the op it takes, where that is not all."""

    importer: Importer
    limits: str = ""


def _shape(node: Node) -> Array:
    start, end = int(node.attribute("start", 0)), node.attribute("end", None)
    return np.array(node.shape(0)[start:end], dtype=np.int64)


def _size(node: Node) -> Array:
    return np.array(prod(node.shape(0)), dtype=np.int64)


# What depends on the shape of an input alone.
STATIC: Mapping[str, Callable[[Node], Array]] = {"Shape": _shape, "Size": _size}

# Taken only where their inputs are known; named here so that an error does not list them as unknown.
FOLDED_ONLY = frozenset({"Constant", "ConstantOfShape", "Range", "Mod"})

# Taken, though ONNX does not define them, in ONNX's own domain.
FOREIGN = frozenset({"RequantShift", "SimplifiedLayerNormalization", "iGELU", "iHardswish"})

_GIVEN_SHAPE = "the shape is constant"
_LEARNED = "scale and bias are constant"
_WINDOW = "1 or 2 spatial axes"
_CACHELESS = "no past keys and values"

IMPORTERS: Mapping[str, Row] = {
    "Abs": Row(pointwise.unary(OpKind.ABS)),
    "Add": Row(pointwise.binary(OpKind.ADD)),
    "And": Row(pointwise.binary(OpKind.MUL)),
    "ArgMax": Row(reductions.argmax, "a result of the network; of equal elements the first"),
    "ArgMin": Row(reductions.argmin, "a result of the network; of equal elements the first"),
    "Attention": Row(attention.attention, f"{_CACHELESS}; one output"),
    "AveragePool": Row(pools.average_pool, _WINDOW),
    "BatchNormalization": Row(norms.batch_normalization, "as in inference; operands but the first constant"),
    "Cast": Row(views.cast, "between types of floats"),
    "CastLike": Row(views.cast_like, "between types of floats"),
    "Ceil": Row(pointwise.ceil),
    "Celu": Row(activations.celu),
    "Clip": Row(rounding.clip_or_codes, "constant limits"),
    "Concat": Row(views.concat),
    "Conv": Row(products.conv, f"{_WINDOW}; constant weight and bias"),
    "DequantizeLinear": Row(quantised.dequantize_linear, "codes of a QuantizeLinear, or constant"),
    "Div": Row(pointwise.binary(OpKind.DIV)),
    "Dropout": Row(views.dropout, "switched off, or a ratio of 0"),
    "Einsum": Row(einsum, "no letter twice in one part"),
    "Elu": Row(activations.elu),
    "Equal": Row(pointwise.equal, "of floats"),
    "Erf": Row(pointwise.unary(OpKind.ERF)),
    "Exp": Row(pointwise.unary(OpKind.EXP)),
    "Expand": Row(views.expand, _GIVEN_SHAPE),
    "Flatten": Row(views.flatten),
    "Floor": Row(pointwise.unary(OpKind.FLOOR)),
    "Gather": Row(views.gather, "constant indices"),
    "GatherND": Row(views.gather_nd, "constant indices; batch_dims 0"),
    "Gelu": Row(activations.gelu),
    "Gemm": Row(products.gemm),
    "GlobalAveragePool": Row(pools.global_average_pool),
    "GlobalMaxPool": Row(pools.global_max_pool),
    "Greater": Row(pointwise.greater, "of floats"),
    "GreaterOrEqual": Row(pointwise.greater_or_equal, "of floats"),
    "GroupNormalization": Row(norms.group_normalization, _LEARNED),
    "HardSigmoid": Row(activations.hard_sigmoid),
    "HardSwish": Row(activations.hard_swish),
    "Identity": Row(views.same),
    "InstanceNormalization": Row(norms.instance_normalization, _LEARNED),
    "LayerNormalization": Row(norms.layer_normalization, f"{_LEARNED}; one output"),
    "LeakyRelu": Row(activations.leaky_relu),
    "Less": Row(pointwise.less, "of floats"),
    "LessOrEqual": Row(pointwise.less_or_equal, "of floats"),
    "Log": Row(pointwise.unary(OpKind.LOG)),
    "LogSoftmax": Row(reductions.log_softmax),
    "LpNormalization": Row(reductions.lp_normalization),
    "MatMul": Row(products.matmul),
    "Max": Row(pointwise.joined(OpKind.MAXIMUM)),
    "MaxPool": Row(pools.max_pool, "one output"),
    "Mean": Row(pointwise.mean),
    "Min": Row(pointwise.joined(OpKind.MINIMUM)),
    "Mish": Row(activations.mish),
    "Mul": Row(pointwise.binary(OpKind.MUL)),
    "Neg": Row(pointwise.unary(OpKind.NEG)),
    "Not": Row(pointwise.not_),
    "Or": Row(pointwise.binary(OpKind.MAXIMUM)),
    "PRelu": Row(activations.prelu, "constant slope"),
    "Pad": Row(windows.pad, "constant pads"),
    "Pow": Row(pointwise.binary(OpKind.POW)),
    "QuantizeLinear": Row(quantised.quantize_linear, "codes of 8 or 16 bits, one scale for an activation"),
    "RMSNormalization": Row(norms.rms_normalization, "constant scale"),
    "Reciprocal": Row(pointwise.reciprocal),
    "ReduceL1": Row(reductions.reduce_l1),
    "ReduceL2": Row(reductions.reduce_l2),
    "ReduceLogSum": Row(reductions.reduce_log_sum),
    "ReduceLogSumExp": Row(reductions.reduce_log_sum_exp),
    "ReduceMax": Row(reductions.reduce_max),
    "ReduceMean": Row(reductions.reduce_mean),
    "ReduceMin": Row(reductions.reduce_min),
    "ReduceSum": Row(reductions.reduce_sum),
    "ReduceSumSquare": Row(reductions.reduce_sum_square),
    "Relu": Row(pointwise.unary(OpKind.RELU)),
    "RequantShift": Row(quantised.requant_shift, "div a power of two, up to 256 levels"),
    "Reshape": Row(views.reshape, _GIVEN_SHAPE),
    "Resize": Row(resize, "linear, along the last axis, pixels at half"),
    "RotaryEmbedding": Row(rotary.rotary_embedding, "constant caches and positions"),
    "Round": Row(rounding.round_, "with a Clip to codes of 16 bits or less before or behind it"),
    "Selu": Row(activations.selu),
    "Sigmoid": Row(pointwise.unary(OpKind.SIGMOID)),
    "Sign": Row(pointwise.sign),
    "Slice": Row(views.slice_, "constant starts, ends, axes and steps"),
    "Softmax": Row(reductions.softmax),
    "Softplus": Row(activations.softplus),
    "Softsign": Row(activations.softsign),
    "Split": Row(views.split, "constant sizes"),
    "Sqrt": Row(pointwise.unary(OpKind.SQRT)),
    "Squeeze": Row(views.squeeze),
    "Sub": Row(pointwise.binary(OpKind.SUB)),
    "Sum": Row(pointwise.joined(OpKind.ADD)),
    "Swish": Row(activations.swish),
    "Tanh": Row(pointwise.unary(OpKind.TANH)),
    "ThresholdedRelu": Row(activations.thresholded_relu),
    "Tile": Row(views.tile, "constant repeats"),
    "Transpose": Row(views.transpose),
    "Unsqueeze": Row(views.unsqueeze),
    "Where": Row(pointwise.where),
    "SimplifiedLayerNormalization": Row(norms.rms_normalization, "constant scale"),
    "iGELU": Row(integer_functions.integer_gelu, "in a network of RequantShift"),
    "iHardswish": Row(integer_functions.integer_hard_swish, "in a network of RequantShift"),
    "com.microsoft.Attention": Row(
        attention.microsoft_attention, f"{_CACHELESS}; a constant mask of ones and zeros"
    ),
    "com.microsoft.BiasGelu": Row(activations.bias_gelu),
    "com.microsoft.FastGelu": Row(activations.fast_gelu),
    "com.microsoft.FusedMatMul": Row(products.fused_matmul, "no transBatchA, no transBatchB"),
    "com.microsoft.Gelu": Row(activations.gelu),
    "com.microsoft.MultiHeadAttention": Row(
        attention.multi_head_attention,
        f"{_CACHELESS}; Q, K and V each of rank 3; a constant mask of ones and zeros",
    ),
    "com.microsoft.QuickGelu": Row(activations.quick_gelu),
    "com.microsoft.RotaryEmbedding": Row(
        rotary.microsoft_rotary_embedding, "constant caches and positions; scale 1"
    ),
    "com.microsoft.SkipLayerNormalization": Row(
        norms.skip_layer_normalization, f"{_LEARNED}; the outputs 1 and 4"
    ),
    "com.microsoft.SkipSimplifiedLayerNormalization": Row(
        norms.skip_simplified_layer_normalization, "constant scale; the outputs 1 and 4"
    ),
}
