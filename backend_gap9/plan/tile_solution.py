"""A solution of the solver as the tiles of a stage."""

from __future__ import annotations

from tmc.backend_gap9.plan.l1_buffers import L1Needs, needed_bytes
from tmc.backend_gap9.plan.plan import StageCycles, Tiling
from tmc.backend_gap9.plan.stage_tiles import TiledStage
from tmc.backend_gap9.plan.tile_problem import TileProblem, tile_cost
from tmc.backend_gap9.plan.tiling_solver import TileSolution


def solved(problem: TileProblem, solution: TileSolution, tiling: Tiling, needs: L1Needs) -> TiledStage:
    """Return the tiles that a solution stands for, with the buffers that they need and what they cost."""
    cost = tile_cost(problem, solution.choice)
    assert needed_bytes(needs) <= cost.l1_bytes <= problem.budget_bytes, "L1 sizes disagree"
    cycles = StageCycles(
        cost.compute_cycles, cost.dma_cycles, cost.job_cycles, cost.exposed_cycles, solution.bound_cycles
    )
    return TiledStage(tiling, needs, cycles, solution.optimal)
