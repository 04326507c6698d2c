"""The cost model: the measured figures it stands for, and that more work never costs less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runtime_c.ne16.cases import random_cases
from tmc.backend_gap9.kernels.attention import AttentionCosts
from tmc.backend_gap9.kernels.costs import call_cycles, cold_cycles, costs_of
from tmc.backend_gap9.kernels.grid import best_split, grid_parts
from tmc.backend_gap9.kernels.linear import LinearCosts
from tmc.backend_gap9.kernels.table import KERNELS
from tmc.backend_gap9.target.cost import dma_cycles, fetch_cycles
from tmc.backend_gap9.target.target import KernelTables
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.errors import TmcError

TARGET = target_named("gap9")
SIZE = st.integers(1, 900)
LINEAR = costs_of(TARGET, "linear", LinearCosts)
BLOCK_ROWS = TARGET.cores * LINEAR.rows.rows
# What bench.kernel_cycles measures is warm.
WARM = replace(TARGET, calls=replace(TARGET.calls, cold_cycles=0))
CALL = TARGET.calls.startup_cycles + TARGET.calls.barrier_cycles


def cycles_of(stem: str, rows: int, **numbers: int) -> int:
    """Return the modelled cycles of a warm call, all cores' rows together; some numbers have defaults."""
    defaults = {"group_rows": rows, "step_bytes": 4, "split": 0, "heads": 1}
    return call_cycles(WARM, KERNELS[stem], {"rows": rows, **defaults, **numbers})


# What `python -m bench.kernel_cycles` measured on tiles in L1: kernel, rows, channels, depth, split, cycles.
@pytest.mark.parametrize(
    ("kernel", "rows", "channels", "depth", "split", "measured"),
    [
        ("tmc_linear_s8s8s8", 80, 192, 192, 0, 147_703),
        ("tmc_linear_s8s8s8", 40, 64, 192, 0, 24_846),
        ("tmc_linear_s8s8s8", 40, 48, 768, 0, 68_884),
        ("tmc_linear_table_s8s8s8", 40, 96, 192, 0, 38_486),
        ("tmc_linear_s8s8s16", 80, 64, 192, 0, 50_061),
        ("tmc_linear_add_s8s8s16", 80, 64, 192, 0, 51_843),
        ("tmc_linear_add_s8s8s16", 40, 48, 768, 0, 69_647),
        ("tmc_linear_transposed_s8s8s8", 80, 64, 192, 0, 50_122),
        ("tmc_linear_s8s8s8", 16, 64, 192, 2, 10_878),
        ("tmc_linear_s8s8s8", 24, 64, 192, 0, 16_426),
        ("tmc_linear_s8s8s8", 10, 192, 48, 2, 6_209),
        ("tmc_linear_s8s8s8", 32, 64, 64, 0, 8_313),
        ("tmc_linear_add_s8s8s16", 10, 48, 192, 2, 5_427),
        ("tmc_linear_transposed_s8s8s8", 32, 64, 64, 0, 8_512),
    ],
)
def test_linears_take_what_was_measured(
    kernel: str, rows: int, channels: int, depth: int, split: int, measured: int
) -> None:
    cycles = cycles_of(kernel, rows, channels=channels, depth=depth, split=split)
    assert cycles - TARGET.calls.startup_cycles == pytest.approx(measured, rel=0.04)


@pytest.mark.parametrize(
    ("rows", "channels", "depth", "split", "measured"),
    [(400, 64, 20, 0, 82_011), (10, 48, 160, 2, 8_240), (40, 64, 32, 1, 11_430)],
)
def test_grouped_linears_take_what_was_measured(
    rows: int, channels: int, depth: int, split: int, measured: int
) -> None:
    cycles = cycles_of(
        "tmc_linear_grouped_s16s8s16", rows, channels=channels, depth=depth, split=split, group_rows=50
    )
    assert cycles - TARGET.calls.startup_cycles == pytest.approx(measured, rel=0.04)


def test_a_group_that_ends_within_a_core_s_rows_costs_another_run() -> None:
    def cycles(group_rows: int) -> int:
        return cycles_of("tmc_linear_grouped_s16s8s16", 80, channels=64, depth=20, group_rows=group_rows)

    assert cycles(10) == cycles(80) == cycles(40) < cycles(8)
    # Where every row has a bias of its own, blocks need not end.
    assert cycles(1) == cycles(80)


