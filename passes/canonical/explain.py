"""Say why the recognisers left parts of a graph alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tmc.ir.graph import Graph
from tmc.passes.pipeline import Declined, NamedPass, Pass, Pipeline, named


def explain(graph: Graph, passes: Sequence[Pass | NamedPass]) -> tuple[Declined, ...]:
    """Run all recognisers among the passes on a graph that they are done with.

    Returns: why they leave what is left.
    """
    declined: list[Declined] = []
    for entry in map(named, passes):
        if entry.recognise is not None:
            entry.recognise(graph, declined)
    return tuple(declined)


def explaining(passes: Sequence[Pass | NamedPass], declined: list[Declined]) -> Pipeline:
    """Return the same passes, whose recognisers add to `declined` what they leave alone while they run."""
    return tuple(
        entry
        if entry.recognise is None
        else NamedPass(entry.name, partial(entry.recognise, declined=declined), entry.recognise)
        for entry in map(named, passes)
    )
