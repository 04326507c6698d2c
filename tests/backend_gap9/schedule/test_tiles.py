"""Schedules of many tile sizes, ragged ones too, pass the checker."""

from __future__ import annotations

import pytest

from tests.networks.integer_networks import integer_network
from tests.networks.simple_plan import Tiles, simple_plan
from tmc.backend_gap9.prove.check_program import check_program
from tmc.backend_gap9.target.targets import target_named

TILES = [
    Tiles(rows=16, channels=64, buffers=2, queries=16, keys=40, values=32),
    Tiles(rows=12, channels=40, buffers=1, queries=24, keys=24, values=64),
    Tiles(rows=80, channels=100, buffers=1, queries=80, keys=80, values=12),
    Tiles(rows=28, channels=768, buffers=2, queries=8, keys=12, values=64),
]


@pytest.mark.parametrize("tiles", TILES)
@pytest.mark.parametrize("rope_period", [0, 10, 80])
def test_every_tiling_gives_a_correct_program(tiles: Tiles, rope_period: int) -> None:
    graph = integer_network(80, 1, 8, 200, 6, seed=1, rope_period=rope_period, dim=96, heads=3, hidden=128)
    its = simple_plan(graph, tiles)
    report = check_program(its.program, its.graph, its.plan, its.contents, target_named("gap9"))
    assert report.stages == len(its.plan.stages)
