"""The program checker: a correct program passes; waits, barriers, transfers and races."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.backend_gap9.prove.small_edits import (
    LINEAR,
    NORM,
    call_of,
    changed,
    check,
    found_in,
    rejects,
    replaced,
    swapped,
    with_l1,
    without,
)
from tests.networks import small_program as small
from tests.networks.small_program import Path, edited, statements, with_stage
from tmc.backend_gap9.program.program import Address, Barrier, Call, Const, Dma, Fetch, Slot, Var, Wait
from tmc.backend_gap9.prove.check_program import CheckReport
from tmc.ir.errors import CheckError


def test_a_correct_program_passes() -> None:
    report = check()
    assert [each.compute > 0 and each.dma > 0 for each in report.replayed] == [True, True]
    allowed = CheckReport(stages=2, transfers=19, calls=6, bytes_proved=2888, replayed=(), in_flight_max=3)
    assert replace(report, replayed=()) == allowed


def test_the_message_names_stage_statement_variables_and_bytes() -> None:
    with pytest.raises(CheckError) as error:
        check(without(LINEAR, Barrier, 0))
    assert str(error.value) == (
        "stage s1_y, call tmc_linear_add_s8s8s16 of %y at t=0: "
        "found destination byte 192 is touched by operand weight: no barrier since the wait for "
        "stage s1_y, dma in y.weight to weight (slot x)"
    )


# ---------------------------------------------------------------- every wait, every barrier, every transfer


WAITS = [
    (stage, path)
    for stage, body in enumerate(
        (small.program().init.body, *(each.body for each in small.program().stages)), -1
    )
    for path, statement in statements(body)
    if isinstance(statement, Wait)
]


@pytest.mark.parametrize(("stage", "path"), WAITS)
def test_every_wait_is_needed(stage: int, path: Path) -> None:
    rejects("busy|in flight", replaced(stage, path))


@pytest.mark.parametrize(("stage", "nth"), [(NORM, 0), (NORM, 1), (LINEAR, 0), (LINEAR, 1)])
def test_every_barrier_is_needed(stage: int, nth: int) -> None:
    rejects("no barrier since|without a barrier", without(stage, Barrier, nth))


@pytest.mark.parametrize(("stage", "nth"), [(stage, nth) for stage in (NORM, LINEAR) for nth in range(4)])
def test_every_transfer_is_needed(stage: int, nth: int) -> None:
    rejects("idle, allowed a busy slot", without(stage, Dma, nth))


def test_a_transfer_starts_on_an_idle_slot() -> None:
    rejects(
        r"found slot n\[0\] busy with stage s1_y, dma in n to n",
        changed(LINEAR, Dma, 2, slot=Slot("n", Const(0))),
    )


def test_a_slot_has_its_instances() -> None:
    rejects(
        "found instance 2 of slot x, allowed 2 instances", changed(LINEAR, Wait, 3, slot=Slot("x", Const(2)))
    )


def test_a_wait_names_the_memory() -> None:
    rejects("allowed a transfer from l3", changed(LINEAR, Wait, 1, memory="l3"))


def test_nothing_is_in_flight_behind_a_stage() -> None:
    rejects("stage s0_n: found the transfer of .* in flight at the end", without(NORM, Wait, 4))


def test_nothing_is_in_flight_behind_init() -> None:
    rejects("init: found the transfer of .* in flight at the end", without(-1, Wait))


def test_nothing_is_in_flight_behind_the_run() -> None:
    program = small.program()
    late = Fetch(Slot("late", Const(0)), Address("tables", Const(0)), Address("tables", Const(0)), 32)
    program = replace(
        with_stage(
            program, LINEAR, replace(program.stages[LINEAR], body=(*program.stages[LINEAR].body, late))
        ),
        slots={**program.slots, "late": 1},
    )
    plan = small.plan()
    residency = (replace(plan.residency[0], resident=False, fetch_stage=LINEAR), plan.residency[1])
    without_init = with_stage(program, -1, replace(program.init, body=()))
    rejects("found only undefined", without_init, plan=replace(plan, residency=residency))
    early = replace(
        without_init, stages=(replace(program.stages[0], body=()), replace(program.stages[1], body=(late,)))
    )
    residency = (residency[0], replace(plan.residency[1], fetch_stage=5))
    rejects("end of the run: found the transfer", early, plan=replace(plan, residency=residency))


# ---------------------------------------------------------------- races


def test_a_call_does_not_touch_the_destination_of_a_transfer() -> None:
    wait = found_in(NORM, lambda statement: isinstance(statement, Wait), 1)
    program = replaced(NORM, wait)
    body = program.stages[NORM].body
    barriers = [path for path, statement in statements(body) if isinstance(statement, Barrier)]
    late = edited(body, barriers[1], Barrier(), Wait(Slot("x", Var("half")), "l2"))
    rejects(
        "touched by operand x while .* is in flight",
        with_stage(program, NORM, replace(program.stages[NORM], body=late)),
    )


def test_a_call_does_not_write_the_source_of_a_transfer() -> None:
    call = found_in(NORM, lambda statement: isinstance(statement, Call))
    rejects("source byte 256 is written by operand y", swapped(NORM, (call[0], call[1] + 1)))


def test_a_transfer_starts_behind_the_barrier() -> None:
    call = found_in(LINEAR, lambda statement: isinstance(statement, Call))
    rejects("without a barrier between them", swapped(LINEAR, (call[0], call[1] + 1)))


def test_two_transfers_do_not_write_the_same_bytes() -> None:
    rejects(
        "is also written by .*, still in flight",
        changed(LINEAR, Dma, 2, l1=Address("n", Const(0)), lines=Const(1), line_bytes=Const(16)),
    )


def test_a_transfer_does_not_read_what_another_writes() -> None:
    path = found_in(LINEAR, lambda statement: isinstance(statement, Wait), 1)
    rejects(
        "source byte .* is also written by .*, still in flight",
        replaced(
            LINEAR,
            path,
            Dma(
                Slot("n", Const(1)),
                "out",
                Address("weight", Const(0)),
                Address("n", Const(0)),
                Const(1),
                Const(16),
                Const(16),
            ),
        ),
    )


def test_a_transfer_does_not_write_what_another_reads() -> None:
    fetch = Fetch(Slot("fetch", Const(0)), Address("tables", Const(0)), Address("tables", Const(0)), 32)
    path = found_in(NORM, lambda statement: isinstance(statement, Wait), 0)
    plan = small.plan()
    residency = (replace(plan.residency[0], resident=True), replace(plan.residency[1], fetch_stage=5))
    program = replaced(NORM, (0,))
    body = edited(program.stages[NORM].body, (path[0] - 1,), fetch, Wait(Slot("x", Const(1)), "l2"))
    program = with_stage(program, NORM, replace(program.stages[NORM], body=body))
    rejects("the plan has it in stage -1", program, plan=replace(plan, residency=residency))
    residency = (replace(plan.residency[0], resident=False, fetch_stage=NORM), residency[1])
    both = replaced(
        NORM, (0,), Fetch(fetch.slot, fetch.l2, fetch.l3, small.TABLE_BYTES), Wait(fetch.slot, "l3")
    )
    body = edited(both.stages[NORM].body, (3,), fetch)
    both = with_stage(
        with_stage(both, NORM, replace(both.stages[NORM], body=body)), -1, replace(both.init, body=())
    )
    rejects(
        "destination byte 0 is also read by .*, still in flight",
        both,
        plan=replace(plan, residency=residency),
    )


def test_two_calls_need_a_barrier_between_them() -> None:
    path = found_in(LINEAR, lambda statement: isinstance(statement, Call))
    rejects(
        "operand y shares byte 64 with operand y of .*, without a barrier",
        replaced(LINEAR, path, call_of(LINEAR), call_of(LINEAR)),
    )


def test_the_operands_of_a_call_are_apart() -> None:
    rejects(
        "found operands weight and y share byte 192",
        with_l1(LINEAR, "y", offset_bytes=188),
    )


def test_a_value_is_not_needed_twice_in_the_same_place() -> None:
    path = found_in(LINEAR, lambda statement: isinstance(statement, Call))
    rejects(
        "operand y: found y row 0 byte 0 at l1 byte 64, allowed x row 0 byte 0",
        replaced(LINEAR, path, call_of(LINEAR), Barrier(), call_of(LINEAR)),
    )
