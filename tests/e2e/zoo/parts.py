"""What stands before, inside and behind the blocks of an encoder, as people write it in PyTorch."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Stem = Literal[
    "patches",
    "normalised",
    "centred",
    "conv",
    "overlap",
    "two_stems",
    "conv_bn_elu",
    "depthwise",
    "image",
    "samples",
    "channels",
]
Norm = Literal["layer", "rms", "batch", "none"]
Mlp = Literal["gelu", "relu", "silu", "elu", "hardswish", "swiglu", "geglu"]
Pool = Literal["mean", "cls", "last", "max", "sequence", "flatten", "none"]
Head = Literal["linear", "mlp", "norm", "tanh", "sigmoid", "argmax"]


class Stems(nn.Module):
    """Windows (batch, channels, tokens * patch) to tokens (batch, tokens, dim)."""

    def __init__(self, kind: Stem, channels: int, tokens: int, patch: int, dim: int) -> None:
        super().__init__()
        self.kind, self.tokens, self.patch = kind, tokens, patch
        if kind in ("patches", "normalised", "centred"):
            self.embed: nn.Module = nn.Linear(channels * patch, dim)
            self.register_buffer("mean", torch.linspace(-0.3, 0.3, channels)[:, None])
            self.register_buffer("deviation", torch.linspace(0.5, 2.0, channels)[:, None])
        elif kind == "samples":
            self.embed = nn.Linear(channels, dim)
        elif kind == "channels":
            self.embed = nn.Linear(tokens * patch, dim)
        elif kind == "conv":
            self.embed = nn.Conv1d(channels, dim, patch, patch)
        elif kind == "overlap":
            self.embed = nn.Conv1d(channels, dim, 2 * patch, patch, padding=patch // 2)
        elif kind == "two_stems":
            self.embed = nn.Conv1d(channels, dim, patch, patch)
            self.smooth = nn.Conv1d(channels, dim, 2 * patch, patch, padding=patch // 2)
        elif kind == "conv_bn_elu":
            self.embed = nn.Sequential(
                nn.Conv1d(channels, dim, 3, padding=1),
                nn.BatchNorm1d(dim),
                nn.ELU(),
                nn.Conv1d(dim, dim, patch, patch),
            )
        elif kind == "depthwise":
            self.embed = nn.Sequential(
                nn.Conv1d(channels, dim, patch, patch),
                nn.Conv1d(dim, dim, 3, padding=1, groups=dim),
                nn.BatchNorm1d(dim),
                nn.ReLU(),
                nn.Conv1d(dim, dim, 1),
            )
        else:
            self.embed = nn.Conv2d(1, dim, (channels, patch), (channels, patch))

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens."""
        batch, channels, _ = x.shape
        if self.kind == "normalised":
            x = (x - self.mean) / self.deviation  # type: ignore[operator]
        if self.kind == "centred":
            x = x - x.mean(dim=-1, keepdim=True)
        if self.kind == "two_stems":
            return (self.embed(x).relu() + self.smooth(x).tanh()).transpose(1, 2)  # type: ignore[no-any-return]
        if self.kind in ("patches", "normalised", "centred"):
            x = x.reshape(batch, channels, self.tokens, self.patch).permute(0, 2, 1, 3)
            return self.embed(x.flatten(2))  # type: ignore[no-any-return]
        if self.kind == "samples":
            return self.embed(x.transpose(1, 2))  # type: ignore[no-any-return]
        if self.kind == "channels":
            return self.embed(x)  # type: ignore[no-any-return]
        if self.kind == "image":
            return self.embed(x.unsqueeze(1)).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]
        return self.embed(x).transpose(1, 2)  # type: ignore[no-any-return]


class TokenBatchNorm(nn.Module):
    """BatchNorm1d over the columns of (batch, tokens, dim)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        return self.norm(x.transpose(1, 2)).transpose(1, 2)  # type: ignore[no-any-return]


class RootMeanSquareNorm(nn.Module):
    """RMSNorm as written before PyTorch had it."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        return self.weight * x * torch.rsqrt(x.pow(2).mean(dim=-1, keepdim=True) + 1e-6)


def norm(kind: Norm, dim: int) -> nn.Module:
    """Return a norm of (batch, tokens, dim)."""
    if kind == "layer":
        return nn.LayerNorm(dim)
    if kind == "rms":
        return RootMeanSquareNorm(dim)
    return TokenBatchNorm(dim) if kind == "batch" else nn.Identity()


class FeedForward(nn.Module):
    """Two linears and a function between them, or a product with a gate."""

    def __init__(self, kind: Mlp, dim: int, hidden: int) -> None:
        super().__init__()
        self.function = {
            "gelu": functional.gelu,
            "geglu": functional.gelu,
            "relu": functional.relu,
            "silu": functional.silu,
            "swiglu": functional.silu,
            "elu": functional.elu,
            "hardswish": functional.hardswish,
        }[kind]
        self.gate = nn.Linear(dim, hidden) if kind in ("swiglu", "geglu") else None
        self.first, self.last = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, tokens, dim) to the same shape."""
        hidden = self.first(x)
        if self.gate is None:
            return self.last(self.function(hidden))  # type: ignore[no-any-return]
        return self.last(self.function(self.gate(x)) * hidden)  # type: ignore[no-any-return]


class Pooling(nn.Module):
    """Tokens (batch, tokens, dim) to what the head reads."""

    def __init__(self, kind: Pool, dim: int) -> None:
        super().__init__()
        self.kind = kind
        self.score = nn.Linear(dim, 1) if kind == "sequence" else None

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, dim), flattened tokens, or the tokens."""
        if self.score is not None:
            weights = self.score(x).softmax(dim=1)
            return (weights.transpose(1, 2) @ x).squeeze(1)
        if self.kind == "mean":
            return x.mean(dim=1)
        if self.kind == "max":
            return x.amax(dim=1)
        if self.kind in ("cls", "last"):
            return x[:, 0 if self.kind == "cls" else -1]
        return x.flatten(1) if self.kind == "flatten" else x


class Heading(nn.Module):
    """What the network ends in."""

    def __init__(self, kind: Head, width: int, classes: int) -> None:
        super().__init__()
        self.kind = kind
        self.norm = nn.LayerNorm(width) if kind == "norm" else nn.Identity()
        self.first = nn.Sequential(nn.Linear(width, 24), nn.ReLU()) if kind == "mlp" else nn.Identity()
        self.last = nn.Linear(24 if kind == "mlp" else width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, what a function makes of them, or the index of the largest."""
        x = self.last(self.first(self.norm(x)))
        if self.kind in ("tanh", "sigmoid"):
            return x.tanh() if self.kind == "tanh" else x.sigmoid()
        return x.argmax(dim=-1) if self.kind == "argmax" else x
