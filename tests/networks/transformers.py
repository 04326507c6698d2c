"""Small transformers of any shape, written as ONNX node by node, with seeded weights and windows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tests.networks.attention_models import Writer
from tests.networks.onnx_files import write


@dataclass(frozen=True, slots=True)
class Architecture:
    """A pre-norm transformer over `channels` x `patches` tokens of `patch` samples each.

    rope counts positions over all tokens (flat) or in each channel (cyclic). head: a linear of the means of
    all channels side by side (concat), of the mean of all tokens (mean), or of each token (tokens).
    """

    channels: int = 4
    patches: int = 5
    patch: int = 20
    dim: int = 32
    heads: int = 2
    hidden: int = 64
    layers: int = 1
    classes: int = 5
    rope: Literal["none", "flat", "cyclic"] = "cyclic"
    channel_bias: bool = True
    head: Literal["concat", "mean", "tokens"] = "concat"
    gelu: Literal["none", "tanh"] = "none"

    @property
    def tokens(self) -> int:
        """Return the number of tokens."""
        return self.channels * self.patches

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Return the shape of the input `emg`."""
        return 1, self.channels, self.patches * self.patch


class _Network:
    """Write the layers of one architecture."""

    def __init__(self, shape: Architecture, seed: int) -> None:
        self.shape = shape
        self.noise = np.random.default_rng(seed)
        self.w = Writer()

    def random(self, *size: int, gain: float = 1.0) -> NDArray[np.float32]:
        return (self.noise.standard_normal(size) * gain).astype(np.float32)

    def linear(self, x: str, depth: int, columns: int, output: str = "", gain: float = 1.0) -> str:
        weight = self.w.const(self.random(depth, columns, gain=gain / depth**0.5))
        product = self.w.add("MatMul", f"{x} {weight}")
        return self.w.add("Add", f"{product} {self.w.const(self.random(columns, gain=0.1))}", output)

    def norm(self, x: str) -> str:
        dim = self.shape.dim
        gamma, beta = np.exp(self.random(dim, gain=0.3)), self.random(dim, gain=0.2)
        return self.w.add("LayerNormalization", f"{x} {self.w.const(gamma)} {self.w.const(beta)}", axis=-1)

    def reshape(self, x: str, *size: int, output: str = "") -> str:
        return self.w.add("Reshape", f"{x} {self.w.ints(*size)}", output)

    def turn(self, x: str) -> str:
        """Rotate the adjacent pairs of each head of x [1, H, N, d] by the position of the token."""
        shape = self.shape
        width = shape.dim // shape.heads
        positions = np.arange(shape.tokens) % (shape.patches if shape.rope == "cyclic" else shape.tokens)
        angles = positions[:, None] * 10000.0 ** (-np.arange(0, width, 2) / width)
        c, s = (self.w.const(f(angles).astype(np.float32)) for f in (np.cos, np.sin))
        even, odd = self.w.columns(x, 0, 1000, 2), self.w.columns(x, 1, 1000, 2)
        products = {
            name: self.w.add("Mul", f"{part} {table}")
            for name, part, table in (("ec", even, c), ("es", even, s), ("oc", odd, c), ("os", odd, s))
        }
        real = self.w.add("Sub", f"{products['ec']} {products['os']}")
        imaginary = self.w.add("Add", f"{products['oc']} {products['es']}")
        parts = [self.w.add("Unsqueeze", f"{part} {self.w.ints(-1)}") for part in (real, imaginary)]
        return self.reshape(
            self.w.add("Concat", " ".join(parts), axis=-1), 1, shape.heads, shape.tokens, width
        )

    def attention(self, x: str) -> str:
        shape, w = self.shape, self.w
        width = shape.dim // shape.heads
        parts = []
        for gain in (1.5, 1.5, 1.0):
            part = self.reshape(
                self.linear(x, shape.dim, shape.dim, gain=gain), 1, shape.tokens, shape.heads, width
            )
            parts.append(w.add("Transpose", part, perm=[0, 2, 1, 3]))
        q, k, v = parts
        if shape.rope != "none":
            q, k = self.turn(q), self.turn(k)
        scores = w.add("MatMul", f"{q} {w.add('Transpose', k, perm=[0, 1, 3, 2])}")
        scaled = w.add("Mul", f"{scores} {w.const(np.float32(width**-0.5))}")
        attended = w.add("MatMul", f"{w.add('Softmax', scaled, axis=-1)} {v}")
        tokens = w.add("Transpose", attended, perm=[0, 2, 1, 3])
        return self.linear(self.reshape(tokens, 1, shape.tokens, shape.dim), shape.dim, shape.dim)

    def gelu(self, x: str) -> str:
        w = self.w
        if self.shape.gelu == "none":
            error = w.add("Erf", w.add("Mul", f"{x} {w.const(np.float32(0.5**0.5))}"))
        else:
            cubed = w.add("Pow", f"{x} {w.const(np.float32(3))}")
            inner = w.add("Add", f"{x} {w.add('Mul', f'{cubed} {w.const(np.float32(0.044715))}')}")
            error = w.add("Tanh", w.add("Mul", f"{inner} {w.const(np.float32((2 / np.pi) ** 0.5))}"))
        gate = w.add("Add", f"{error} {w.const(np.float32(1))}")
        return w.add("Mul", f"{w.add('Mul', f'{x} {gate}')} {w.const(np.float32(0.5))}")

    def pooled(self, x: str) -> None:
        shape, w = self.shape, self.w
        if shape.head == "tokens":
            self.linear(x, shape.dim, shape.classes, "y")
        elif shape.head == "mean":
            self.linear(w.add("ReduceMean", x, axes=[1], keepdims=0), shape.dim, shape.classes, "y")
        else:
            by_channel = self.reshape(x, 1, shape.channels, shape.patches, shape.dim)
            means = w.add("ReduceMean", by_channel, axes=[2], keepdims=0)
            width = shape.channels * shape.dim
            self.linear(self.reshape(means, 1, width), width, shape.classes, "y")


def write_transformer(path: Path, shape: Architecture, seed: int = 0) -> Path:
    """Write the network, `emg` to `y`, and 4 calibration windows beside it; return its path."""
    net = _Network(shape, seed)
    x = net.linear(net.reshape("emg", 1, shape.tokens, shape.patch), shape.patch, shape.dim)
    if shape.channel_bias:
        by_channel = net.reshape(x, 1, shape.channels, shape.patches, shape.dim)
        bias = net.w.const(net.random(shape.channels, 1, shape.dim, gain=0.3))
        x = net.reshape(net.w.add("Add", f"{by_channel} {bias}"), 1, shape.tokens, shape.dim)
    for _ in range(shape.layers):
        x = net.w.add("Add", f"{x} {net.attention(net.norm(x))}")
        hidden = net.gelu(net.linear(net.norm(x), shape.dim, shape.hidden))
        x = net.w.add("Add", f"{x} {net.linear(hidden, shape.hidden, shape.dim)}")
    net.pooled(net.norm(x))
    windows = net.random(4, *shape.input_shape[1:])
    np.savez(path.with_suffix(".calibration.npz"), emg=windows)
    return write(path, net.w.nodes, {"emg": shape.input_shape}, constants=net.w.constants)
