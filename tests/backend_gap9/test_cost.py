"""The cost model: the measured figures it stands for, and that more work never costs less."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmc.backend_gap9.cost import (
    LINEAR_FORMS,
    dma_cycles,
    fetch_cycles,
    layernorm_cycles,
    linear_cycles,
    mean_rows_cycles,
    rope_cycles,
    scores_cycles,
    softmax_cycles,
    values_cycles,
)
from tmc.backend_gap9.kernels import KERNELS
from tmc.backend_gap9.targets import target_named

TARGET = target_named("gap9")
SIZE = st.integers(1, 900)


@pytest.mark.parametrize(
    ("kernel", "rows", "channels", "depth", "rate"),
    [
        ("tmc_linear_s8s8s8", 80, 192, 192, 19.7),
        ("tmc_linear_s8s8s8", 40, 96, 768, 21.27),
        ("tmc_linear_s8s8s8", 80, 192, 20, 11.7),
        ("tmc_linear_table_s8s8s8", 80, 192, 192, 19.1),
        ("tmc_linear_add_s8s8s16", 80, 192, 192, 19.5),
        ("tmc_linear_transposed_s8s8s8", 80, 192, 192, 19.2),
    ],
)
def test_linear_rates_are_the_measured_ones(
    kernel: str, rows: int, channels: int, depth: int, rate: float
) -> None:
    cycles = linear_cycles(TARGET, kernel, rows, channels, depth)
    assert rows * channels * depth / cycles == pytest.approx(rate, rel=0.04)


@pytest.mark.parametrize(("keys", "rate"), [(400, 18.2), (200, 17.6), (80, 16.3)])
def test_attention_rates_are_the_measured_ones(keys: int, rate: float) -> None:
    cycles = scores_cycles(TARGET, 40, keys, 64) + softmax_cycles(TARGET, 40, keys)
    cycles += values_cycles(TARGET, 40, keys, 64)
    overhead = 3 * (TARGET.costs.call_cycles + TARGET.costs.barrier_cycles)
    assert 2 * 40 * keys * 64 / (cycles - overhead) == pytest.approx(rate, rel=0.03)


def test_ragged_rows_cost_their_own_loads_and_products() -> None:
    # 8 rows are one per core: 1 * 4 products and 5 loads a step instead of 20 and 9
    costs = TARGET.costs
    exact = 48 * costs.linear.step_cycles * 9 / 29 + costs.linear.block_cycles * 4 / 20
    expected = exact + costs.call_cycles + costs.barrier_cycles
    assert linear_cycles(TARGET, "tmc_linear_s8s8s8", 8, 4, 192) == pytest.approx(expected, abs=1)
    assert linear_cycles(TARGET, "tmc_linear_s8s8s8", 3, 4, 192) == linear_cycles(
        TARGET, "tmc_linear_s8s8s8", 8, 4, 192
    )


def test_wide_input_takes_twice_the_steps() -> None:
    assert linear_cycles(TARGET, "tmc_linear_grouped_s16s8s16", 40, 192, 20) == linear_cycles(
        TARGET, "tmc_linear_s8s8s8", 40, 192, 40
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
    larger = tuple(map(max, sizes, more))
    assert 0 < cost(*sizes) <= cost(larger[0], larger[1], larger[2])
