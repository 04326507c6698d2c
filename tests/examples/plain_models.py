"""Networks without attention, in plain PyTorch, as users have them beside TinyMyo."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional


class Stretched(nn.Module):
    """Interpolate between two linears: (1, 9, 6) to (1, 30, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 12), nn.Linear(12, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, 9, 6)."""
        longer = functional.interpolate(self.first(x).transpose(1, 2), size=30, mode="linear")
        return self.last(longer.transpose(1, 2))  # type: ignore[no-any-return]


def plain_models() -> Mapping[str, tuple[nn.Module, tuple[int, ...]]]:
    """Return seeded models with the shape of their input `emg`."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return {
            "perceptron": (
                nn.Sequential(
                    *(nn.Linear(20, 64, bias=False), nn.ReLU(), nn.Linear(64, 32), nn.Tanh()),
                    *(nn.Linear(32, 16), nn.Sigmoid(), nn.Linear(16, 4, bias=False)),
                ),
                (8, 20),
            ),
            "probabilities": (nn.Sequential(nn.Linear(20, 8), nn.Sigmoid()), (1, 20)),
            "convolutions": (
                nn.Sequential(
                    *(nn.Conv1d(8, 32, 1), nn.ReLU(), nn.Conv1d(32, 32, 5, padding=2, groups=32), nn.SiLU()),
                    *(nn.Conv1d(32, 32, 4, padding=0, stride=4, bias=False), nn.ReLU(), nn.Conv1d(32, 2, 1)),
                ),
                (1, 8, 40),
            ),
            "stretched": (Stretched(), (1, 9, 6)),
        }