@pytest.mark.parametrize(
    ("keys", "scores", "softmax", "values"),
    [(400, 54_000, 11_539, 50_813), (800, 107_905, 22_252, 98_021), (80, 11_337, 2_942, 13_256)],
)
def test_attention_takes_what_was_measured(keys: int, scores: int, softmax: int, values: int) -> None:
    code = costs_of(TARGET, "attention", AttentionCosts).block_code_cycles
    cycles = cycles_of("tmc_attention_scores_s8s8s16", 40, keys=keys, width=64)
    assert cycles - code == pytest.approx(scores, rel=0.02)
    assert cycles_of("tmc_attention_softmax_s16u8", 40, keys=keys) == pytest.approx(softmax, rel=0.02)
    cycles = cycles_of("tmc_attention_values_u8s8s8", 40, keys=keys, channels=64)
    assert cycles - code == pytest.approx(values, rel=0.02)


@pytest.mark.parametrize(
    ("keys", "scores", "values"), [(400, 103_597, 51_046), (800, 207_333, 98_879), (80, 21_725, 13_768)]
)
def test_attention_of_16_bits_takes_what_was_measured(keys: int, scores: int, values: int) -> None:
    code = costs_of(TARGET, "attention", AttentionCosts).block_code_cycles
    cycles = cycles_of("tmc_attention_scores_s16s16s16", 40, keys=keys, width=64)
    assert cycles - code == pytest.approx(scores, rel=0.03)
    cycles = cycles_of("tmc_attention_values_u8s8s16", 40, keys=keys, channels=64)
    assert cycles - code == pytest.approx(values, rel=0.02)


@pytest.mark.parametrize(
    ("kernel", "rows", "numbers", "measured"),
    [
        ("tmc_attention_softmax_bias_s16s16u8", 40, {"keys": 400}, 14_592),
        ("tmc_attention_softmax_bias_s16s16u8", 40, {"keys": 800}, 28_517),
        ("tmc_attention_softmax_bias_s16s16u8", 40, {"keys": 80}, 3_524),
        ("tmc_requantise_s32s8", 80, {"channels": 96}, 43_085),
        ("tmc_epilogue_transposed_s8s8", 72, {"channels": 96}, 1_989),
        ("tmc_epilogue_transposed_s8s8", 75, {"channels": 96}, 2_272),
        ("tmc_layernorm_s16s8", 80, {"channels": 192}, 33_316),
        ("tmc_layernorm_s16u8", 80, {"channels": 192}, 33_971),
        ("tmc_clip_s16s16", 80, {"channels": 192}, 11_699),
        ("tmc_clip_add_s16s16", 80, {"channels": 192}, 23_388),
        ("tmc_convert_s16s8", 80, {"channels": 192}, 14_853),
        ("tmc_add_s8s8s8", 80, {"channels": 192}, 19_050),
        ("tmc_add_s16s16s16", 80, {"channels": 192}, 20_521),
        ("tmc_mul_s8s8s8", 80, {"channels": 192}, 26_253),
        ("tmc_mul_s16s16s16", 80, {"channels": 192}, 29_476),
        ("tmc_rope_s16s8", 80, {"width": 64}, 4_184),
        ("tmc_rope_s16u8", 80, {"width": 64}, 4_184),
        ("tmc_rope_s16s16", 80, {"width": 64}, 4_367),
        ("tmc_mean_rows_s8s16", 80, {"channels": 192}, 4_209),
        ("tmc_max_rows_s8s8", 80, {"channels": 192}, 2_802),
        ("tmc_max_rows_s16s16", 80, {"channels": 96}, 2_815),
        ("tmc_argmax_columns_s8s32", 80, {"x_channels": 192}, 17_623),
        ("tmc_argmax_columns_s16s32", 80, {"x_channels": 192}, 17_628),
        ("tmc_softmax_s16s16", 80, {"channels": 192}, 101_958),
        ("tmc_softmax_s16s16", 80, {"channels": 6}, 3_896),
        ("tmc_matmul_s8s8s8", 80, {"depth": 64, "z_rows": 64}, 58_493),
        ("tmc_matmul_s8s8s8", 8, {"depth": 80, "z_rows": 8}, 2_225),
        ("tmc_matmul_s8s8s8", 16, {"depth": 8, "z_rows": 8}, 1_176),
        ("tmc_matmul_s8s8s8", 80, {"depth": 8, "z_rows": 1}, 953),
        ("tmc_depthwise_rows_s8s8", 50, {"channels": 64, "taps": 3}, 22_497),
        ("tmc_depthwise_rows_table_s8s8", 50, {"channels": 64, "taps": 3}, 23_817),
        ("tmc_depthwise_rows_s8s8", 50, {"channels": 64, "taps": 7}, 35_144),
        ("tmc_interpolate_rows_s16s16", 500, {"channels": 5}, 5_271),
        ("tmc_interpolate_rows_s16s16", 500, {"channels": 13}, 11_796),
        ("tmc_permute_rows_s8s8", 400, {"row_bytes": 32}, 7_132),
        ("tmc_permute_rows_s8s8", 80, {"row_bytes": 192}, 4_355),
        ("tmc_copy_rows_s8s8", 80, {"row_bytes": 192}, 2_091),
        ("tmc_copy_rows_s8s8", 80, {"row_bytes": 192, "step_bytes": 2}, 4_804),
        ("tmc_copy_rows_s8s8", 80, {"row_bytes": 192, "step_bytes": 1}, 6_661),
        ("tmc_copy_rows_s8s8", 400, {"row_bytes": 32}, 2_843),
        ("tmc_gather_columns_s8s8", 80, {"channels": 192}, 11_865),
        ("tmc_gather_columns_s16s16", 80, {"channels": 192}, 13_777),
        ("tmc_gather_columns_s32s32", 80, {"channels": 96}, 7_199),
        ("tmc_gather_rows_s8s8", 400, {"row_bytes": 32}, 3_215),
        ("tmc_transpose_s8s8", 80, {"channels": 192}, 9_221),
        ("tmc_transpose_s16s16", 76, {"channels": 192}, 8_978),
    ],
)
def test_rows_and_columns_take_what_was_measured(
    kernel: str, rows: int, numbers: dict[str, int], measured: int
) -> None:
    assert cycles_of(kernel, rows, **numbers) == pytest.approx(measured, rel=0.02)


