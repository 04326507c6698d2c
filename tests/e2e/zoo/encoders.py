"""Sixty encoders as labs write them, each with what makes it different from its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from examples.tinymyo.export import Exporter
from tests.e2e.encoders import windows
from tests.e2e.zoo.attention import Attention, Heads, QueryKey, Scores
from tests.e2e.zoo.parts import (
    FeedForward,
    Head,
    Heading,
    Mlp,
    Norm,
    Pool,
    Pooling,
    RootMeanSquareNorm,
    Stem,
    Stems,
    norm,
)

CALIBRATION_WINDOWS = 32
CLASSES = 5


@dataclass(frozen=True, slots=True)
class Encoder:
    """Windows (batch, channels, tokens * patch) to five classes.

    order: where norms stand in a block; "torch" is PyTorch's own layer, pre-norm or post-norm as `norm_first`
    says by default. batch: of the file; None leaves the axis open. opset: None is the exporter's own.
    """

    name: str
    stem: Stem = "patches"
    channels: int = 8
    tokens: int = 10
    patch: int = 10
    dim: int = 32
    heads: int = 4
    layers: int = 1
    positions: Literal["learned", "sines", "none"] = "learned"
    prefix: int = 0
    order: Literal["pre", "post", "parallel", "torch", "torch_first"] = "pre"
    norm: Norm = "layer"
    scores: Scores = "plain"
    kv: Heads = "all"
    query_key: QueryKey = "plain"
    fused: bool = False
    mlp: Mlp = "gelu"
    layer_scale: bool = False
    first_mlp: bool = False
    pool: Pool = "mean"
    head: Head = "linear"
    exporter: Exporter = "torchscript"
    opset: int = 17
    batch: int | None = 1

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Return the shape of one window, batch 1."""
        return 1, self.channels, self.tokens * self.patch


