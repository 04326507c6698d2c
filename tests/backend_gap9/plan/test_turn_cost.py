"""The cost of channel tiles on the accelerator: what hides behind what, by numbers small enough to follow."""

from __future__ import annotations

from dataclasses import replace

from tmc.backend_gap9.kernels.linear import job_costs
from tmc.backend_gap9.plan.turn_cost import JobTile, TurnCost, beside, job_turn_cost
from tmc.backend_gap9.target.targets import target_named

START = 100
ALONE = replace(job_costs(target_named("gap9-ne16")), core_share=0.0, dma_share=0.0)
SHARED = replace(ALONE, core_share=0.5, dma_share=0.25)


def cost(*tiles: JobTile, follows: bool = False, leads: bool = False, shared: bool = False) -> TurnCost:
    return job_turn_cost(tiles, SHARED if shared else ALONE, START, follows=follows, leads=leads)


def test_jobs_hide_what_cores_and_transfers_take() -> None:
    tile = JobTile(1000, 400, 300)
    found = cost(tile, tile, tile)
    assert (found.compute, found.dma, found.jobs) == (3 * (START + 300), 1200, 3000)
    # All jobs, and what the cores do before the first one and behind the last one.
    assert found.compute + found.exposed == START + 3000 + 300


def test_cores_hide_what_jobs_and_transfers_take() -> None:
    tile = JobTile(300, 200, 1000)
    found = cost(tile, tile, tile)
    # All but the first job, beside which the second one starts.
    assert (found.compute, found.exposed) == (3 * (START + 1000), 300 - START)


def test_a_start_waits_for_the_transfer_that_it_needs() -> None:
    tile = JobTile(300, 900, 0)
    found = cost(tile, tile)
    assert found.compute + found.exposed == START + (900 + START) + 900


def test_a_job_takes_longer_beside_calls_and_transfers() -> None:
    tile = JobTile(1000, 400, 300)
    alone, shared = cost(tile, tile, tile), cost(tile, tile, tile, shared=True)
    # No call runs beside the first job.
    assert shared.exposed - alone.exposed == 3 * 100 + 2 * 150
    assert replace(shared, exposed=0, slack=0) == replace(alone, exposed=0, slack=0)
    assert cost(tile, follows=True, shared=True).exposed - cost(tile, follows=True).exposed == 100 + 150


def test_what_core_0_does_where_no_call_follows_takes_no_l1_from_jobs() -> None:
    idle, finished = JobTile(1000, 0, 0, 300), JobTile(1000, 0, 300)
    assert cost(idle, idle) == cost(finished, finished)
    assert cost(idle, idle, shared=True) == cost(idle, idle)
    assert cost(finished, finished, shared=True).exposed == cost(idle, idle).exposed + 150


def test_what_runs_beside_each_job_is_hidden_by_the_next_one() -> None:
    tile = JobTile(1000, 0, 300)
    alone, both = cost(tile, tile), cost(*beside((tile, tile), (200,)))
    assert both.compute == alone.compute + 200
    assert both.exposed == alone.exposed - 200
