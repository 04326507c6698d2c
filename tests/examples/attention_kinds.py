"""Small encoders whose attention is not that of TinyMyo, in plain PyTorch, as users write them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

TOKENS, WIDTH, HEADS = 12, 32, 4
HEAD_WIDTH = WIDTH // HEADS


class Attention(nn.Module):
    """softmax(q k^T / sqrt(d)) v over (1, tokens, width); what differs is in the methods."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def split(self, x: Tensor) -> Tensor:
        """Return (.., heads, tokens, head width)."""
        return x.unflatten(-1, (HEADS, HEAD_WIDTH)).transpose(-3, -2)

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        """Return what the softmax reads."""
        return q @ k.transpose(-2, -1) * HEAD_WIDTH**-0.5  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, tokens, width) to the same."""
        q, k, v = (self.split(project(x)) for project in (self.q, self.k, self.v))
        mixed = self.scores(q, k).softmax(-1) @ v
        return self.out(mixed.transpose(-3, -2).reshape(x.shape))  # type: ignore[no-any-return]


class Causal(Attention):
    """Tokens see those before them."""

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        """Add a square mask of -inf."""
        return super().scores(q, k) + nn.Transformer.generate_square_subsequent_mask(TOKENS)


class Filled(Attention):
    """Tokens see those of their window of three, by masked_fill."""

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        """Fill in a large negative number."""
        window = torch.arange(TOKENS) // 3
        return super().scores(q, k).masked_fill(window[:, None] != window, -1e4)


class Relative(Attention):
    """A learned bias for each head and distance."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(HEADS, 2 * TOKENS - 1))
        positions = torch.arange(TOKENS)
        self.register_buffer("index", positions[:, None] - positions + TOKENS - 1)

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        """Add the bias of each pair."""
        return super().scores(q, k) + self.table[:, self.get_buffer("index")]


class Alibi(Attention):
    """A causal mask, and a slope of each head times the distance."""

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        """Add slopes and mask."""
        positions = torch.arange(TOKENS)
        distance = positions - positions[:, None]
        slopes = 2.0 ** -(2.0 * torch.arange(1, HEADS + 1)).reshape(HEADS, 1, 1)
        return super().scores(q, k) + (slopes * distance).masked_fill(distance > 0, float("-inf"))


class Padded(Attention):
    """The last tokens are padding that nobody sees."""

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        """Add one line for all tokens."""
        padding = torch.where(torch.arange(TOKENS) < TOKENS - 3, 0.0, -1e9)
        return super().scores(q, k) + padding


class Tempered(Attention):
    """A factor of its own for each head."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor([0.2, 0.35, 0.5, 0.8]).reshape(1, HEADS, 1, 1))

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        """Multiply by the factors instead of 1 / sqrt(d)."""
        return q @ k.transpose(-2, -1) * self.factor


class Windows(Attention):
    """Tokens see those of their window of three."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, tokens, width) to the same."""
        return super().forward(x.reshape(-1, 3, WIDTH)).reshape(x.shape)


class Axial(nn.Module):
    """Tokens of a grid of 3 x 4 see those of their row, then those of their column."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.columns = Attention(), Attention()

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, tokens, width) to the same."""
        of_rows = self.rows(x.reshape(3, 4, WIDTH))
        return self.columns(of_rows.transpose(0, 1)).transpose(0, 1).reshape(x.shape)  # type: ignore[no-any-return]


class SequenceFirst(nn.MultiheadAttention):
    """PyTorch's own attention over four windows, tokens first."""

    def __init__(self) -> None:
        super().__init__(WIDTH, HEADS)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Map (1, tokens, width) to the same."""
        tokens = x.reshape(3, 4, WIDTH)
        return super().forward(tokens, tokens, tokens, need_weights=False)[0].reshape(x.shape)


class Queries(nn.Module):
    """Learned queries read the tokens, and are added to what they found."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(1, 4, WIDTH))
        self.norm, self.attention = nn.LayerNorm(WIDTH), nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, tokens, width) to (1, 4, width)."""
        tokens = self.norm(x)
        found, _ = self.attention(self.queries, tokens, tokens, need_weights=False)
        return found + self.queries  # type: ignore[no-any-return]


class Positions(nn.Module):
    """Positions are added behind a norm and a projection."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.project, self.attention = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH), Attention()
        self.positions = nn.Parameter(0.5 * torch.randn(1, TOKENS, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, tokens, width) to the same."""
        tokens = self.project(self.norm(x)) + self.positions
        return tokens + self.attention(tokens)  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """One pre-norm block over tokens (1, tokens, 10), and a mean."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.embed, self.norm, self.attention = nn.Linear(10, WIDTH), nn.LayerNorm(WIDTH), attention
        self.last, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 6)

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, tokens, 10) to (1, 6)."""
        z = self.embed(x)
        attended = self.attention(self.norm(z))
        if attended.shape == z.shape:
            attended = z + attended
        return self.head(self.last(attended).mean(1))  # type: ignore[no-any-return]


KINDS = (Causal, Filled, Relative, Alibi, Padded, Tempered, Windows, Axial, SequenceFirst, Queries, Positions)


def attention_kinds() -> Mapping[str, tuple[nn.Module, tuple[int, ...]]]:
    """Return seeded encoders by the name of their attention, with the shape of their input `emg`."""
    with torch.random.fork_rng():
        torch.manual_seed(11)
        return {kind.__name__.lower(): (Encoder(kind()), (1, TOKENS, 10)) for kind in KINDS}
