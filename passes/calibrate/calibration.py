"""The samples that a network is calibrated on, and those held back to measure its accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tmc.ir.types import Array

# What the samples are that an accuracy report compares on.
Basis = Literal["held-back windows", "calibration windows", "noise"]
# One sample in so many is held back to measure accuracy on.
HOLD_BACK = 4


@dataclass(frozen=True, slots=True)
class Calibration:
    """Samples: graph input -> [S, *shape]; where they come from; whether they mean anything."""

    samples: Mapping[str, Array]
    source: str
    meaningful: bool

    @property
    def count(self) -> int:
        """Return the number of samples."""
        return min(len(array) for array in self.samples.values())

    @property
    def basis(self) -> Basis:
        """Return what the samples for the accuracy report are."""
        if not self.meaningful:
            return "noise"
        return "held-back windows" if self._held_back else "calibration windows"

    @property
    def used(self) -> dict[str, Array]:
        """Return the samples to calibrate on: all but those held back."""
        return self._select([index for index in range(self.count) if index not in self._held_back])

    @property
    def held_back(self) -> dict[str, Array]:
        """Return the samples to measure accuracy on: every fourth, at least one; a single one is both."""
        return self._select(self._held_back or range(self.count))

    @property
    def _held_back(self) -> range:
        last = self.count if self.count < 2 else min(HOLD_BACK, self.count) - 1
        return range(last, self.count, HOLD_BACK)

    def _select(self, indices: Sequence[int]) -> dict[str, Array]:
        return {name: array[list(indices)] for name, array in self.samples.items()}

    def first(self, count: int) -> tuple[dict[str, Array], ...]:
        """Return the first samples one by one, each as inputs of the graph."""
        return _one_by_one(self.samples, count)

    def each_used(self) -> tuple[dict[str, Array], ...]:
        """Return the samples to calibrate on, one by one."""
        return _one_by_one(self.used, self.count)

    def first_held_back(self, count: int) -> tuple[dict[str, Array], ...]:
        """Return the first of the samples to measure on, one by one."""
        return _one_by_one(self.held_back, count)


def _one_by_one(samples: Mapping[str, Array], count: int) -> tuple[dict[str, Array], ...]:
    available = min(len(array) for array in samples.values())
    return tuple(
        {name: array[index] for name, array in samples.items()} for index in range(min(count, available))
    )
