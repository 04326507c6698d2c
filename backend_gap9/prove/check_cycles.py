"""Check the modelled cycles of a plan against the program that was proved, replayed call by call.

Derived from the program alone: what calls and transfers take in all, and what stages wait for L3. Taken on
trust: what one call takes (the kernel records, whose constants are measured), how much of the transfers
within a stage the planner's formula hides behind the calls, and that no tiling is modelled faster than the
bound. The replay has its own answer to the second, transfer by transfer, which the report has too.
"""

from __future__ import annotations

from math import ceil

from tmc.backend_gap9.kernels.linear import job_costs
from tmc.backend_gap9.plan.plan import Plan
from tmc.backend_gap9.program.program import Fetch, Program, Wait
from tmc.backend_gap9.prove.check_program import CheckReport
from tmc.backend_gap9.target.target import Target
from tmc.ir.errors import CheckError


def check_cycles(plan: Plan, program: Program, report: CheckReport, target: Target) -> None:
    """Check the cycles of every stage, and those exposed by L3.

    A stage takes no less than its calls, its transfers or its jobs, and exposes no more than the latter two,
    and what calls and transfers can delay jobs: the shares of all their cycles that `JobCosts` states.
    Raises: CheckError naming the stage.
    """
    for stage, planned, replayed in zip(program.stages, plan.stages, report.replayed, strict=True):
        stated = planned.cycles
        found = stated.compute, stated.dma, stated.jobs
        allowed = replayed.compute, replayed.dma, replayed.jobs
        if found != allowed:
            raise CheckError(
                f"plan, {stage.name}",
                f"found {found[0]} cycles of compute, {found[1]} of transfers and {found[2]} of jobs, "
                f"allowed {allowed[0]}, {allowed[1]} and {allowed[2]}, those of the program",
            )
        least = max(0, replayed.dma - replayed.compute, replayed.jobs - replayed.compute)
        delay = job_costs(target).delay_cycles(replayed.compute, replayed.dma) if replayed.jobs else 0
        most = replayed.dma + replayed.jobs + int(delay)
        if not least <= stated.exposed <= most or stated.bound > stated.total:
            raise CheckError(
                f"plan, {stage.name}",
                f"found {stated.exposed} cycles exposed and a bound of {stated.bound}, allowed {least} to "
                f"{most}, what transfers and jobs take at most, and at most {stated.total}",
            )
    waited = waited_for_l3(plan, program, target)
    if plan.exposed_fetch_cycles != waited:
        raise CheckError("plan", f"found {plan.exposed_fetch_cycles} exposed cycles of L3, allowed {waited}")


def waited_for_l3(plan: Plan, program: Program, target: Target) -> int:
    """Return how long stages wait for L3: one transfer at a time, first asked for, first done.

    All fetches of a stage and all waits for L3 stand before its work, which takes what the plan says.
    """
    channel = target.l3_channel
    ends: dict[str, int] = {}
    now = channel_free_at = waited = 0
    for stage, planned in zip(program.stages, plan.stages, strict=True):
        for statement in stage.body:
            if isinstance(statement, Fetch):
                cycles = channel.startup_cycles + ceil(statement.size_bytes / channel.bytes_per_cycle)
                channel_free_at = max(channel_free_at, now) + cycles
                ends[statement.slot.name] = channel_free_at
            elif isinstance(statement, Wait) and statement.memory == "l3":
                end = ends.get(statement.slot.name, now)
                waited, now = waited + max(0, end - now), max(now, end)
        now += planned.cycles.total
    return waited
