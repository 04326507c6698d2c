"""Convert between real numbers and the codes of an integer graph's inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph
from tmc.ir.types import Array, DType, TensorType


def quantise_inputs(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return the codes of real inputs: clip(round_half_even(x / scale) + zero point).

    The limits are those of the type (code_limits). int8 codes, whose scale a quantised model declares, are
    computed in float32, as its QuantizeLinear does. Arrays have the shapes of the graph inputs. Raises:
    QuantisationError if one holds NaN or infinity.
    """
    codes: dict[str, Array] = {}
    for name in graph.inputs:
        kind, real = graph.types[name], np.asarray(inputs[name], dtype=np.float64)
        if not np.isfinite(real).all():
            raise QuantisationError(f"input %{name}", "found NaN or infinity, allowed finite numbers")
        assert kind.quant is not None and kind.quant.per is None
        scale = kind.quant.scale[0]
        steps: Array = real.astype(np.float32) / np.float32(scale) if kind.dtype is DType.S8 else real / scale
        low, high = kind.code_limits
        codes[name] = np.clip(np.rint(steps) + kind.quant.zero_point, low, high).astype(kind.dtype.numpy)
    return codes


def dequantise(kind: TensorType, codes: Array) -> Array:
    """Return the float64 numbers that the codes of a value stand for: scale * (code - zero point).

    codes: of the value's shape, or a stack of these.
    """
    assert kind.quant is not None
    assert codes.shape[codes.ndim - len(kind.shape) :] == kind.shape, "codes of another shape"
    return np.asarray(kind.element_scales * (codes.astype(np.float64) - kind.quant.zero_point))
