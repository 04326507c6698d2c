"""Run passes one after the other; the verifier runs between all of them.

A pass is a function from graph to graph. A pipeline is a tuple of named passes, so a researcher adds a pass
of his own without touching this package:

    from tmc.passes.pipeline import insert_after, run_passes

    def count_heads(graph: Graph) -> Graph:
        ...

    graph = run_passes(graph, insert_after(PIPELINE, "fuse_attention", count_heads))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tmc.ir.errors import PassError, TmcError, VerifyError
from tmc.ir.graph import Graph
from tmc.ir.verify import verify

Pass = Callable[[Graph], Graph]
After = Callable[[str, Graph], None]


@dataclass(frozen=True, slots=True)
class Declined:
    """One op that a pass looked at and left alone. `loc` is its ONNX node, `op` its kind in the text form."""

    loc: str
    op: str
    reason: str

    def __str__(self) -> str:
        return f"{self.loc} ({self.op}): {self.reason}"


class Recogniser(Protocol):
    """A pass that recognises ops; to a list it adds why it leaves alone what it leaves."""

    __name__: str

    def __call__(self, graph: Graph, declined: list[Declined] | None = None) -> Graph:
        """Return the graph with what was recognised."""


@dataclass(frozen=True, slots=True)
class NamedPass:
    """A pass and the name by which options and messages call it.

    recognise: of a pass that can say why it leaves ops alone.
    """

    name: str
    run: Pass
    recognise: Recogniser | None = None


Pipeline = tuple[NamedPass, ...]


def named(function: Pass | NamedPass) -> NamedPass:
    """Return a function as a pass of the function's own name.

    A pass that needs more than the graph (a target, calibration data) gets it bound beforehand, and then its
    name by hand: NamedPass("quantise", partial(quantise, ranges=ranges)).
    """
    return function if isinstance(function, NamedPass) else NamedPass(function.__name__, function)


def recogniser(function: Recogniser) -> NamedPass:
    """Return a recogniser as a pass; it raises on nothing that is left once it has run."""
    return NamedPass(function.__name__, function, function)


def run_passes(graph: Graph, passes: Sequence[Pass | NamedPass], after: After | None = None) -> Graph:
    """Return the graph after all passes.

    `after(name, graph)` sees each result once it is verified: print it, store it, add up the times.
    Raises: VerifyError if the graph is broken before the first pass; PassError if a pass leaves it broken;
    a TmcError of a pass itself as it is, with the name of the pass in its notes.
    """
    verify(graph)
    for entry in map(named, passes):
        graph = _run(entry, graph)
        try:
            verify(graph)
        except VerifyError as error:
            raise PassError(
                f"{entry.name}: {error.where}",
                error.what,
                f"the pass {entry.name} broke the graph: this is a fault of the pass",
            ) from error
        if after is not None:
            after(entry.name, graph)
    return graph


def _run(entry: NamedPass, graph: Graph) -> Graph:
    try:
        return entry.run(graph)
    except TmcError as error:
        error.notes = (*error.notes, f"found by the pass {entry.name}")
        raise
    except Exception as error:
        error.add_note(f"in the pass {entry.name}")
        raise


def insert_after(pipeline: Sequence[Pass | NamedPass], name: str, new: Pass | NamedPass) -> Pipeline:
    """Return the pipeline with a pass after the one of that name."""
    at = _index(pipeline, name) + 1
    return (*map(named, pipeline[:at]), named(new), *map(named, pipeline[at:]))


def insert_before(pipeline: Sequence[Pass | NamedPass], name: str, new: Pass | NamedPass) -> Pipeline:
    """Return the pipeline with a pass before the one of that name."""
    at = _index(pipeline, name)
    return (*map(named, pipeline[:at]), named(new), *map(named, pipeline[at:]))


def replace_pass(pipeline: Sequence[Pass | NamedPass], name: str, new: Pass | NamedPass) -> Pipeline:
    """Return the pipeline with another pass in place of the one of that name."""
    at = _index(pipeline, name)
    return (*map(named, pipeline[:at]), named(new), *map(named, pipeline[at + 1 :]))


def without(pipeline: Sequence[Pass | NamedPass], name: str) -> Pipeline:
    """Return the pipeline without the pass of that name."""
    at = _index(pipeline, name)
    return (*map(named, pipeline[:at]), *map(named, pipeline[at + 1 :]))


def up_to(pipeline: Sequence[Pass | NamedPass], name: str) -> Pipeline:
    """Return the pipeline as far as the pass of that name, which is its last."""
    return tuple(map(named, pipeline[: _index(pipeline, name) + 1]))


def _index(pipeline: Sequence[Pass | NamedPass], name: str) -> int:
    names = [named(entry).name for entry in pipeline]
    if name not in names:
        raise PassError("pipeline", f"found no pass {name}, allowed {', '.join(names)}")
    return names.index(name)
