"""What each step of the recipe is worth: every other choice, one at a time, on a trained network.

The table goes to docs/numerics.md, between two marks, so that it is never edited by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.accuracy.graphs import Calibrated, calibrated, integer_graph
from bench.accuracy.measure import Figures, figures, signal_to_noise_db
from bench.accuracy.signals import Labelled, Parts
from bench.accuracy.suite import export_with_calibration, held_out
from bench.accuracy.workers import Workers, interpreted, onnx_logits
from examples.tinymyo.model import TinyMyo
from tmc.ir.errors import QuantisationError
from tmc.ir.types import Array
from tmc.passes.recipe import CHOICES, DEFAULT, NAMED, Recipe

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "numerics.md"
BEGIN, END = "<!-- ablation: begin -->", "<!-- ablation: end -->"
WINDOWS = 32
# The stress of the second network: sharper ones amplify any noise, and their differences say less.
STRESS = "sharp2"


@dataclass(frozen=True, slots=True)
class Row:
    """A recipe by the setting that makes it; its figures per network, None where a recipe is refused."""

    setting: str
    figures: tuple[Figures | None, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """A network to quantise in many ways, and what float says."""

    network: Calibrated
    test: Labelled
    logits: Array
    tokens: Array

    def figures(self, workers: Workers, recipe: Recipe) -> Figures | None:
        """Return what a recipe reaches, or None where it has no integer form."""
        try:
            graph = integer_graph(self.network, recipe)
        except QuantisationError:
            return None
        logits, tokens = interpreted(workers, graph, self.test.windows)
        token_db = signal_to_noise_db(self.tokens, tokens)
        return figures(self.test.labels, self.logits, logits, token_db)


def recipes() -> Mapping[str, Recipe]:
    """Return recipes by their settings: the default, one change at a time, the named others."""
    found = {"default": DEFAULT}
    for step, choices in CHOICES.items():
        for choice in choices:
            recipe = replace(DEFAULT, **{step: choice})
            found |= {f"{step}={text}": recipe for text in recipe.changed().values()}
    return {**found, **{name: recipe for name, recipe in NAMED.items() if recipe != DEFAULT}}


def subject(workers: Workers, model: TinyMyo, parts: Parts, path: Path, windows: int = WINDOWS) -> Subject:
    """Export and calibrate a network, and let float judge the held-out windows."""
    network = calibrated(path, export_with_calibration(model, parts, path))
    test = held_out(parts, model.config.channels, windows)
    logits = onnx_logits(workers, path, test.windows)
    return Subject(network, test, logits, interpreted(workers, network.graph, test.windows)[1])


def ablation(workers: Workers, subjects: tuple[Subject, ...]) -> Iterator[Row]:
    """Yield a row for each recipe."""
    for setting, recipe in recipes().items():
        yield Row(setting, tuple(one.figures(workers, recipe) for one in subjects))


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


def write_table(text: str, document: Path = DOCUMENT) -> None:
    """Put a table between the marks of a document."""
    before, begin, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end, f"{document.name} has lost the marks around the ablation table"
    document.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
