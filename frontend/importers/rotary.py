"""Importers of rotary position embeddings, as products, sums and gathers of columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tmc.frontend.importers.heads import merged_heads, split_heads
from tmc.frontend.node import Node
from tmc.ir.attrs import ConcatAttrs, GatherAttrs
from tmc.ir.graph import OpKind
from tmc.ir.types import Array


def rotary_embedding(node: Node) -> Sequence[str]:
    """Lower RotaryEmbedding-23; inputs x, cos_cache, sin_cache, position_ids."""
    positions = node.known(3, "position_ids") if node.has(3) else None
    return _rotate(node, positions, 1, 2)


def microsoft_rotary_embedding(node: Node) -> Sequence[str]:
    """Lower com.microsoft.RotaryEmbedding; inputs x, position_ids, cos_cache, sin_cache."""
    positions = node.known(1, "position_ids")
    node.refuse(float(node.attribute("scale", 1.0)) != 1.0, "scale", "1")
    node.refuse(node.rank(0) not in (3, 4), f"rank {node.rank(0)}", "3 or 4")
    if positions.size == 1:
        rows = node.shape(0)[-2]
        positions = positions.reshape(1, 1) + np.arange(rows)[None]
    return _rotate(node, positions, 2, 3)


def _rotate(node: Node, positions: Array | None, cos_index: int, sin_index: int) -> Sequence[str]:
    heads = split_heads(node, 0, int(node.attribute("num_heads", 0)))
    width = node.builder.type_of(heads).shape[-1]
    turned = int(node.attribute("rotary_embedding_dim", 0)) or width
    node.refuse(
        not 2 <= turned <= width or turned % 2 != 0,
        f"{turned} columns to rotate of heads of {width}",
        "an even number, up to those of a head",
    )
    tables = []
    for index in (cos_index, sin_index):
        table = node.known(index, "cache")
        _check_positions(node, table, positions)
        # [B, 1, N, turned / 2], the same for all heads.
        lines = table[positions] if positions is not None else table
        tables.append(node.constant(lines[:, None], node.proto.input[index]))
    half = turned // 2
    interleaved = bool(node.attribute("interleaved", 0))
    first = range(0, turned, 2) if interleaved else range(half)
    second = range(1, turned, 2) if interleaved else range(half, turned)
    x, y = (_columns(node, heads, tuple(part)) for part in (first, second))
    cosine, sine = tables
    real = node.emit(OpKind.SUB, [_product(node, x, cosine), _product(node, y, sine)])
    imaginary = node.emit(OpKind.ADD, [_product(node, x, sine), _product(node, y, cosine)])
    result = node.emit(OpKind.CONCAT, [real, imaginary], ConcatAttrs(3))
    if interleaved:
        result = _columns(node, result, tuple(i // 2 + half * (i % 2) for i in range(turned)))
    if turned < width:
        rest = _columns(node, heads, tuple(range(turned, width)))
        result = node.emit(OpKind.CONCAT, [result, rest], ConcatAttrs(3))
    if node.rank(0) == 4:
        return [result]
    return [merged_heads(node, result)]


def _check_positions(node: Node, table: Array, positions: Array | None) -> None:
    """Refuse tables without a row for each position."""
    rank = 3 if positions is None else 2
    node.refuse(table.ndim != rank, f"a cache of rank {table.ndim}", f"rank {rank}")
    if positions is not None:
        node.refuse(
            positions.ndim != 2
            or positions.dtype.kind not in "iu"
            or positions.size == 0
            or not 0 <= positions.min() <= positions.max() < len(table),
            f"position_ids of shape {positions.shape} and {positions.dtype} for a cache of {len(table)} rows",
            "integers of rank 2 that name its rows",
        )


def _columns(node: Node, x: str, columns: tuple[int, ...]) -> str:
    return node.emit(OpKind.GATHER, [x], GatherAttrs(3, columns, (len(columns),)))


def _product(node: Node, x: str, y: str) -> str:
    return node.emit(OpKind.MUL, [x, y])
