"""Models of products in other words, of attention, and of onnxruntime's fused ops."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.frontend.importers.case import Case, ints, normal
from tests.networks.onnx_files import node

_CAUSAL = np.tril(np.ones((3, 5), dtype=bool), 2)
_MASKED = np.where(_CAUSAL, normal(3, 5), -np.inf).astype(np.float32)


def _einsum(equation: str, x: tuple[int, ...], z: tuple[int, ...] | None = None) -> Case:
    operands = "x z" if z else "x"
    return Case(f"Einsum {equation}", [node("Einsum", operands, "y", equation=equation)], x, z=z)


def _attention(name: str, mask: NDArray[Any] | None = None, heads: int = 2, **attributes: Any) -> Case:
    operands = "x z z" if mask is None else "x z z m"
    constants = {} if mask is None else {"m": mask}
    item = node("Attention", operands, "y", **attributes)
    return Case(f"Attention {name}", [item], (1, 4, 3, 8), constants, 23, (1, heads, 5, 8))


def _microsoft(name: str, operands: str, constants: dict[str, NDArray[Any]], **attributes: Any) -> Case:
    item = node("com.microsoft.Attention", operands, "y", num_heads=2, **attributes)
    known = {"w": normal(8, 24) / 3, "b": normal(24), **constants}
    return Case(f"com.microsoft.Attention {name}", [item], (2, 5, 8), known)


def _multi_head(name: str, operands: str, constants: dict[str, NDArray[Any]], **attributes: Any) -> Case:
    item = node("com.microsoft.MultiHeadAttention", operands, "y", num_heads=2, **attributes)
    return Case(f"com.microsoft.MultiHeadAttention {name}", [item], (2, 3, 8), constants, z=(2, 5, 8))


FUSED = (
    _einsum("bnd,bmd->bnm", (2, 3, 4), (2, 5, 4)),
    _einsum("bhnd,bhmd->bhnm", (1, 2, 3, 4), (1, 2, 5, 4)),
    _einsum("nd,d->nd", (3, 4), (4,)),
    _einsum("ij,jk", (3, 4), (4, 5)),
    _einsum("bnd->bdn", (2, 3, 4)),
    _einsum("bnd->d", (2, 3, 4)),
    _einsum("...nd,dk->...kn", (2, 3, 4), (4, 5)),
    _einsum("bij,kj->bki", (2, 3, 4), (5, 4)),
    _einsum("ij,kl->ik", (2, 3), (4, 5)),
    Case(
        "Einsum of three",
        [node("Einsum", "x z w", "y", equation="ab,bc,cd->ad")],
        (2, 3),
        {"w": normal(4, 5)},
        z=(3, 4),
    ),
    _attention("causal", is_causal=1, heads=4),
    _attention("of groups", heads=2),
    _attention("of one group", heads=1, scale=0.2),
    _attention("masked", _CAUSAL, heads=4),
    _attention("masked by numbers", _MASKED, heads=4),
    _attention("masked and causal", _CAUSAL, heads=4, is_causal=1),
    _attention("capped", heads=4, softcap=0.7),
    Case(
        "Attention with a computed mask",
        [node("MatMul", "x t", "m"), node("Attention", "x z z m", "y", is_causal=1)],
        (1, 4, 3, 8),
        {"t": normal(8, 5)},
        23,
        (1, 4, 5, 8),
    ),
    _microsoft("plain", "x w b", {}),
    _microsoft("causal", "x w b", {}, unidirectional=1, scale=0.3),
    _microsoft("of other widths", "x w b", {"w": normal(8, 20), "b": normal(20)}, qkv_hidden_sizes=[8, 8, 4]),
    _microsoft("masked", "x w b m", {"m": np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=np.int32)}),
    _microsoft("masked row by row", "x w b m", {"m": np.tril(np.ones((2, 5, 5), dtype=np.int32))}),
    _microsoft("biased", "x w b _ _ r", {"r": normal(2, 2, 5, 5)}),
    _multi_head("plain", "x z z", {}),
    _multi_head("biased", "x z z b _ r", {"b": normal(24), "r": normal(2, 2, 3, 5)}),
    _multi_head("masked", "x z z _ m", {"m": np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]], dtype=np.int32)}),
    Case(
        "com.microsoft.FusedMatMul",
        [node("com.microsoft.FusedMatMul", "x z", "y", transA=1, transB=1, alpha=0.25)],
        (2, 4, 3),
        z=(2, 5, 4),
    ),
    Case(
        "com.microsoft.FusedMatMul constant",
        [node("com.microsoft.FusedMatMul", "x w", "y", transB=1)],
        (2, 4, 3),
        {"w": normal(2, 5, 3)},
    ),
    Case(
        "Dropout of nothing",
        [node("Dropout", "x r t", "y")],
        (2, 3),
        {"r": np.float32(0), "t": np.array(True)},
    ),
    Case("Gather of codes", [node("Gather", "x i", "y", axis=0)], (4, 3), {"i": ints(2, 2, 0)}),
)
