"""One attention layer over [1, N, C], written as ONNX in the many ways in which exporters write it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from tests.networks.onnx_files import node, write

TOKENS, HEADS, WIDTH = 6, 2, 8
COLUMNS = HEADS * WIDTH

Projection = Literal["fused", "fused_by_head", "split", "separate", "slices"]
Scale = Literal["scores", "scores_div", "q", "k", "both", "weights_none"]
Rope = Literal["none", "adjacent", "half", "half_where", "partial", "head", "head_and_token", "q_only", "op"]


@dataclass(frozen=True, slots=True)
class Variant:
    """How to write the layer; `period` is that of the positions."""

    projection: Projection = "fused"
    scale: Scale = "scores"
    rope: Rope = "none"
    batched: bool = True
    period: int = TOKENS


class Writer:
    """Collect nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def add(self, kind: str, inputs: str, outputs: str = "", **attributes: Any) -> str:
        """Add a node and return its first output."""
        name = outputs or f"v{len(self.nodes)}"
        self.nodes.append(node(kind, inputs, name, **attributes))
        return name.split()[0]

    def const(self, array: Any) -> str:
        """Add an initializer and return its name."""
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name

    def ints(self, *values: int) -> str:
        """Add an initializer of int64."""
        return self.const(np.array(values, dtype=np.int64))

    def columns(self, x: str, start: int, end: int, step: int = 1) -> str:
        """Slice the last axis."""
        operands = " ".join(self.ints(value) for value in (start, end, -1, step))
        return self.add("Slice", f"{x} {operands}")


def weights() -> dict[str, NDArray[np.float32]]:
    """Return seeded weights; Q, K and V are the columns of `qkv` in this order."""
    noise = np.random.default_rng(7)
    shapes = {"qkv": (COLUMNS, 3 * COLUMNS), "bias": (3 * COLUMNS,), "proj": (COLUMNS, COLUMNS)}
    return {
        name: noise.standard_normal(shape).astype(np.float32) * np.float32(0.3)
        for name, shape in shapes.items()
    }


def project(w: Writer, variant: Variant) -> list[str]:
    """Return q, k and v as [1, H, N, d]."""
    arrays = weights()
    if variant.projection == "separate":
        parts = []
        for i in range(3):
            part = slice(i * COLUMNS, (i + 1) * COLUMNS)
            product = w.add("MatMul", f"x {w.const(arrays['qkv'][:, part])}")
            parts.append(w.add("Add", f"{w.const(arrays['bias'][part])} {product}"))
    else:
        if variant.projection == "fused_by_head":
            order = np.arange(3 * COLUMNS).reshape(3, HEADS, WIDTH).transpose(1, 0, 2).reshape(-1)
            arrays = {**arrays, "qkv": arrays["qkv"][:, order], "bias": arrays["bias"][order]}
        product = w.add("MatMul", f"x {w.const(arrays['qkv'])}")
        fused = w.add("Add", f"{product} {w.const(arrays['bias'])}")
        if variant.projection == "fused":
            five = w.add("Reshape", f"{fused} {w.ints(1, TOKENS, 3, HEADS, WIDTH)}")
            turned = w.add("Transpose", five, perm=[2, 0, 3, 1, 4])
            return [w.add("Gather", f"{turned} {w.const(np.array(i))}", axis=0) for i in range(3)]
        if variant.projection == "fused_by_head":
            five = w.add("Reshape", f"{fused} {w.ints(1, TOKENS, HEADS, 3, WIDTH)}")
            w.add("Split", five, "s0 s1 s2", axis=3)
            squeezed = [w.add("Squeeze", f"s{i} {w.ints(3)}") for i in range(3)]
            return [w.add("Transpose", part, perm=[0, 2, 1, 3]) for part in squeezed]
        if variant.projection == "split":
            w.add("Split", fused, "p0 p1 p2", axis=-1)
            parts = ["p0", "p1", "p2"]
        else:
            parts = [w.columns(fused, i * COLUMNS, (i + 1) * COLUMNS) for i in range(3)]
    shape = w.ints(1, TOKENS, HEADS, WIDTH)
    return [w.add("Transpose", w.add("Reshape", f"{part} {shape}"), perm=[0, 2, 1, 3]) for part in parts]


def angles(variant: Variant) -> NDArray[np.float64]:
    """Return the angles [H or 1, N or 1, d / 2]."""
    frequencies = 100.0 ** -(np.arange(0, WIDTH, 2) / WIDTH)
    tokens = np.arange(TOKENS) % variant.period
    if variant.rope == "head":
        return np.arange(HEADS).reshape(-1, 1, 1) * frequencies
    if variant.rope == "head_and_token":
        return (np.arange(HEADS).reshape(-1, 1, 1) + 1) * tokens.reshape(1, -1, 1) * frequencies
    return tokens.reshape(1, -1, 1) * frequencies


