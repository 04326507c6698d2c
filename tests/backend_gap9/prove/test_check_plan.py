"""The plan checker: real plans pass, and every claim that is changed is caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.backend_gap9.prove.damage import tinyissimo
from tests.networks.integer_networks import integer_network
from tmc.backend_gap9.plan.plan import AttentionTiling, Plan, RowTiling, StagePlan
from tmc.backend_gap9.plan.planning import make_plan
from tmc.backend_gap9.program.buffers import Buffer
from tmc.backend_gap9.prove.check_plan import check_plan
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.errors import CheckError
from tmc.ir.graph import Op

TARGET = target_named("gap9")
ROWS, ATTENTION, MEAN = 1, 2, 13


def plan() -> Plan:
    return tinyissimo(True).planned.plan


def rejects(message: str, changed: Plan) -> None:
    with pytest.raises(CheckError, match=message):
        check_plan(changed, tinyissimo(True).planned.graph, TARGET)


def with_stage(number: int, **fields: Any) -> Plan:
    stages = list(plan().stages)
    stages[number] = replace(stages[number], **fields)
    return replace(plan(), stages=tuple(stages))


def stage(number: int) -> StagePlan:
    return plan().stages[number]


def with_entry(index: int, **fields: Any) -> Plan:
    residency = list(plan().residency)
    residency[index] = replace(residency[index], **fields)
    return replace(plan(), residency=tuple(residency))


def moved(buffers: tuple[Buffer, ...], index: int, **fields: Any) -> tuple[Buffer, ...]:
    return (*buffers[:index], replace(buffers[index], **fields), *buffers[index + 1 :])


def streamed() -> int:
    """Return the index of a block that is not resident and is fetched ahead."""
    return next(
        index
        for index, entry in enumerate(plan().residency)
        if not entry.resident and entry.fetch_stage < entry.block.stage
    )


def test_a_real_plan_passes() -> None:
    check_plan(plan(), tinyissimo(True).planned.graph, TARGET)


@pytest.mark.parametrize(("tokens", "channels", "rope_period"), [(400, 8, 0), (800, 16, 50)])
def test_larger_plans_pass(tokens: int, channels: int, rope_period: int) -> None:
    graph = integer_network(tokens, 2, channels, 1000, 6, seed=2, rope_period=rope_period)
    plan = make_plan(stage_graph(graph, TARGET), TARGET)
    check_plan(plan, graph, TARGET)


def test_every_stage_is_planned() -> None:
    rejects("found 14 stages, allowed 15", replace(plan(), stages=plan().stages[1:]))


def with_ops(changed: Callable[[list[list[Op]]], None]) -> Plan:
    """Return the plan with other ops in its stages."""
    staged = plan().staged
    ops = [list(stage.ops) for stage in staged.stages]
    changed(ops)
    stages = tuple(replace(stage, ops=tuple(each)) for stage, each in zip(staged.stages, ops, strict=True))
    return replace(plan(), staged=replace(staged, stages=stages))


def test_stages_run_every_op_once() -> None:
    rejects("plan: found no stage for %logits", with_ops(lambda ops: ops[-1].clear()))
    value = plan().staged.stages[ROWS].ops[-1]
    message = f"stage 3: found %{value.output}, allowed each op once"
    rejects(message, with_ops(lambda ops: ops[3].append(value)))
    other = replace(plan().staged.stages[ROWS].ops[0], loc="elsewhere")
    message = f"stage 1: found %{other.output}, allowed each op once"
    rejects(message, with_ops(lambda ops: ops[ROWS].__setitem__(0, other)))


def test_stages_read_what_was_computed() -> None:
    message = "stage 1: found %block0.attn.mixed before %block0.attn.q, which it reads"
    rejects(message, with_ops(lambda ops: ops[ROWS].insert(0, ops[ATTENTION].pop())))


# ---------------------------------------------------------------- memories


def test_l1_buffers_are_apart() -> None:
    l1 = stage(ROWS).l1
    rejects(
        "stage 1: found buffers .* in the same bytes of l1", with_stage(ROWS, l1=moved(l1, 1, offset_bytes=0))
    )


def test_offsets_are_aligned() -> None:
    l1 = stage(ROWS).l1
    rejects(
        "found Buffer.*, allowed a buffer in l1 at a multiple of 4",
        with_stage(ROWS, l1=moved(l1, 1, offset_bytes=l1[1].offset_bytes + 2)),
    )
    rejects("allowed a buffer in l1", with_stage(ROWS, l1=moved(l1, 0, memory="l2")))
    rejects("allowed a buffer in l1", with_stage(ROWS, l1=moved(l1, 0, size_bytes=0)))


def test_names_are_unique() -> None:
    l1 = stage(ROWS).l1
    rejects("found two buffers of one name in l1", with_stage(ROWS, l1=moved(l1, 0, name=l1[1].name)))


def test_peaks_are_those_of_the_buffers() -> None:
    rejects("stage 1: found a peak of .* in l1, allowed", with_stage(ROWS, l1_peak_bytes=100))
    rejects("plan: found a peak of 100 bytes in l1", replace(plan(), l1_peak_bytes=100))
    rejects("found a peak of .* in l2, allowed", replace(plan(), l2_peak_bytes=plan().l2_peak_bytes + 4))
    rejects("found a peak of .* in l3, allowed", replace(plan(), l3_bytes=plan().l3_bytes - 4))


def test_budgets_are_hard() -> None:
    l1 = stage(ROWS).l1
    far = moved(l1, 0, offset_bytes=TARGET.l1_usable_bytes)
    end = TARGET.l1_usable_bytes + l1[0].size_bytes
    rejects(
        f"stage 1: found a peak of {end} bytes in l1, allowed {TARGET.l1_usable_bytes}; largest are",
        with_stage(ROWS, l1=far, l1_peak_bytes=end),
    )


def test_the_callers_buffers_count() -> None:
    graph = tinyissimo(True).planned.graph
    callers = 8 * 200 * 2 + 6 * 4
    l2 = replace(TARGET.l2, reserved_bytes=TARGET.l2.size_bytes - plan().l2_peak_bytes - callers)
    check_plan(plan(), graph, replace(TARGET, l2=l2))
    with pytest.raises(CheckError, match="bytes in l2, allowed"):
        check_plan(plan(), graph, replace(TARGET, l2=replace(l2, reserved_bytes=l2.reserved_bytes + 4)))


def test_l3_blocks_are_apart() -> None:
    rejects("in the same bytes of l3", replace(plan(), l3=moved(plan().l3, 1, offset_bytes=0)))


def test_l3_blocks_are_aligned_for_bursts() -> None:
    last = len(plan().l3) - 1
    l3 = moved(plan().l3, last, offset_bytes=plan().l3[last].offset_bytes + 4)
    message = "allowed a multiple of 16 as the offset in l3"
    rejects(message, replace(plan(), l3=l3, l3_bytes=plan().l3_bytes + 4))


# ---------------------------------------------------------------- live ranges


def test_what_lives_at_once_is_apart() -> None:
    l2 = plan().l2
    for index, each in enumerate(plan().l2_ranges[1:], 1):
        if each.first <= plan().l2_ranges[0].last and plan().l2_ranges[0].first <= each.last:
            rejects(
                "in the same bytes of l2 in stage",
                replace(plan(), l2=moved(l2, index, offset_bytes=l2[0].offset_bytes)),
            )


def test_every_range_is_long_enough() -> None:
    ranges = plan().l2_ranges
    last = len(plan().stages) - 1
    for index, each in enumerate(ranges):
        for first, end in ((each.first + 1, each.last), (each.first, each.last - 1)):
            if each.first == each.last:
                first, end = last + 1, last + 1
            shorter = (*ranges[:index], replace(each, first=first, last=end), *ranges[index + 1 :])
            rejects(f"allowed .* bytes of {each.name} in stages", replace(plan(), l2_ranges=shorter))


def test_every_range_has_a_buffer_of_its_size() -> None:
    rejects("of other names or sizes", replace(plan(), l2=plan().l2[1:]))
    rejects("of other names or sizes", replace(plan(), l2=moved(plan().l2, 0, size_bytes=4)))
    smaller = (replace(plan().l2_ranges[0], size_bytes=4), *plan().l2_ranges[1:])
    rejects("allowed .* bytes of", replace(plan(), l2=moved(plan().l2, 0, size_bytes=4), l2_ranges=smaller))


@pytest.mark.parametrize("bound_bytes", [0, 2**30])
def test_the_bound_is_between_load_and_peak(bound_bytes: int) -> None:
    rejects(f"found a bound of {bound_bytes} bytes of l2", replace(plan(), l2_bound_bytes=bound_bytes))


# ---------------------------------------------------------------- residency


def test_blocks_are_fetched_before_use() -> None:
    entry = plan().residency[streamed()]
    rejects("allowed 0 <= fetched <= used", with_entry(streamed(), fetch_stage=entry.block.stage + 1))
    rejects("allowed 0 <= fetched <= used", with_entry(streamed(), fetch_stage=-1))


def test_blocks_have_names_of_their_own() -> None:
    rejects("blocks with", replace(plan(), residency=(*plan().residency, plan().residency[0])))


def test_every_constant_has_a_block() -> None:
    rejects(
        "stage 0: found blocks of .* bytes, allowed at least", replace(plan(), residency=plan().residency[1:])
    )


def test_l3_has_every_block() -> None:
    rejects("found 0 bytes of L3 for", replace(plan(), l3=plan().l3[1:]))


def test_what_becomes_resident_lives_for_good() -> None:
    rejects("in stages 0 to 14", with_entry(streamed(), resident=True))


# ---------------------------------------------------------------- tiles


@pytest.mark.parametrize("rows", [0, 81])
def test_tiles_are_parts(rows: int) -> None:
    for number in (ROWS, ATTENTION):
        rejects(
            f"found a tile of {rows} rows, allowed 1 to 80",
            with_stage(number, tiling=replace(stage(number).tiling, rows=rows)),
        )


def test_tiles_are_those_of_the_ops() -> None:
    tiling = stage(ROWS).tiling
    assert isinstance(tiling, RowTiling)
    rejects(
        "found channel tiles of .*, allowed one for each linear",
        with_stage(ROWS, tiling=replace(tiling, channels=tiling.channels[1:])),
    )
    rejects(
        "found a tile of 3 buffers of",
        with_stage(ROWS, tiling=replace(tiling, input_buffers=((tiling.input_buffers[0][0], 3),))),
    )
    rejects(
        "found AttentionTiling, allowed RowTiling",
        with_stage(ROWS, tiling=AttentionTiling(8, 8, 8)),
    )
    rejects("found RowTiling, allowed AttentionTiling", with_stage(ATTENTION, tiling=tiling))
    rejects(
        "found a tile of 4 heads, allowed 1 to 3",
        with_stage(ATTENTION, tiling=AttentionTiling(8, 8, 8, heads=4)),
    )
