"""Tiles of a stage: as good as trying every choice, inside L1 and the transfer limit, or a clear error."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks.integer_networks import integer_network
from tmc.backend_gap9.kernels.costs import call_cycles, costs_of
from tmc.backend_gap9.kernels.grid import best_split
from tmc.backend_gap9.kernels.linear import LinearCosts
from tmc.backend_gap9.kernels.table import KERNELS
from tmc.backend_gap9.plan.l1_buffers import needed_bytes
from tmc.backend_gap9.plan.plan import AttentionTiling, ColumnTiling, RowTiling
from tmc.backend_gap9.plan.row_sizes import even_tiles, tile_sizes
from tmc.backend_gap9.plan.stage_tiles import TiledStage
from tmc.backend_gap9.plan.tile_problem import (
    InputCost,
    RowChoice,
    StepCost,
    TileChoice,
    TileProblem,
    tile_cost,
)
from tmc.backend_gap9.plan.tiling import FORMS, tile_stage
from tmc.backend_gap9.plan.tiling_columns import ColumnTiles
from tmc.backend_gap9.plan.tiling_rows import RowTiles
from tmc.backend_gap9.plan.tiling_solver import TileSolver, solve_tiles
from tmc.backend_gap9.stages.column_shape import column_shape
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.stages.staged import GraphStage, Staged
from tmc.backend_gap9.target.cost import dma_cycles
from tmc.backend_gap9.target.target import ClusterMemory, Stacks, Target
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph

TARGET = target_named("gap9")


def with_l1(size_bytes: int, max_bytes: int = 131_071) -> Target:
    """Return the target with another L1, all of it the plan's, and another limit of transfers."""
    return replace(
        TARGET,
        l1=ClusterMemory(size_bytes, runtime_bytes=0),
        stacks=Stacks(worker_bytes=0, controller_bytes=0),
        dma=replace(TARGET.dma, max_bytes=max_bytes),
    )


def small_network(rope_period: int = 16) -> Graph:
    """Return a network with every kind of stage, small enough to try all tiles."""
    return integer_network(32, 1, 2, 128, 3, 5, rope_period, dim=16, heads=2, hidden=24)


def tiled(staged: Staged, number: int, target: Target, solver: TileSolver | None = None) -> TiledStage:
    """Return the tiles of one stage of a graph."""
    return tile_stage(staged, staged.stages[number], target, solver or TileSolver())


def staged_network(rope_period: int = 16) -> Staged:
    """Return the small network in stages."""
    return stage_graph(small_network(rope_period), TARGET)


def all_choices(problem: TileProblem) -> list[TileChoice]:
    """Return every solution of a problem, whether it fits or not."""
    return [
        TileChoice(index, tiles, buffers)
        for index, choice in enumerate(problem.choices)
        for tiles in product(*(range(len(step)) for step in choice.steps))
        for buffers in product(*(each.buffers for each in choice.inputs))
    ]


def least_cycles(problem: TileProblem) -> int | None:
    """Return the least cycles of all solutions that fit, None if none does."""
    costs = [tile_cost(problem, choice) for choice in all_choices(problem)]
    fitting = [
        each.compute_cycles + each.exposed_cycles for each in costs if each.l1_bytes <= problem.budget_bytes
    ]
    return min(fitting, default=None)


NUMBER = st.integers(0, 60)
STEP = st.builds(
    StepCost,
    tile=st.integers(4, 64),
    compute_cycles=NUMBER,
    dma_cycles=NUMBER,
    exposed_cycles=NUMBER,
    hiding_cycles=NUMBER,
    operand_bytes=NUMBER,
    result_bytes=NUMBER,
)
INPUT = st.builds(InputCost, NUMBER, NUMBER, st.sampled_from([(1,), (2,), (1, 2)]))


@st.composite
def problems(draw: st.DrawFn) -> TileProblem:
    """Draw a problem of up to three row choices."""
    steps, inputs = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    tiles = st.lists(STEP, min_size=1, max_size=3).map(tuple)
    choice = st.builds(
        RowChoice,
        rows=st.integers(1, 400),
        fixed_bytes=NUMBER,
        dma_cycles=NUMBER,
        exposed_cycles=NUMBER,
        ahead_cycles=NUMBER,
        inputs=st.tuples(*[INPUT] * inputs),
        steps=st.tuples(*[tiles] * steps),
    )
    last_readers = draw(st.tuples(*[st.integers(0, steps - 1)] * inputs))
    return TileProblem(draw(st.lists(choice, max_size=3).map(tuple)), last_readers, draw(st.integers(0, 600)))


