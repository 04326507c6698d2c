"""Attention whose products are jobs: proved, and every damage of its order, claims and numbers is found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.backend_gap9.prove.damage import Subject
from tests.backend_gap9.prove.test_relations import calls_with_changes
from tests.networks.simple_plan import Planned
from tests.networks.small_program import Path, edited, statements, with_stage
from tmc.backend_gap9.plan.planning import make_plan
from tmc.backend_gap9.program.program import Barrier, Call, Job, JobEnd, Program, Stmt, Wait
from tmc.backend_gap9.prove.check_cycles import check_cycles
from tmc.backend_gap9.prove.check_program import check_program
from tmc.backend_gap9.schedule.schedule import build_program
from tmc.backend_gap9.stages.offload import offload
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, OpKind
from tmc.ir.integer.qattention import QAttentionAttrs
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.types import DType, TensorType

NE16 = target_named("gap9-ne16")
ROWS, KEYS, WIDTH = 30, 36, 64
MODES = ("resident", "streamed")


def attention(
    rows: int = ROWS,
    keys: int = KEYS,
    width: int = WIDTH,
    shifts: tuple[int, ...] = (6, 7),
    *,
    computed: bool = False,
) -> Graph:
    """Return a graph of one attention of the caller's queries, values and keys, these computed or not."""
    heads = len(shifts)
    shapes = {"q": (heads, rows, width), "k": (heads, keys, width), "vt": (heads * width, keys)}
    if computed:
        shapes["k"] = (keys, 8)
    inputs = {name: TensorType(DType.S8, shape) for name, shape in shapes.items()}
    builder = GraphBuilder("attention", inputs, ["y"])
    k = "k"
    if computed:
        weight = np.random.default_rng(0).integers(-127, 128, (heads * width, 8)).astype(np.int8)
        multiplier, bias = np.full(heads * width, 3, np.int32), np.zeros((1, heads * width), np.int32)
        constants = [
            builder.constant(each, f"k.{each.ndim}{each.dtype}") for each in (weight, multiplier, bias)
        ]
        attrs = QLinearAttrs(shift=9, layout="heads", heads=heads)
        k = builder.op(OpKind.QLINEAR, ("k", *constants), attrs, "/k/MatMul", "keys")
    table = np.round(255 * np.exp(-np.arange(1024) / 40.0)).astype(np.uint8)
    tables = builder.constant(np.stack([table] * heads), "exp")
    attention = QAttentionAttrs(heads, shifts, out_multiplier=20_000, out_shift=14)
    builder.op(OpKind.QATTENTION, ("q", k, "vt", tables), attention, "/attn/MatMul", "y")
    return builder.graph()


@cache
def subject(mode: str) -> Subject:
    """Return an attention of two heads in little L1: K and V are packed in tiles, or K is even streamed."""
    l1_bytes, graph = {
        "resident": (22_000, attention()),
        "streamed": (33_000, attention(27, 128, 64, computed=True)),
    }[mode]
    target = replace(NE16, l1=replace(NE16.l1, size_bytes=11_264 + l1_bytes))
    graph = offload(graph, target)
    plan = make_plan(stage_graph(graph, target), target)
    return Subject(Planned(graph, plan, build_program(plan), plan.staged.contents))


def its_stage(mode: str) -> int:
    return len(subject(mode).planned.program.stages) - 1


def damaged(mode: str, path: Path, *new: Stmt) -> Program:
    program, number = subject(mode).planned.program, its_stage(mode)
    stage = program.stages[number]
    return with_stage(program, number, replace(stage, body=edited(stage.body, path, *new)))


def found(mode: str, *kinds: type[Stmt]) -> Iterator[tuple[Path, Stmt]]:
    body = subject(mode).planned.program.stages[its_stage(mode)].body
    return ((path, each) for path, each in statements(body) if isinstance(each, kinds))


@pytest.mark.parametrize("mode", MODES)
def test_it_is_proved_and_takes_what_the_plan_says(mode: str) -> None:
    its = subject(mode).planned
    report = check_program(its.program, its.graph, its.plan, its.contents, NE16)
    check_cycles(its.plan, its.program, report, NE16)
    text = its.plan.stages[its_stage(mode)].tiling.text()
    assert text.startswith(("8 query rows", "9 query rows"))
    assert ("K streamed" in text) == (mode == "streamed")
    assert report.replayed[its_stage(mode)].jobs > 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", [Wait, Job, JobEnd, Barrier])
def test_every_wait_job_and_barrier_is_needed(kind: type[Stmt], mode: str) -> None:
    paths = [path for path, _ in found(mode, kind)]
    assert paths
    assert [
        path for path in paths if not subject(mode).proof_fails(damaged(mode, path), its_stage(mode))
    ] == []


@pytest.mark.parametrize("mode", MODES)
def test_every_claim_and_every_number_matters(mode: str) -> None:
    """Those of jobs are changed at both of their ends."""
    program, number = subject(mode).planned.program, its_stage(mode)
    stage = program.stages[number]
    uncaught = []
    for path, statement in found(mode, Call, Job):
        call = statement.call if isinstance(statement, Job) else statement
        assert isinstance(call, Call)
        for what, changed in calls_with_changes(call):
            if isinstance(statement, Job):
                body = edited(stage.body, path, replace(statement, call=changed))
                for other, end in found(mode, JobEnd):
                    if isinstance(end, JobEnd) and end.call == call:
                        body = edited(body, other, replace(end, call=changed))
            else:
                body = edited(stage.body, path, changed)
            if not subject(mode).proof_fails(with_stage(program, number, replace(stage, body=body)), number):
                uncaught.append((call.kernel, what))
    assert uncaught == []


def test_what_is_packed_of_keys_is_not_read_as_values() -> None:
    """Both have a place of their own in the proof, even where all sizes are the same."""
    graph = offload(attention(64, 64, 64, (7,)), NE16)
    plan = make_plan(stage_graph(graph, NE16), NE16)
    its = Subject(Planned(graph, plan, build_program(plan), plan.staged.contents))
    stage = its.planned.program.stages[-1]
    renamed = {"y.keys": "y.values", "y.values": "y.keys"}

    def exchanged_weights(call: Call) -> Call:
        operands = tuple(
            replace(each, part=replace(each.part, value=renamed.get(each.part.value, each.part.value)))
            if each.field == "weight"
            else each
            for each in call.operands
        )
        return replace(call, operands=operands)

    body = stage.body
    for path, statement in statements(stage.body):
        if isinstance(statement, Job | JobEnd):
            body = edited(body, path, replace(statement, call=exchanged_weights(statement.call)))
    program = with_stage(its.planned.program, 1, replace(stage, body=body))
    assert its.proof_fails(program, 1)
