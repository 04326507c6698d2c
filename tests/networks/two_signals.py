"""An encoder of two signals with three heads, written as ONNX node by node, with seeded weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.networks.attention_models import Writer
from tests.networks.onnx_files import write

INPUTS: Mapping[str, tuple[int, ...]] = {"emg": (1, 4, 60), "imu": (1, 6, 10)}
# In this order int8 [1, 5], int32 [1, 3] and int16 [20, 16]: the first ends where no word does.
OUTPUTS = ("force", "gesture", "tokens")
WIDTH, TOKENS, STEPS = 16, 20, 6


class _Network:
    def __init__(self, seed: int) -> None:
        self.noise = np.random.default_rng(seed)
        self.w = Writer()

    def random(self, *size: int, gain: float = 1.0) -> NDArray[np.float32]:
        return (self.noise.standard_normal(size) * gain).astype(np.float32)

    def linear(self, x: str, depth: int, columns: int, output: str = "") -> str:
        weight = self.w.const(self.random(depth, columns, gain=depth**-0.5))
        product = self.w.add("MatMul", f"{x} {weight}")
        return self.w.add("Add", f"{product} {self.w.const(self.random(columns, gain=0.1))}", output)

    def norm(self, x: str, output: str = "") -> str:
        gamma, beta = np.exp(self.random(WIDTH, gain=0.3)), self.random(WIDTH, gain=0.2)
        operands = f"{x} {self.w.const(gamma)} {self.w.const(beta)}"
        return self.w.add("LayerNormalization", operands, output, axis=-1)

    def rows(self, x: str, *size: int, output: str = "") -> str:
        return self.w.add("Reshape", f"{x} {self.w.ints(*size)}", output)

    def cross_attention(self, x: str, other: str) -> str:
        """Return what the rows of x find in those of the other signal: two heads."""
        w, half = self.w, WIDTH // 2
        parts = []
        for source, count in ((x, TOKENS), (other, STEPS), (other, STEPS)):
            part = self.rows(self.linear(source, WIDTH, WIDTH), 1, count, 2, half)
            parts.append(w.add("Transpose", part, perm=[0, 2, 1, 3]))
        q, k, v = parts
        scores = w.add("MatMul", f"{q} {w.add('Transpose', k, perm=[0, 1, 3, 2])}")
        scaled = w.add("Mul", f"{scores} {w.const(np.float32(half**-0.5))}")
        attended = w.add("MatMul", f"{w.add('Softmax', scaled, axis=-1)} {v}")
        tokens = w.add("Transpose", attended, perm=[0, 2, 1, 3])
        return self.linear(self.rows(tokens, 1, TOKENS, WIDTH), WIDTH, WIDTH)


def write_two_signals(path: Path, names: tuple[str, ...] = (*INPUTS, *OUTPUTS), seed: int = 0) -> Path:
    """Write the network and 4 calibration windows of both signals beside it; return its path.

    names: of the ports, inputs first.
    """
    net, w = _Network(seed), None
    emg, imu, force, gesture, tokens = names
    w = net.w
    x = net.linear(net.rows(emg, 1, TOKENS, 12), 12, WIDTH)
    other = net.norm(net.linear(net.rows(imu, 1, STEPS, 10), 10, WIDTH))
    x = w.add("Add", f"{x} {net.cross_attention(net.norm(x), other)}")
    hidden = w.add("Relu", net.linear(net.norm(x), WIDTH, 32))
    x = w.add("Add", f"{x} {net.linear(hidden, 32, WIDTH)}", tokens)
    mean = w.add("ReduceMean", net.norm(x), axes=[1], keepdims=0)
    w.add("Sigmoid", net.linear(mean, WIDTH, 5), force)
    net.linear(mean, WIDTH, 3, gesture)
    inputs = dict(zip((emg, imu), INPUTS.values(), strict=True))
    windows = {name: net.random(4, *shape) for name, shape in inputs.items()}
    np.savez(path.with_suffix(".calibration.npz"), **windows)  # type: ignore[arg-type]
    return write(path, w.nodes, inputs, (force, gesture, tokens), constants=w.constants)