@settings(max_examples=150, deadline=None)
@given(problems())
def test_solver_equals_trying_everything(problem: TileProblem) -> None:
    least, solution = least_cycles(problem), solve_tiles(problem)
    if solution is None:
        assert least is None
        return
    cost = tile_cost(problem, solution.choice)
    assert cost.l1_bytes <= problem.budget_bytes
    assert cost.compute_cycles + cost.exposed_cycles == least == solution.bound_cycles
    assert solution.optimal
    assert solve_tiles(problem) == solution


@pytest.mark.parametrize("l1_bytes", [9_000, 11_000, 16_000, 60_000])
@pytest.mark.parametrize("rope_period", [0, 16, 32])
def test_stages_of_a_network_get_the_best_tiles(l1_bytes: int, rope_period: int) -> None:
    staged, target = staged_network(rope_period), with_l1(l1_bytes)
    for stage in staged.stages:
        found = FORMS[stage.form](staged, stage, target).best(TileSolver())
        assert found is not None and found.optimal
        assert found.cycles.total == found.cycles.bound
        if stage.form == "rows":
            problem = RowTiles(staged, stage, target).problem()
            assert found.cycles.total == least_cycles(problem)


def test_kernels_come_from_l2_once_in_a_stage_whatever_its_tiles() -> None:
    staged = staged_network()
    calls, linear = TARGET.calls.cold_cycles, costs_of(TARGET, "linear", LinearCosts).long_code_cycles
    # Three projections, one of them transposed, a LayerNorm and a rotation; scores, softmax and values.
    took = {"patch": calls + linear, "projections": 4 * calls + 2 * linear, "attention": 3 * calls}
    for name, stage in zip(took, staged.stages, strict=False):
        warm = FORMS[stage.form](staged, stage, TARGET).best(TileSolver())
        cold = tiled(staged, stage.number, TARGET)
        assert warm is not None and cold.tiling == warm.tiling, name
        assert cold.cycles.compute - warm.cycles.compute == took[name], name
        assert cold.cycles.bound - warm.cycles.bound == took[name], name


def test_a_row_stage_by_hand() -> None:
    """LayerNorm and V in a stage of 32 rows, as 4 tiles of 8 rows and all channels at once."""
    staged = staged_network()
    problem = RowTiles(staged, staged.stages[1], TARGET).problem()
    choice = problem.choices[0]
    assert choice.rows == 8
    norm, _, _, v = choice.steps
    normed = call_cycles(TARGET, KERNELS["tmc_layernorm_s16s8"], {"rows": 8, "channels": 16})
    assert norm[0].compute_cycles == 4 * normed
    kernel, whole = KERNELS["tmc_linear_transposed_s8s8s8"], v[-1]
    # Of 8 rows and 16 channels each core has a row of 16 channels, or 4 rows of 4, which are quicker.
    numbers = {"rows": 8, "channels": 16, "depth": 16}
    assert best_split(TARGET, kernel, numbers) == 2
    compute = call_cycles(TARGET, kernel, {**numbers, "split": 2})
    moved = dma_cycles(TARGET, 16 * 28) + dma_cycles(TARGET, 16 * 8, lines=16)
    assert (whole.tile, whole.compute_cycles, whole.dma_cycles) == (16, 4 * compute, 4 * moved)
    assert whole.exposed_cycles == 4 * max(0, moved - compute) + dma_cycles(TARGET, 16 * 8, lines=16)
    assert whole.hiding_cycles == 3 * max(0, compute - moved)
    assert problem.last_readers == (0,)


def test_full_size_stages_fit_and_respect_the_transfer_limit() -> None:
    staged = stage_graph(integer_network(800, 1, 16, 1000, 6, 1, 50), TARGET)
    for stage in staged.stages:
        found = tiled(staged, stage.number, TARGET)
        tiling = found.tiling
        assert needed_bytes(found.needs) <= TARGET.l1_usable_bytes
        buffers = {each.name: each.size_bytes for each in found.needs}
        assert all(
            each.size_bytes <= 2 * TARGET.dma.max_bytes
            for each in found.needs
            if each.role in ("operand", "result")
        )
        if isinstance(tiling, RowTiling):
            for name, count in tiling.input_buffers:
                size = buffers.get(f"in.{name}", buffers.get("in", 0))
                assert size // count <= TARGET.dma.max_bytes


