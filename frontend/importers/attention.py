"""Importers of attention: matrix products and softmax, masks as sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tmc.frontend.importers.heads import columns_to_heads, merged_heads, split_heads
from tmc.frontend.importers.views import transposed
from tmc.frontend.node import MASKED, Node
from tmc.ir.attrs import AxisAttrs, GatherAttrs, SliceAttrs
from tmc.ir.graph import OpKind
from tmc.ir.types import Array

_NO_CACHE = "export the attention without a cache of keys and values"


@dataclass(frozen=True, slots=True)
class _Scores:
    """What is done to q k^T before the softmax: scaled, capped, and summands added."""

    scale: float
    softcap: float = 0.0
    added: tuple[str, ...] = ()


def attention(node: Node) -> Sequence[str]:
    """Lower Attention of ONNX; queries may have a multiple of the heads of keys and values."""
    for index, what in ((4, "past_key"), (5, "past_value"), (6, "nonpad_kv_seqlen")):
        node.refuse(node.has(index), what, "none", _NO_CACHE)
    counts = [int(node.attribute(name, 0)) for name in ("q_num_heads", "kv_num_heads", "kv_num_heads")]
    q, k, v = (split_heads(node, index, count) for index, count in enumerate(counts))
    (_, _, rows, width), (_, _, keys, _) = (node.builder.type_of(value).shape for value in (q, k))
    scale = node.attribute("scale", None)
    bound = _bound(
        rows,
        keys,
        0 if node.attribute("is_causal", 0) else int(node.attribute("right_window_size", -1)),
        int(node.attribute("left_window_size", -1)),
    )
    scores = _Scores(
        width**-0.5 if scale is None else float(scale),
        float(node.attribute("softcap", 0.0)),
        _mask(node, bound, keys),
    )
    result = _attend(node, q, k, v, scores)
    return [result if node.rank(0) == 4 else merged_heads(node, result)]


def _bound(rows: int, keys: int, right: int, left: int = -1) -> Array:
    """Return the mask [rows, keys] of keys too far behind a row, or too far before it; -1 is no limit."""
    distance = np.arange(keys) - np.arange(rows)[:, None]
    beyond = ((right >= 0) & (distance > right)) | ((left >= 0) & (-distance > left))
    return np.where(beyond, np.float32(MASKED), np.float32(0))


def _mask(node: Node, bound: Array, keys: int) -> tuple[str, ...]:
    """Return what to add to the scores: attn_mask and the bound, in one if attn_mask is constant."""
    if not node.has(3):
        return (_constant(node, bound, f"{node.loc}.mask"),) if bound.any() else ()
    node.refuse(
        node.shape(3)[-1:] not in ((keys,), (1,)), f"a mask {node.shape(3)}", f"{keys} keys in its last axis"
    )
    if node.is_known(3):
        mask = node.known(3, "attn_mask")
        added = np.where(mask, 0.0, MASKED) if mask.dtype == np.bool_ else np.maximum(mask, MASKED)
        return (_constant(node, np.maximum(added + bound, MASKED), node.proto.input[3]),)
    kept = (_constant(node, bound, f"{node.loc}.bound"),) if bound.any() else ()
    return (node.value(3), *kept)


def _constant(node: Node, mask: Array, name: str) -> str:
    """Return a mask as a constant. Raises: UnsupportedModel where it leaves a row no key."""
    node.refuse(
        bool((mask <= MASKED).all(axis=-1).any()),
        f"a mask {name} that leaves a row no key",
        "a key for every row",
        "what such a row holds is no number in one runtime and 0 in another: leave one key, and drop the row",
    )
    return node.constant(mask, name)


def _attend(node: Node, q: str, k: str, v: str, scores: _Scores) -> str:
    """Emit softmax(scores) v of [B, H, N, d]; heads of keys and values are shared by as many of queries."""
    heads, shared = (node.builder.type_of(value).shape[1] for value in (q, k))
    values = node.builder.type_of(v).shape[1]
    node.refuse(
        shared != values or heads % shared != 0,
        f"{heads}, {shared} and {values} heads of Q, K and V",
        "as many of K and V, and of Q a multiple of these",
    )
    if heads != shared:
        repeated = GatherAttrs(1, tuple(np.repeat(np.arange(shared), heads // shared).tolist()), (heads,))
        k, v = (node.emit(OpKind.GATHER, [value], repeated) for value in (k, v))
    result = node.apply(OpKind.MATMUL, q, transposed(node, k, (0, 1, 3, 2)))
    result = node.apply(OpKind.MUL, result, scores.scale)
    if scores.softcap:
        tanh = node.apply(OpKind.TANH, node.apply(OpKind.DIV, result, scores.softcap))
        result = node.apply(OpKind.MUL, tanh, scores.softcap)
    for summand in scores.added:
        result = node.apply(OpKind.ADD, result, summand)
    weights = node.emit(OpKind.SOFTMAX, [result], AxisAttrs(3))
    return node.apply(OpKind.MATMUL, weights, v)


def microsoft_attention(node: Node) -> Sequence[str]:
    """Lower com.microsoft.Attention: input, weights and bias of Q, K and V, mask, past, bias of scores."""
    node.refuse(node.has(4) or node.has(6), "past keys and values", "none", _NO_CACHE)
    node.refuse(bool(node.attribute("do_rotary", 0)), "do_rotary 1", "0")
    product = node.apply(OpKind.MATMUL, node.value(0), node.value(1))
    if node.has(2):
        product = node.apply(OpKind.ADD, product, node.value(2))
    columns = node.builder.type_of(product).shape[-1]
    sizes = list(node.attribute("qkv_hidden_sizes", ())) or [columns // 3] * 3
    node.refuse(len(sizes) != 3 or sum(sizes) != columns, f"columns {sizes} of {columns}", "Q, K and V")
    parts = []
    for start, size in zip(np.cumsum([0, *sizes[:2]]).tolist(), sizes, strict=True):
        shape = node.builder.type_of(product).shape
        attrs = SliceAttrs((0, 0, start), (*shape[:2], start + size), (1, 1, 1))
        parts.append(node.emit(OpKind.SLICE, [product], attrs))
    return [_microsoft(node, parts, 3, 5)]


def multi_head_attention(node: Node) -> Sequence[str]:
    """Lower com.microsoft.MultiHeadAttention of separate queries, keys and values, each [B, N, columns]."""
    for index in (6, 7, 8, 9):
        node.refuse(node.has(index), "past keys and values", "none", _NO_CACHE)
    ranks = [node.rank(index) if node.has(index) else 0 for index in range(3)]
    node.refuse(ranks != [3, 3, 3], f"Q, K and V of rank {ranks}", "rank 3 of each")
    parts = [node.value(index) for index in range(3)]
    if node.has(3):
        sizes = [node.builder.type_of(part).shape[-1] for part in parts]
        rows = np.split(node.known(3, "bias").reshape(-1), np.cumsum(sizes)[:2])
        names = [node.constant(row, f"{node.loc}.bias") for row in rows]
        parts = [node.apply(OpKind.ADD, part, name) for part, name in zip(parts, names, strict=True)]
    return [_microsoft(node, parts, 4, 5)]


def _microsoft(node: Node, parts: Sequence[str], mask: int, bias: int) -> str:
    """Emit attention of Q, K and V with heads side by side; mask and bias are the inputs of these."""
    q, k, v = (columns_to_heads(node, part, int(node.attribute("num_heads", 0))) for part in parts)
    (batch, _, rows, width), (_, _, keys, _) = (node.builder.type_of(value).shape for value in (q, k))
    added = _bound(rows, keys, 0 if node.attribute("unidirectional", 0) else -1)
    if node.has(mask):
        kept = node.known(mask, "mask")
        node.refuse(
            kept.shape not in ((batch, keys), (batch, rows, keys)),
            f"a mask of shape {kept.shape}",
            f"1 or 0 for each key, of shape {(batch, keys)} or {(batch, rows, keys)}",
        )
        filled = max(float(node.attribute("mask_filter_value", -10000.0)), MASKED)
        padding = np.where(kept != 0, np.float32(0), np.float32(filled))
        added = added + (padding[:, None, None] if kept.ndim == 2 else padding[:, None])
    summands = [_constant(node, added, f"{node.loc}.mask")] if added.any() else []
    if node.has(bias):
        summands.insert(0, node.value(bias))
    scale = float(node.attribute("scale", 0.0)) or width**-0.5
    return merged_heads(node, _attend(node, q, k, v, _Scores(scale, added=tuple(summands))))
