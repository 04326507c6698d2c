"""Importers of matrix products and convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tmc.frontend.importers.views import transposed
from tmc.frontend.importers.windows import Windows, read_windows
from tmc.frontend.node import Node
from tmc.ir.attrs import ConvAttrs
from tmc.ir.graph import OpKind
from tmc.ir.types import Array


def matmul(node: Node) -> Sequence[str]:
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


def fused_matmul(node: Node) -> Sequence[str]:
    """alpha * A' * B', of whose operands the last two axes may be swapped."""
    for name in ("transBatchA", "transBatchB"):
        node.refuse(bool(node.attribute(name, 0)), f"{name} 1", "0")
    return [_scaled(node, _product(node, "transA", "transB"), float(node.attribute("alpha", 1.0)))]


def gemm(node: Node) -> Sequence[str]:
    """alpha * A' * B' + beta * C."""
    result = _product(node, "transA", "transB")
    result = _scaled(node, result, float(node.attribute("alpha", 1.0)))
    beta = float(node.attribute("beta", 1.0))
    if not node.has(2) or beta == 0.0:
        return [result]
    return [node.apply(OpKind.ADD, result, _scaled(node, node.value(2), beta))]


def _product(node: Node, *flags: str) -> str:
    operands = []
    for index, flag in enumerate(flags):
        rank = node.rank(index)
        swap = bool(node.attribute(flag, 0)) and rank > 1
        if swap and node.is_known(index):
            array = np.swapaxes(node.known(index, "operand"), -1, -2)
            operands.append(node.constant(array, node.proto.input[index]))
        elif swap:
            order = (*range(rank - 2), rank - 1, rank - 2)
            operands.append(transposed(node, node.value(index), order))
        else:
            operands.append(node.value(index))
    return node.emit(OpKind.MATMUL, operands)


def _scaled(node: Node, x: str, factor: float) -> str:
    return x if factor == 1.0 else node.apply(OpKind.MUL, x, factor)


def conv(node: Node) -> Sequence[str]:
    """Convolve in 1-D or 2-D; zeros that a Pad put around the input belong to the convolution."""
    spatial = node.rank(0) - 2
    node.refuse(spatial not in (1, 2), f"{spatial} spatial axes", "1 or 2")
    weight = node.known(1, "weight")
    node.refuse(weight.ndim != spatial + 2, f"a weight of rank {weight.ndim}", f"rank {spatial + 2}")
    windows = read_windows(node, weight.shape[2:])
    group = int(node.attribute("group", 1))
    node.refuse(group < 1, f"group {group}", "1 or more")
    bias = node.known(2, "bias") if node.has(2) else np.zeros(weight.shape[0])
    return [convolve(node, windows, weight, bias, group)]


def convolve(node: Node, windows: Windows, weight: Array, bias: Array, group: int) -> str:
    """Emit a convolution: a dilated kernel gets zeros between its taps, a 1-D one a height of 1."""
    x, before, after = node.unpadded(0, windows.before, windows.after)
    if max(windows.dilations) > 1:
        dilated = np.zeros((*weight.shape[:2], *windows.reach), dtype=weight.dtype)
        dilated[:, :, *(slice(None, None, step) for step in windows.dilations)] = weight
        weight = dilated
    strides, pads = windows.strides, (*before, *after)
    batch, channels, *size = node.builder.type_of(x).shape
    flat = len(size) == 1
    if flat:
        x = node.reshape(x, (batch, channels, 1, *size))
        weight = weight.reshape(*weight.shape[:2], 1, weight.shape[2])
        strides, pads = (1, *strides), (0, pads[0], 0, pads[1])
    name = node.proto.input[1] if node.has(1) else f"{node.loc}.weight"
    operands = [x, node.constant(weight, name), node.constant(bias, f"{node.loc}.bias")]
    attrs = ConvAttrs((strides[0], strides[1]), (pads[0], pads[1], pads[2], pads[3]), group)
    result = node.emit(OpKind.CONV, operands, attrs)
    shape = node.builder.type_of(result).shape
    return node.reshape(result, (*shape[:2], shape[3])) if flat else result
