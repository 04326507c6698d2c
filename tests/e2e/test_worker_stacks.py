"""Ordinary encoders whose calls once were deeper than a core's stack: bit-exact on host and iss."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.tmc.command import succeeded


@dataclass(frozen=True, slots=True)
class Encoder:
    """Patches of 8 channels, positions, pre-norm layers, the mean of all tokens, 5 classes."""

    tokens: int
    dim: int = 48
    heads: int = 4
    layers: int = 2
    patch: int = 1
    has_windows: bool = True

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


ENCODERS = {
    "100_tokens": Encoder(100),
    "200_tokens": Encoder(200),
    "patch_4": Encoder(50, dim=32, patch=4),
    "patch_10": Encoder(20, dim=64, patch=10),
    "patch_20_without_windows": Encoder(10, patch=20, has_windows=False),
}
MORE_ENCODERS = {
    "160_tokens": Encoder(160),
    "240_tokens": Encoder(240),
    "d_64": Encoder(200, dim=64),
    "3_heads": Encoder(200, heads=3),
    "1_layer": Encoder(200, layers=1),
}


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


def check(folder: Path, network: nn.Module, shape: tuple[int, ...], has_windows: bool) -> None:
    """Compile a network as a user does and run it everywhere."""
    model = folder / "net.onnx"
    # With gradients, as users do it: without, PyTorch takes a layer for one operator that ONNX does not have.
    names = {"input_names": ["emg"], "output_names": ["y"], "opset_version": 17}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.zeros(shape),), str(model), dynamo=False, **names)
    if has_windows:
        noise = np.random.default_rng(0).standard_normal((8, *shape[-2:]))
        np.savez(folder / "net.calibration.npz", emg=noise.astype(np.float32))
    facts = succeeded("compile", model)
    assert facts["worker_stack"]["need_bytes"] <= facts["stacks"]["worker_bytes"] == 1024
    for options in (("host",), ("iss",), ("iss", "--no-trace")):
        ran = succeeded("run", folder / "net", "--on", *options)
        assert (ran["bit_exact"], ran["mismatches"]) == (True, 0), options


@pytest.mark.parametrize("name", ENCODERS)
def test_encoder(tmp_path: Path, name: str) -> None:
    size = ENCODERS[name]
    check(tmp_path, size.build(), (1, 8, size.tokens * size.patch), size.has_windows)


@pytest.mark.soak
@pytest.mark.parametrize("name", MORE_ENCODERS)
def test_more_encoders(tmp_path: Path, name: str) -> None:
    size = MORE_ENCODERS[name]
    check(tmp_path, size.build(), (1, 8, size.tokens * size.patch), size.has_windows)


def test_a_stage_of_many_calls(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = LongStage().eval()
    check(tmp_path, network, (300, 12), has_windows=False)
