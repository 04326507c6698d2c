"""Transposes: their tiles, damage to their programs, and their C against the interpreter."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.backend_gap9.prove.damage import Subject, shrunk
from tests.backend_gap9.prove.test_relations import uncaught
from tests.networks.emitted_network import emitted, some_inputs
from tests.networks.move_networks import channel_tokens, transposes, turned
from tests.networks.simple_plan import Tiles, simple_plan
from tests.networks.small_program import edited, statements, with_stage
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.backend_gap9.plan.fits import check_fits
from tmc.backend_gap9.plan.plan import ColumnTiling
from tmc.backend_gap9.plan.planning import make_plan
from tmc.backend_gap9.program.program import Call, Wait
from tmc.backend_gap9.prove.check_cycles import check_cycles
from tmc.backend_gap9.prove.check_plan import check_plan
from tmc.backend_gap9.prove.check_program import check_program, prove_program
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.schedule.schedule import build_program
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.attrs import TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.errors import CheckError, PlanError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.types import DType, TensorType

TARGET = target_named("gap9")
SMALL = Tiles(rows=4, channels=8, buffers=2, queries=8, keys=12, values=8)
NARROW = replace(SMALL, channels=1)
WIDE = replace(SMALL, rows=100, channels=100, buffers=1)


def transpose(rows: int, columns: int, dtype: DType = DType.S8) -> Graph:
    """Return a graph of one transpose."""
    builder = GraphBuilder("turned", {"x": TensorType(dtype, (rows, columns))}, ("y",))
    turned(builder, "x", "y")
    return builder.graph()


@cache
def subject(dtype: DType) -> Subject:
    """Return a transpose in several tiles, the last one narrower."""
    return Subject(simple_plan(transpose(9, 22, dtype), SMALL))


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


@pytest.mark.parametrize("tiles", [SMALL, NARROW, WIDE], ids=["small", "narrow", "wide"])
@pytest.mark.parametrize("seed", range(6))
def test_transposes_are_bit_exact(tmp_path: Path, iss: Path, seed: int, tiles: Tiles) -> None:
    graph = transposes(seed)
    write_directory(emitted(graph, tiles), tmp_path / "out")
    inputs = some_inputs(graph, seed)
    assert run_host(tmp_path / "out", inputs).bit_exact
    if seed < 3:
        assert run_iss(tmp_path / "out", inputs, simulator=iss).bit_exact


@pytest.mark.parametrize(("channels", "samples"), [(6, 96), (3, 64), (5, 33)])
def test_channels_as_tokens_are_bit_exact(tmp_path: Path, iss: Path, channels: int, samples: int) -> None:
    graph = channel_tokens(channels, samples)
    check_fits(graph, TARGET)
    plan = make_plan(stage_graph(graph, TARGET), TARGET)
    check_plan(plan, graph, TARGET)
    program = build_program(plan)
    check_cycles(plan, program, check_program(program, graph, plan, plan.staged.contents, TARGET), TARGET)
    write_directory(emitted(graph, SMALL), tmp_path / "out")
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact


def test_a_value_that_L1_does_not_hold_is_cut_between_columns_of_whole_words() -> None:
    graph = transpose(4000, 30)
    plan = make_plan(stage_graph(graph, TARGET), TARGET)
    check_plan(plan, graph, TARGET)
    program = build_program(plan)
    check_cycles(plan, program, check_program(program, graph, plan, plan.staged.contents, TARGET), TARGET)
    (tiling,) = (stage.tiling for stage in plan.stages)
    assert isinstance(tiling, ColumnTiling) and tiling.columns % 4 == 0 and 30 % tiling.columns


@pytest.mark.parametrize("dtype", [DType.S8, DType.S16, DType.S32])
def test_every_claim_and_every_number_matters(dtype: DType) -> None:
    assert uncaught(subject(dtype), 0) == []


def test_every_dropped_wait_and_every_missing_byte_is_caught() -> None:
    its, stage = subject(DType.S8), subject(DType.S8).planned.program.stages[0]
    waits = [path for path, statement in statements(stage.body) if isinstance(statement, Wait)]
    assert len(waits) >= 2
    damaged = [replace(stage, body=edited(stage.body, path)) for path in waits]
    assert all(its.proof_fails(with_stage(its.planned.program, 0, each), 0) for each in damaged)
    shorter = [its.with_l1(0, shrunk(stage.buffers, each)) for each in stage.buffers]
    assert all(its.proof_fails(program, 0) for program in shorter)


def test_a_kernel_of_another_type_is_refused() -> None:
    its = subject(DType.S16).planned
    stage = its.program.stages[0]
    path, call = next((path, each) for path, each in statements(stage.body) if isinstance(each, Call))
    assert isinstance(call, Call)
    body = edited(stage.body, path, replace(call, kernel="tmc_transpose_s8s8"))
    broken = with_stage(its.program, 0, replace(stage, body=body))
    with pytest.raises(CheckError, match="found kernel tmc_transpose_s8s8, allowed one of s16"):
        prove_program(broken, its.graph, its.plan, its.contents, TARGET)


def test_more_than_two_axes_are_refused() -> None:
    builder = GraphBuilder("deep", {"x": TensorType(DType.S8, (3, 4, 8))}, ("y",))
    builder.op(OpKind.TRANSPOSE, ["x"], TransposeAttrs((0, 2, 1)), "/y/Transpose", "y")
    with pytest.raises(PlanError, match=r"/y/Transpose: found a transpose to axes \(0, 2, 1\), allowed"):
        stage_graph(builder.graph(), TARGET)