def test_blocks_of_fewer_rows_cost_less_but_not_in_proportion() -> None:
    one, two, five, six = (
        cycles_of("tmc_linear_s8s8s8", 8 * rows, channels=64, depth=192) for rows in (1, 2, 5, 6)
    )
    assert one < two < 2 * one
    assert five < 5 * one
    assert six - five == pytest.approx(one - LINEAR.call_cycles - CALL, abs=1)


def test_few_rows_are_split_by_channels_too() -> None:
    kernel = KERNELS["tmc_linear_s8s8s8"]

    def split(rows: int, channels: int) -> int:
        return best_split(TARGET, kernel, {"rows": rows, "channels": channels, "depth": 192})

    assert [split(rows, 64) for rows in (400, 80, 40, 20, 10, 5, 1)] == [0, 0, 0, 1, 2, 3, 3]
    # 13 blocks of 5 rows and 16 of channels: 4 groups of cores have 3 or 4 blocks each
    assert split(50, 64) == 2
    assert split(10, 4) == 0
    assert best_split(TARGET, KERNELS["tmc_layernorm_s16s8"], {"rows": 8, "channels": 64}) == 0


def test_heads_one_behind_the_other_cost_a_chain_each() -> None:
    def cycles(head_channels: int, split: int) -> int:
        numbers = {"channels": 48, "depth": 48, "head_channels": head_channels, "split": split}
        return cycles_of("tmc_linear_s8s8s8", 10, **numbers)

    assert cycles(12, 2) == cycles(48, 2)  # each core has the 12 channels of a head
    assert cycles(12, 0) == pytest.approx(cycles(48, 0) + 3 * LINEAR.rows.chain_cycles, abs=1)


def test_heads_at_once_are_split_by_all_their_rows() -> None:
    def cycles(heads: int, rows: int, keys: int = 8) -> int:
        return cycles_of("tmc_attention_scores_s8s8s16", rows, heads=heads, keys=keys, width=16)

    assert 2 * cycles(1, 10) > cycles(4, 10)  # 2 rows for a core, one by one; 5 rows, a block
    assert cycles(4, 10) == cycles(1, 40)
    assert cycles(4, 10, keys=9) > cycles(4, 10, keys=12)  # a key alone for each of 5 rows
    assert cycles(2, 25) > cycles(1, 50)  # 7 rows for a core; of one 3 and 4 of two heads


