"""Blocks of attention whose keys an input masks, as ONNX in the ways in which exporters write masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from tests.networks.attention_models import Writer
from tests.networks.onnx_files import write

MaskForm = Literal[
    "ones and zeros",
    "lowest of float",
    "before the scale",
    "expanded",
    "added",
    "soft",
    "true for what counts",
    "true for padding",
]
HEADS, WIDTH, DEPTH = 4, 8, 20


def write_masked(
    path: Path, form: MaskForm, tokens: int, layers: int = 1, *, pooled_by_mask: bool = False
) -> Path:
    """Write x [1, tokens, 20], mask [1, tokens] to y [1, 3], and 24 windows of different length beside it.

    pooled_by_mask: the mean is of the tokens that count; else of all.
    """
    noise, w = np.random.default_rng(3), Writer()
    columns = HEADS * WIDTH

    def linear(x: str, depth: int, width: int, gain: float = 1.0) -> str:
        weight = noise.standard_normal((depth, width)) * gain / depth**0.5
        product = w.add("MatMul", f"{x} {w.const(weight.astype(np.float32))}")
        return w.add("Add", f"{product} {w.const(noise.normal(0, 0.2, width).astype(np.float32))}")

    def norm(x: str) -> str:
        gamma = np.exp(noise.normal(0, 0.3, columns)).astype(np.float32)
        beta = noise.normal(0, 0.2, columns).astype(np.float32)
        return w.add("LayerNormalization", f"{x} {w.const(gamma)} {w.const(beta)}")

    def heads(x: str) -> str:
        split = w.add("Reshape", f"{x} {w.ints(1, tokens, HEADS, WIDTH)}")
        return w.add("Transpose", split, perm=[0, 2, 1, 3])

    stream = linear("x", DEPTH, columns)
    for _ in range(layers):
        normed = norm(stream)
        q, k, v = (heads(linear(normed, columns, columns, gain)) for gain in (0.7, 0.7, 1.0))
        scores = w.add("MatMul", f"{q} {w.add('Transpose', k, perm=[0, 1, 3, 2])}")
        p = w.add("Softmax", _masked(w, scores, form, tokens), axis=-1)
        mixed = w.add("Transpose", w.add("MatMul", f"{p} {v}"), perm=[0, 2, 1, 3])
        merged = w.add("Reshape", f"{mixed} {w.ints(1, tokens, columns)}")
        stream = w.add("Add", f"{stream} {linear(merged, columns, columns)}")
    tokens_out = norm(stream)
    if pooled_by_mask:
        column = w.add("Unsqueeze", f"mask {w.ints(2)}")
        total = w.add("ReduceSum", f"{w.add('Mul', f'{tokens_out} {column}')} {w.ints(1)}", keepdims=0)
        count = w.add("ReduceSum", f"mask {w.ints(1)}", keepdims=1)
        pooled = w.add("Div", f"{total} {w.add('Clip', f'{count} {w.const(np.float32(1e-9))}')}")
    else:
        pooled = w.add("ReduceMean", f"{tokens_out} {w.ints(1)}", keepdims=0)
    weight = noise.standard_normal((columns, 3)) / columns**0.5
    w.add("MatMul", f"{pooled} {w.const(weight.astype(np.float32))}", "y")
    inputs = {"x": (1, tokens, DEPTH), "mask": (1, tokens)}
    model = write(path, w.nodes, inputs, constants=w.constants, opset=18)
    if form.startswith("true"):
        stored = onnx.load(model)
        stored.graph.input[1].type.tensor_type.elem_type = onnx.TensorProto.BOOL
        model.write_bytes(stored.SerializeToString())
    np.savez(path.with_suffix(".calibration.npz"), **masked_windows(form, tokens, 24, seed=0))
    return model


def masked_windows(form: MaskForm, tokens: int, count: int, seed: int) -> dict[str, NDArray[Any]]:
    """Return windows and masks of both inputs: at least half of the tokens count."""
    noise = np.random.default_rng(seed)
    x = noise.standard_normal((count, 1, tokens, DEPTH)).astype(np.float32)
    length = noise.integers(tokens // 2, tokens + 1, (count, 1, 1))
    counts = np.arange(tokens) < length
    if form == "added":
        return {"x": x, "mask": np.where(counts, 0, -10_000).astype(np.float32)}
    if form == "soft":
        return {"x": x, "mask": noise.uniform(0, 1, (count, 1, tokens)).astype(np.float32)}
    if form.startswith("true"):
        return {"x": x, "mask": counts if form == "true for what counts" else ~counts}
    return {"x": x, "mask": counts.astype(np.float32)}


def _masked(w: Writer, scores: str, form: MaskForm, tokens: int) -> str:
    """Return scaled and masked scores."""
    one, root = w.const(np.float32(1)), w.const(np.float32(WIDTH**0.5))
    row = w.add("Unsqueeze", f"mask {w.ints(1, 2)}")
    if form == "true for what counts":  # as masked_fill has it
        scaled = w.add("Div", f"{scores} {root}")
        return w.add("Where", f"{w.add('Not', row)} {w.const(np.float32(-1e9))} {scaled}")
    if form == "true for padding":  # as PyTorch's own layers have it
        lowest, zero = w.const(np.float32(-np.inf)), w.const(np.float32(0))
        added = w.add("Where", f"{w.add('Cast', row, to=onnx.TensorProto.BOOL)} {lowest} {zero}")
        return w.add("Add", f"{w.add('Div', f'{scores} {root}')} {added}")
    if form == "soft":
        added = w.add("Mul", f"{row} {w.const(np.float32(2.5))}")
        return w.add("Add", f"{w.add('Div', f'{scores} {root}')} {added}")
    if form == "added":
        return w.add("Add", f"{w.add('Div', f'{scores} {root}')} {row}")
    away = w.add("Sub", f"{one} {row}")
    if form == "expanded":
        away = w.add("Sub", f"{one} {w.add('Expand', f'{row} {w.ints(1, 1, tokens, tokens)}')}")
    lowest = np.float32(-3.4e38 if form == "lowest of float" else -10_000)
    added = w.add("Mul", f"{away} {w.const(lowest)}")
    if form == "before the scale":
        return w.add("Div", f"{w.add('Add', f'{added} {scores}')} {root}")
    return w.add("Add", f"{w.add('Div', f'{scores} {root}')} {added}")
