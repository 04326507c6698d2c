"""Networks with the heads of TinyMyo, small and in plain PyTorch, written by both exporters."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from examples.tinymyo.export import Exporter

PATCH_SAMPLES = 20
HeadKind = Literal["reconstruction", "classification", "mean", "regression", "regression_mean"]


@dataclass(frozen=True, slots=True)
class HeadSize:
    """Dimensions: channels x patches tokens of `dim` columns; `hidden` and `out` columns of the head."""

    channels: int = 3
    patches: int = 4
    dim: int = 16
    hidden: int = 24
    out: int = 5
    samples: int = 50  # of the regression's result


class Head(nn.Module):
    """An embedding, a LayerNorm, and one head: windows (1, channels, 20 patches) to what the head gives."""

    def __init__(self, kind: HeadKind, size: HeadSize) -> None:
        super().__init__()
        self.kind, self.size = kind, size
        self.embed = nn.Linear(PATCH_SAMPLES, size.dim)
        self.norm = nn.LayerNorm(size.dim)
        width = size.dim if kind.endswith("mean") else size.channels * size.dim
        if kind == "reconstruction":
            self.head: nn.Module = nn.Linear(size.dim, PATCH_SAMPLES)
        elif kind.startswith("regression"):
            self.head = nn.Sequential(
                nn.Conv1d(width, size.hidden, 1),
                nn.SiLU(),
                nn.Dropout(0.1),
                nn.Conv1d(size.hidden, size.hidden, 3, padding=1, groups=size.hidden),
                nn.SiLU(),
                nn.Conv1d(size.hidden, size.out, 1),
            )
        else:
            self.head = nn.Linear(width, size.out)

    def forward(self, x: Tensor) -> Tensor:
        """Return (1, channels, 20 patches), (1, out) or (1, out, samples)."""
        size = self.size
        tokens = self.norm(self.embed(x.reshape(1, size.channels * size.patches, PATCH_SAMPLES)))
        if self.kind == "reconstruction":
            return self.head(tokens).reshape(1, size.channels, -1)  # type: ignore[no-any-return]
        grid = tokens.reshape(1, size.channels, size.patches, size.dim)
        if self.kind == "classification":
            return self.head(grid.mean(dim=2).flatten(1))  # type: ignore[no-any-return]
        if self.kind == "mean":
            return self.head(tokens.mean(dim=1))  # type: ignore[no-any-return]
        over_time = grid.permute(0, 2, 1, 3).reshape(1, size.patches, -1)
        result = self.head(over_time.transpose(1, 2))
        return functional.interpolate(result, size=size.samples, mode="linear", align_corners=False)


def build_head(kind: HeadKind, size: HeadSize, seed: int = 0) -> Head:
    """Return a head with seeded weights, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Head(kind, size).eval()


def export(
    model: nn.Module, shape: tuple[int, ...], path: Path, exporter: Exporter, opset: int, fold: bool
) -> None:
    """Write a model of one input `emg` to one output `y`."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        names = {"input_names": ["emg"], "output_names": ["y"], "opset_version": opset}
        if exporter == "torchscript":
            torch.onnx.export(
                model, (torch.zeros(shape),), str(path), dynamo=False, do_constant_folding=fold, **names
            )
        else:
            program = torch.onnx.export(
                model, (torch.zeros(shape),), dynamo=True, optimize=fold, verbose=False, **names
            )
            assert program is not None
            program.save(str(path), external_data=False)