ENCODERS = (
    # exports
    Encoder("plain"),
    Encoder("plain, dynamo", exporter="dynamo", opset=18),
    Encoder("plain, open batch", batch=None),
    Encoder("plain, open batch, dynamo", batch=None, exporter="dynamo", opset=20),
    Encoder("plain, batch of 4", batch=4),
    Encoder("opset 13", opset=13),
    Encoder("fused attention", fused=True),
    Encoder("fused attention, dynamo", fused=True, exporter="dynamo", opset=18),
    Encoder("PyTorch's layer", order="torch"),
    Encoder("PyTorch's layer, norm first", order="torch_first", layers=2),
    Encoder("PyTorch's layer, open batch, dynamo", order="torch", batch=None, exporter="dynamo", opset=18),
    # stems
    Encoder("convolution as patches", stem="conv"),
    Encoder("overlapping patches", stem="overlap"),
    Encoder("overlapping patches, dynamo", stem="overlap", exporter="dynamo", opset=18),
    Encoder("convolutions, batch norm, ELU", stem="conv_bn_elu", patch=5),
    Encoder("depthwise convolution in front", stem="depthwise"),
    Encoder("window as an image", stem="image"),
    Encoder("a token for each sample", stem="samples", tokens=100, patch=1),
    Encoder("a token for each channel", stem="channels", channels=12),
    Encoder("normalised by constants", stem="normalised"),
    Encoder("one channel", channels=1, patch=20),
    Encoder("sixty-four channels", channels=64, patch=50),
    Encoder("overlapping patches of many channels", stem="overlap", channels=12, patch=16),
    # tokens and positions
    Encoder("class token", prefix=1, pool="cls"),
    Encoder("class token, open batch", prefix=1, pool="cls", batch=None),
    Encoder("class token, dynamo", prefix=1, pool="cls", exporter="dynamo", opset=18),
    Encoder("registers and a mean", prefix=3, layers=2),
    Encoder("sines as positions", positions="sines"),
    Encoder("no positions", positions="none"),
    Encoder("last token", pool="last", scores="causal"),
    Encoder("one token", tokens=1, patch=50),
    # blocks
    Encoder("post-norm", order="post", layers=2),
    Encoder("parallel branches", order="parallel"),
    Encoder("parallel branches without a norm", order="parallel", norm="none"),
    Encoder("RMSNorm", norm="rms"),
    Encoder("RMSNorm, SwiGLU, rotations", norm="rms", mlp="swiglu", query_key="rope", positions="none"),
    Encoder("batch norm", norm="batch", order="post"),
    Encoder("batch norm before", norm="batch", layers=2),
    Encoder("no norm", norm="none"),
    Encoder("layer scale", layer_scale=True, layers=2),
    # attention
    Encoder("causal", scores="causal"),
    Encoder("causal, fused", scores="causal", fused=True),
    Encoder("relative positions", scores="relative", positions="none"),
    Encoder("distances on scores", scores="alibi", positions="none"),
    Encoder("local windows", scores="window"),
    Encoder("grouped queries", kv="grouped"),
    Encoder("one head of keys", kv="one"),
    Encoder("normed queries and keys", query_key="norm"),
    Encoder("rotations", query_key="rope", positions="none"),
    Encoder("a scale for each head", query_key="scaled"),
    Encoder("heads of 6", dim=24),
    Encoder("heads of 5", dim=20),
    Encoder("one head", heads=1),
    # feed-forward
    Encoder("ReLU", mlp="relu"),
    Encoder("SiLU", mlp="silu"),
    Encoder("ELU", mlp="elu"),
    Encoder("hard swish", mlp="hardswish"),
    Encoder("gated by SiLU", mlp="swiglu"),
    Encoder("gated by GELU, dynamo", mlp="geglu", exporter="dynamo", opset=18),
    # heads
    Encoder("largest over tokens", pool="max"),
    Encoder("pooled by attention", pool="sequence"),
    Encoder("all tokens flattened", pool="flatten"),
    Encoder("result for each token", pool="none"),
    Encoder("norm and linear as head", head="norm", pool="mean"),
    Encoder("two linears as head", head="mlp"),
    Encoder("tanh at the end", head="tanh"),
    Encoder("sigmoid at the end", head="sigmoid"),
    Encoder("index of the largest", head="argmax"),
    Encoder("sum of two stems", stem="two_stems"),
    Encoder("mean of each channel removed", stem="centred"),
    Encoder("feed-forward first, as in a Conformer", first_mlp=True),
)


class Block(nn.Module):
    """Attention and feed-forward with their norms and sums."""

    def __init__(self, shape: Encoder, tokens: int) -> None:
        super().__init__()
        self.order, dim = shape.order, shape.dim
        self.attention = Attention(
            dim, shape.heads, tokens, shape.scores, shape.kv, shape.query_key, shape.fused
        )
        self.mlp = FeedForward(shape.mlp, dim, 2 * dim)
        self.first = (
            nn.Sequential(norm(shape.norm, dim), FeedForward("silu", dim, 2 * dim))
            if shape.first_mlp
            else None
        )
        self.norm1, self.norm2 = norm(shape.norm, dim), norm(shape.norm, dim)
        scale = torch.linspace(0.3, 0.8, dim)
        self.scales = nn.ParameterList([scale, scale.flip(0)] if shape.layer_scale else [])

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, tokens, dim) to the same shape."""
        if self.first is not None:
            x = x + 0.5 * self.first(x)
        if self.order == "post":
            x = self.norm1(x + self.attention(x))
            return self.norm2(x + self.mlp(x))  # type: ignore[no-any-return]
        if self.order == "parallel":
            y = self.norm1(x)
            return x + self.attention(y) + self.mlp(y)  # type: ignore[no-any-return]
        attended = self.attention(self.norm1(x))
        x = x + (attended * self.scales[0] if len(self.scales) else attended)
        mixed = self.mlp(self.norm2(x))
        return x + (mixed * self.scales[1] if len(self.scales) else mixed)  # type: ignore[no-any-return]


class Network(nn.Module):
    """An encoder of the table."""

    def __init__(self, shape: Encoder) -> None:
        super().__init__()
        dim = shape.dim
        tokens = shape.channels if shape.stem == "channels" else shape.tokens
        self.stem = Stems(shape.stem, shape.channels, shape.tokens, shape.patch, dim)
        self.positions: Tensor | None = None
        if shape.positions == "learned":
            self.positions = nn.Parameter(0.2 * torch.randn(1, tokens, dim))
        elif shape.positions == "sines":
            angles = torch.arange(tokens)[:, None] * 0.1 ** torch.linspace(0, 1, dim // 2)[None]
            self.register_buffer("table", torch.cat((angles.sin(), angles.cos()), 1)[None])
            self.positions = self.table
        self.prefix = nn.Parameter(torch.randn(1, shape.prefix, dim)) if shape.prefix else None
        if shape.order in ("torch", "torch_first"):
            layer = nn.TransformerEncoderLayer(
                dim, shape.heads, 2 * dim, batch_first=True, norm_first=shape.order == "torch_first"
            )
            self.blocks: nn.Module = nn.TransformerEncoder(layer, shape.layers, enable_nested_tensor=False)
        else:
            self.blocks = nn.Sequential(*(Block(shape, tokens + shape.prefix) for _ in range(shape.layers)))
        self.last = norm(shape.norm, dim) if shape.order in ("pre", "parallel") else nn.Identity()
        self.pool = Pooling(shape.pool, dim)
        self.head = Heading(shape.head, dim * tokens if shape.pool == "flatten" else dim, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the head gives."""
        x = self.stem(x)
        if self.positions is not None:
            x = x + self.positions
        if self.prefix is not None:
            x = torch.cat((self.prefix.expand(x.shape[0], -1, -1), x), dim=1)
        return self.head(self.pool(self.last(self.blocks(x))))  # type: ignore[no-any-return]


