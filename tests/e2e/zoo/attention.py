"""Attention as people write it: by hand or PyTorch's, with masks, biases, rotations, fewer heads of keys."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Scores = Literal["plain", "causal", "relative", "alibi", "window"]
Heads = Literal["all", "grouped", "one"]
QueryKey = Literal["plain", "norm", "rope", "scaled"]


class Attention(nn.Module):
    """Self-attention over (batch, tokens, dim).

    scores: what is added to them. kv: how many heads of keys and values. query_key: what Q and K go through.
    fused: PyTorch's scaled_dot_product_attention instead of the same by hand.
    """

    def __init__(
        self, dim: int, heads: int, tokens: int, scores: Scores, kv: Heads, query_key: QueryKey, fused: bool
    ) -> None:
        super().__init__()
        self.heads, self.width, self.fused, self.query_key = heads, dim // heads, fused, query_key
        self.kv_heads = {"all": heads, "grouped": heads // 2, "one": 1}[kv]
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, self.kv_heads * self.width, bias=False)
        self.v = nn.Linear(dim, self.kv_heads * self.width)
        self.out = nn.Linear(dim, dim)
        if query_key == "norm":
            self.q_norm, self.k_norm = nn.LayerNorm(self.width), nn.LayerNorm(self.width)
        if query_key == "scaled":
            self.scale = nn.Parameter(torch.linspace(0.5, 1.5, heads).reshape(1, heads, 1, 1))
        if query_key == "rope":
            angles = torch.arange(tokens)[:, None] * 0.3 ** torch.arange(self.width // 2)[None]
            self.register_buffer("cosine", torch.cat((angles, angles), 1).cos())
            self.register_buffer("sine", torch.cat((angles, angles), 1).sin())
        self.bias = _bias(scores, heads, tokens)

    def _rotated(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, dim=-1)
        return x * self.cosine + torch.cat((-second, first), dim=-1) * self.sine  # type: ignore[operator]

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, tokens, dim) to the same shape."""
        batch, tokens, dim = x.shape
        q = self.q(x).reshape(batch, tokens, self.heads, self.width).transpose(1, 2)
        k = self.k(x).reshape(batch, tokens, self.kv_heads, self.width).transpose(1, 2)
        v = self.v(x).reshape(batch, tokens, self.kv_heads, self.width).transpose(1, 2)
        if self.query_key == "norm":
            q, k = self.q_norm(q), self.k_norm(k)
        if self.query_key == "rope":
            q, k = self._rotated(q), self._rotated(k)
        if self.query_key == "scaled":
            q = q * self.scale
        if self.kv_heads < self.heads:
            k = k.repeat_interleave(self.heads // self.kv_heads, dim=1)
            v = v.repeat_interleave(self.heads // self.kv_heads, dim=1)
        if self.fused:
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=self.bias)
        else:
            scores = q @ k.transpose(-1, -2) / math.sqrt(self.width)
            if self.bias is not None:
                scores = scores + self.bias
            mixed = scores.softmax(dim=-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, dim))  # type: ignore[no-any-return]


def _bias(scores: Scores, heads: int, tokens: int) -> Tensor | nn.Parameter | None:
    """Return what is added to scores of (heads, tokens, tokens)."""
    if scores == "plain":
        return None
    distance = torch.arange(tokens)[None] - torch.arange(tokens)[:, None]
    if scores == "causal":
        return torch.zeros(tokens, tokens).masked_fill(distance > 0, -math.inf)
    if scores == "window":
        return torch.zeros(tokens, tokens).masked_fill(distance.abs() > 2, -math.inf)
    if scores == "alibi":
        slopes = 2.0 ** -torch.arange(1, heads + 1)
        return -slopes[:, None, None] * distance.abs()
    table = 0.5 * torch.randn(heads, 2 * tokens - 1)
    return nn.Parameter(table[:, distance + tokens - 1])
