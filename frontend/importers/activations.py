"""Importers of activation functions, written with the pointwise ops of the IR.

None of them takes a power that could overflow: x enters an exponential only where it is not positive.
"""

from __future__ import annotations

from collections.abc import Sequence

from tmc.frontend.node import Node
from tmc.ir.attrs import GeluAttrs
from tmc.ir.graph import OpKind

SELU_ALPHA, SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875


def elu(node: Node) -> Sequence[str]:
    """x above 0, alpha (exp(x) - 1) below."""
    return [_elu(node, float(node.attribute("alpha", 1.0)), 1.0)]


def celu(node: Node) -> Sequence[str]:
    """x above 0, alpha (exp(x / alpha) - 1) below."""
    alpha = float(node.attribute("alpha", 1.0))
    node.refuse(alpha <= 0, f"alpha {alpha}", "a positive number")
    return [_elu(node, alpha, 1.0 / alpha)]


def selu(node: Node) -> Sequence[str]:
    """gamma times ELU."""
    inner = _elu(node, float(node.attribute("alpha", SELU_ALPHA)), 1.0)
    return [node.apply(OpKind.MUL, inner, float(node.attribute("gamma", SELU_GAMMA)))]


def _elu(node: Node, alpha: float, slope: float) -> str:
    """Emit relu(x) + alpha (exp(slope min(x, 0)) - 1)."""
    below = _scaled(node, _below(node), slope)
    power = node.apply(OpKind.SUB, node.apply(OpKind.EXP, below), 1.0)
    return node.apply(OpKind.ADD, _above(node), _scaled(node, power, alpha))


def _above(node: Node) -> str:
    return node.apply(OpKind.RELU, node.value(0))


def _below(node: Node) -> str:
    return node.apply(OpKind.MINIMUM, node.value(0), 0.0)


def _scaled(node: Node, x: str, factor: float) -> str:
    return x if factor == 1.0 else node.apply(OpKind.MUL, x, factor)


def leaky_relu(node: Node) -> Sequence[str]:
    """x above 0, alpha x below."""
    below = node.apply(OpKind.MUL, _below(node), float(node.attribute("alpha", 0.01)))
    return [node.apply(OpKind.ADD, _above(node), below)]


def prelu(node: Node) -> Sequence[str]:
    """x above 0, slope x below; the slope is constant."""
    slope = node.constant(node.known(1, "slope"), node.proto.input[1])
    return [node.apply(OpKind.ADD, _above(node), node.apply(OpKind.MUL, _below(node), slope))]


def thresholded_relu(node: Node) -> Sequence[str]:
    """x above alpha, else 0."""
    x = node.value(0)
    above = node.apply(OpKind.STEP, node.apply(OpKind.SUB, x, float(node.attribute("alpha", 1.0))))
    return [node.apply(OpKind.MUL, x, above)]


def hard_sigmoid(node: Node) -> Sequence[str]:
    """alpha x + beta, from 0 to 1."""
    alpha, beta = float(node.attribute("alpha", 0.2)), float(node.attribute("beta", 0.5))
    return [_hard_sigmoid(node, alpha, beta)]


def hard_swish(node: Node) -> Sequence[str]:
    """x times x / 6 + 1 / 2 from 0 to 1."""
    return [node.apply(OpKind.MUL, node.value(0), _hard_sigmoid(node, 1.0 / 6.0, 0.5))]


def _hard_sigmoid(node: Node, alpha: float, beta: float) -> str:
    line = node.apply(OpKind.ADD, node.apply(OpKind.MUL, node.value(0), alpha), beta)
    return node.apply(OpKind.CLIP, line, 0.0, 1.0)


def softplus(node: Node) -> Sequence[str]:
    """log(1 + exp(x))."""
    return [_softplus(node)]


def mish(node: Node) -> Sequence[str]:
    """x tanh(log(1 + exp(x)))."""
    return [node.apply(OpKind.MUL, node.value(0), node.apply(OpKind.TANH, _softplus(node)))]


def _softplus(node: Node) -> str:
    """Emit relu(x) + log(1 + exp(-|x|))."""
    power = node.apply(OpKind.EXP, node.apply(OpKind.NEG, node.apply(OpKind.ABS, node.value(0))))
    return node.apply(OpKind.ADD, _above(node), node.apply(OpKind.LOG, node.apply(OpKind.ADD, power, 1.0)))


def softsign(node: Node) -> Sequence[str]:
    """x / (1 + |x|)."""
    size = node.apply(OpKind.ADD, node.apply(OpKind.ABS, node.value(0)), 1.0)
    return [node.apply(OpKind.DIV, node.value(0), size)]


def gelu(node: Node) -> Sequence[str]:
    """GELU by erf, or by tanh."""
    approximate = node.attribute("approximate", "none")
    return [node.emit(OpKind.GELU, [node.value(0)], GeluAttrs("tanh" if approximate == "tanh" else "none"))]


def fast_gelu(node: Node) -> Sequence[str]:
    """GELU by tanh of input (+ bias)."""
    return [node.emit(OpKind.GELU, [_with_bias(node)], GeluAttrs("tanh"))]


def bias_gelu(node: Node) -> Sequence[str]:
    """GELU by erf of input + bias."""
    return [node.emit(OpKind.GELU, [_with_bias(node)], GeluAttrs("none"))]


def _with_bias(node: Node) -> str:
    return node.apply(OpKind.ADD, node.value(0), node.value(1)) if node.has(1) else node.value(0)


def swish(node: Node) -> Sequence[str]:
    """x sigmoid(alpha x)."""
    return [_swish(node, 1.0)]


def quick_gelu(node: Node) -> Sequence[str]:
    """x sigmoid(alpha x) with the alpha that makes it like GELU."""
    return [_swish(node, 1.702)]


def _swish(node: Node, default: float) -> str:
    inner = _scaled(node, node.value(0), float(node.attribute("alpha", default)))
    return node.apply(OpKind.MUL, node.value(0), node.apply(OpKind.SIGMOID, inner))
