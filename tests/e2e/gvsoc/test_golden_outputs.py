"""The reference networks on GVSoC: the bytes of every op, and the cycles of networks and of stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cycles import LIMIT_NETWORK_ERROR, LIMIT_STAGE_ERROR, LIMITS_CYCLES, LIMITS_WAITING
from tests.e2e.test_networks import compiled
from tests.tmc.command import succeeded

QUICK = "tinyissimo-8x200"
OTHERS = [pytest.param(name, marks=pytest.mark.soak) for name in LIMITS_CYCLES if name != QUICK]


@pytest.mark.parametrize("name", [QUICK, *OTHERS])
def test_every_op_and_the_cycles(
    tmp_path: Path, gvsoc_program: Path, name: str, record_property: Callable[[str, object], None]
) -> None:
    network = compiled(name, tmp_path, "--stream-weights")  # the limits are with all weights in L3
    run = ("run", network.output, "--on", "gvsoc", "--gvsoc", gvsoc_program)
    ran = succeeded(*run)
    assert (ran["platform"], ran["bit_exact"], ran["mismatches"]) == ("gvsoc", True, 0)
    assert [layer["name"] for layer in ran["layers"]] == [op["name"] for op in network.facts["ops"]]
    assert 0 < ran["cycles"] <= LIMITS_CYCLES[name]
    assert ran["cycles"] == pytest.approx(network.facts["cycles_estimate"], rel=LIMIT_NETWORK_ERROR)
    off = {stage["name"]: stage["modelled_cycles"] / stage["cycles"] - 1 for stage in ran["stages"]}
    assert {stage: error for stage, error in off.items() if abs(error) > LIMIT_STAGE_ERROR} == {}
    assert off

    free = succeeded(*run, "--no-trace", "--property", "free_transfers=1")
    assert free["bit_exact"] is True and free["cycles"] <= ran["cycles"]
    waiting = 1 - free["cycles"] / ran["cycles"]
    assert waiting <= LIMITS_WAITING.get(name, 0.1)
    text = f"{ran['cycles']:,} cycles, {waiting:.1%} of them waiting"
    record_property("ran", f"network {name} on gvsoc: {text}")
