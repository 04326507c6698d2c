"""Functions that an op with int8 results takes in as a table of 256 codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import erf, exp, inf, pi, sqrt, tanh

import numpy as np

from tmc.ir.attrs import GeluAttrs
from tmc.ir.graph import Op, OpKind
from tmc.ir.types import Array, Quant

ANY = (-inf, inf)


def activation_table(activation: Op, x: Quant, y: Quant, limits: tuple[float, float] = ANY) -> Array:
    """Return the activation of all int8 codes of x, clipped to `limits`, as codes of y: entry i belongs to
    code i - 128."""
    function = ACTIVATIONS[activation.kind]
    if isinstance(activation.attrs, GeluAttrs) and activation.attrs.approximate == "tanh":
        function = _gelu_by_tanh
    reals = [(code - x.zero_point) * x.scale[0] for code in range(-128, 128)]
    results = [function(min(max(real, limits[0]), limits[1])) for real in reals]
    codes = np.rint(np.array(results) / y.scale[0]) + y.zero_point
    return np.asarray(np.clip(codes, -128, 127).astype(np.int8))


def _gelu(x: float) -> float:
    return 0.5 * x * (1 + erf(x / sqrt(2)))


def _gelu_by_tanh(x: float) -> float:
    return 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))


def _sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x)), with no power that could overflow."""
    return 1 / (1 + exp(-x)) if x >= 0 else exp(x) / (1 + exp(x))


def _silu(x: float) -> float:
    return x * _sigmoid(x)


def _relu(x: float) -> float:
    return max(x, 0.0)


ACTIVATIONS: Mapping[OpKind, Callable[[float], float]] = {
    OpKind.GELU: _gelu,
    OpKind.SILU: _silu,
    OpKind.RELU: _relu,
    OpKind.SIGMOID: _sigmoid,
    OpKind.TANH: tanh,
}
