"""Functions that an op with int8 results takes in as a table of 256 codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import erf, exp, inf, pi, sqrt, tanh

import numpy as np

from tmc.ir.attrs import Attrs, GeluAttrs
from tmc.ir.function import FunctionAttrs, evaluate
from tmc.ir.graph import Op, OpKind
from tmc.ir.types import Array, Quant

ANY = (-inf, inf)


def activation_table(activation: Op, x: Quant, y: Quant, limits: tuple[float, float] = ANY) -> Array:
    """Return the activation of all int8 codes of x, clipped to `limits`, as codes of y: entry i belongs to
    code i - 128."""
    reals = [(code - x.zero_point) * x.scale[0] for code in range(-128, 128)]
    limited = [min(max(real, limits[0]), limits[1]) for real in reals]
    results = ACTIVATIONS[activation.kind](limited, activation.attrs)
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


def _program(reals: Sequence[float], attrs: Attrs) -> Sequence[float]:
    """Return what a program gives; where that is no number, what it gives for the nearest real that has one.

    Codes may lie beyond the numbers that a function is of: those below 0 of a square root, say.
    """
    assert isinstance(attrs, FunctionAttrs), "checked by the verifier"
    with np.errstate(all="ignore"):
        results = evaluate(np.array(reals, np.float32), attrs.program).astype(np.float64)
    known = np.flatnonzero(~np.isnan(results))
    if not known.size:
        return [0.0] * len(reals)
    distance = np.abs(np.arange(len(reals))[:, None] - known)
    return [float(results[index]) for index in known[distance.argmin(axis=1)]]


Table = Callable[[Sequence[float], Attrs], Sequence[float]]


def _each(function: Callable[[float], float]) -> Table:
    return lambda reals, attrs: [function(real) for real in reals]


def _gelus(reals: Sequence[float], attrs: Attrs) -> Sequence[float]:
    by_tanh = isinstance(attrs, GeluAttrs) and attrs.approximate == "tanh"
    return [(_gelu_by_tanh if by_tanh else _gelu)(real) for real in reals]


ACTIVATIONS: Mapping[OpKind, Table] = {
    OpKind.GELU: _gelus,
    OpKind.SILU: _each(_silu),
    OpKind.RELU: _each(_relu),
    OpKind.SIGMOID: _each(_sigmoid),
    OpKind.TANH: _each(tanh),
    OpKind.FUNCTION: _program,
}
