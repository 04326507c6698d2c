"""Running passes: order, hook, verification in between, and what errors say."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import pytest

from tmc.ir.errors import PassError, QuantisationError, VerifyError
from tmc.ir.graph import Graph
from tmc.ir.text import parse_graph
from tmc.passes.pipeline import (
    NamedPass,
    insert_after,
    insert_before,
    named,
    replace_pass,
    run_passes,
    up_to,
    without,
)
from tmc.passes.watch import Watch

GRAPH = parse_graph(
    """
graph @net(%x: f32[2]) {
  %a: f32[2] = neg(%x) loc("/first")
  %b: f32[2] = neg(%a) loc("/second")
  return %b
}""",
    {},
)


def rename(graph: Graph, suffix: str) -> Graph:
    return replace(graph, name=f"{graph.name}.{suffix}")


def one(graph: Graph) -> Graph:
    return rename(graph, "one")


def two(graph: Graph) -> Graph:
    return rename(graph, "two")


def swap_ops(graph: Graph) -> Graph:
    return replace(graph, ops=tuple(reversed(graph.ops)))


def refuse(graph: Graph) -> Graph:
    raise QuantisationError("/second", "found a sum of 2^31, allowed below", "use smaller weights")


def stumble(graph: Graph) -> Graph:
    raise ZeroDivisionError("of my own")


PIPELINE = (named(one), named(two))


def test_passes_run_in_order() -> None:
    assert run_passes(GRAPH, PIPELINE) == replace(GRAPH, name="net.one.two")
    assert run_passes(GRAPH, []) is GRAPH


def test_functions_are_passes_of_their_own_name() -> None:
    assert named(one) == NamedPass("one", one)
    assert named(PIPELINE[0]) is PIPELINE[0]
    bound = NamedPass("three", partial(rename, suffix="three"))
    assert run_passes(GRAPH, [one, bound]).name == "net.one.three"


def test_hook_sees_every_result() -> None:
    seen: list[tuple[str, str]] = []
    run_passes(GRAPH, PIPELINE, lambda name, graph: seen.append((name, graph.name)))
    assert seen == [("one", "net.one"), ("two", "net.one.two")]


def test_a_watch_measures_the_seconds_between_results() -> None:
    seen: list[tuple[str, float]] = []
    watch = Watch(after=lambda name, value, seconds: seen.append((name, seconds)))
    start = time.perf_counter()
    run_passes(GRAPH, [one, NamedPass("slow", lambda graph: time.sleep(0.02) or graph)], watch.done)
    (_, first), (_, second) = seen
    assert first >= 0 and second >= 0.02 and second <= time.perf_counter() - start


def test_own_passes_fit_in_anywhere() -> None:
    def names(passes: tuple[NamedPass, ...]) -> list[str]:
        return [entry.name for entry in passes]

    assert names(insert_after(PIPELINE, "one", swap_ops)) == ["one", "swap_ops", "two"]
    assert names(insert_after(PIPELINE, "two", swap_ops)) == ["one", "two", "swap_ops"]
    assert names(insert_before(PIPELINE, "one", swap_ops)) == ["swap_ops", "one", "two"]
    assert names(replace_pass(PIPELINE, "one", swap_ops)) == ["swap_ops", "two"]
    assert names(without(PIPELINE, "two")) == ["one"]
    assert names(up_to(PIPELINE, "one")) == ["one"]
    assert names(up_to((one, two), "two")) == ["one", "two"]
    assert names(PIPELINE) == ["one", "two"]


def test_unknown_pass_is_named() -> None:
    with pytest.raises(PassError, match="pipeline: found no pass fuse, allowed one, two"):
        insert_after(PIPELINE, "fuse", swap_ops)


def test_a_pass_that_breaks_the_graph_is_named() -> None:
    seen: list[str] = []
    with pytest.raises(PassError) as found:
        run_passes(GRAPH, [one, swap_ops, two], lambda name, graph: seen.append(name))
    assert str(found.value) == "swap_ops: /second (neg): found %a used before it is defined"
    assert found.value.notes == ("the pass swap_ops broke the graph: this is a fault of the pass",)
    assert seen == ["one"]


def test_a_graph_broken_from_the_start_is_no_fault_of_a_pass() -> None:
    with pytest.raises(VerifyError, match=r"^/second"):
        run_passes(swap_ops(GRAPH), PIPELINE)


def test_an_error_of_a_pass_keeps_its_class_and_gets_the_name() -> None:
    with pytest.raises(QuantisationError) as found:
        run_passes(GRAPH, [one, refuse])
    assert found.value.where == "/second"
    assert found.value.notes == ("use smaller weights", "found by the pass refuse")


def test_any_other_error_gets_the_name_too() -> None:
    with pytest.raises(ZeroDivisionError) as found:
        run_passes(GRAPH, [stumble])
    assert found.value.__notes__ == ["in the pass stumble"]
