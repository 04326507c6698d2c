"""Which samples a compile calibrates on: those given, those beside the model, or noise with a warning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tmc.ir.graph import Graph
from tmc.ir.types import Array
from tmc.passes.accuracy.record import Basis
from tmc.passes.calibrate.calibration_file import noise_calibration, read_calibration

NOISE_SAMPLES = 8
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


def choose_calibration(model: Path, given: Path | None, graph: Graph) -> Calibration:
    """Return the samples of `given`, or of MODEL.calibration.npz beside the model, or seeded noise.

    Raises: CalibrationError if the file does not fit the graph.
    """
    beside = model.with_name(f"{model.stem}.calibration.npz")
    path = given if given is not None else beside
    if given is None and not beside.exists():
        return Calibration(noise_calibration(graph, NOISE_SAMPLES, seed=0), "noise", meaningful=False)
    return Calibration(read_calibration(path, graph), path.name, meaningful=True)
