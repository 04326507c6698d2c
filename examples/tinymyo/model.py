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
Head = Literal["classification", "regression", "reconstruction"]

EMBED_DIM = 192
HEADS = 3
HEAD_DIM = EMBED_DIM // HEADS
MLP_DIM = 4 * EMBED_DIM
PATCH_SAMPLES = 20
CHANNEL_SLOTS = 16
MAX_POSITIONS = 1024
ROPE_BASE = 10_000.0
NORM_EPS = 1e-5
REGRESSOR_DIM = 256


@dataclass(frozen=True, slots=True)
class Config:
    """Describe one TinyMyo network.

    `classes` counts what the head gives: classes, regressed values per instant, or the 20 samples of a patch
    (reconstruction). `pooling` of a classifier is `concat` (mean over the patches of a channel, channels side
    by side) or `mean` (over all tokens). `target_samples` is the length to which regression interpolates.
    `groups` (0: as many as channels) is how many parts of the token row a concat head puts side by side; some
    published 8-channel classifiers have 16. `dropout` is the rate of every dropout and of stochastic depth.
    """

    channels: int
    samples: int
    layers: int
    classes: int
    rope: RopeScheme = "cyclic"
    pooling: Pooling = "concat"
    head: Head = "classification"
    target_samples: int = 500
    groups: int = 0
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            TinyMyoError: a size for which the network is not defined.
        """
        for name in ("layers", "classes", "channels", "target_samples"):
            if getattr(self, name) < 1:
                found = getattr(self, name)
                raise TinyMyoError(f"{name}: found {found}, allowed 1 or more", "give a positive number")
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
        if self.head == "reconstruction" and self.classes != PATCH_SAMPLES:
            raise TinyMyoError(
                f"classes: found {self.classes}, allowed {PATCH_SAMPLES} with head reconstruction",
                "this head gives the samples of a patch",
            )
        if self.groups < 0 or self.tokens % self.head_groups:
            raise TinyMyoError(
                f"groups: found {self.groups}, allowed 0 or a divisor of the {self.tokens} tokens",
                "use 0 for one group per channel",
            )
        if not 0.0 <= self.dropout < 1.0:
            raise TinyMyoError(f"dropout: found {self.dropout}, allowed 0 to below 1", "the published is 0.1")

    @property
    def head_groups(self) -> int:
        """Count the parts of the token row that a concat head puts side by side."""
        return self.groups or self.channels

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


def drop(x: Tensor, rate: float, training: bool, whole_windows: bool = False) -> Tensor:
    """Zero elements of `x`, or whole windows of it, with probability `rate`; scale up what stays."""
    if rate == 0.0 or not training:
        return x
    shape = (x.shape[0], *[1] * (x.ndim - 1)) if whole_windows else x.shape
    if x.device.type != "cpu":
        return x * F.dropout(torch.ones(shape, dtype=x.dtype, device=x.device), rate)
    # PyTorch draws one random number per element on one core, which takes half of a training step there.
    # Four 16-bit numbers come out of one draw; the rate is then right to 1/65536.
    count = math.prod(shape)
    draws = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    keep = draws.view(torch.int16)[:count].view(shape) >= round(rate * 65536) - 32768
    return torch.where(keep, x / (1.0 - rate), 0.0)


class Attention(nn.Module):
    """Attend over all tokens; rows of `qkv` are Q, K, V, head-major inside each."""

    def __init__(self, rope: RotaryEmbedding, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.qkv = nn.Linear(EMBED_DIM, 3 * EMBED_DIM)
        self.proj = nn.Linear(EMBED_DIM, EMBED_DIM)
        self.rope = rope
        # ONNX opset 13 has no translation of the fused operator; the exporter then asks for its parts.
        self.fused_attention = True

    def forward(self, x: Tensor, keys: Tensor | None = None) -> Tensor:
        """Map (B, N, EMBED_DIM) to the same shape; `keys` (B, 1, 1, N) is true where a token may be seen."""
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, HEADS, HEAD_DIM).permute(2, 0, 3, 1, 4)
        query, key, value = qkv[0], qkv[1], qkv[2]
        query, key = self.rope(query), self.rope(key)
        # The fused operator has no dropout of its own on a CPU, and there its parts train faster.
        if self.fused_attention and not (self.training and x.device.type == "cpu"):
            rate = self.dropout if self.training else 0.0
            heads = F.scaled_dot_product_attention(query, key, value, attn_mask=keys, dropout_p=rate)
        else:
            scores = query @ key.transpose(-2, -1) * HEAD_DIM**-0.5
            if keys is not None:
                scores = scores.masked_fill(~keys, -torch.inf)
            heads = drop(torch.softmax(scores, dim=-1), self.dropout, self.training) @ value
        heads = self.proj(heads.transpose(1, 2).reshape(batch, tokens, EMBED_DIM))
        return drop(heads, self.dropout, self.training)


class Mlp(nn.Module):
    """Widen to 768, exact (erf) GELU, narrow to 192."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.fc1 = nn.Linear(EMBED_DIM, MLP_DIM)
        self.fc2 = nn.Linear(MLP_DIM, EMBED_DIM)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, EMBED_DIM) to the same shape."""
        hidden = drop(F.gelu(self.fc1(x)), self.dropout, self.training)
        return drop(self.fc2(hidden), self.dropout, self.training)


class Block(nn.Module):
    """Apply one pre-norm transformer block."""

    def __init__(self, rope: RotaryEmbedding, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.norm1 = nn.LayerNorm(EMBED_DIM, eps=NORM_EPS)
        self.attn = Attention(rope, dropout)
        self.norm2 = nn.LayerNorm(EMBED_DIM, eps=NORM_EPS)
        self.mlp = Mlp(dropout)

    def forward(self, x: Tensor, keys: Tensor | None = None) -> Tensor:
        """Map (B, N, EMBED_DIM) to the same shape."""
        x = x + drop(self.attn(self.norm1(x), keys), self.dropout, self.training, whole_windows=True)
        return x + drop(self.mlp(self.norm2(x)), self.dropout, self.training, whole_windows=True)


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
        width = EMBED_DIM * (config.head_groups if config.pooling == "concat" else 1)
        self.classifier = nn.Linear(width, config.classes)

    def forward(self, x: Tensor, real: Tensor | None) -> Tensor:
        """Map tokens (B, N, EMBED_DIM) to logits (B, classes)."""
        if real is not None:
            x = x * real.unsqueeze(-1)
        if self.config.pooling == "concat":
            x = x.reshape(x.shape[0], self.config.head_groups, -1, EMBED_DIM)
            return self.classifier(x.mean(dim=2).flatten(1))  # type: ignore[no-any-return]
        mean = x.mean(dim=1) if real is None else x.sum(dim=1) / real.sum(dim=1, keepdim=True)
        return self.classifier(mean)  # type: ignore[no-any-return]


class RegressorHead(nn.Module):
    """Regress values over time: channels side by side, convolutions over patches, interpolation."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.regressor = nn.Sequential(
            nn.Conv1d(config.head_groups * EMBED_DIM, REGRESSOR_DIM, kernel_size=1),
            nn.SiLU(),
            nn.Dropout(config.dropout),
            nn.Conv1d(REGRESSOR_DIM, REGRESSOR_DIM, kernel_size=3, padding=1, groups=REGRESSOR_DIM),
            nn.SiLU(),
            nn.Conv1d(REGRESSOR_DIM, config.classes, kernel_size=1),
        )

    def forward(self, x: Tensor, real: Tensor | None) -> Tensor:
        """Map tokens (B, N, EMBED_DIM) to values (B, target_samples, classes)."""
        if real is not None:
            x = x * real.unsqueeze(-1)
        x = x.reshape(x.shape[0], self.config.head_groups, -1, EMBED_DIM)
        values = self.regressor(x.transpose(2, 3).flatten(1, 2))
        values = F.interpolate(values, size=self.config.target_samples, mode="linear")
        return values.transpose(1, 2)


