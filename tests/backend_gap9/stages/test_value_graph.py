"""The graph of values answers as a search through all ops does, in linear time."""

from __future__ import annotations

import time

import networkx
import pytest

from tests.networks.integer_networks import column_network, integer_network
from tmc.backend_gap9.plan.planning import activation_ranges
from tmc.backend_gap9.stages.order import lowest_peak_order, single_entry_regions
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.stages.step_graph import step_graph
from tmc.backend_gap9.stages.value_graph import maker, read_across, readers, value_graph
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.attrs import Attrs
from tmc.ir.graph import Graph, Op, OpKind, producers, uses
from tmc.ir.types import DType, TensorType

NETWORKS = [
    integer_network(20, 2, 4, 80, 6, 0, 5, dim=24, heads=2, hidden=48),
    integer_network(20, 1, 4, 80, 6, 0, 0, dim=24, heads=2, hidden=48, head="curves"),
    *map(column_network, range(4)),
]


def branches(width: int, length: int) -> Graph:
    """Return chains of negations of one input, added up one by one."""
    ops: list[Op] = []

    def op(kind: OpKind, output: str, *inputs: str) -> str:
        ops.append(Op(kind, inputs, output, Attrs(), f"/{output}"))
        return output

    total = op(OpKind.NEG, "total", "x")
    for branch in range(width):
        value = "x"
        for place in range(length):
            value = op(OpKind.NEG, f"{branch}.{place}", value)
        total = op(OpKind.ADD, f"total.{branch}", total, value)
    types = {name: TensorType(DType.F32, (1,)) for name in ("x", *(each.output for each in ops))}
    return Graph("branches", ("x",), (total,), tuple(ops), types, {})


GRAPHS = [*NETWORKS, branches(4, 3)]


@pytest.mark.parametrize("graph", GRAPHS)
def test_readers_and_makers_are_those_of_the_ops(graph: Graph) -> None:
    values = value_graph(graph)
    assert list(values) == [*graph.inputs, *(op.output for op in graph.ops)]
    used = uses(graph)
    for name in values:
        assert tuple(graph.ops[index] for index in readers(values, name)) == used.get(name, ())
    assert all(graph.ops[maker(values, name)] == op for name, op in producers(graph).items())
    assert all(graph.ops[op].output == result for _, result, op in values.edges(data="op"))
    assert [maker(values, name) for name in graph.inputs] == [-1] * len(graph.inputs)


def test_an_op_that_reads_a_value_twice_is_one_edge() -> None:
    ops = (Op(OpKind.ADD, ("x", "x"), "y", Attrs(), "/y"),)
    types = dict.fromkeys(("x", "y"), TensorType(DType.F32, (1,)))
    assert readers(value_graph(Graph("twice", ("x",), ("y",), ops, types, {})), "x") == (0,)


@pytest.mark.parametrize("graph", GRAPHS)
def test_values_read_across_an_op(graph: Graph) -> None:
    values = value_graph(graph)
    count = len(graph.ops)
    for fences in ([], [0], [count - 1], list(range(1, count, 3)), [count // 2]):
        across = {
            name
            for name in values
            if any(maker(values, name) < op < last for op in fences for last in readers(values, name))
        }
        assert read_across(values, fences) == across


def test_what_is_read_by_the_next_op_is_read_across_none() -> None:
    # 0 makes total of x, 1 a value of x, 2 another one of that, 3 adds it to total.
    values = value_graph(branches(1, 2))
    assert [read_across(values, [op]) for op in range(4)] == [{"x"}, {"total"}, {"total"}, set()]


@pytest.mark.parametrize("graph", NETWORKS)
def test_steps_hold_what_lives_between_stages(graph: Graph) -> None:
    staged, values = stage_graph(graph, target_named("gap9")), value_graph(graph)
    step_of = {maker(values, op.output): stage.number for stage in staged.stages for op in stage.ops}
    ranges = activation_ranges(staged)
    steps, lives = step_graph(values, step_of, {each.name: each.size_bytes for each in ranges})
    assert list(steps) == [stage.number for stage in staged.stages]
    assert [(each.name, each.size_bytes, each.first, each.last) for each in ranges] == [
        (value.name, value.size_bytes, value.maker, value.readers[-1]) for value in lives
    ]
    order = lowest_peak_order(steps, lives)
    assert order.steps == tuple(steps)
    assert order.peak_bytes == order.bound_bytes > 0


def test_views_belong_to_the_step_of_what_they_show() -> None:
    kinds = {"a": OpKind.NEG, "seen": OpKind.RESHAPE, "b": OpKind.NEG, "c": OpKind.ADD}
    inputs = {"a": ("x",), "seen": ("a",), "b": ("a",), "c": ("seen", "b")}
    ops = tuple(Op(kind, inputs[name], name, Attrs(), name) for name, kind in kinds.items())
    types = dict.fromkeys(("x", *kinds), TensorType(DType.F32, (1,)))
    values = value_graph(Graph("views", ("x",), ("c",), ops, types, {}))
    sizes = {"a": 4, "b": 8}
    steps, lives = step_graph(values, {0: 0, 2: 1, 3: 2}, sizes)
    assert list(steps.edges) == [(0, 1), (0, 2), (1, 2)]
    assert [(value.name, value.maker, value.readers) for value in lives] == [("a", 0, (1, 2)), ("b", 1, (2,))]
    steps, lives = step_graph(values, {0: 0, 2: 0, 3: 1}, sizes)
    assert list(steps.edges) == [(0, 1)]
    assert [(value.name, value.maker, value.readers) for value in lives] == [("a", 0, (1,)), ("b", 0, (1,))]


def test_a_thousand_ops_take_milliseconds() -> None:
    graph = branches(200, 4)
    start = time.process_time()
    values = value_graph(graph)
    assert len(read_across(values, range(0, len(graph.ops), 7))) > 100
    steps, _ = step_graph(values, {index: index for index in range(len(graph.ops))}, {})
    spans = single_entry_regions(steps)
    assert time.process_time() - start < 0.1
    assert networkx.is_directed_acyclic_graph(steps)
    assert max(map(len, spans)) == len(graph.ops) - 1
