"""Heads side by side in columns, and as an axis of their own."""

from __future__ import annotations

from tmc.frontend.importers.views import transposed
from tmc.frontend.node import Node


def split_heads(node: Node, index: int, heads: int) -> str:
    """Return input `index` as [B, H, N, d]; a rank of 3 holds the heads side by side."""
    shape = node.shape(index)
    node.refuse(len(shape) not in (3, 4), f"rank {len(shape)}", "3 or 4")
    return node.value(index) if len(shape) == 4 else columns_to_heads(node, node.value(index), heads)


def columns_to_heads(node: Node, value: str, heads: int) -> str:
    """Return [B, N, H * d] as [B, H, N, d]."""
    batch, rows, columns = node.builder.type_of(value).shape
    node.refuse(
        heads <= 0 or columns % max(heads, 1) != 0, f"{heads} heads in {columns} columns", "a divisor"
    )
    parts = node.reshape(value, (batch, rows, heads, columns // heads))
    return transposed(node, parts, (0, 2, 1, 3))


def merged_heads(node: Node, value: str) -> str:
    """Return [B, H, N, d] as [B, N, H * d]."""
    batch, heads, rows, width = node.builder.type_of(value).shape
    return node.reshape(transposed(node, value, (0, 2, 1, 3)), (batch, rows, heads * width))
