"""The clock of a program: jobs beside calls and transfers take what `bench/kernels/jobs.c` measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tmc.backend_gap9.kernels.costs import call_cycles
from tmc.backend_gap9.kernels.linear import idle_cycles, job_costs, job_for
from tmc.backend_gap9.kernels.table import KERNELS
from tmc.backend_gap9.prove.clock import StageClock
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.integer.qlinear import QLinearAttrs

GAP9 = target_named("gap9-ne16")
# What is measured is warm, and starts of jobs are no more than that.
WARM = replace(GAP9.calls, cold_cycles=0, short_cold_cycles=0, job_cycles=290)
TARGET = replace(GAP9, calls=WARM)
SUMS = KERNELS["tmc_linear_u8s8s32"]
ROWS, DEPTH, CHANNELS = 63, 192, 96
JOB: dict[str, Any] = {"rows": ROWS, "depth": DEPTH, "channels": CHANNELS}
FIRST, SECOND, MOVED = ("job", 0), ("job", 1), ("weight", 0)
# Of the measured figures what the bench has around them.
CASE_CYCLES = 77


def started(*slots: tuple[str, int]) -> StageClock:
    clock = StageClock(TARGET)
    for slot in slots:
        clock.start_job(slot, SUMS, JOB)
    return clock


def test_a_job_takes_what_was_measured() -> None:
    clock = started(FIRST)
    clock.end_job(FIRST, idle_cycles=0)
    assert clock.now == pytest.approx(17_230 - CASE_CYCLES, rel=0.01)


@pytest.mark.parametrize(
    ("kernel", "rows", "channels", "times", "measured"),
    [
        ("tmc_epilogue_table_s8s8", ROWS, CHANNELS // 3, 6, 19_524),
        ("tmc_epilogue_add_s32s16", ROWS, CHANNELS // 3, 6, 20_159),
        ("tmc_epilogue_s32s16", ROWS, CHANNELS // 3, 6, 19_204),
        ("tmc_epilogue_transposed_s8s8", ROWS, CHANNELS // 3, 6, 18_887),
        ("tmc_layernorm_s16u8", 32, DEPTH, 1, 20_298),
    ],
)
def test_a_job_beside_calls_takes_what_was_measured(
    kernel: str, rows: int, channels: int, times: int, measured: int
) -> None:
    clock = started(FIRST)
    for _ in range(times):
        clock.call(KERNELS[kernel], {"rows": rows, "channels": channels, "split": 0})
    clock.end_job(FIRST, idle_cycles=0)
    assert clock.now == pytest.approx(measured - CASE_CYCLES, rel=0.07)
    alone = started(FIRST)
    alone.end_job(FIRST, idle_cycles=0)
    assert clock.now > alone.now + 1000


@pytest.mark.parametrize("measured", [19_244, 19_074])
def test_a_job_beside_transfers_takes_what_was_measured(measured: int) -> None:
    clock = started(FIRST)
    for _ in range(6):
        clock.start(MOVED, 1, CHANNELS * DEPTH)
        clock.wait(MOVED)
    clock.end_job(FIRST, idle_cycles=0)
    assert clock.now == pytest.approx(measured - CASE_CYCLES, rel=0.02)


def test_a_transfer_in_flight_delays_a_job_that_starts_beside_it() -> None:
    alone, beside = StageClock(TARGET), StageClock(TARGET)
    beside.start(MOVED, 1, CHANNELS * DEPTH)
    for clock in (alone, beside):
        clock.start_job(FIRST, SUMS, JOB)
        clock.end_job(FIRST, idle_cycles=0)
    left = beside.dma - TARGET.calls.job_cycles
    assert beside.now - alone.now == int(job_costs(TARGET).dma_share * left)


def test_calls_that_outlast_a_job_delay_it_by_their_share_of_its_time() -> None:
    clock = started(FIRST)
    numbers = {"rows": 8 * ROWS, "channels": 2 * DEPTH}
    cycles = call_cycles(TARGET, KERNELS["tmc_layernorm_s16u8"], numbers)
    clock.call(KERNELS["tmc_layernorm_s16u8"], numbers)
    share = job_costs(TARGET).core_share
    assert clock.accelerator_free_at - TARGET.calls.job_cycles == int(clock.jobs / (1 - share))
    assert clock.accelerator_free_at < clock.now == TARGET.calls.job_cycles + cycles
    assert clock.replayed().waited == 0


def test_a_second_job_is_delayed_with_the_first_one() -> None:
    clock = started(FIRST, SECOND)
    before = clock.accelerator_free_at
    clock.call(KERNELS["tmc_layernorm_s16u8"], {"rows": 32, "channels": DEPTH})
    delay = clock.accelerator_free_at - before
    assert delay > 0
    clock.end_job(FIRST, idle_cycles=0)
    first_end = clock.now
    clock.end_job(SECOND, idle_cycles=0)
    assert clock.now - first_end == clock.jobs // 2


def test_core_0_takes_longer_behind_a_job_that_no_call_finishes() -> None:
    codes, looked_up = (job_for(QLinearAttrs(shift=8, table=table)) for table in (False, True))
    assert codes is not None and looked_up is not None
    calls = TARGET.calls
    assert idle_cycles(TARGET, looked_up) == calls.turn_cycles
    assert idle_cycles(TARGET, codes) - calls.turn_cycles == calls.startup_cycles + calls.barrier_cycles
    clock = started(FIRST)
    clock.end_job(FIRST, idle_cycles(TARGET, codes))
    assert clock.compute == calls.job_cycles + idle_cycles(TARGET, codes)
    assert clock.now == clock.compute + clock.jobs


def test_the_first_job_of_a_stage_has_its_code_to_fetch() -> None:
    clock = StageClock(GAP9)
    for slot in (FIRST, SECOND):
        clock.start_job(slot, SUMS, JOB)
    assert clock.compute == GAP9.calls.cold_cycles + 2 * GAP9.calls.job_cycles
