"""TinyMyo in plain PyTorch, with the parameter names of the published checkpoints.

The network reads `channels x samples` of surface EMG, cuts each channel into patches of 20 samples, and
runs a pre-norm transformer over all patches of all channels. Tokens are channel-major,
`N = channels * samples / 20`.

Three position schemes exist among the published checkpoints, so all three are here (`RopeScheme`):
`flat` counts positions 0..N-1 over all tokens; `cyclic` restarts at 0 in each channel and adds a learned
vector per channel; `none` is the revision whose rotary code saw its axes swapped: the angle depends on the
head alone, Q and K of a head turn together, and the rotation cancels in Q K^T.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from examples.tinymyo.errors import TinyMyoError

RopeScheme = Literal["flat", "none", "cyclic"]
Pooling = Literal["concat", "mean"]

EMBED_DIM = 192
HEADS = 3
HEAD_DIM = EMBED_DIM // HEADS
MLP_DIM = 4 * EMBED_DIM
PATCH_SAMPLES = 20
CHANNEL_SLOTS = 16
MAX_POSITIONS = 1024
ROPE_BASE = 10_000.0
NORM_EPS = 1e-5


@dataclass(frozen=True, slots=True)
class Config:
    """Describe one TinyMyo classifier.

    `pooling` is `concat` (mean over the patches of a channel, channels side by side) or `mean` (over all
    tokens).
    """

    channels: int
    samples: int
    layers: int
    classes: int
    rope: RopeScheme = "cyclic"
    pooling: Pooling = "concat"

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            TinyMyoError: a size for which the network is not defined.
        """
        for name, value in (("layers", self.layers), ("classes", self.classes), ("channels", self.channels)):
            if value < 1:
                raise TinyMyoError(f"{name}: found {value}, allowed 1 or more", "give a positive number")
        if self.samples < PATCH_SAMPLES or self.samples % PATCH_SAMPLES:
            raise TinyMyoError(
                f"samples: found {self.samples}, allowed a positive multiple of {PATCH_SAMPLES}",
                "cut or zero-pad the windows",
            )
        if self.rope == "cyclic" and self.channels > CHANNEL_SLOTS:
            raise TinyMyoError(
                f"channels: found {self.channels}, allowed 1 to {CHANNEL_SLOTS} with rope cyclic",
                "use fewer channels, or rope flat",
            )
        if self.rope == "flat" and self.tokens > MAX_POSITIONS:
            raise TinyMyoError(
                f"tokens: found {self.tokens}, allowed 1 to {MAX_POSITIONS} with rope flat",
                "use fewer channels or samples",
            )

    @property
    def patches(self) -> int:
        """Count the patches of one channel."""
        return self.samples // PATCH_SAMPLES

    @property
    def tokens(self) -> int:
        """Count the tokens of one window."""
        return self.channels * self.patches


def rope_positions(config: Config) -> Tensor:
    """Return the rotary position of every (head, token), shape (HEADS or 1, tokens or 1)."""
    if config.rope == "flat":
        return torch.arange(config.tokens).reshape(1, -1)
    if config.rope == "cyclic":
        return torch.arange(config.patches).repeat(config.channels).reshape(1, -1)
    return torch.arange(HEADS).reshape(-1, 1)


class RotaryEmbedding(nn.Module):
    """Turn adjacent pairs (2i, 2i+1) of Q or K by `position * 10000^(-2i/64)`."""

    cos: Tensor
    sin: Tensor

    def __init__(self, positions: Tensor) -> None:
        super().__init__()
        exponents = torch.arange(0, HEAD_DIM, 2, dtype=torch.float64) / HEAD_DIM
        angles = positions.double().unsqueeze(-1) * ROPE_BASE**-exponents
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Rotate `x` of shape (B, HEADS, N, HEAD_DIM)."""
        pairs = x.reshape(*x.shape[:-1], HEAD_DIM // 2, 2)
        even, odd = pairs[..., 0], pairs[..., 1]
        turned = (even * self.cos - odd * self.sin, odd * self.cos + even * self.sin)
        return torch.stack(turned, dim=-1).flatten(-2)


class Attention(nn.Module):
    """Attend over all tokens; rows of `qkv` are Q, K, V, head-major inside each."""

    def __init__(self, rope: RotaryEmbedding) -> None:
        super().__init__()
        self.qkv = nn.Linear(EMBED_DIM, 3 * EMBED_DIM)
        self.proj = nn.Linear(EMBED_DIM, EMBED_DIM)
        self.rope = rope
        # ONNX opset 13 has no translation of the fused operator; the exporter then asks for its parts.
        self.fused_attention = True

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, EMBED_DIM) to the same shape."""
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, HEADS, HEAD_DIM).permute(2, 0, 3, 1, 4)
        query, key, value = qkv[0], qkv[1], qkv[2]
        query, key = self.rope(query), self.rope(key)
        if self.fused_attention:
            heads = F.scaled_dot_product_attention(query, key, value)
        else:
            scores = query @ key.transpose(-2, -1) * HEAD_DIM**-0.5
            heads = torch.softmax(scores, dim=-1) @ value
        return self.proj(heads.transpose(1, 2).reshape(batch, tokens, EMBED_DIM))  # type: ignore[no-any-return]


