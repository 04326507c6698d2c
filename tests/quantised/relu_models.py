"""A small transformer with a Relu or Clip in a place of choice, for quantisers that remove it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.networks.onnx_files import node, write

Array = NDArray[Any]
TOKENS, CHANNELS, DIM, HEADS, HIDDEN, CLASSES = 6, 8, 16, 2, 24, 4
SHAPE = (1, TOKENS, CHANNELS)
# Where a Relu can stand, by the value that it takes the place of.
PLACES = ("stem", "query", "key", "value", "branch", "stream", "norm", "hidden", "pooled", "y")


def write_network(path: Path, places: tuple[str, ...], op: str = "Relu", pos: bool = True) -> Path:
    """Write linear, pre-norm block, norm, mean over tokens, linear, with `op` at some of PLACES.

    op: Relu, or Clip from -0.4 to 0.9. pos: whether a constant per token is added behind the stem.
    """
    random = np.random.default_rng(0)
    constants: dict[str, Array] = {
        "pos": random.standard_normal((1, TOKENS, DIM)).astype(np.float32) / 2,
        "low": np.array(-0.4, np.float32),
        "high": np.array(0.9, np.float32),
        "scale": np.array((DIM // HEADS) ** -0.5, np.float32),
        "split": np.array([1, TOKENS, HEADS, DIM // HEADS]),
        "join": np.array([1, TOKENS, DIM]),
    }
    nodes = []

    def emit(kind: str, operands: str, name: str, **attributes: object) -> str:
        result = f"{name}_before" if name in places else name
        nodes.append(node(kind, operands, result, **attributes))
        if name in places:
            nodes.append(node(op, f"{result} low high" if op == "Clip" else result, name))
        return name

    def linear(x: str, inside: int, outside: int, name: str) -> str:
        spread = np.exp(random.standard_normal(outside) / 3)
        weight = random.standard_normal((inside, outside)) * spread / inside**0.5
        constants[f"{name}_w"] = weight.astype(np.float32)
        constants[f"{name}_b"] = (random.standard_normal(outside) / 4).astype(np.float32)
        nodes.append(node("MatMul", f"{x} {name}_w", f"{name}_product"))
        return emit("Add", f"{name}_product {name}_b", name)

    def norm(x: str, name: str) -> str:
        constants[f"{name}_g"] = np.exp(random.standard_normal(DIM) / 4).astype(np.float32)
        constants[f"{name}_o"] = (random.standard_normal(DIM) / 4).astype(np.float32)
        return emit("LayerNormalization", f"{x} {name}_g {name}_o", name, axis=-1)

    stem = linear("x", CHANNELS, DIM, "stem")
    stream = emit("Add", f"{stem} pos", "placed") if pos else stem
    first = norm(stream, "first")
    parts = []
    for name, order in (("query", (0, 2, 1, 3)), ("key", (0, 2, 3, 1)), ("value", (0, 2, 1, 3))):
        nodes.append(node("Reshape", f"{linear(first, DIM, DIM, name)} split", f"{name}_split"))
        nodes.append(node("Transpose", f"{name}_split", f"{name}_heads", perm=list(order)))
        parts.append(f"{name}_heads")
    nodes.append(node("MatMul", f"{parts[0]} {parts[1]}", "products"))
    nodes.append(node("Mul", "products scale", "scores"))
    nodes.append(node("Softmax", "scores", "shares", axis=-1))
    nodes.append(node("MatMul", f"shares {parts[2]}", "mixed"))
    nodes.append(node("Transpose", "mixed", "mixed_tokens", perm=[0, 2, 1, 3]))
    nodes.append(node("Reshape", "mixed_tokens join", "attended"))
    branch = linear("attended", DIM, DIM, "branch")
    middle = emit("Add", f"{stream} {branch}", "stream")
    hidden = linear(norm(middle, "norm"), DIM, HIDDEN, "hidden")
    if "hidden" not in places:
        nodes.append(node("Sigmoid", hidden, "active"))
        hidden = "active"
    last = emit("Add", f"{middle} {linear(hidden, HIDDEN, DIM, 'down')}", "last")
    pooled = emit("ReduceMean", norm(last, "final"), "pooled", axes=[1], keepdims=0)
    linear(pooled, DIM, CLASSES, "y")
    constants["y_b"] = constants["y_b"] - np.float32(0.7)  # on both sides of 0
    return write(path, nodes, {"x": SHAPE}, constants=constants, opset=17)
