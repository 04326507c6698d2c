"""The cost model: the measured figures it stands for, and that more work never costs less."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmc.backend_gap9.kernels.table import KERNELS
from tmc.backend_gap9.target.cost import (
    LINEAR_FORMS,
    clip_cycles,
    depthwise_rows_cycles,
    dma_cycles,
    fetch_cycles,
    interpolate_rows_cycles,
    layernorm_cycles,
    linear_cycles,
    mean_rows_cycles,
    permute_rows_cycles,
    requantise_cycles,
    rope_cycles,
    scores_cycles,
    softmax_cycles,
    values_cycles,
)
from tmc.backend_gap9.target.targets import target_named

TARGET = target_named("gap9")
SIZE = st.integers(1, 900)
BLOCK_ROWS = TARGET.cores * TARGET.costs.linear.rows


# What `python bench/kernel_cycles.py` measured on tiles in L1: kernel, rows, channels, depth, cycles.
@pytest.mark.parametrize(
    ("kernel", "rows", "channels", "depth", "measured"),
    [
        ("tmc_linear_s8s8s8", 80, 192, 192, 148_107),
        ("tmc_linear_s8s8s8", 40, 64, 192, 24_975),
        ("tmc_linear_s8s8s8", 40, 48, 768, 68_900),
        ("tmc_linear_table_s8s8s8", 40, 96, 192, 38_532),
        ("tmc_linear_s8s8s16", 80, 64, 192, 50_011),
        ("tmc_linear_add_s8s8s16", 80, 64, 192, 51_956),
        ("tmc_linear_add_s8s8s16", 40, 48, 768, 69_773),
        ("tmc_linear_transposed_s8s8s8", 80, 64, 192, 50_379),
    ],
)
def test_linears_take_what_was_measured(
    kernel: str, rows: int, channels: int, depth: int, measured: int
) -> None:
    assert linear_cycles(TARGET, kernel, rows, channels, depth) == pytest.approx(measured, rel=0.02)


@pytest.mark.parametrize(
    ("rows", "channels", "measured"),
    [(400, 64, 84_850), (200, 96, 74_065), (80, 96, 41_568), (40, 96, 30_362)],
)
def test_grouped_linears_take_what_was_measured(rows: int, channels: int, measured: int) -> None:
    cycles = linear_cycles(TARGET, "tmc_linear_grouped_s16s8s16", rows, channels, 20, 50)
    assert cycles == pytest.approx(measured, rel=0.02)


def test_a_group_that_ends_within_a_core_s_rows_costs_another_run() -> None:
    def cycles(group_rows: int) -> int:
        return linear_cycles(TARGET, "tmc_linear_grouped_s16s8s16", 80, 64, 20, group_rows)

    assert cycles(10) == cycles(80) == cycles(0) == cycles(40) < cycles(15)
    deep = linear_cycles(TARGET, "tmc_linear_grouped_s16s8s16", 80, 64, TARGET.costs.grouped_depth + 1)
    assert deep > 2 * cycles(0)


@pytest.mark.parametrize(
    ("keys", "scores", "softmax", "values"),
    [(400, 54_000, 11_539, 50_813), (800, 107_905, 22_252, 98_021), (80, 11_337, 2_942, 13_256)],
)
def test_attention_takes_what_was_measured(keys: int, scores: int, softmax: int, values: int) -> None:
    assert scores_cycles(TARGET, 40, keys, 64) == pytest.approx(scores, rel=0.02)
    assert softmax_cycles(TARGET, 40, keys) == pytest.approx(softmax, rel=0.02)
    assert values_cycles(TARGET, 40, keys, 64) == pytest.approx(values, rel=0.02)


def test_rows_take_what_was_measured() -> None:
    assert requantise_cycles(TARGET, 80, 96) == pytest.approx(43_085, rel=0.02)
    assert layernorm_cycles(TARGET, 80, 192) == pytest.approx(33_316, rel=0.02)
    assert clip_cycles(TARGET, 80, 192, 2) == pytest.approx(11_699, rel=0.02)
    assert clip_cycles(TARGET, 80, 192, 2, residual=True) == pytest.approx(23_388, rel=0.02)
    assert rope_cycles(TARGET, 80, 64) == pytest.approx(4_184, rel=0.02)
    assert mean_rows_cycles(TARGET, 80, 192) == pytest.approx(4_209, rel=0.02)


def test_columns_take_what_was_measured() -> None:
    assert depthwise_rows_cycles(TARGET, 50, 64, 3, False) == pytest.approx(22_497, rel=0.02)
    assert depthwise_rows_cycles(TARGET, 50, 64, 3, True) == pytest.approx(23_817, rel=0.02)
    assert depthwise_rows_cycles(TARGET, 50, 64, 7, False) == pytest.approx(35_144, rel=0.02)
    assert interpolate_rows_cycles(TARGET, 500, 5) == pytest.approx(5_271, rel=0.02)
    assert interpolate_rows_cycles(TARGET, 500, 13) == pytest.approx(11_796, rel=0.02)
    assert permute_rows_cycles(TARGET, 400, 32) == pytest.approx(7_132, rel=0.02)
    assert permute_rows_cycles(TARGET, 80, 192) == pytest.approx(4_355, rel=0.02)


def test_the_last_block_costs_as_much_as_any_other() -> None:
    # 6 to 10 rows for each core are two blocks
    cycles = [linear_cycles(TARGET, "tmc_linear_s8s8s8", rows, 64, 192) for rows in (40, 48, 80)]
    assert cycles[0] < cycles[1] == cycles[2]


def test_rows_that_may_not_be_computed_again_go_one_by_one() -> None:
    row = TARGET.costs.linear_row
    one_row = 16 * (48 * row.step_cycles + row.block_cycles)
    for kernel in ("tmc_linear_add_s8s8s16", "tmc_linear_s8s8s8"):
        extra = 64 * TARGET.costs.residual_cycles if "add" in kernel else 0.0
        calls = TARGET.costs.call_cycles + TARGET.costs.barrier_cycles
        single = linear_cycles(TARGET, kernel, 8, 64, 192)
        assert single == pytest.approx(one_row + extra + calls, abs=1)
    whole = linear_cycles(TARGET, "tmc_linear_add_s8s8s16", 40, 64, 192)
    assert linear_cycles(TARGET, "tmc_linear_add_s8s8s16", 48, 64, 192) == pytest.approx(
        whole + one_row + 64 * TARGET.costs.residual_cycles, abs=1
    )


def test_every_linear_kernel_has_a_cost() -> None:
    linears = {stem for stem, kernel in KERNELS.items() if kernel.struct == "tmc_linear_args"}
    assert linears <= LINEAR_FORMS.keys()


def test_transfers_cost_start_up_lines_and_bytes() -> None:
    assert dma_cycles(TARGET, 800) == 32 + 100
    assert dma_cycles(TARGET, 801) == 32 + 101
    assert dma_cycles(TARGET, 800, lines=11) == 32 + 10 * TARGET.dma.line_cycles + 100
    assert fetch_cycles(TARGET, 500) == TARGET.l3_channel.startup_cycles + 1000


COSTS: tuple[Callable[[int, int, int], int], ...] = (
    *(
        lambda rows, channels, depth, kernel=kernel: linear_cycles(TARGET, kernel, rows, channels, depth)
        for kernel in LINEAR_FORMS
    ),
    lambda rows, channels, _: layernorm_cycles(TARGET, rows, channels),
    lambda rows, width, _: rope_cycles(TARGET, rows, width),
    lambda rows, channels, _: mean_rows_cycles(TARGET, rows, channels),
    lambda rows, channels, taps: depthwise_rows_cycles(TARGET, rows, channels, taps, True),
    lambda rows, channels, _: interpolate_rows_cycles(TARGET, rows, channels),
    lambda rows, row_bytes, _: permute_rows_cycles(TARGET, rows, row_bytes),
    lambda rows, keys, width: scores_cycles(TARGET, rows, keys, width),
    lambda rows, keys, _: softmax_cycles(TARGET, rows, keys),
    lambda rows, keys, channels: values_cycles(TARGET, rows, keys, channels),
    lambda size, lines, _: dma_cycles(TARGET, size, lines),
    lambda size, _, __: fetch_cycles(TARGET, size),
)


@given(st.sampled_from(COSTS), st.tuples(SIZE, SIZE, SIZE), st.tuples(SIZE, SIZE, SIZE))
def test_more_work_never_costs_less(
    cost: Callable[[int, int, int], int], sizes: tuple[int, int, int], more: tuple[int, int, int]
) -> None:
    # Whole blocks for each core: of fewer rows, some kernels take one by one.
    sizes = (sizes[0] * BLOCK_ROWS, sizes[1], sizes[2])
    larger = tuple(map(max, sizes, (more[0] * BLOCK_ROWS, more[1], more[2])))
    assert 0 < cost(*sizes) <= cost(larger[0], larger[1], larger[2])
