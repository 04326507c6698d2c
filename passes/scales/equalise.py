"""Make the values of a float graph easier to quantise, between calibration and the choice of scales."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tmc.ir.graph import Graph
from tmc.passes.calibrate.calibrate import Ranges
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.balance_query_key import balance_query_key
from tmc.passes.scales.migrate_outliers import migrate_outliers

Rewrite: TypeAlias = Callable[[Graph, Ranges, Recipe], tuple[Graph, Ranges]]

EQUALISE: tuple[Rewrite, ...] = (migrate_outliers, balance_query_key)


def equalise(
    graph: Graph,
    ranges: Ranges,
    recipe: Recipe = DEFAULT,
    done: Callable[[str, Graph], None] = lambda name, graph: None,
) -> tuple[Graph, Ranges]:
    """Return an equal float graph, and its ranges, after all of EQUALISE; `done` sees each result."""
    for rewrite in EQUALISE:
        graph, ranges = rewrite(graph, ranges, recipe)
        done(rewrite.__name__, graph)
    return graph, ranges