def turn(w: Writer, x: str, variant: Variant) -> str:
    """Rotate x [1, H, N, d]."""
    cosine, sine = np.cos(angles(variant)).astype(np.float32), np.sin(angles(variant)).astype(np.float32)
    half = WIDTH // 2
    if variant.rope == "op":
        tables = f"{w.const(cosine.reshape(1, TOKENS, half))} {w.const(sine.reshape(1, TOKENS, half))}"
        return w.add("RotaryEmbedding", f"{x} {tables}")
    if variant.rope in ("half", "half_where"):
        # x * cos + rotate_half(x) * sin
        double = [w.const(np.concatenate([table, table], axis=-1)) for table in (cosine, sine)]
        first, second = w.columns(x, 0, half), w.columns(x, half, 1000)
        if variant.rope == "half":
            rotated = w.add("Concat", f"{w.add('Neg', second)} {first}", axis=-1)
        else:
            swapped = w.add("Concat", f"{second} {first}", axis=-1)
            condition = w.const(np.arange(WIDTH) < half)
            rotated = w.add("Where", f"{condition} {w.add('Neg', swapped)} {swapped}")
        return w.add("Add", f"{w.add('Mul', f'{x} {double[0]}')} {w.add('Mul', f'{rotated} {double[1]}')}")
    rest = ""
    if variant.rope == "partial":
        # Only the first half of a head is turned.
        half //= 2
        cosine, sine = cosine[..., :half], sine[..., :half]
        x, rest = w.columns(x, 0, 2 * half), w.columns(x, 2 * half, 1000)
    c, s = w.const(cosine), w.const(sine)
    even, odd = w.columns(x, 0, 1000, 2), w.columns(x, 1, 1000, 2)
    real = w.add("Sub", f"{w.add('Mul', f'{even} {c}')} {w.add('Mul', f'{s} {odd}')}")
    imaginary = w.add("Add", f"{w.add('Mul', f'{odd} {c}')} {w.add('Mul', f'{even} {s}')}")
    axis = w.ints(-1)
    pairs = w.add(
        "Concat",
        f"{w.add('Unsqueeze', f'{real} {axis}')} {w.add('Unsqueeze', f'{imaginary} {axis}')}",
        axis=-1,
    )
    flat = w.add("Reshape", f"{pairs} {w.ints(1, HEADS, TOKENS, 2 * half)}")
    return w.add("Concat", f"{flat} {rest}", axis=-1) if rest else flat


def write_attention(path: Path, variant: Variant) -> Path:
    """Write x [1, N, C] to y = x + proj(attention(x))."""
    w = Writer()
    q, k, v = project(w, variant)
    exact = np.float32(WIDTH**-0.5)
    root = w.const(np.float32(WIDTH**-0.25))
    if variant.scale in ("q", "both"):
        q = w.add("Mul", f"{q} {root if variant.scale == 'both' else w.const(exact)}")
    if variant.rope != "none":
        q = turn(w, q, variant)
        k = k if variant.rope == "q_only" else turn(w, k, variant)
    if not variant.batched:
        shape = w.ints(HEADS, TOKENS, WIDTH)
        q, k, v = (w.add("Reshape", f"{value} {shape}") for value in (q, k, v))
    k = w.add("Transpose", k, perm=[0, 1, 3, 2] if variant.batched else [0, 2, 1])
    if variant.scale in ("k", "both"):
        k = w.add("Mul", f"{root if variant.scale == 'both' else w.const(exact)} {k}")
    scores = w.add("MatMul", f"{q} {k}")
    if variant.scale == "scores":
        scores = w.add("Mul", f"{scores} {w.const(exact)}")
    if variant.scale == "scores_div":
        scores = w.add("Div", f"{scores} {w.const(np.float32(WIDTH**0.5))}")
    heads = w.add("MatMul", f"{w.add('Softmax', scores, axis=-1)} {v}")
    if not variant.batched:
        heads = w.add("Reshape", f"{heads} {w.ints(1, HEADS, TOKENS, WIDTH)}")
    tokens = w.add("Transpose", heads, perm=[0, 2, 1, 3])
    flat = w.add("Reshape", f"{tokens} {w.ints(0, 0, -1)}")
    projected = w.add("MatMul", f"{flat} {w.const(weights()['proj'])}")
    w.add("Add", f"{projected} x", "y")
    opset = 23 if variant.rope == "op" else 17
    return write(path, w.nodes, {"x": [1, TOKENS, COLUMNS]}, constants=w.constants, opset=opset)
