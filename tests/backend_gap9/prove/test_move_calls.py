"""Calls that move rows and columns are held to the graph by the proof: every claim, number, wait and byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.backend_gap9.prove.damage import Subject, shrunk
from tests.backend_gap9.prove.test_relations import uncaught
from tests.networks.move_networks import (
    gathered,
    joined,
)
from tests.networks.simple_plan import Tiles, simple_plan
from tests.networks.small_program import edited, statements, with_stage
from tmc.backend_gap9.program.program import Call, Const, Wait
from tmc.backend_gap9.prove.check_program import prove_program
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.attrs import GatherAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.errors import CheckError
from tmc.ir.graph import Graph, Op
from tmc.ir.types import DType, TensorType

TARGET = target_named("gap9")
SMALL = Tiles(rows=4, channels=8, buffers=2, queries=8, keys=12, values=8)


@cache
def subject() -> Subject:
    """Return a graph of all kinds of runs, in several tiles of rows and of columns."""
    builder = GraphBuilder("moves", {"x": TensorType(DType.S8, (20, 16))}, ("y",))
    token = builder.constant(np.arange(48, dtype=np.int8).reshape(3, 16), "token")
    value = joined(builder, ["x", token, "x"], 0, "joined")
    value = gathered(builder, value, 0, tuple(7 * row % 43 for row in range(30)), "picked")
    gathered(builder, value, 0, (*range(9, 21), *range(4)), "y")
    return Subject(simple_plan(builder.graph(), SMALL))


NUMBERS = range(3)


@pytest.mark.parametrize("number", NUMBERS)
def test_every_claim_and_every_number_matters(number: int) -> None:
    assert uncaught(subject(), number) == []


@pytest.mark.parametrize("number", NUMBERS)
def test_every_dropped_wait_is_caught(number: int) -> None:
    program = subject().planned.program
    body = program.stages[number].body
    waits = [path for path, statement in statements(body) if isinstance(statement, Wait)]
    assert len(waits) >= 2
    damaged = (replace(program.stages[number], body=edited(body, path)) for path in waits)
    assert all(subject().proof_fails(with_stage(program, number, each), number) for each in damaged)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_proof_needs_every_byte_of_l1_buffers(number: int) -> None:
    buffers = subject().planned.program.stages[number].buffers
    damaged = [subject().with_l1(number, shrunk(buffers, each)) for each in buffers]
    assert all(subject().proof_fails(program, number) for program in damaged)


@cache
def beside() -> Subject:
    """Return a graph of all kinds of runs of columns, in several tiles of rows."""
    inputs = {"x": TensorType(DType.S16, (10, 8)), "z": TensorType(DType.S16, (10, 7))}
    builder = GraphBuilder("columns", inputs, ("y",))
    lines = builder.constant(np.arange(30, dtype=np.int16).reshape(10, 3), "lines")
    value = joined(builder, ["x", "z", lines, "x"], 1, "joined")
    value = gathered(builder, value, 1, tuple(7 * column % 26 for column in range(20)), "picked")
    gathered(builder, value, 1, (*range(9, 20), *range(4)), "y")
    return Subject(simple_plan(builder.graph(), SMALL))


def test_every_claim_and_every_number_of_columns_matters() -> None:
    assert uncaught(beside(), 0) == []


def with_op(output: str, op: Op) -> Graph:
    """Return the subject's graph with another op for one of its values."""
    graph = subject().planned.graph
    return replace(graph, ops=tuple(op if each.output == output else each for each in graph.ops))


def with_indices(output: str, change: Callable[[list[int]], list[int]]) -> Graph:
    """Return the subject's graph with other rows picked."""
    op = next(op for op in subject().planned.graph.ops if op.output == output)
    assert isinstance(op.attrs, GatherAttrs)
    indices = tuple(change(list(op.attrs.indices)))
    return with_op(output, replace(op, attrs=GatherAttrs(0, indices, op.attrs.shape)))


def with_operands(*operands: str) -> Graph:
    """Return the subject's graph with the joined values in another order."""
    op = next(op for op in subject().planned.graph.ops if op.output == "joined")
    return with_op("joined", replace(op, inputs=operands))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (
            lambda: with_indices("picked", lambda rows: [rows[1], rows[0], *rows[2:]]),
            r"found other bytes in stage_1\.tables than the constants",
        ),
        (
            lambda: with_indices("picked", lambda rows: [42, *rows[1:]]),
            r"found rows \[.*\] picked, allowed those of",
        ),
        (
            lambda: with_indices("y", lambda rows: rows[::-1]),
            r"found a copy of rows \(3, 2.*, allowed consec",
        ),
        (lambda: with_operands("token", "x", "x"), "found rows 0 to 3 of %token, allowed 3 rows"),
    ],
)
def test_rows_of_other_numbers_are_not_those_of_the_op(graph: Callable[[], Graph], message: str) -> None:
    its = subject().planned
    with pytest.raises(CheckError, match=message):
        prove_program(its.program, graph(), its.plan, its.contents, TARGET)


def with_columns(output: str, **changes: object) -> Graph:
    """Return the graph of columns with other attributes or operands of one of its ops."""
    graph = beside().planned.graph
    return replace(
        graph,
        ops=tuple(replace(op, **changes) if op.output == output else op for op in graph.ops),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (
            lambda: with_columns("y", attrs=GatherAttrs(1, tuple(range(15))[::-1], (15,))),
            r"found a copy of columns \(14, 13.*, allowed consecutive ones",
        ),
        (
            lambda: with_columns("joined", inputs=("z", "x", "lines", "x")),
            "found columns 0 to 7 of %z, allowed 7 columns",
        ),
        (
            lambda: with_columns("picked", attrs=GatherAttrs(0, tuple(range(10)), (10,))),
            "found kernel tmc_gather_columns_s16s16, allowed one along axis 0 of s16",
        ),
    ],
)
def test_columns_of_other_numbers_are_not_those_of_the_op(graph: Callable[[], Graph], message: str) -> None:
    its = beside().planned
    with pytest.raises(CheckError, match=message):
        prove_program(its.program, graph(), its.plan, its.contents, TARGET)


def test_a_kernel_that_picks_rows_picks_no_columns() -> None:
    its = subject().planned
    ops = tuple(
        replace(op, attrs=GatherAttrs(1, op.attrs.indices, op.attrs.shape))
        if op.output == "picked" and isinstance(op.attrs, GatherAttrs)
        else op
        for op in its.graph.ops
    )
    with pytest.raises(CheckError, match="found kernel tmc_gather_rows_s8s8, allowed one that picks columns"):
        prove_program(its.program, replace(its.graph, ops=ops), its.plan, its.contents, TARGET)


def test_a_part_of_an_element_is_no_run_of_columns() -> None:
    its = beside().planned
    stage = its.program.stages[0]
    path, call = next(
        (path, call)
        for path, call in statements(stage.body)
        if isinstance(call, Call) and call.op == "joined"
    )
    arguments = tuple(
        replace(each, value=Const(3)) if each.field == "row_bytes" else each for each in call.arguments
    )
    body = edited(stage.body, path, replace(call, arguments=arguments))
    with pytest.raises(CheckError, match="found 3 bytes from byte 0, allowed whole elements"):
        prove_program(
            with_stage(its.program, 0, replace(stage, body=body)), its.graph, its.plan, its.contents, TARGET
        )
