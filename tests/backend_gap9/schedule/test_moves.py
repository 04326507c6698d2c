"""Ops that move rows and columns: their schedules, and their C against the interpreter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.networks.emitted_network import emitted, some_inputs
from tests.networks.move_networks import (
    class_token,
    column_moves,
    gathered,
    row_moves,
    split_and_joined,
)
from tests.networks.simple_plan import Tiles
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.backend_gap9.plan.fits import check_fits
from tmc.backend_gap9.plan.plan import MoveTiling
from tmc.backend_gap9.plan.planning import make_plan
from tmc.backend_gap9.prove.check_cycles import check_cycles
from tmc.backend_gap9.prove.check_plan import check_plan, check_tiles
from tmc.backend_gap9.prove.check_program import check_program
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_gvsoc, run_iss
from tmc.backend_gap9.schedule.schedule import build_program
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.build import GraphBuilder
from tmc.ir.errors import CheckError, PlanError
from tmc.ir.graph import Graph
from tmc.ir.types import DType, TensorType

TARGET = target_named("gap9")
SMALL = Tiles(rows=4, channels=8, buffers=2, queries=8, keys=12, values=8)
NARROW = replace(SMALL, rows=7, channels=1)
WIDE = replace(SMALL, rows=100, channels=100, buffers=1)


def planned(graph: Graph) -> list[MoveTiling]:
    """Plan, check and prove a graph; return the tiles of the stages that move rows."""
    plan = make_plan(stage_graph(graph, TARGET), TARGET)
    check_plan(plan, graph, TARGET)
    program = build_program(plan)
    check_cycles(plan, program, check_program(program, graph, plan, plan.staged.contents, TARGET), TARGET)
    return [stage.tiling for stage in plan.stages if isinstance(stage.tiling, MoveTiling)]


def picking(rows: int, columns: int, indices: tuple[int, ...], dtype: DType = DType.S16) -> Graph:
    """Return a graph that picks rows of its input."""
    builder = GraphBuilder("picked", {"x": TensorType(dtype, (rows, columns))}, ("y",))
    gathered(builder, "x", 0, indices, "y")
    return builder.graph()


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


@pytest.mark.parametrize("tiles", [SMALL, NARROW, WIDE], ids=["small", "narrow", "wide"])
@pytest.mark.parametrize("seed", range(9))
def test_moves_of_rows_are_bit_exact(tmp_path: Path, iss: Path, seed: int, tiles: Tiles) -> None:
    graph = row_moves(seed)
    write_directory(emitted(graph, tiles), tmp_path / "out")
    inputs = some_inputs(graph, seed)
    assert run_host(tmp_path / "out", inputs).bit_exact
    if seed < 3:
        assert run_iss(tmp_path / "out", inputs, simulator=iss).bit_exact


@pytest.mark.parametrize("tiles", [SMALL, NARROW, WIDE], ids=["small", "narrow", "wide"])
@pytest.mark.parametrize("seed", range(9))
def test_moves_of_columns_are_bit_exact(tmp_path: Path, iss: Path, seed: int, tiles: Tiles) -> None:
    graph = column_moves(seed)
    write_directory(emitted(graph, tiles), tmp_path / "out")
    inputs = some_inputs(graph, seed)
    assert run_host(tmp_path / "out", inputs).bit_exact
    if seed < 3:
        assert run_iss(tmp_path / "out", inputs, simulator=iss).bit_exact


@pytest.mark.parametrize(
    "graph", [row_moves(0), column_moves(1), split_and_joined(33, 7)], ids=["rows", "columns", "split"]
)
def test_moves_are_bit_exact_on_gvsoc(tmp_path: Path, gvsoc_program: Path, graph: Graph) -> None:
    write_directory(emitted(graph, SMALL), tmp_path / "out")
    assert run_gvsoc(tmp_path / "out", some_inputs(graph, 0), gvsoc=gvsoc_program).bit_exact


@pytest.mark.parametrize(("rows", "channels"), [(10, 12), (33, 7)])
def test_columns_are_cut_and_joined_between_linears(
    tmp_path: Path, iss: Path, rows: int, channels: int
) -> None:
    graph = split_and_joined(rows, channels)
    assert len(stage_graph(graph, TARGET).stages) == 1
    planned(graph)
    write_directory(emitted(graph, SMALL), tmp_path / "out")
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact


@pytest.mark.parametrize(("rows", "channels"), [(10, 12), (7, 10), (33, 7)])
def test_a_class_token_is_bit_exact(tmp_path: Path, iss: Path, rows: int, channels: int) -> None:
    graph = class_token(rows, channels)
    write_directory(emitted(graph, SMALL), tmp_path / "out")
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert planned(graph) == [MoveTiling(rows, channels), MoveTiling(1, channels)]


def test_a_network_of_nothing_but_a_slice_is_bit_exact(tmp_path: Path, iss: Path) -> None:
    """It has no constants and no values of its own in L2."""
    graph = picking(40, 3, tuple(range(10, 31)))
    write_directory(emitted(graph, SMALL), tmp_path / "out")
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact


@pytest.mark.parametrize("seed", range(6))
def test_every_plan_of_moves_is_proved(seed: int) -> None:
    graph = row_moves(seed)
    check_fits(graph, TARGET)
    assert len(planned(graph)) == len(graph.ops)


def test_a_slice_of_rows_reads_no_more_than_it_moves() -> None:
    whole, part = picking(4000, 64, tuple(range(4000))), picking(4000, 64, tuple(range(3900, 3950)))
    cycles = [make_plan(stage_graph(graph, TARGET), TARGET).stages[0].cycles.dma for graph in (whole, part)]
    assert cycles[1] * 40 < cycles[0]


def test_overlapping_windows_of_a_long_recording_are_picked_from_parts_of_it() -> None:
    windows = tuple(start + sample for start in range(0, 3985, 5) for sample in range(15))
    (tiling,) = planned(picking(4000, 8, windows))
    assert tiling.columns == 8 and tiling.rows < len(windows)


def test_rows_that_L1_does_not_hold_together_are_picked_in_columns() -> None:
    turned = tuple(row for first in range(50) for row in range(first, 400, 50))
    (tiling,) = planned(picking(400, 192, turned))
    assert tiling == MoveTiling(400, 32)


def test_rows_too_many_for_L1_in_any_tile_are_refused() -> None:
    graph = picking(60_000, 2, tuple(range(0, 60_000, 2)) * 2)
    with pytest.raises(PlanError, match=r"/y/Gather: found .* bytes of L1 for the smallest tile of 1 rows"):
        check_fits(graph, TARGET)


def test_a_row_beyond_the_table_is_refused() -> None:
    graph = picking(70_000, 2, tuple(range(0, 70_000, 1000)), DType.S8)
    with pytest.raises(PlanError, match="/y/Gather: found 70,000 rows to pick from, allowed 65,536"):
        check_fits(graph, TARGET)


def test_a_column_beyond_the_table_is_refused() -> None:
    builder = GraphBuilder("picked", {"x": TensorType(DType.S8, (2, 70_000))}, ("y",))
    gathered(builder, "x", 1, tuple(range(0, 70_000, 1000)), "y")
    with pytest.raises(PlanError, match="/y/Gather: found 70,000 columns to pick from, allowed 65,536"):
        check_fits(builder.graph(), TARGET)


@pytest.mark.parametrize("axis", [0, 2])
def test_more_than_two_axes_are_refused(axis: int) -> None:
    builder = GraphBuilder("deep", {"x": TensorType(DType.S8, (3, 4, 8))}, ("y",))
    gathered(builder, "x", axis, (1, 0), "y")
    with pytest.raises(PlanError, match=f"/y/Gather: found gather along axis {axis} of 3 axes, allowed"):
        stage_graph(builder.graph(), TARGET)


def test_a_tile_is_no_larger_than_the_value() -> None:
    op = picking(4, 24, (0, 2)).ops[0]
    with pytest.raises(CheckError, match="plan, stage 3: found a tile of 25 columns, allowed 1 to 24"):
        check_tiles("plan, stage 3", MoveTiling(2, 25), picking(4, 24, (0, 2)), [op])
