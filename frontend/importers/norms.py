"""Importers of normalisations: the LayerNorm of the IR where there is one, else its primitives."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tmc.frontend.node import Node
from tmc.ir.attrs import LayerNormAttrs, ReduceAttrs
from tmc.ir.graph import OpKind
from tmc.ir.types import Array


def layer_normalization(node: Node) -> Sequence[str]:
    """Normalise the axes from `axis` on, as one."""
    shape = node.shape(0)
    axis = node.axis(node.attribute("axis", -1), len(shape))
    flat = node.reshape(node.value(0), (*shape[:axis], prod(shape[axis:])))
    result = _with_learned(node, flat, 1, 2, float(node.attribute("epsilon", 1e-5)))
    return [node.reshape(result, shape)]


def skip_layer_normalization(node: Node) -> Sequence[str]:
    """LayerNorm of input + skip (+ bias); the sum is the fourth output."""
    total = _skipped(node, 4)
    result = _with_learned(node, total, 2, 3, float(node.attribute("epsilon", 1e-12)))
    return [result, "", "", total]


def _skipped(node: Node, bias: int) -> str:
    unused = [name for name in node.proto.output[1:3] if name]
    node.refuse(bool(unused), f"optional outputs {unused}", "the normalised value and the sum")
    total = node.apply(OpKind.ADD, node.value(0), node.value(1))
    return node.apply(OpKind.ADD, total, node.value(bias)) if node.has(bias) else total


def _with_learned(node: Node, x: str, scale: int, bias: int, epsilon: float) -> str:
    """Emit a LayerNorm whose scale and bias are constant inputs."""
    width = node.builder.type_of(x).shape[-1]
    beta = node.known(bias, "bias").reshape(-1) if node.has(bias) else np.zeros(width)
    gamma = node.constant(node.known(scale, "scale").reshape(-1), node.proto.input[scale])
    return _layernorm(node, x, gamma, beta, epsilon)


def _layernorm(node: Node, x: str, gamma: str, beta: Array, epsilon: float) -> str:
    bias = node.constant(beta, f"{node.loc}.bias")
    return node.emit(OpKind.LAYERNORM, [x, gamma, bias], LayerNormAttrs(epsilon))


def rms_normalization(node: Node) -> Sequence[str]:
    """x divided by the root of the mean of its squares over the axes from `axis` on, times scale."""
    axis = node.axis(node.attribute("axis", -1), node.rank(0))
    return [_rms(node, node.value(0), axis, 1)]


def skip_simplified_layer_normalization(node: Node) -> Sequence[str]:
    """RMSNorm of input + skip (+ bias); the sum is the fourth output."""
    total = _skipped(node, 3)
    return [_rms(node, total, node.rank(0) - 1, 2), "", "", total]


def _rms(node: Node, x: str, axis: int, scale: int) -> str:
    axes = ReduceAttrs(tuple(range(axis, node.rank(0))), True)
    square = node.emit(OpKind.REDUCE_MEAN, [node.apply(OpKind.MUL, x, x)], axes)
    shifted = node.apply(OpKind.ADD, square, float(node.attribute("epsilon", 1e-5)))
    normed = node.apply(OpKind.DIV, x, node.apply(OpKind.SQRT, shifted))
    gamma = node.constant(node.known(scale, "scale"), node.proto.input[scale])
    return node.apply(OpKind.MUL, normed, gamma)


def batch_normalization(node: Node) -> Sequence[str]:
    """Scale and shift by channel, as inference does: mean and variance are constants."""
    node.refuse(
        bool(node.attribute("training_mode", 0)),
        "training_mode 1",
        "0",
        "call model.eval() before the export",
    )
    node.refuse(not node.attribute("spatial", 1), "spatial 0", "1")
    names = ("scale", "bias", "mean", "variance")
    scale, bias, mean, variance = (
        node.known(index, name).astype(np.float64) for index, name in enumerate(names, 1)
    )
    factor = scale / np.sqrt(variance + float(node.attribute("epsilon", 1e-5)))
    return [_by_channel(node, node.value(0), factor, bias - mean * factor)]


def instance_normalization(node: Node) -> Sequence[str]:
    """Normalise each channel over what lies behind it, then scale and shift by channel."""
    batch, channels, *spatial = node.shape(0)
    flat = node.reshape(node.value(0), (batch, channels, prod(spatial)))
    return [_grouped(node, flat, node.known(1, "scale"), node.known(2, "bias"))]


def group_normalization(node: Node) -> Sequence[str]:
    """Normalise each group of channels, then scale and shift by channel."""
    batch, channels, *spatial = node.shape(0)
    groups = int(node.attribute("num_groups", 1))
    node.refuse(groups < 1 or channels % groups != 0, f"{groups} groups of {channels} channels", "a divisor")
    flat = node.reshape(node.value(0), (batch, groups, channels // groups * prod(spatial)))
    return [_grouped(node, flat, node.known(1, "scale"), node.known(2, "bias"))]


def _grouped(node: Node, flat: str, scale: Array, bias: Array) -> str:
    """Emit the normalisation of the last axis of [batch, groups, elements], and what the node learned."""
    width = node.builder.type_of(flat).shape[-1]
    epsilon = float(node.attribute("epsilon", 1e-5))
    ones = node.constant(np.ones(width), f"{node.loc}.ones")
    normed = _layernorm(node, flat, ones, np.zeros(width), epsilon)
    return _by_channel(node, node.reshape(normed, node.shape(0)), scale, bias)


def _by_channel(node: Node, x: str, factor: Array, offset: Array) -> str:
    """Emit x * factor + offset, which are of axis 1."""
    shape = node.builder.type_of(x).shape
    node.refuse(
        len(shape) < 2 or {factor.size, offset.size} != {shape[1]},
        f"{factor.size} factors and {offset.size} offsets for shape {shape}",
        "one for each channel, which axis 1 counts",
    )
    column = (-1, *[1] * (len(shape) - 2))
    scaled = node.apply(OpKind.MUL, x, node.constant(factor.reshape(column), f"{node.loc}.scale"))
    return node.apply(OpKind.ADD, scaled, node.constant(offset.reshape(column), f"{node.loc}.bias"))
