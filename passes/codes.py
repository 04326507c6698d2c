"""Convert between real numbers and the codes of an integer graph's inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph
from tmc.ir.types import Array, TensorType
from tmc.passes.residual_scales import INPUT_LIMIT


def quantise_inputs(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return the int16 codes of real inputs: clip(round_half_even(x / scale), -4096, 4095).

    Arrays have the shapes of the graph inputs. Raises: QuantisationError if one holds NaN or infinity.
    """
    codes: dict[str, Array] = {}
    for name in graph.inputs:
        kind, real = graph.types[name], np.asarray(inputs[name], dtype=np.float64)
        if not np.isfinite(real).all():
            raise QuantisationError(f"input %{name}", "found NaN or infinity, allowed finite numbers")
        assert kind.quant is not None and kind.quant.axis is None
        scaled = np.rint(real / kind.quant.scale[0]) + kind.quant.zero_point
        codes[name] = np.clip(scaled, -INPUT_LIMIT - 1, INPUT_LIMIT).astype(kind.dtype.numpy)
    return codes


def dequantise(kind: TensorType, codes: Array) -> Array:
    """Return the float64 numbers that the codes of a value stand for: scale * (code - zero point)."""
    assert kind.quant is not None
    scale = np.array(kind.quant.scale)
    if kind.quant.axis is not None:
        scale = scale.reshape([-1 if axis == kind.quant.axis else 1 for axis in range(codes.ndim)])
    return np.asarray(scale * (codes.astype(np.float64) - kind.quant.zero_point))
