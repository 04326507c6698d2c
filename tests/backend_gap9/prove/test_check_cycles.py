"""The cycles of a plan, against its program: real ones pass, and every claim that is changed is caught."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import ceil

import pytest

from tests.backend_gap9.prove.damage import TARGET, tinyissimo
from tmc.backend_gap9.plan.plan import Plan
from tmc.backend_gap9.program.program import Fetch, Wait
from tmc.backend_gap9.prove.check_cycles import check_cycles, waited_for_l3
from tmc.backend_gap9.prove.check_program import CheckReport, check_program
from tmc.ir.errors import CheckError

ROWS, ATTENTION, MEAN = 1, 2, 13


@cache
def proof() -> CheckReport:
    planned = tinyissimo(True).planned
    return check_program(planned.program, planned.graph, planned.plan, planned.contents, TARGET)


def plan() -> Plan:
    return tinyissimo(True).planned.plan


def rejects(message: str, changed: Plan) -> None:
    with pytest.raises(CheckError, match=message):
        check_cycles(changed, tinyissimo(True).planned.program, proof(), TARGET)


def test_the_cycles_of_a_real_plan_pass() -> None:
    check_cycles(plan(), tinyissimo(True).planned.program, proof(), TARGET)


@pytest.mark.parametrize("number", [0, ROWS, ATTENTION, 3, MEAN, 14])
@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("compute", "cycles of compute, .* of transfers and .* of jobs, allowed"),
        ("dma", "cycles of compute, .* of transfers and .* of jobs, allowed"),
        ("jobs", "cycles of compute, .* of transfers and .* of jobs, allowed"),
        ("exposed", "cycles exposed and a bound of"),
        ("hidden", "cycles exposed and a bound of"),
        ("bound", "cycles exposed and a bound of"),
    ],
)
def test_cycles_are_derived_again(number: int, field: str, message: str) -> None:
    cycles = plan().stages[number].cycles
    wrong = {
        "compute": replace(cycles, compute=cycles.compute + 1),
        "dma": replace(cycles, dma=cycles.dma - 1),
        "jobs": replace(cycles, jobs=cycles.jobs + 1),
        "exposed": replace(cycles, exposed=cycles.dma + 1),
        # More hidden than there are calls to hide it; the bound goes with it.
        "hidden": replace(cycles, exposed=min(0, cycles.dma - cycles.compute) - 1, bound=0),
        "bound": replace(cycles, bound=cycles.total + 1),
    }
    stages = list(plan().stages)
    stages[number] = replace(stages[number], cycles=wrong[field])
    rejects(f"plan, stage_{number}: found .* {message}", replace(plan(), stages=tuple(stages)))


def test_the_replay_waits_for_what_cannot_be_hidden() -> None:
    """At least the first transfer of a stage and the last; in this network no more than the plan says."""
    for planned, replayed in zip(plan().stages, proof().replayed, strict=True):
        assert 2 * TARGET.dma.startup_cycles < replayed.waited <= planned.cycles.exposed


def test_waiting_for_l3_is_derived_again() -> None:
    rejects("found 77777 exposed cycles of L3", replace(plan(), exposed_fetch_cycles=77777))


def test_the_l3_channel_takes_one_block_after_the_other() -> None:
    program, channel = tinyissimo(True).planned.program, TARGET.l3_channel
    fetches = [each for stage in program.stages for each in stage.body if isinstance(each, Fetch)][:2]
    # One stage asks for two blocks and waits for the second: the first one has the channel before it.
    waits = [Wait(each.slot, "l3") for each in fetches]
    alone = replace(program, stages=(replace(program.stages[0], body=(*fetches, waits[1], waits[0])),))
    expected = sum(
        channel.startup_cycles + ceil(each.size_bytes / channel.bytes_per_cycle) for each in fetches
    )
    assert waited_for_l3(replace(plan(), stages=plan().stages[:1]), alone, TARGET) == expected
