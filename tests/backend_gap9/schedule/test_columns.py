"""Ops that need whole columns: schedules, damage to them, and their C against the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.backend_gap9.prove.damage import Subject, shrunk
from tests.backend_gap9.prove.test_relations import uncaught
from tests.networks.emitted_network import emitted, some_inputs
from tests.networks.integer_networks import column_network, integer_network
from tests.networks.simple_plan import Tiles, simple_plan
from tests.networks.small_program import edited, statements, with_stage
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.backend_gap9.plan.plan import ColumnTiling
from tmc.backend_gap9.plan.planning import make_plan
from tmc.backend_gap9.program.program import Call, Wait
from tmc.backend_gap9.prove.check_cycles import check_cycles
from tmc.backend_gap9.prove.check_plan import check_plan, check_tiles
from tmc.backend_gap9.prove.check_program import check_program, prove_program
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.schedule.schedule import build_program
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.stages.staged import GraphStage
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.errors import CheckError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.integer.qdepthwise_rows import QDepthwiseRowsAttrs
from tmc.ir.integer.qinterpolate_rows import QInterpolateRowsAttrs

TARGET = target_named("gap9")
SMALL = Tiles(rows=8, channels=12, buffers=2, queries=8, keys=12, values=8)
WIDE = Tiles(rows=12, channels=100, buffers=1, queries=24, keys=24, values=64)


def curves() -> Graph:
    """Return a small network that draws curves: every kind of column stage but a mean."""
    return integer_network(40, 1, 4, 80, 5, seed=2, rope_period=10, dim=24, heads=3, hidden=32, head="curves")


@cache
def subject() -> Subject:
    """Return the network under tiles of which every column stage has three or more."""
    return Subject(simple_plan(curves(), replace(SMALL, channels=8)))


STAGES = tuple(stage for stage in stage_graph(curves(), TARGET).stages if stage.form == "columns")
IDS = [stage.op.output for stage in STAGES]
# Of one tile: a curve has 5 columns of 2 bytes, which cannot be cut at words.
SEVERAL_TURNS = STAGES[:-1]


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


@pytest.mark.parametrize("tiles", [SMALL, WIDE])
@pytest.mark.parametrize("seed", range(8))
def test_every_op_is_bit_exact(tmp_path: Path, iss: Path, seed: int, tiles: Tiles) -> None:
    graph = column_network(seed)
    write_directory(emitted(graph, tiles), tmp_path / "out")
    for number in range(2):
        inputs = some_inputs(graph, number)
        assert run_host(tmp_path / "out", inputs).bit_exact
        if seed < 3 and number == 0:
            assert run_iss(tmp_path / "out", inputs, simulator=iss).bit_exact


@pytest.mark.parametrize("head", ["curves", "signal"])
def test_heads_are_bit_exact(tmp_path: Path, iss: Path, head: str) -> None:
    graph = integer_network(
        40,
        1,
        4,
        80,
        5,
        seed=4,
        rope_period=10,
        dim=24,
        heads=3,
        hidden=32,
        head=head,  # type: ignore[arg-type]
    )
    write_directory(emitted(graph, SMALL), tmp_path / "out")
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact


@pytest.mark.parametrize("head", ["curves", "signal"])
def test_heads_of_full_size_have_a_program(head: str) -> None:
    graph = integer_network(400, 1, 8, 1000, 5, seed=0, rope_period=50, head=head)  # type: ignore[arg-type]
    plan = make_plan(stage_graph(graph, TARGET), TARGET)
    check_plan(plan, graph, TARGET)
    program = build_program(plan)
    check_cycles(plan, program, check_program(program, graph, plan, plan.staged.contents, TARGET), TARGET)
    tilings = [stage.tiling for stage in plan.stages if isinstance(stage.tiling, ColumnTiling)]
    # 400 rows of 192 bytes do not fit L1 twice.
    assert [each.columns < 192 for each in tilings[:1]] == [True] * (head == "curves")


@pytest.mark.parametrize("channels", [4, 8, 20, 44, 100])
def test_every_tiling_gives_a_correct_program(channels: int) -> None:
    its = simple_plan(curves(), replace(SMALL, channels=channels))
    proof = check_program(its.program, its.graph, its.plan, its.contents, TARGET)
    assert proof.stages == len(its.plan.stages)


@pytest.mark.parametrize("stage", STAGES, ids=IDS)
def test_every_claim_and_every_number_matters(stage: GraphStage) -> None:
    assert uncaught(subject(), stage.number) == []


@pytest.mark.parametrize("stage", STAGES, ids=IDS)
def test_every_dropped_wait_is_caught(stage: GraphStage) -> None:
    program = subject().planned.program
    body = program.stages[stage.number].body
    waits = [path for path, statement in statements(body) if isinstance(statement, Wait)]
    assert len(waits) >= 2
    damaged = (replace(program.stages[stage.number], body=edited(body, path)) for path in waits)
    assert all(
        subject().proof_fails(with_stage(program, stage.number, each), stage.number) for each in damaged
    )


@pytest.mark.parametrize("stage", SEVERAL_TURNS, ids=IDS[:-1])
def test_the_proof_needs_every_byte_of_l1_buffers(stage: GraphStage) -> None:
    buffers = subject().planned.program.stages[stage.number].buffers
    damaged = [subject().with_l1(stage.number, shrunk(buffers, each)) for each in buffers]
    assert all(subject().proof_fails(program, stage.number) for program in damaged)


def another_depthwise(attrs: object) -> object:
    assert isinstance(attrs, QDepthwiseRowsAttrs)
    return replace(attrs, table=not attrs.table)


def another_interpolation(attrs: object) -> object:
    assert isinstance(attrs, QInterpolateRowsAttrs)
    return replace(attrs, layout="rows")


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (OpKind.QDEPTHWISE_ROWS, another_depthwise),
        (OpKind.QINTERPOLATE_ROWS, another_interpolation),
    ],
)
def test_an_op_needs_the_kernel_of_its_form(kind: OpKind, change: Callable[[object], object]) -> None:
    its = subject().planned
    ops = tuple(
        replace(op, attrs=change(op.attrs)) if op.kind is kind else op  # type: ignore[arg-type]
        for op in its.graph.ops
    )
    with pytest.raises(CheckError, match=r"found kernel tmc_.*, allowed one with"):
        prove_program(its.program, replace(its.graph, ops=ops), its.plan, its.contents, TARGET)


def test_a_kernel_of_another_op_is_refused() -> None:
    its, stage = subject().planned, STAGES[0]
    body = its.program.stages[stage.number].body
    path, call = next((path, each) for path, each in statements(body) if isinstance(each, Call))
    assert isinstance(call, Call)
    other = replace(call, kernel="tmc_mean_rows_s8s16")
    changed = replace(its.program.stages[stage.number], body=edited(body, path, other))
    broken = with_stage(its.program, stage.number, changed)
    with pytest.raises(CheckError, match="found tmc_mean_rows_s8s16 for permute_rows"):
        prove_program(broken, its.graph, its.plan, its.contents, TARGET)


def test_a_tile_is_no_wider_than_the_value() -> None:
    with pytest.raises(CheckError, match="plan, stage 3: found a tile of 25 columns, allowed 1 to 24"):
        check_tiles("plan, stage 3", ColumnTiling(25), curves(), STAGES[0].ops)
