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
from tmc.ir.types import DType, TensorType

NE16 = target_named("gap9-ne16")
CONVERT, ATTENTION = 0, 1
ROWS, KEYS, WIDTH = 30, 36, 64


def attention(
    rows: int = ROWS, keys: int = KEYS, width: int = WIDTH, shifts: tuple[int, ...] = (6, 7)
) -> Graph:
    """Return a graph of one attention of the caller's queries, keys and values."""
    heads = len(shifts)
    shapes = {"q": (heads, rows, width), "k": (heads, keys, width), "vt": (heads * width, keys)}
    inputs = {name: TensorType(DType.S8, shape) for name, shape in shapes.items()}
    builder = GraphBuilder("attention", inputs, ["y"])
    table = np.round(255 * np.exp(-np.arange(1024) / 40.0)).astype(np.uint8)
    tables = builder.constant(np.stack([table] * heads), "exp")
    attrs = QAttentionAttrs(heads, shifts, out_multiplier=20_000, out_shift=14)
    builder.op(OpKind.QATTENTION, ("q", "k", "vt", tables), attrs, "/attn/MatMul", "y")
    return builder.graph()


@cache
def subject() -> Subject:
    """Return an attention of 4 tiles of queries, of two heads, in so little L1 that K and V come in tiles."""
    fits = replace(NE16, l1=replace(NE16.l1, size_bytes=11_264 + 22_000))
    graph = offload(attention(), fits)
    plan = make_plan(stage_graph(graph, fits), fits)
    return Subject(Planned(graph, plan, build_program(plan), plan.staged.contents))


def damaged(path: Path, *new: Stmt) -> Program:
    program = subject().planned.program
    stage = program.stages[ATTENTION]
    return with_stage(program, ATTENTION, replace(stage, body=edited(stage.body, path, *new)))


def found(*kinds: type[Stmt]) -> Iterator[tuple[Path, Stmt]]:
    body = subject().planned.program.stages[ATTENTION].body
    return ((path, each) for path, each in statements(body) if isinstance(each, kinds))


def test_it_is_proved_and_takes_what_the_plan_says() -> None:
    its = subject().planned
    report = check_program(its.program, its.graph, its.plan, its.contents, NE16)
    check_cycles(its.plan, its.program, report, NE16)
    text = its.plan.stages[ATTENTION].tiling.text()
    assert text.startswith("9 query rows") and f"{KEYS} keys" not in text
    assert report.replayed[ATTENTION].jobs > 0


@pytest.mark.parametrize("kind", [Wait, Job, JobEnd, Barrier])
def test_every_wait_job_and_barrier_is_needed(kind: type[Stmt]) -> None:
    paths = [path for path, _ in found(kind)]
    assert paths
    assert [path for path in paths if not subject().proof_fails(damaged(path), ATTENTION)] == []


def test_every_claim_and_every_number_matters() -> None:
    """Those of jobs are changed at both of their ends."""
    program = subject().planned.program
    stage = program.stages[ATTENTION]
    ends = {each.call: path for path, each in found(JobEnd) if isinstance(each, JobEnd)}
    uncaught = []
    for path, statement in found(Call, Job):
        call = statement.call if isinstance(statement, Job) else statement
        assert isinstance(call, Call)
        for what, changed in calls_with_changes(call):
            if isinstance(statement, Job):
                body = edited(stage.body, path, replace(statement, call=changed))
                for other, end in found(JobEnd):
                    if isinstance(end, JobEnd) and end.call == call:
                        body = edited(body, other, replace(end, call=changed))
            else:
                body = edited(stage.body, path, changed)
            if not subject().proof_fails(
                with_stage(program, ATTENTION, replace(stage, body=body)), ATTENTION
            ):
                uncaught.append((call.kernel, what))
    assert ends
    assert uncaught == []


def test_what_is_packed_of_keys_is_not_read_as_values() -> None:
    """Both have a place of their own in the proof, even where all sizes are the same."""
    graph = offload(attention(64, 64, 64, (7,)), NE16)
    plan = make_plan(stage_graph(graph, NE16), NE16)
    its = Subject(Planned(graph, plan, build_program(plan), plan.staged.contents))
    stage = its.planned.program.stages[ATTENTION]
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
    program = with_stage(its.planned.program, ATTENTION, replace(stage, body=body))
    assert its.proof_fails(program, ATTENTION)