def build(shape: Encoder, seed: int) -> Network:
    """Return a network with seeded weights; norms have parameters and statistics as training leaves them."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Network(shape)
        with torch.no_grad():
            for part in network.modules():
                if isinstance(part, nn.LayerNorm | RootMeanSquareNorm | nn.BatchNorm1d):
                    assert part.weight is not None
                    part.weight.mul_(torch.exp(0.3 * torch.randn(part.weight.shape)))
                if isinstance(part, nn.LayerNorm | nn.BatchNorm1d):
                    part.bias.add_(0.2 * torch.randn(part.bias.shape))
                if isinstance(part, nn.BatchNorm1d):
                    assert part.running_mean is not None and part.running_var is not None
                    part.running_mean.add_(0.2 * torch.randn(part.running_mean.shape))
                    part.running_var.mul_(torch.exp(0.5 * torch.randn(part.running_var.shape)))
        return network.eval()


def write(folder: Path, shape: Encoder, seed: int) -> Path:
    """Write the network as a lab exports it, calibration windows beside it; return its path."""
    path, batch = folder / "net.onnx", shape.batch or 1
    network = build(shape, seed)
    example = torch.zeros(batch, *shape.input_shape[1:])
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # else the older exporter meets ops that ONNX lacks
    try:
        if shape.exporter == "dynamo":
            dynamic = {"x": {0: torch.export.Dim("batch")}} if shape.batch is None else None
            example = torch.zeros(2, *shape.input_shape[1:]) if shape.batch is None else example
            torch.onnx.export(
                network,
                (example,),
                path,
                input_names=["emg"],
                dynamo=True,
                external_data=False,
                opset_version=shape.opset,
                dynamic_shapes=dynamic,
                verbose=False,
            )
        else:
            axes = {"emg": {0: "batch"}} if shape.batch is None else None
            torch.onnx.export(
                network,
                (example,),
                path,
                input_names=["emg"],
                dynamo=False,
                opset_version=shape.opset,
                dynamic_axes=axes,
            )
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    (value,) = onnx.load(path).graph.input
    calibration = np.concatenate(windows(shape.input_shape, CALIBRATION_WINDOWS * batch, seed=1))
    np.savez(
        folder / "net.calibration.npz",
        **{value.name: calibration.reshape(CALIBRATION_WINDOWS, batch, *shape.input_shape[1:])},
    )
    return path
