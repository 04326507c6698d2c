"""Runs of bytes in a memory, and values as rows of bytes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

from tmc.ir.types import TensorType


@dataclass(frozen=True, slots=True)
class Buffer:
    """A run of bytes in one memory. External ones belong to the caller and have no offset of ours (0)."""

    name: str
    memory: Literal["l1", "l2", "l3"]
    offset_bytes: int
    size_bytes: int
    external: bool = False


@dataclass(frozen=True, slots=True)
class ValueShape:
    """A value as rows of bytes without padding."""

    rows: int
    row_bytes: int


def value_shape(tensor: TensorType) -> ValueShape:
    """Return a value as rows of bytes: all axes but the last are rows."""
    return ValueShape(prod(tensor.shape[:-1]), tensor.shape[-1] * tensor.dtype.size_bytes)