def test_all_cores_together_have_all_rows_and_channels() -> None:
    for rows, channels, split in product((1, 7, 8, 50), (3, 4, 13, 64), range(4)):
        parts = grid_parts(TARGET, rows, channels, split)
        assert max(part.row0 + part.rows for part in parts) == rows
        assert {part.row0 for part in parts if part.row0 == 0} == {0}
        groups, cores = 8 >> split, 1 << split
        assert max(part.rows for part in parts) == -(-rows // groups)
        blocks = (channels + 3) // 4
        assert max(part.channels for part in parts) == min(channels, (blocks + cores - 1) // cores * 4)


# By rows, channels and split, of the kernels in order, with a call's 150 cycles.
EPILOGUES_MEASURED = {
    (72, 96, 0): (3_218, 5_107, 2_990),
    (54, 32, 0): (1_062, 1_494, 961),
    (54, 32, 1): (1_257, 1_643, 1_100),
    (54, 32, 2): (1_523, 1_825, 1_302),
    (54, 32, 3): (2_348, 2_253, 1_767),
    (27, 32, 0): (673, 903, 595),
    (27, 32, 3): (1_270, 1_214, 953),
    (27, 96, 3): (2_073, 2_454, 1_638),
    (27, 96, 0): (1_481, 2_348, 1_367),
}


@pytest.mark.parametrize(
    ("number", "stem"),
    list(enumerate(("tmc_epilogue_table_s8s8", "tmc_epilogue_add_s32s16", "tmc_epilogue_s32s16"))),
)
def test_epilogues_take_what_was_measured(number: int, stem: str) -> None:
    for (rows, channels, split), measured in EPILOGUES_MEASURED.items():
        found = cycles_of(stem, rows, channels=channels, split=split) - CALL + 150
        assert found == pytest.approx(measured[number], rel=0.07)
    # Cores share rows, where there are some for each.
    assert best_split(TARGET, KERNELS[stem], {"rows": 54, "channels": 32}) == 0


def test_the_code_of_a_short_loop_comes_soon() -> None:
    short = {stem for stem, kernel in KERNELS.items() if kernel.is_short}
    assert short == {
        "tmc_convert_s8u8",
        "tmc_epilogue_add_s32s16",
        "tmc_epilogue_s32s16",
        "tmc_epilogue_table_s8s8",
        "tmc_epilogue_transposed_s8s8",
    }
    cold = {cold_cycles(TARGET, KERNELS[stem]) for stem in short}
    assert cold == {TARGET.calls.short_cold_cycles}
    assert cold_cycles(TARGET, KERNELS["tmc_layernorm_s16u8"]) == TARGET.calls.cold_cycles > max(cold)


def test_jobs_cost_what_the_accelerator_is_held_to() -> None:
    """GVSoC is: tests/runtime_c/ne16."""
    cases = random_cases(200, 4)
    assert {case.results for case in cases} == {"u8", "s8", "s32"}
    for case in cases:
        wide = case.results == "s32"
        groups = LINEAR.ne16.cycles(case.rows, case.channels, case.depth, wide=wide)
        assert groups == case.cycles, case


def test_a_kernel_without_a_table_is_told() -> None:
    tables = {name: each for name, each in TARGET.kernels.tables.items() if name != "rope"}
    target = replace(TARGET, kernels=KernelTables("my.toml", tables))
    with pytest.raises(
        TmcError, match=r"my.toml: found no table \[kernels.rope\], allowed one for each kernel"
    ):
        call_cycles(target, KERNELS["tmc_rope_s16s8"], {"rows": 8, "width": 64})


def test_transfers_cost_start_up_lines_and_bytes() -> None:
    assert dma_cycles(TARGET, 800) == 32 + 100
    assert dma_cycles(TARGET, 801) == 32 + 101
    assert dma_cycles(TARGET, 800, lines=11) == 32 + 10 * TARGET.dma.line_cycles + 100
    assert fetch_cycles(TARGET, 500) == TARGET.l3_channel.startup_cycles + 1000


def kernel_cost(stem: str) -> Callable[[int, int, int], int]:
    """Return the cost of a kernel by its rows and two numbers more."""
    names = [
        name
        for name in ("channels", "width", "keys", "row_bytes", "depth", "taps", "x_channels", "z_rows")
        if name in NUMBERS[stem]
    ]

    def cost(rows: int, *others: int) -> int:
        return cycles_of(stem, rows, **dict(zip(names, others, strict=False)))

    return cost


NUMBERS = {stem: kernel.arguments for stem, kernel in KERNELS.items()}
COSTS: tuple[Callable[[int, int, int], int], ...] = (
    *map(kernel_cost, KERNELS),
    lambda size, lines, _: dma_cycles(TARGET, size, lines),
    lambda size, _, __: fetch_cycles(TARGET, size),
)


@given(st.sampled_from(COSTS), st.tuples(SIZE, SIZE, SIZE), st.tuples(SIZE, SIZE, SIZE))
def test_more_work_never_costs_less(
    cost: Callable[[int, int, int], int], sizes: tuple[int, int, int], more: tuple[int, int, int]
) -> None:
    # Whole blocks for each core: of fewer rows, channels and keys, some kernels take one by one.
    sizes, more = ((each[0] * BLOCK_ROWS, each[1] * 8, each[2] * 8) for each in (sizes, more))
    larger = tuple(map(max, sizes, more))
    assert 0 < cost(*sizes) <= cost(larger[0], larger[1], larger[2])
