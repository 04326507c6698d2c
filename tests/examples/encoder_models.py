"""Encoders of transformers as users write them, with PyTorch's own layers, and a long perceptron."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Encoder:
    """Patches of 8 channels, positions, pre-norm layers, the mean of all tokens, 5 classes."""

    tokens: int
    dim: int = 48
    heads: int = 4
    layers: int = 2
    patch: int = 1

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Return the shape of the input."""
        return 1, 8, self.tokens * self.patch

    def build(self) -> nn.Module:
        """Return the network with seeded weights."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return _Encoder(self).eval()


class _Encoder(nn.Module):
    def __init__(self, size: Encoder) -> None:
        super().__init__()
        self.token_per_sample = size.patch == 1
        if self.token_per_sample:
            self.embed: nn.Module = nn.Linear(8, size.dim)
        else:
            self.embed = nn.Conv1d(8, size.dim, size.patch, stride=size.patch)
        self.positions = nn.Parameter(0.02 * torch.randn(1, size.tokens, size.dim))
        layer = nn.TransformerEncoderLayer(
            size.dim, size.heads, 4 * size.dim, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, size.layers, norm=nn.LayerNorm(size.dim), enable_nested_tensor=False
        )
        self.head = nn.Linear(size.dim, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, 8, samples) to (1, 5)."""
        tokens = self.embed(x.transpose(1, 2)) if self.token_per_sample else self.embed(x).transpose(1, 2)
        return self.head(self.encoder(tokens + self.positions).mean(1))  # type: ignore[no-any-return]


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


def long_stage() -> nn.Module:
    """Return a LongStage with seeded weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LongStage().eval()


def export_with_gradients(network: nn.Module, shape: tuple[int, ...], path: Path) -> None:
    """Write a network of one input `emg` to one output `y` as users do.

    Without gradients PyTorch would take a layer of an encoder for one operator that ONNX does not have.
    """
    names = {"input_names": ["emg"], "output_names": ["y"], "opset_version": 17}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.zeros(shape),), str(path), dynamo=False, **names)
