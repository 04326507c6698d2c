"""Ordinary EMG encoders, written and exported as people write them in PyTorch, and a long perceptron."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from examples.tinymyo.export import Exporter
from tests.examples.head_models import export
from tests.quantised.pt2e_models import exported
from tests.quantised.qdq_models import quantise

Array = NDArray[Any]
Quantiser = Literal["none", "per tensor", "per channel", "unsigned per channel", "trained", "pt2e"]


# Activations of onnxruntime's quantisers.
TYPES_OF = {"per tensor": "uint8", "per channel": "int8", "unsigned per channel": "uint8"}


@dataclass(frozen=True, slots=True)
class Encoder:
    """Windows (1, channels, tokens * patch) to tokens of `dim` columns, layers of attention, and a head.

    embed: one token for each patch of all channels, by a linear or a convolution, or, with patch 1, for each
    sample. norm: pre-norm blocks with a norm behind, or post-norm ones with a norm in front. quantiser:
    onnxruntime's, on the exported file; PyTorch's fake quantisation of linear layers, ranges and weights as
    training leaves them; or PyTorch's PT2E. windows: how many calibrate; none leave it to noise or to the
    ranges that the file declares.
    """

    tokens: int
    dim: int
    heads: int
    layers: int = 2
    patch: int = 1
    channels: int = 8
    ratio: int = 4
    classes: int = 5
    embed: Literal["linear", "conv"] = "linear"
    norm: Literal["pre", "post"] = "pre"
    activation: Literal["gelu", "relu"] = "gelu"
    positions: bool = True
    head: Literal["mean", "flatten", "tokens", "mlp"] = "mean"
    exporter: Exporter = "torchscript"
    opset: int = 17
    quantiser: Quantiser = "none"
    windows: int = 16

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Return the shape of the input `emg`."""
        return 1, self.channels, self.tokens * self.patch


class Network(nn.Module):
    """The encoder in PyTorch's own layers."""

    def __init__(self, shape: Encoder) -> None:
        super().__init__()
        self.shape = shape
        dim, width = shape.dim, shape.channels * shape.patch
        self.embed: nn.Module = (
            nn.Conv1d(shape.channels, dim, shape.patch, shape.patch)
            if shape.embed == "conv"
            else nn.Linear(width, dim)
        )
        self.positions = nn.Parameter(0.2 * torch.randn(1, shape.tokens, dim)) if shape.positions else None
        self.first = nn.LayerNorm(dim) if shape.norm == "post" else nn.Identity()
        layer = nn.TransformerEncoderLayer(
            dim,
            shape.heads,
            shape.ratio * dim,
            dropout=0.1,
            activation=shape.activation,
            batch_first=True,
            norm_first=shape.norm == "pre",
        )
        last = nn.LayerNorm(dim) if shape.norm == "pre" else None
        self.blocks = nn.TransformerEncoder(layer, shape.layers, last, enable_nested_tensor=False)
        pooled = dim * shape.tokens if shape.head == "flatten" else dim
        self.head: nn.Module = (
            nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, shape.classes))
            if shape.head == "mlp"
            else nn.Linear(pooled, shape.classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (1, classes), or (1, tokens, classes)."""
        shape = self.shape
        if shape.embed == "conv":
            x = self.embed(x).transpose(1, 2)
        elif shape.patch == 1:
            x = self.embed(x.transpose(1, 2))
        else:
            patches = x.reshape(1, shape.channels, shape.tokens, shape.patch).permute(0, 2, 1, 3)
            x = self.embed(patches.reshape(1, shape.tokens, shape.channels * shape.patch))
        if self.positions is not None:
            x = x + self.positions
        x = self.blocks(self.first(x))
        if shape.head == "flatten":
            x = x.flatten(1)
        elif shape.head != "tokens":
            x = x.mean(dim=1)
        return self.head(x)  # type: ignore[no-any-return]


class LongStage(nn.Module):
    """A perceptron of residual blocks on many rows: 25 linears and 13 norms in the loop of one stage."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last, self.norm = nn.Linear(12, 32), nn.Linear(32, 4), nn.LayerNorm(32)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 128), nn.GELU(), nn.Linear(128, 32))
            for _ in range(12)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (rows, 12) to (rows, 4)."""
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.last(self.norm(x))  # type: ignore[no-any-return]


def _fake_quantise(network: nn.Module, arrays: list[Array]) -> None:
    """Round what every linear layer reads and its weights, to the ranges of some windows."""
    linears = [part for part in network.modules() if type(part) is nn.Linear]
    reach: dict[nn.Module, float] = {}

    def look(part: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        reach[part] = max(reach.get(part, 0.0), float(inputs[0].abs().max()))

    looking = [part.register_forward_pre_hook(look) for part in linears]
    with torch.no_grad():
        for array in arrays:
            network(torch.from_numpy(array))
        for hook in looking:
            hook.remove()
        for part in linears:
            if part not in reach:
                continue
            step = part.weight.abs().max() / 127
            part.weight.copy_(torch.round(part.weight / step) * step)

            def rounded(part: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
                scale = reach[part] / 127
                return (torch.fake_quantize_per_tensor_affine(inputs[0], scale, 0, -128, 127),)

            part.register_forward_pre_hook(rounded)


def windows(shape: tuple[int, ...], count: int, seed: int) -> list[Array]:
    """Return windows of bursts of coloured noise, their loudness from window to window 1 to 4."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal((count, *shape[1:-1], shape[-1] + 1))
    loudness = np.exp(random.uniform(-0.7, 0.7, (count, *shape[1:-1], 1)))
    coloured = (noise[..., 1:] - 0.5 * noise[..., :-1]) * loudness
    return [window[None].astype(np.float32) for window in coloured]


def write_encoder(folder: Path, shape: Encoder, seed: int = 0) -> Path:
    """Write the network, quantised where it says so, its calibration windows beside it; return its path."""
    path = folder / "net.onnx"
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Network(shape).eval()
        with torch.no_grad():
            for part in network.modules():
                if isinstance(part, nn.LayerNorm):  # as training leaves them
                    part.weight.mul_(torch.exp(0.3 * torch.randn(shape.dim)))
                    part.bias.add_(0.2 * torch.randn(shape.dim))
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # else the older exporter meets ops that ONNX lacks
    calibration = windows(shape.input_shape, max(shape.windows, 16), seed=1)
    try:
        if shape.quantiser == "trained":
            _fake_quantise(network, calibration)
        if shape.quantiser == "pt2e":
            exported(network, path, shape.input_shape, "xnnpack per channel", calibration)
        else:
            export(network, shape.input_shape, path, shape.exporter, shape.opset, fold=True)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    if shape.windows:
        (value,) = onnx.load(path).graph.input
        np.savez(folder / "net.calibration.npz", **{value.name: np.stack(calibration[: shape.windows])})
    if shape.quantiser in TYPES_OF:
        quant_pre_process(path, folder / "ready.onnx", skip_symbolic_shape=True)
        channels = shape.quantiser.endswith("per channel")
        quantise(folder / "ready.onnx", path, channels, TYPES_OF[shape.quantiser], calibration)
    onnx.checker.check_model(str(path))
    return path
