"""Linears on the accelerator: jobs, what the cores do behind them, and every damage of their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from tests.backend_gap9.prove.damage import Subject
from tests.backend_gap9.prove.test_relations import calls_with_changes, uncaught
from tests.networks.simple_plan import Planned
from tests.networks.small_program import edited, statements, with_stage
from tests.networks.small_transformer import Size, transformer, windows
from tmc.backend_gap9.kernels.linear import job_costs
from tmc.backend_gap9.plan.plan import Plan, RowTiling
from tmc.backend_gap9.plan.planning import make_plan
from tmc.backend_gap9.program.expressions import add
from tmc.backend_gap9.program.program import Barrier, Call, Job, JobEnd, Program, Stage, Stmt, calls
from tmc.backend_gap9.prove.check_cycles import check_cycles
from tmc.backend_gap9.prove.check_program import check_program
from tmc.backend_gap9.schedule.schedule import build_program
from tmc.backend_gap9.stages.offload import offload
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.target.target import Target
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.errors import CheckError
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.quantise import quantise
from tmc.passes.scales.choose_scales import choose_scales

NE16 = target_named("gap9-ne16")
# Little L1, so that every loop turns.
TARGET = replace(NE16, l1=replace(NE16.l1, size_bytes=11_264 + 60_000))
SMALL_TARGET = replace(NE16, l1=replace(NE16.l1, size_bytes=11_264 + 24_000))
EPILOGUES = {
    "tmc_epilogue_table_s8s8",
    "tmc_epilogue_add_s32s16",
    "tmc_epilogue_s32s16",
    "tmc_epilogue_transposed_s8s8",
}


def encoder(size: Size, target: Target) -> Subject:
    """Return an encoder all of whose linears of int8 are on the accelerator."""
    graph = transformer(size)
    integer = quantise(graph, choose_scales(graph, calibrate(graph, {"emg": windows(graph, 4)})))
    plan = make_plan(stage_graph(offload(integer, target), target), target)
    return Subject(Planned(plan.staged.graph, plan, build_program(plan), plan.staged.contents))


@cache
def subject() -> Subject:
    return encoder(Size(channels=8, width=96, layers=1), TARGET)


@cache
def small() -> Subject:
    return encoder(Size(layers=1), SMALL_TARGET)


def stages(of: Subject | None = None) -> Iterator[tuple[int, Stage]]:
    program = (of or subject()).planned.program
    return ((i, stage) for i, stage in enumerate(program.stages) if any(_jobs(stage)))


def _jobs(stage: Stage) -> Iterator[Stmt]:
    return (each for _, each in statements(stage.body) if isinstance(each, Job))


def without(number: int, path: tuple[int, ...], *new: Stmt) -> Program:
    program = subject().planned.program
    stage = program.stages[number]
    return with_stage(program, number, replace(stage, body=edited(stage.body, path, *new)))


def test_a_network_of_jobs_is_proved_and_takes_what_the_plan_says() -> None:
    its = subject().planned
    report = check_program(its.program, its.graph, its.plan, its.contents, TARGET)
    check_cycles(its.plan, its.program, report, TARGET)
    found = {call.kernel for _, stage in stages() for call in calls(stage.body)}
    assert EPILOGUES < found and {"tmc_linear_u8s8s8", "tmc_linear_u8s8s32"} < found
    assert sum(each.jobs for each in report.replayed) > 0


def test_no_more_is_exposed_than_transfers_and_delayed_jobs_take() -> None:
    its = subject().planned
    report = check_program(its.program, its.graph, its.plan, its.contents, TARGET)
    number = next(number for number, _ in stages())
    replayed = report.replayed[number]
    delay = int(job_costs(TARGET).delay_cycles(replayed.compute, replayed.dma))
    assert delay > 0
    most = replayed.dma + replayed.jobs + delay
    check_cycles(_with_exposed(number, most), its.program, report, TARGET)
    with pytest.raises(CheckError, match=rf"plan, stage_{number}: found .* cycles exposed"):
        check_cycles(_with_exposed(number, most + 1), its.program, report, TARGET)


def _with_exposed(number: int, exposed: int) -> Plan:
    plan = subject().planned.plan
    stages = list(plan.stages)
    stages[number] = replace(stages[number], cycles=replace(stages[number].cycles, exposed=exposed))
    return replace(plan, stages=tuple(stages))


@pytest.mark.parametrize("kind", [Job, JobEnd])
def test_a_job_and_its_end_belong_together(kind: type[Stmt]) -> None:
    tried = 0
    for number, stage in stages():
        for path, statement in statements(stage.body):
            if isinstance(statement, kind):
                assert subject().proof_fails(without(number, path), number), (number, path)
                tried += 1
    assert tried >= 6


def test_a_barrier_before_what_the_cores_finish_is_needed() -> None:
    """Behind the end of a job, for its results; the other one of a turn is for those of two turns ago."""
    tried = 0
    for number, stage in stages():
        listed = list(statements(stage.body))
        for (path, statement), (_, following) in pairwise(listed):
            if not isinstance(statement, Barrier) or not isinstance(following, Call):
                continue
            if following.kernel in EPILOGUES:
                assert subject().proof_fails(without(number, path), number), (number, path)
                tried += 1
    assert tried >= 6


def test_the_first_op_runs_a_row_tile_ahead() -> None:
    """In slices beside the jobs of the last one; the first tile at once, before the loop."""
    program, ahead = subject().planned.program, 0
    for number, stage in stages():
        tiling = subject().planned.plan.stages[number].tiling
        assert isinstance(tiling, RowTiling)
        if not tiling.ahead_rows:
            continue
        ahead += 1
        first = subject().planned.plan.staged.stages[number].op.output
        found = [(path, each) for path, each in statements(stage.body) if isinstance(each, Call)]
        (at_once, _), (in_slices, _) = [each for each in found if each[1].op == first]
        assert len(at_once) == 1 < len(in_slices)
        for path in (at_once, in_slices):
            assert subject().proof_fails(without(number, path), number)
    assert ahead and len(program.stages) > ahead


def test_an_accelerator_runs_jobs_and_cores_run_calls() -> None:
    for number, stage in stages():
        path, job = next((p, each) for p, each in statements(stage.body) if isinstance(each, Job))
        assert subject().proof_fails(without(number, path, job.call), number)
        path, call = next((p, each) for p, each in statements(stage.body) if isinstance(each, Call))
        assert subject().proof_fails(without(number, path, Job(job.slot, call)), number)


def test_a_job_ends_as_the_call_that_it_was() -> None:
    """Its end alone says that another operand lies elsewhere."""
    its = subject().planned
    for number, stage in stages():
        for path, end in statements(stage.body):
            if isinstance(end, JobEnd):
                bias = next(each for each in end.call.operands if each.field == "bias")
                moved = replace(bias.address, offset_bytes=add(bias.address.offset_bytes, -4))
                operands = tuple(
                    replace(each, address=moved) if each is bias else each for each in end.call.operands
                )
                other = replace(end, call=replace(end.call, operands=operands))
                with pytest.raises(CheckError, match="found another call than that of"):
                    check_program(without(number, path, other), its.graph, its.plan, its.contents, TARGET)


def test_every_claim_and_every_number_matters() -> None:
    """Those of a linear's jobs are changed wherever they start or end."""
    for number, stage in stages(small()):
        assert uncaught(small(), number) == []
        for op in dict.fromkeys(each.call.op for _, each in statements(stage.body) if isinstance(each, Job)):
            ends = [
                (path, each, list(calls_with_changes(each.call)))
                for path, each in statements(stage.body)
                if isinstance(each, Job | JobEnd) and each.call.op == op
            ]
            for index, (what, _) in enumerate(ends[0][2]):
                body = stage.body
                for path, each, changes in ends:
                    body = edited(body, path, replace(each, call=changes[index][1]))
                changed = with_stage(small().planned.program, number, replace(stage, body=body))
                assert small().proof_fails(changed, number), (op, what)


def test_results_begin_at_whole_elements() -> None:
    """The bytes of a result of 16 bits, one byte on."""
    its, tried = small().planned, 0
    for number, stage in stages(small()):
        for path, call in statements(stage.body):
            if isinstance(call, Call) and call.kernel == "tmc_epilogue_s32s16":
                operands = tuple(
                    replace(each, part=replace(each.part, column_bytes=add(each.part.column_bytes, 1)))
                    if each.field == "y"
                    else each
                    for each in call.operands
                )
                body = edited(stage.body, path, replace(call, operands=operands))
                program = with_stage(its.program, number, replace(stage, body=body))
                with pytest.raises(CheckError, match="allowed whole elements"):
                    check_program(program, its.graph, its.plan, its.contents, SMALL_TARGET)
                tried += 1
    assert tried >= 2
