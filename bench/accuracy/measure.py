"""The figures: how far integer results are from float ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float32] | NDArray[np.float64]


def signal_to_noise_db(reference: Reals, found: Reals) -> float:
    """Return the power of the reference over that of the difference, both summed over everything."""
    signal = float(np.square(reference, dtype=np.float64).sum())
    noise = float(np.square(found.astype(np.float64) - reference).sum())
    if noise == 0.0:
        return float("inf")
    return float(10.0 * np.log10(signal / noise)) if signal else float("-inf")


@dataclass(frozen=True, slots=True)
class Figures:
    """What one network reached. Ratios in dB; agreement and accuracies in percent; margin in logits.

    margin: over all windows where the classes differ, the most by which float preferred its own class to the
    one that the integers chose. It is 0 where they never differ. token_db is None where nobody looked.
    """

    windows: int
    logit_db: float
    token_db: float | None
    agreement: float
    disagreements: int
    margin: float
    float_accuracy: float
    integer_accuracy: float

    @property
    def accuracy_drop(self) -> float:
        """Return by how many points the integers are less accurate than float; negative where they win."""
        return self.float_accuracy - self.integer_accuracy


def figures(
    labels: NDArray[np.int64], float_logits: Reals, integer_logits: Reals, token_db: float | None = None
) -> Figures:
    """Compare logits [windows, classes] of an integer run with float ones."""
    windows = np.arange(len(labels))
    wanted, chosen = float_logits.argmax(axis=1), integer_logits.argmax(axis=1)
    margins = float_logits[windows, wanted] - float_logits[windows, chosen]
    return Figures(
        windows=len(labels),
        logit_db=signal_to_noise_db(float_logits, integer_logits),
        token_db=token_db,
        agreement=100.0 * float((wanted == chosen).mean()),
        disagreements=int((wanted != chosen).sum()),
        margin=float(margins.max()),
        float_accuracy=100.0 * float((wanted == labels).mean()),
        integer_accuracy=100.0 * float((chosen == labels).mean()),
    )
