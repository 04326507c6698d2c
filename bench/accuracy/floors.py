"""The floors: below them the command fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.accuracy.measure import Figures


@dataclass(frozen=True, slots=True)
class Floor:
    """A figure and its limit: at least, or at most."""

    figure: str
    sense: Literal["at least", "at most"]
    limit: float

    def holds(self, value: float) -> bool:
        """Tell whether a value is on the right side; a NaN never is."""
        return value >= self.limit if self.sense == "at least" else value <= self.limit


TRAINED = (
    Floor("logit_db", "at least", 47.0),
    Floor("token_db", "at least", 32.0),
    Floor("agreement", "at least", 99.5),
    Floor("margin", "at most", 0.05),
    Floor("accuracy_drop", "at most", 0.3),
)
STRESSED = (
    Floor("logit_db", "at least", 42.0),
    Floor("token_db", "at least", 29.0),
)
SENTENCES = (
    Floor("cosine_mean", "at least", 0.994),
    Floor("cosine_least", "at least", 0.986),
)


def misses(where: str, values: Mapping[str, float], floors: Sequence[Floor]) -> list[str]:
    """Return a line for each floor that does not hold."""
    return [
        f"{where}: {floor.figure} {values[floor.figure]:.4g}, {floor.sense} {floor.limit:g}"
        for floor in floors
        if not floor.holds(values[floor.figure])
    ]


def values(figures: Figures) -> dict[str, float]:
    """Return the figures that floors name."""
    return {floor.figure: float(getattr(figures, floor.figure)) for floor in TRAINED}


def must_miss(where: str, values: Mapping[str, float], floors: Sequence[Floor]) -> Iterable[str]:
    """Return a line if figures that ought to fail do not: then the suite proves nothing."""
    if not misses(where, values, floors):
        yield f"{where}: found that it passes every floor, allowed only to fail"