class Mlp(nn.Module):
    """Widen to 768, exact (erf) GELU, narrow to 192."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(EMBED_DIM, MLP_DIM)
        self.fc2 = nn.Linear(MLP_DIM, EMBED_DIM)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, EMBED_DIM) to the same shape."""
        return self.fc2(F.gelu(self.fc1(x)))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Apply one pre-norm transformer block."""

    def __init__(self, rope: RotaryEmbedding) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(EMBED_DIM, eps=NORM_EPS)
        self.attn = Attention(rope)
        self.norm2 = nn.LayerNorm(EMBED_DIM, eps=NORM_EPS)
        self.mlp = Mlp()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, EMBED_DIM) to the same shape."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class PatchEmbedding(nn.Module):
    """Embed 20 samples of one channel as one token; all channels share the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.ModuleDict(
            {"proj": nn.Conv2d(1, EMBED_DIM, kernel_size=(1, PATCH_SAMPLES), stride=(1, PATCH_SAMPLES))}
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to channel-major tokens (B, C * T / 20, EMBED_DIM)."""
        return self.patch_embed["proj"](x.unsqueeze(1)).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]


class ClassifierHead(nn.Module):
    """Pool the tokens and classify."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        width = EMBED_DIM * (config.channels if config.pooling == "concat" else 1)
        self.classifier = nn.Linear(width, config.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, EMBED_DIM) to logits (B, classes)."""
        if self.config.pooling == "concat":
            x = x.reshape(x.shape[0], self.config.channels, self.config.patches, EMBED_DIM)
            return self.classifier(x.mean(dim=2).flatten(1))  # type: ignore[no-any-return]
        return self.classifier(x.mean(dim=1))  # type: ignore[no-any-return]


class TinyMyo(nn.Module):
    """Classify windows of surface EMG: (B, channels, samples) to logits (B, classes)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.patch_embedding = PatchEmbedding()
        # Used by masked pre-training only; here so that published state dicts load strictly.
        self.mask_token = nn.Parameter(torch.zeros(1, 1, EMBED_DIM))
        if config.rope == "cyclic":
            self.channel_embed = nn.Parameter(torch.zeros(1, CHANNEL_SLOTS, 1, EMBED_DIM))
        rope = RotaryEmbedding(rope_positions(config))
        self.blocks = nn.ModuleList(Block(rope) for _ in range(config.layers))
        self.norm = nn.LayerNorm(EMBED_DIM, eps=NORM_EPS)
        self.model_head = ClassifierHead(config)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, classes) of windows (B, channels, samples)."""
        tokens = self.patch_embedding(x)
        if self.config.rope == "cyclic":
            channels = self.config.channels
            tokens = tokens.reshape(tokens.shape[0], channels, self.config.patches, EMBED_DIM)
            tokens = (tokens + self.channel_embed[:, :channels]).flatten(1, 2)
        for block in self.blocks:
            tokens = block(tokens)
        return self.model_head(self.norm(tokens))  # type: ignore[no-any-return]


def initialise(model: TinyMyo, seed: int) -> None:
    """Set all parameters as published: Xavier weights, zero biases, residual branches scaled down by depth.

    The same seed gives the same parameters, and the position schemes share all that they have in common.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight.view(module.weight.shape[0], -1), generator=generator)
                if module.bias is not None:
                    module.bias.zero_()
        for depth, block in enumerate(model.blocks, start=1):
            assert isinstance(block, Block)
            block.attn.proj.weight.div_(math.sqrt(2 * depth))
            block.mlp.fc2.weight.div_(math.sqrt(2 * depth))
        nn.init.trunc_normal_(model.mask_token, std=0.02, generator=generator)
        if model.config.rope == "cyclic":
            nn.init.trunc_normal_(model.channel_embed, std=0.02, generator=generator)


def build(config: Config, seed: int) -> TinyMyo:
    """Return a freshly initialised network in evaluation mode."""
    model = TinyMyo(config)
    initialise(model, seed)
    return model.eval()
