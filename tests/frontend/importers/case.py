"""A model of a few nodes to hold an importer to onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray


def normal(*shape: int) -> NDArray[np.float32]:
    """Return seeded normal weights."""
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def ints(*values: int) -> NDArray[np.int64]:
    """Return an array of int64."""
    return np.array(values, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Case:
    """A model: nodes from x (and z) to y, and its initializers."""

    name: str
    nodes: list[onnx.NodeProto]
    x: tuple[int, ...]
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    opset: int = 17
    z: tuple[int, ...] | None = None
    result: int = onnx.TensorProto.FLOAT
