"""What each step of the recipe is worth: every other choice, one at a time, on a trained network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from bench.accuracy.graphs import integer_graph
from bench.accuracy.measure import Figures
from bench.accuracy.subject import Subject
from bench.accuracy.workers import Workers, interpreted
from tmc.ir.errors import QuantisationError
from tmc.passes.recipe import CHOICES, DEFAULT, NAMED, Recipe

TABLE = "ablation"
WINDOWS = 32
# The stress of the second network: sharper ones amplify any noise, and their differences say less.
STRESS = "sharp2"


@dataclass(frozen=True, slots=True)
class Row:
    """A recipe by the setting that makes it; its figures per network, None where a recipe is refused."""

    setting: str
    figures: tuple[Figures | None, ...]


def recipes() -> Mapping[str, Recipe]:
    """Return recipes by their settings: the default, one change at a time, the named others."""
    found = {"default": DEFAULT}
    for step, choices in CHOICES.items():
        for choice in choices:
            recipe = replace(DEFAULT, **{step: choice})
            found |= {f"{step}={text}": recipe for text in recipe.changed().values()}
    return {**found, **{name: recipe for name, recipe in NAMED.items() if recipe != DEFAULT}}


def ablation(workers: Workers, subjects: tuple[Subject, ...]) -> Iterator[Row]:
    """Yield a row for each recipe."""
    for setting, recipe in recipes().items():
        yield Row(setting, tuple(_figures(workers, one, recipe) for one in subjects))


def _figures(workers: Workers, tested: Subject, recipe: Recipe) -> Figures | None:
    """Return what a recipe reaches, or None where it has no integer form."""
    try:
        graph = integer_graph(tested.network, recipe)
    except QuantisationError:
        return None
    return tested.figures(*interpreted(workers, graph, tested.test.windows))


def table(rows: list[Row], names: tuple[str, ...], windows: int) -> str:
    """Return the table in Markdown; its figures are those of the subjects of these names."""
    columns = [f"{name}: {figure}" for name in names for figure in ("logit dB", "token dB", "agreement")]
    lines = [f"| {windows} windows | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    for row in rows:
        cells = [cell for one in row.figures for cell in _cells(one)]
        lines.append(f"| `{row.setting}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(one: Figures | None) -> tuple[str, str, str]:
    if one is None:
        return "refused", "", ""
    return f"{one.logit_db:.1f}", f"{one.token_db:.1f}", f"{one.agreement:.1f} %"
