"""Branching networks: their stages run in the order that needs least of L2; a thousand ops take seconds."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.networks.branching_networks import branching_network
from tests.networks.emitted_network import emitted, report_of
from tests.networks.simple_plan import Tiles, simple_plan
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.backend_gap9.plan.place import live_bytes
from tmc.backend_gap9.plan.plan import Residency
from tmc.backend_gap9.plan.planning import activation_ranges, make_plan
from tmc.backend_gap9.plan.stream_blocks import stream_blocks
from tmc.backend_gap9.prove.check_cycles import check_cycles
from tmc.backend_gap9.prove.check_plan import check_plan
from tmc.backend_gap9.prove.check_program import check_program
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.schedule.schedule import build_program
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.stages.staged import ConstantBlock, Staged
from tmc.backend_gap9.target.targets import target_named

TARGET = target_named("gap9")


def peak_bytes(staged: Staged) -> int:
    return max(live_bytes(activation_ranges(staged)).values())


def test_the_wide_branch_runs_before_the_result_of_the_other_is_kept() -> None:
    staged = stage_graph(branching_network(2), TARGET)
    assert staged.order is not None
    assert staged.order.steps[:7] == (0, 3, 4, 5, 1, 2, 6)
    assert staged.order.peak_bytes == staged.order.bound_bytes == peak_bytes(staged)
    numbers = range(len(staged.stages))
    given = sorted(staged.stages, key=lambda stage: staged.graph.ops.index(stage.ops[0]))
    in_order = tuple(replace(stage, number=number) for number, stage in zip(numbers, given, strict=True))
    assert peak_bytes(replace(staged, stages=in_order)) > peak_bytes(staged)


def test_the_report_says_what_is_proved_of_the_order() -> None:
    report = report_of(simple_plan(branching_network(2), Tiles(8, 16, 2, 8, 8, 8)))
    assert report.order is not None
    assert report.order.text.startswith(
        "another order than the graph's; proved: in none do values take less of"
    )
    sizes = {"peak_bytes": report.order.peak_bytes, "bound_bytes": report.order.bound_bytes}
    assert report.to_json()["order"] == {"changed": True, **sizes}
    bounded = replace(report.order, changed=False, bound_bytes=1_000)
    assert bounded.text == (
        f"the order of the graph, in which values take at most {report.order.peak_bytes:,} bytes of L2; "
        "proved: in none less than 1,000"
    )


def test_every_op_is_bit_exact_in_another_order(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_directory(emitted(branching_network(2), Tiles(8, 16, 2, 8, 8, 8)), folder)
    assert run_host(folder).bit_exact
    assert run_iss(folder, simulator=build_iss(folder.parent)).bit_exact


def test_a_thousand_ops_are_staged_and_planned_in_seconds() -> None:
    graph = branching_network(125, 8, 16)
    assert len(graph.ops) > 1_000
    start = time.process_time()
    staged = stage_graph(graph, TARGET)
    plan = make_plan(staged, TARGET)
    assert time.process_time() - start < 20
    assert len(staged.stages) > 700
    check_plan(plan, graph, TARGET)
    program = build_program(plan)
    check_cycles(plan, program, check_program(program, graph, plan, staged.contents, TARGET), TARGET)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("resident", [True, False])
def test_streamed_blocks_fit_and_travel_in_order(seed: int, resident: bool) -> None:
    random = np.random.default_rng(seed)
    stages, ahead = int(random.integers(1, 9)), int(random.integers(0, 4))
    blocks = [
        ConstantBlock(f"{stage}.{number}", stage, 1, int(random.integers(1, 60)))
        for stage in range(stages)
        for number in range(int(random.integers(0, 4)))
    ]
    own = [0] * stages
    for block in blocks:
        own[block.stage] += block.size_bytes + -block.size_bytes % 4
    free = [need + int(random.integers(0, 200)) for need in own]
    found = stream_blocks(blocks, free, ahead, resident=resident)
    assert [each.block for each in found] == blocks
    assert resident or not any(each.resident for each in found)
    streamed = [each for each in found if not each.resident]
    assert all(max(0, each.block.stage - ahead) <= each.fetch_stage <= each.block.stage for each in streamed)
    assert [each.fetch_stage for each in streamed] == sorted(each.fetch_stage for each in streamed)
    for stage, room in enumerate(free):
        assert sum(word_up(each) for each in found if lives(each, stage)) <= room


def lives(each: Residency, stage: int) -> bool:
    return each.resident or each.fetch_stage <= stage <= each.block.stage


def word_up(each: Residency) -> int:
    return each.block.size_bytes + -each.block.size_bytes % 4
