"""Canonical float graphs built by hand: pre-norm transformers with seeded weights, of any size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmc.ir import attrs as a
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.ops import OPS
from tmc.ir.types import Array, DType, TensorType

SAMPLES_PER_TOKEN = 20


@dataclass(slots=True)
class GraphBuilder:
    """Collects ops; types follow from the op table."""

    generator: np.random.Generator
    ops: list[Op]
    types: dict[str, TensorType]
    constants: dict[str, Array]

    @staticmethod
    def seeded(seed: int) -> GraphBuilder:
        return GraphBuilder(np.random.default_rng(seed), [], {}, {})

    def input(self, name: str, *shape: int) -> str:
        self.types[name] = TensorType(DType.F32, shape)
        return name

    def constant(self, name: str, array: Array) -> str:
        self.constants[name] = array.astype(np.float32)
        self.types[name] = TensorType(DType.F32, array.shape)
        return name

    def op(self, kind: OpKind, output: str, *inputs: str, attrs: a.Attrs | None = None) -> str:
        record = a.Attrs() if attrs is None else attrs
        self.ops.append(Op(kind, inputs, output, record, f"/{output}"))
        self.types[output] = OPS[kind].infer([self.types[name] for name in inputs], record)
        return output

    def linear(self, output: str, x: str, columns: int, gain: float = 1.0, groups: int = 1) -> str:
        depth = self.types[x].shape[1]
        weight = self.generator.normal(0, gain / depth**0.5, (columns, depth))
        bias = self.generator.normal(0, 0.1, (groups, columns))
        return self.op(
            OpKind.LINEAR, output, x, self.constant(f"{output}.w", weight), self.constant(f"{output}.b", bias)
        )

    def layernorm(self, output: str, x: str, gamma_spread: float = 0.2) -> str:
        width = self.types[x].shape[1]
        gamma = np.exp(self.generator.normal(0, gamma_spread, width))
        beta = self.generator.normal(0, 0.2, width)
        return self.op(
            OpKind.LAYERNORM,
            output,
            x,
            self.constant(f"{output}.g", gamma),
            self.constant(f"{output}.beta", beta),
            attrs=a.LayerNormAttrs(1e-5),
        )

    def gelu(self, output: str, x: str) -> str:
        return self.op(OpKind.GELU, output, x, attrs=a.GeluAttrs("none"))

    def add(self, output: str, x: str, y: str) -> str:
        return self.op(OpKind.ADD, output, x, y)

    def graph(self, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Graph:
        return Graph("net", inputs, outputs, tuple(self.ops), dict(self.types), dict(self.constants))


@dataclass(frozen=True, slots=True)
class Size:
    """Dimensions of a network like TinyMyo: channels x patches tokens of `width` columns."""

    channels: int = 4
    patches: int = 10
    width: int = 48
    heads: int = 3
    layers: int = 2
    rotary: bool = True
    classes: int = 6
    gelu: str = "none"


TINYMYO = Size(channels=8, patches=50, width=192, heads=3, layers=8)


def transformer(size: Size, seed: int = 0, outlier: float = 1.0) -> Graph:
    """Return a canonical float graph with input emg [1, channels, 20 patches] and outputs tokens and logits.

    outlier multiplies three gammas and betas of every LayerNorm and divides the weight columns behind them.
    """
    b = GraphBuilder.seeded(seed)
    width, tokens = size.width, size.channels * size.patches
    emg = b.input("emg", 1, size.channels, SAMPLES_PER_TOKEN * size.patches)
    x = b.op(OpKind.RESHAPE, "patches", emg, attrs=a.ReshapeAttrs((tokens, SAMPLES_PER_TOKEN)))
    r = b.linear("embedded", x, width, 1.0, size.channels)
    half = width // size.heads // 2
    angles = np.arange(size.patches)[:, None] * 10000.0 ** (-np.arange(half) / half)
    cosine, sine = b.constant("cosine", np.cos(angles)), b.constant("sine", np.sin(angles))
    for i in range(size.layers):
        n = b.layernorm(f"{i}.norm1", r)
        q, k = b.linear(f"{i}.q", n, width, 1.5), b.linear(f"{i}.k", n, width, 1.5)
        v = b.linear(f"{i}.v", n, width)
        if size.rotary:
            rope = a.RopeAttrs(size.heads)
            q = b.op(OpKind.ROPE, f"{i}.q_turned", q, cosine, sine, attrs=rope)
            k = b.op(OpKind.ROPE, f"{i}.k_turned", k, cosine, sine, attrs=rope)
        attention = a.AttentionAttrs(size.heads, (2 * half) ** -0.5)
        o = b.op(OpKind.ATTENTION, f"{i}.attended", q, k, v, attrs=attention)
        r = b.op(OpKind.ADD, f"{i}.after_attention", r, b.linear(f"{i}.out", o, width, 2.0))
        n = b.layernorm(f"{i}.norm2", r)
        h = b.linear(f"{i}.wide", n, 4 * width)
        approximate = "tanh" if size.gelu == "tanh" else "none"
        h = b.op(OpKind.GELU, f"{i}.gelu", h, attrs=a.GeluAttrs(approximate))
        r = b.op(OpKind.ADD, f"{i}.after_mlp", b.linear(f"{i}.narrow", h, width, 1.5), r)
    n = b.layernorm("tokens", r)
    p = b.op(OpKind.MEAN_ROWS, "pooled", n, attrs=a.MeanRowsAttrs(size.patches))
    p = b.op(OpKind.RESHAPE, "features", p, attrs=a.ReshapeAttrs((1, size.channels * width)))
    b.linear("logits", p, size.classes)
    if outlier != 1.0:
        plant_outliers(b, outlier)
    return b.graph(("emg",), ("tokens", "logits"))


def plant_outliers(b: GraphBuilder, factor: float) -> None:
    """Scale columns 1, 5 and 7 of every LayerNorm inside the blocks by `factor`; the function stays."""
    for op in b.ops:
        if op.kind is OpKind.LAYERNORM and op.output != "tokens":
            for name in op.inputs[1:]:
                b.constants[name][[1, 5, 7]] *= np.float32(factor)
        if op.kind is OpKind.LINEAR and "norm" in op.inputs[0]:
            b.constants[op.inputs[1]][:, [1, 5, 7]] /= np.float32(factor)


def windows(graph: Graph, count: int, seed: int = 1) -> Array:
    """Return windows like EMG: noise whose strength differs by channel and time, float32 [count, *input]."""
    generator = np.random.default_rng(seed)
    _, channels, samples = graph.types["emg"].shape
    noise = generator.standard_normal((count, 1, channels, samples))
    envelope = np.exp(0.6 * generator.standard_normal((count, 1, channels, samples // SAMPLES_PER_TOKEN)))
    gain = np.exp(0.3 * generator.standard_normal((count, 1, channels, 1)))
    return np.asarray(noise * np.repeat(envelope, SAMPLES_PER_TOKEN, axis=-1) * gain, dtype=np.float32)
