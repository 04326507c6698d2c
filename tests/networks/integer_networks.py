"""Integer graphs with the structure of TinyMyo and seeded constants: valid without any quantisation run.

The constants are of the size that quantisation gives, so that values use most of their range, rarely clip,
and every sum provably stays in int32.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2, sqrt
from typing import Literal

import numpy as np

from tmc.ir.attrs import Layout, PermuteRowsAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.float_semantics import interpolation
from tmc.ir.graph import Graph, OpKind
from tmc.ir.integer.qattention import QAttentionAttrs
from tmc.ir.integer.qdepthwise_rows import QDepthwiseRowsAttrs
from tmc.ir.integer.qinterpolate_rows import QInterpolateRowsAttrs
from tmc.ir.integer.qlayernorm import QLayerNormAttrs
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.integer.qmean_rows import QMeanRowsAttrs
from tmc.ir.integer.qrope import QRopeAttrs
from tmc.ir.types import Array, DType, TensorType
from tmc.ir.verify import verify

MULTIPLIERS = (64, 128)  # at most 7 bits: 2^31 is out of reach for up to 768 products of int8


def integer_network(
    tokens: int,
    layers: int,
    channels: int,
    samples: int,
    classes: int,
    seed: int,
    rope_period: int,
    *,
    dim: int = 192,
    heads: int = 3,
    hidden: int = 768,
    head: Literal["classes", "signal", "curves"] = "classes",
    bias: tuple[bool, bool] | None = None,
) -> Graph:
    """Return a verified integer graph of TinyMyo's structure.

    head: `classes` logits of the mean tokens; the signal of every token again; or `classes` curves through
    the tokens of all channels, one point for every sample.

    tokens: patches of all channels; a patch has channels * samples / tokens samples. rope_period: lines of
    the rotation table; 0 means no rotation, `tokens` the flat scheme, tokens / channels the cyclic one, which
    brings a bias of the patch embedding for every channel. bias: a bias on the scores that differs by head or
    not, by query or not.
    """
    patch = channels * samples // tokens
    assert patch * tokens == channels * samples and tokens % channels == 0
    builder = GraphBuilder("network", {"input": TensorType(DType.S16, (1, channels, samples))}, ("logits",))
    net = _Network(builder, np.random.default_rng(seed))
    patches = builder.reshape("input", (tokens, patch), "/patch/Reshape", "patches")
    groups = channels if 0 < rope_period < tokens else 1
    stream = net.linear("patch", patches, dim, _shift(patch, 2000, 2000), dtype="s16", groups=groups)
    rotation = net.rotation_table(rope_period, dim // heads) if rope_period else None
    for layer in range(layers):
        stream = net.attention(f"block{layer}.attn", stream, heads, rotation, bias)
        stream = net.mlp(f"block{layer}.mlp", stream, hidden)
    normed = net.layernorm("norm", stream)
    if head == "classes":
        net.classifier(normed, channels, classes)
    elif head == "signal":
        net.logits(normed, patch)
    else:
        net.curves(normed, channels, classes, samples)
    graph = builder.graph()
    verify(graph)
    return graph


def column_network(seed: int) -> Graph:
    """Return a verified integer graph of linears and ops that need whole columns, of any small shape."""
    random = np.random.default_rng(seed)
    rows, groups = int(random.integers(2, 9)), int(random.integers(1, 6))
    shape = (rows * groups, 2 * int(random.integers(1, 16)))
    builder = GraphBuilder("columns", {"input": TensorType(DType.S16, shape)}, ("drawn",))
    net = _Network(builder, random)
    channels = 4 * int(random.integers(1, 12))
    x = net.linear("first", "input", channels, _shift(shape[1], 2000, 2000), dtype="s16", groups=groups)
    if random.integers(2):
        x = builder.op(OpKind.PERMUTE_ROWS, [x], PermuteRowsAttrs(rows), "/wide/Transpose", "wide")
    x = net.layernorm("norm", x)
    for number in range(int(random.integers(1, 4))):
        if random.integers(2):
            attrs = PermuteRowsAttrs(groups)
            x = builder.op(OpKind.PERMUTE_ROWS, [x], attrs, f"/{number}/Transpose", f"turned{number}")
        taps = 2 * int(random.integers(4)) + 1
        x = net.depthwise(f"smooth{number}", x, taps, table=bool(random.integers(2)))
    count = int(random.integers(1, 17))
    x = net.linear("points", x, count, _shift(channels, 40, 8000), dtype="s16")
    layout: Literal["rows", "transposed"] = "rows" if random.integers(2) else "transposed"
    net.interpolate("drawn", x, 2 * int(random.integers(1, 40)), layout)
    graph = builder.graph()
    verify(graph)
    return graph


def _loc(name: str, node: str) -> str:
    return f"/{name.replace('.', '/')}/{node}"


def _shift(depth: int, x_deviation: int, y_deviation: int) -> int:
    """Return the shift that brings sums of `depth` random products near the wanted standard deviation."""
    return round(log2(x_deviation * 73 * sqrt(depth) * 96 / y_deviation))


@dataclass(frozen=True, slots=True)
class _Network:
    builder: GraphBuilder
    random: np.random.Generator

    def integers(self, shape: tuple[int, ...], limit: int) -> Array:
        return np.asarray(self.random.integers(-limit, limit + 1, shape))

    def linear(
        self,
        name: str,
        x: str,
        channels: int,
        shift: int,
        *,
        dtype: Literal["s8", "s16"] = "s8",
        layout: Layout = "rows",
        heads: int = 1,
        groups: int = 1,
        table: bool = False,
        residual: str | None = None,
    ) -> str:
        depth = self.builder.type_of(x).shape[1]
        low, high = MULTIPLIERS
        half = 2 ** (shift - 1)
        offsets = self.integers((groups, channels), 20 if dtype == "s8" else 300) * 2**shift
        weight = self.integers((channels, depth), 127).astype(np.int8)
        operands = [
            x,
            self.builder.constant(weight, f"{name}.weight"),
            self.builder.constant(
                self.random.integers(low, high, channels).astype(np.int32), f"{name}.multiplier"
            ),
            self.builder.constant((offsets + half).astype(np.int32), f"{name}.bias"),
        ]
        if table:
            gelu = np.clip(np.rint([max(code, code // 8) for code in range(-128, 128)]), -128, 127)
            operands.append(self.builder.constant(gelu.astype(np.int8), f"{name}.table"))
        if residual is not None:
            operands.append(residual)
        attrs = QLinearAttrs(shift, dtype, layout, heads, table, residual is not None)
        return self.builder.op(OpKind.QLINEAR, operands, attrs, _loc(name, "MatMul"), name)

    def classifier(self, x: str, groups: int, classes: int) -> str:
        tokens, dim = self.builder.type_of(x).shape
        group = tokens // groups
        multiplier = min(2**20 // group, 2**15 - 1)
        attrs = QMeanRowsAttrs(group, multiplier, 2**11, 12)
        pooled = self.builder.op(OpKind.QMEAN_ROWS, [x], attrs, "/head/ReduceMean", "pooled")
        features = self.builder.reshape(pooled, (1, groups * dim), "/head/Reshape", "features")
        return self.logits(features, classes)

    def curves(self, x: str, groups: int, count: int, samples: int) -> str:
        """Put the tokens of all channels side by side, mix, smooth, and draw `count` curves through them."""
        tokens, dim = self.builder.type_of(x).shape
        rows = tokens // groups
        x = self.builder.op(OpKind.PERMUTE_ROWS, [x], PermuteRowsAttrs(groups), "/head/Transpose", "turned")
        x = self.builder.reshape(x, (rows, groups * dim), "/head/Reshape", "wide")
        x = self.linear("mixed", x, 2 * dim, _shift(groups * dim, 40, 40), table=True)
        x = self.depthwise("smooth", x, 3, table=True)
        x = self.depthwise("smoother", x, 5, table=False)
        x = self.linear("points", x, count, _shift(2 * dim, 40, 8000), dtype="s16")
        return self.interpolate("logits", x, samples)

    def depthwise(self, name: str, x: str, taps: int, *, table: bool) -> str:
        channels = self.builder.type_of(x).shape[1]
        shift = _shift(taps, 40, 40)
        operands = [
            x,
            self.builder.constant(self.integers((channels, taps), 127).astype(np.int8), f"{name}.weight"),
            self.builder.constant(
                self.random.integers(*MULTIPLIERS, channels).astype(np.int32), f"{name}.multiplier"
            ),
            self.builder.constant(self.integers((channels,), 2**shift).astype(np.int32), f"{name}.bias"),
        ]
        if table:
            codes = self.integers((256,), 127).astype(np.int8)
            operands.append(self.builder.constant(codes, f"{name}.table"))
        attrs = QDepthwiseRowsAttrs(shift, int(self.random.integers(-128, 128)), table)
        return self.builder.op(OpKind.QDEPTHWISE_ROWS, operands, attrs, _loc(name, "Conv"), name)

    def interpolate(
        self, name: str, x: str, rows: int, layout: Literal["rows", "transposed"] = "transposed"
    ) -> str:
        before, weight = interpolation(self.builder.type_of(x).shape[0], rows)
        table = np.stack([before, np.rint(weight * 2**14)], axis=1).astype(np.int16)
        operands = [x, self.builder.constant(table, f"{name}.table")]
        attrs = QInterpolateRowsAttrs(rows, layout)
        return self.builder.op(OpKind.QINTERPOLATE_ROWS, operands, attrs, "/head/Resize", name)

    def logits(self, features: str, classes: int) -> str:
        depth = self.builder.type_of(features).shape[1]
        limit = max(1, min(127, 2**30 // (depth * 2**15)))
        weight = self.integers((classes, depth), limit).astype(np.int8)
        operands = [
            features,
            self.builder.constant(weight, "logits.weight"),
            self.builder.constant(np.ones(classes, dtype=np.int32), "logits.multiplier"),
            self.builder.constant(self.integers((1, classes), 2**20).astype(np.int32), "logits.bias"),
        ]
        return self.builder.op(OpKind.QLINEAR, operands, QLinearAttrs(0, "s32"), "/head/MatMul", "logits")

    def layernorm(self, name: str, x: str) -> str:
        channels = self.builder.type_of(x).shape[1]
        center_bits = (30 - (channels - 1).bit_length()) // 2
        norm_bits = min(11, 15 - ceil(log2(sqrt(channels))))
        largest = min(10 * channels**3, 2**31 - 1 - channels * 4**center_bits)
        epsilon = tuple(largest // 4**shift for shift in range(32 - center_bits))
        gamma_shift = 18
        gamma = np.rint(40 * 2.0 ** (gamma_shift - norm_bits) * self.random.uniform(0.7, 1.3, channels))
        beta = self.integers((channels,), 20) * 2**gamma_shift
        operands = [
            x,
            self.builder.constant(gamma.astype(np.int16), f"{name}.gamma"),
            self.builder.constant(beta.astype(np.int32), f"{name}.beta"),
        ]
        root = round(2**15 * sqrt(channels / 256))
        attrs = QLayerNormAttrs(epsilon, center_bits, norm_bits, root, gamma_shift)
        return self.builder.op(OpKind.QLAYERNORM, operands, attrs, _loc(name, "LayerNorm"), name)

    def rotation_table(self, period: int, width: int) -> str:
        angles = np.arange(period)[:, None] * 10_000.0 ** (-np.arange(0, width, 2) / width)
        pairs = np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(period, width)
        return self.builder.constant(np.rint(pairs * 2**14).astype(np.int16), "rotation")

    def query_or_key(self, name: str, x: str, heads: int, rotation: str | None) -> str:
        depth = self.builder.type_of(x).shape[1]
        if rotation is None:
            return self.linear(name, x, depth, _shift(depth, 40, 30), layout="heads", heads=heads)
        wide = self.linear(f"{name}.unrotated", x, depth, _shift(depth, 40, 30 * 64), dtype="s16")
        attrs = QRopeAttrs(heads, 20)
        return self.builder.op(OpKind.QROPE, [wide, rotation], attrs, _loc(name, "Rope"), name)

    def score_bias(self, name: str, heads: int, tokens: int, by_head: bool, by_query: bool) -> str:
        """Return numbers of a table's reach, and some that say never."""
        shape = heads if by_head else 1, tokens if by_query else 1, tokens
        codes = self.integers(shape, 300)
        codes[self.random.random(shape) < 0.2] = -20_000
        return self.builder.constant(codes.astype(np.int16), f"{name}.bias")

    def attention(
        self, name: str, stream: str, heads: int, rotation: str | None, bias: tuple[bool, bool] | None
    ) -> str:
        dim = self.builder.type_of(stream).shape[1]
        normed = self.layernorm(f"{name}.norm", stream)
        q = self.query_or_key(f"{name}.q", normed, heads, rotation)
        k = self.query_or_key(f"{name}.k", normed, heads, rotation)
        vt = self.linear(f"{name}.v", normed, dim, _shift(dim, 40, 30), layout="transposed")
        smallest = max(1, (dim // heads - 1).bit_length())
        table = np.rint(255 * np.exp(-np.arange(1024) / np.linspace(60, 80, heads)[:, None]))
        table[:, -1] = 0
        exp_table = self.builder.constant(table.astype(np.uint8), f"{name}.exp_table")
        attrs = QAttentionAttrs(heads, tuple(smallest + head % 2 for head in range(heads)), 16_000, 13)
        operands = [q, k, vt, exp_table]
        if bias is not None:
            operands.append(self.score_bias(name, heads, self.builder.type_of(stream).shape[0], *bias))
        mixed = self.builder.op(OpKind.QATTENTION, operands, attrs, _loc(name, "Softmax"), f"{name}.mixed")
        return self.linear(f"{name}.proj", mixed, dim, _shift(dim, 40, 500), dtype="s16", residual=stream)

    def mlp(self, name: str, stream: str, hidden: int) -> str:
        dim = self.builder.type_of(stream).shape[1]
        normed = self.layernorm(f"{name}.norm", stream)
        wide = self.linear(f"{name}.fc1", normed, hidden, _shift(dim, 40, 40), table=True)
        return self.linear(f"{name}.fc2", wide, dim, _shift(hidden, 30, 500), dtype="s16", residual=stream)
