"""Importers of large ops (normalisation, attention, rotary embedding), as primitives or one op of the IR."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tmc.frontend.importers.views import transposed
from tmc.frontend.node import Node
from tmc.ir.attrs import AxisAttrs, ConcatAttrs, GatherAttrs, GeluAttrs, LayerNormAttrs
from tmc.ir.graph import OpKind
from tmc.ir.types import Array


def layer_normalization(node: Node) -> Sequence[str]:
    """Normalise the axes from `axis` on, as one."""
    shape = node.shape(0)
    axis = node.axis(node.attribute("axis", -1), len(shape))
    width = int(np.prod(shape[axis:]))
    x = node.value(0)
    flat = x if axis == len(shape) - 1 else node.reshape(x, (*shape[:axis], width))
    result = _normalise(node, flat, 1, 2, float(node.attribute("epsilon", 1e-5)))
    return [node.reshape(result, shape)]


def skip_layer_normalization(node: Node) -> Sequence[str]:
    """LayerNorm of input + skip (+ bias); the sum is the fourth output."""
    total = node.emit(OpKind.ADD, [node.value(0), node.value(1)])
    if node.has(4):
        total = node.emit(OpKind.ADD, [total, node.value(4)])
    result = _normalise(node, total, 2, 3, float(node.attribute("epsilon", 1e-12)))
    unused = [name for name in node.proto.output[1:3] if name]
    node.refuse(bool(unused), f"optional outputs {unused}", "the normalised value and the sum")
    return [result, "", "", total]


def _normalise(node: Node, x: str, scale: int, bias: int, epsilon: float) -> str:
    width = node.builder.type_of(x).shape[-1]
    gamma = node.constant(node.known(scale, "scale").reshape(-1), node.proto.input[scale])
    beta = node.known(bias, "bias").reshape(-1) if node.has(bias) else np.zeros(width)
    return node.emit(
        OpKind.LAYERNORM, [x, gamma, node.constant(beta, f"{node.loc}.bias")], LayerNormAttrs(epsilon)
    )


def fast_gelu(node: Node) -> Sequence[str]:
    """GELU by tanh of input (+ bias)."""
    return [node.emit(OpKind.GELU, [_with_bias(node)], GeluAttrs("tanh"))]


def bias_gelu(node: Node) -> Sequence[str]:
    """GELU by erf of input + bias."""
    return [node.emit(OpKind.GELU, [_with_bias(node)], GeluAttrs("none"))]


def _with_bias(node: Node) -> str:
    return node.emit(OpKind.ADD, [node.value(0), node.value(1)]) if node.has(1) else node.value(0)


def attention(node: Node) -> Sequence[str]:
    """Lower Attention-23 to matrix products and softmax; no mask, no cache, as many K and V heads as Q."""
    for index, what in ((3, "attn_mask"), (4, "past_key"), (5, "past_value"), (6, "nonpad_kv_seqlen")):
        node.refuse(node.has(index), what, "none", "export the attention without mask or cache")
    node.refuse(bool(node.attribute("is_causal", 0)), "is_causal 1", "0")
    node.refuse(float(node.attribute("softcap", 0.0)) != 0.0, "softcap", "none")
    heads = [int(node.attribute(name, 0)) for name in ("q_num_heads", "kv_num_heads", "kv_num_heads")]
    q, k, v = (_split_heads(node, index, count) for index, count in enumerate(heads))
    shapes = [node.builder.type_of(value).shape for value in (q, k, v)]
    node.refuse(
        len({shape[1] for shape in shapes}) != 1,
        f"{[shape[1] for shape in shapes]} heads of Q, K and V",
        "as many of each",
    )
    scale = node.attribute("scale", None)
    scale = shapes[0][-1] ** -0.5 if scale is None else float(scale)
    scores = node.emit(OpKind.MATMUL, [q, transposed(node, k, (0, 1, 3, 2))])
    scaled = node.emit(OpKind.MUL, [scores, node.scalar(scale)])
    weights = node.emit(OpKind.SOFTMAX, [scaled], AxisAttrs(3))
    result = node.emit(OpKind.MATMUL, [weights, v])
    if node.rank(0) == 4:
        return [result]
    batch, count, rows, width = node.builder.type_of(result).shape
    return [node.reshape(transposed(node, result, (0, 2, 1, 3)), (batch, rows, count * width))]


def _split_heads(node: Node, index: int, heads: int) -> str:
    """Return input `index` as [B, H, N, d]; a rank of 3 holds the heads side by side."""
    shape = node.shape(index)
    node.refuse(len(shape) not in (3, 4), f"rank {len(shape)}", "3 or 4")
    if len(shape) == 4:
        return node.value(index)
    node.refuse(
        heads <= 0 or shape[2] % max(heads, 1) != 0, f"{heads} heads in {shape[2]} columns", "a divisor"
    )
    parts = node.reshape(node.value(index), (shape[0], shape[1], heads, shape[2] // heads))
    return transposed(node, parts, (0, 2, 1, 3))


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
    heads = _split_heads(node, 0, int(node.attribute("num_heads", 0)))
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
    return [node.reshape(transposed(node, result, (0, 2, 1, 3)), node.shape(0))]


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