def test_long_attention_streams_keys_and_values() -> None:
    staged = stage_graph(integer_network(800, 1, 16, 1000, 6, 1, 50), TARGET)
    tiling = tiled(staged, 2, TARGET).tiling
    assert isinstance(tiling, AttentionTiling)
    assert tiling.keys < 800 and tiling.channels < 64


def test_identical_stages_are_solved_once() -> None:
    staged, solver = stage_graph(integer_network(80, 4, 8, 200, 6, 1, 10), TARGET), TileSolver()
    found = [tiled(staged, number, TARGET, solver) for number in range(len(staged.stages))]
    assert len(found) == 15
    assert len(solver.solved) == 6  # patch, Q K V, attention, MLP, last MLP with the final norm, logits
    assert [each.cycles for each in found[1:4]] == [each.cycles for each in found[4:7]]


def test_tile_sizes() -> None:
    assert tile_sizes(20, 8) == (8, 16, 20)
    assert tile_sizes(5, 8) == (5,)
    assert even_tiles(20, 4) == (4, 8, 12, 20)
    assert even_tiles(3, 4) == (3,)


def test_a_row_stage_that_does_not_fit_names_its_tensors() -> None:
    with pytest.raises(PlanError) as caught:
        tiled(staged_network(), 3, with_l1(1_000))
    message = str(caught.value)
    assert message.startswith("/block0/attn/proj/MatMul, /block0/mlp/norm/LayerNorm, /block0/mlp/fc1/MatMul")
    assert "bytes of L1 for the smallest tile of 8 rows (" in message
    assert "in.patch" in message and "weight" in message and message.endswith("allowed 1000")
    assert "narrower hidden layer" in caught.value.notes[0]


def test_an_attention_that_does_not_fit_names_its_tensors() -> None:
    with pytest.raises(PlanError, match=r"/block0/attn/Softmax: found .* scores \d+.*allowed 2500") as caught:
        tiled(staged_network(), 2, with_l1(2_500))
    assert "fewer tokens" in caught.value.notes[0]


def test_a_mean_that_does_not_fit_names_its_tensors() -> None:
    message = r"/head/ReduceMean: found .* tile of 4 columns \(in 128, out 16\), allowed 100"
    with pytest.raises(PlanError, match=message) as caught:
        tiled(staged_network(), -2, with_l1(100))
    assert "fewer tokens" in caught.value.notes[0]


def curves_network() -> Graph:
    """Return a network with every kind of column stage."""
    return integer_network(32, 1, 2, 128, 5, 5, 16, dim=16, heads=2, hidden=24, head="curves")


CURVES = stage_graph(curves_network(), TARGET)
COLUMN_STAGES = tuple(stage for stage in CURVES.stages if stage.form == "columns")


@pytest.mark.parametrize("stage", COLUMN_STAGES, ids=[stage.op.output for stage in COLUMN_STAGES])
@pytest.mark.parametrize("l1_bytes", [100_000, 3_200, 1_300])
def test_columns_are_the_best_of_all_that_fit(stage: GraphStage, l1_bytes: int) -> None:
    target = with_l1(l1_bytes)
    tiles = ColumnTiles(CURVES, stage, target)
    fitting = [
        each
        for each in range(1, tiles.shape.columns + 1)
        if each in tiles.shape.tile_columns() and tiles.fits(each)
    ]
    if not fitting:
        with pytest.raises(PlanError, match="bytes of L1 for the smallest tile of"):
            tiled(CURVES, stage.number, target)
        return
    found = tiles.best(TileSolver())
    assert found is not None and isinstance(found.tiling, ColumnTiling) and found.optimal
    assert found.tiling.columns in fitting
    assert found.cycles.total == found.cycles.bound == min(tiles.cycles(each).total for each in fitting)
    assert needed_bytes(found.needs) <= l1_bytes


def test_columns_that_would_not_start_at_words_stay_together() -> None:
    stages = {stage.op.output: column_shape(CURVES.graph, stage.op) for stage in COLUMN_STAGES}
    assert stages["turned"].tile_columns() == (4, 8, 12, 16)
    assert stages["smooth"].tile_columns() == tuple(range(4, 33, 4))
    assert stages["logits"].tile_columns() == (5,)


@pytest.mark.parametrize("number", [0, 1, 2, 3, -2, -1])
def test_a_transfer_that_is_too_long_is_an_error(number: int) -> None:
    with pytest.raises(PlanError, match=r"found a transfer of \d+ bytes for .* allowed 8$"):
        tiled(staged_network(32), number, with_l1(100_000, max_bytes=8))
