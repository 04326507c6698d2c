"""What each step of the recipe is worth: every other choice, one at a time, on a trained network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bench.accuracy.graphs import integer_graph
from bench.accuracy.measure import Figures
from bench.accuracy.subject import Subject
from bench.accuracy.tables import Row, Study
from bench.accuracy.workers import Workers, interpreted
from tmc.ir.errors import QuantisationError
from tmc.passes.recipe import CHOICES, DEFAULT, NAMED, Recipe


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
        yield Row(f"`{setting}`", tuple(_figures(workers, one, recipe) for one in subjects))


def _figures(workers: Workers, tested: Subject, recipe: Recipe) -> Figures | None:
    """Return what a recipe reaches, or None where it has no integer form."""
    try:
        graph = integer_graph(tested.network, recipe)
    except QuantisationError:
        return None
    return tested.figures(*interpreted(workers, graph, tested.test.windows))


# Scores twice as large: beyond, networks amplify any noise, and differences say less.
ABLATION = Study("ablation", 32, ("sharp2",), ablation)
