"""Convert between real numbers and the codes of an integer graph's inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph
from tmc.ir.types import Array, DType, TensorType


@dataclass(frozen=True, slots=True)
class Clipped:
    """How many real inputs, of how many, lie beyond the codes of their port and were clipped to them.

    largest: the input of the largest magnitude. allowed: the least and the most that the codes stand for.
    """

    elements: int
    of_elements: int
    largest: float
    allowed: tuple[float, float]

    @property
    def share(self) -> float:
        """Return the share of the inputs that were clipped."""
        return self.elements / self.of_elements


def quantise_inputs(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return the codes of real inputs: clip(round_half_even(x / scale) + zero point).

    The limits are those of the type (code_limits). int8 codes are computed in float32, as the QuantizeLinear
    of a quantised model does. Arrays have the shapes of the graph inputs. Raises:
    QuantisationError if one holds NaN or infinity.
    """
    codes: dict[str, Array] = {}
    for name in graph.inputs:
        low, high = graph.types[name].code_limits
        rounded = _rounded(graph, name, inputs[name])
        codes[name] = np.clip(rounded, low, high).astype(graph.types[name].dtype.numpy)
    return codes


def clipped_inputs(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Clipped]:
    """Return what quantise_inputs clips of each input: real arrays of its shape, or stacks of these."""
    return {name: _clipped(graph, name, inputs[name]) for name in graph.inputs}


def _clipped(graph: Graph, name: str, real: Array) -> Clipped:
    kind, rounded = graph.types[name], _rounded(graph, name, real)
    assert kind.quant is not None
    low, high = kind.code_limits
    least, most = (kind.quant.scale[0] * (code - kind.quant.zero_point) for code in (low, high))
    largest = real.flat[int(np.argmax(np.abs(real)))]
    beyond = int(np.count_nonzero((rounded < low) | (rounded > high)))
    return Clipped(beyond, real.size, float(largest), (least, most))


def _rounded(graph: Graph, name: str, real: Array) -> Array:
    """Return the codes of a real input before they are clipped."""
    kind, real = graph.types[name], np.asarray(real, dtype=np.float64)
    if not np.isfinite(real).all():
        raise QuantisationError(f"input %{name}", "found NaN or infinity, allowed finite numbers")
    assert kind.quant is not None and kind.quant.per is None
    scale = kind.quant.scale[0]
    steps: Array = real.astype(np.float32) / np.float32(scale) if kind.dtype is DType.S8 else real / scale
    return np.rint(steps) + kind.quant.zero_point


def dequantise(kind: TensorType, codes: Array) -> Array:
    """Return the float64 numbers that the codes of a value stand for: scale * (code - zero point).

    codes: of the value's shape, or a stack of these.
    """
    assert kind.quant is not None
    assert codes.shape[codes.ndim - len(kind.shape) :] == kind.shape, "codes of another shape"
    return np.asarray(kind.element_scales * (codes.astype(np.float64) - kind.quant.zero_point))
