"""Types as the text form writes them, for tests."""

from __future__ import annotations

from tmc.ir.text import parse_graph
from tmc.ir.types import TensorType


def tensor(text: str) -> TensorType:
    """Return the type that a text such as `s8[4x8]` means."""
    return parse_graph(f"graph @g(%x: {text}) {{ return %x }}", {}).types["x"]