class ReconstructionHead(nn.Module):
    """Give back the samples of each patch."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.decoder_pred = nn.Linear(EMBED_DIM, PATCH_SAMPLES)

    def forward(self, x: Tensor, real: Tensor | None) -> Tensor:
        """Map tokens (B, N, EMBED_DIM) to samples (B, channels, samples); those of padding mean nothing."""
        samples: Tensor = self.decoder_pred(x)
        return samples.reshape(x.shape[0], self.config.channels, self.config.samples)


HEADS_BY_NAME: dict[Head, type[ClassifierHead | RegressorHead | ReconstructionHead]] = {
    "classification": ClassifierHead,
    "regression": RegressorHead,
    "reconstruction": ReconstructionHead,
}


class TinyMyo(nn.Module):
    """Read windows of surface EMG (B, channels, samples); what comes out depends on the head."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.patch_embedding = PatchEmbedding()
        self.mask_token = nn.Parameter(torch.zeros(1, 1, EMBED_DIM))
        if config.rope == "cyclic":
            self.channel_embed = nn.Parameter(torch.zeros(1, CHANNEL_SLOTS, 1, EMBED_DIM))
        rope = RotaryEmbedding(rope_positions(config))
        self.blocks = nn.ModuleList(Block(rope, config.dropout) for _ in range(config.layers))
        self.norm = nn.LayerNorm(EMBED_DIM, eps=NORM_EPS)
        self.model_head = HEADS_BY_NAME[config.head](config)

    def forward(self, x: Tensor, masked: Tensor | None = None, padded: Tensor | None = None) -> Tensor:
        """Return logits (B, classes), values (B, target_samples, classes) or samples (B, channels, samples).

        `masked` (B, tokens) is true for patches that the mask token replaces. `padded` (B, channels) is true
        for channels that are only padding: no token attends to them and no head sees them.
        """
        tokens = self.patch_embedding(x)
        if masked is not None:
            tokens = torch.where(masked.unsqueeze(-1), self.mask_token.to(tokens.dtype), tokens)
        if self.config.rope == "cyclic":
            channels = self.config.channels
            tokens = tokens.reshape(tokens.shape[0], channels, self.config.patches, EMBED_DIM)
            tokens = (tokens + self.channel_embed[:, :channels]).flatten(1, 2)
        real = None if padded is None else ~padded.repeat_interleave(self.config.patches, dim=1)
        keys = None if real is None else real[:, None, None, :]
        for block in self.blocks:
            tokens = block(tokens, keys)
        return self.model_head(self.norm(tokens), real)  # type: ignore[no-any-return]


def initialise(model: TinyMyo, seed: int) -> None:
    """Set all parameters as published: Xavier weights, zero biases, residual branches scaled down by depth.

    The same seed gives the same parameters, and the position schemes share all that they have in common.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight.view(module.weight.shape[0], -1), generator=generator)
                assert module.bias is not None
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
