"""The whole plan at full size: budgets, modelled cycles, the same plan each time."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from tests.networks.integer_networks import integer_network
from tests.networks.small_transformer import GraphBuilder
from tmc.backend_gap9.plan.plan import Plan
from tmc.backend_gap9.plan.planning import activation_ranges, external_bytes, make_plan
from tmc.backend_gap9.program.buffers import Buffer
from tmc.backend_gap9.prove.check_cycles import check_cycles
from tmc.backend_gap9.prove.check_program import check_program
from tmc.backend_gap9.schedule.schedule import build_program
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.target.target import Target
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.attrs import AttentionAttrs
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, OpKind
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.quantise import quantise
from tmc.passes.scales.choose_scales import choose_scales

TARGET = target_named("gap9")

# tokens, layers, channels, samples, rotation lines, least and most modelled cycles in millions
NETWORKS = {
    "tinymyo-8x1000": (400, 8, 8, 1000, 50, 100, 106),
    "tinymyo-8x1000-flat": (400, 8, 8, 1000, 400, 100, 106),
    "tinymyo-16x1000": (800, 8, 16, 1000, 50, 250, 275),
    "tinyissimo-8x1000": (400, 4, 8, 1000, 0, 49, 54),
    "tinyissimo-8x200": (80, 4, 8, 200, 10, 7.8, 9.5),
}


def network(name: str) -> Graph:
    """Return the integer graph of a reference network's shape."""
    tokens, layers, channels, samples, period, _, _ = NETWORKS[name]
    return integer_network(tokens, layers, channels, samples, 6, 1, int(period))


def planned(graph: Graph, target: Target = TARGET) -> Plan:
    return make_plan(stage_graph(graph, target), target)


def assert_disjoint(buffers: tuple[Buffer, ...]) -> None:
    """Check that buffers which live at the same time share no byte."""
    ordered = sorted(buffers, key=lambda each: each.offset_bytes)
    for a, b in pairwise(ordered):
        assert a.offset_bytes + a.size_bytes <= b.offset_bytes, (a, b)


def assert_l2_disjoint(plan: Plan) -> None:
    """Check that no two buffers of L2 that live in a common stage share a byte."""
    placed = list(zip(plan.l2_ranges, plan.l2, strict=True))
    for (a, at_a), (b, at_b) in combinations(placed, 2):
        if a.first <= b.last and b.first <= a.last:
            assert (
                at_a.offset_bytes + a.size_bytes <= at_b.offset_bytes
                or at_b.offset_bytes + b.size_bytes <= at_a.offset_bytes
            ), (a, b)


@pytest.mark.parametrize("name", NETWORKS)
def test_full_size_plans(name: str) -> None:
    graph = network(name)
    plan = planned(graph)
    *_, least, most = NETWORKS[name]
    assert least * 1e6 < plan.cycles < most * 1e6
    assert plan.exposed_fetch_cycles == 0
    for stage in plan.stages:
        assert_disjoint(stage.l1)
        assert stage.l1_peak_bytes <= plan.l1_peak_bytes <= TARGET.l1_usable_bytes
        assert all(each.offset_bytes % 4 == 0 for each in stage.l1)
        assert stage.cycles.total == stage.cycles.bound  # proved to be the best tiles
    assert_l2_disjoint(plan)
    assert_disjoint(plan.l3)
    callers = external_bytes(stage_graph(graph, TARGET))
    assert plan.l2_bound_bytes <= plan.l2_peak_bytes <= TARGET.l2.usable_bytes - callers
    assert max(each.offset_bytes + each.size_bytes for each in plan.l2) <= plan.l2_peak_bytes
    # no better placement is possible by more than 2 %
    assert plan.l2_peak_bytes <= plan.l2_bound_bytes * 1.02
    blocks = {block.name: len(plan.staged.contents[block.name]) for block in plan.staged.blocks}
    assert {each.name: each.size_bytes for each in plan.l3} == blocks
    assert [each.block.name for each in plan.residency] == list(blocks)
    assert plan.l3_bytes <= TARGET.l3.usable_bytes
    assert all(each.offset_bytes % 16 == 0 for each in plan.l3)


@pytest.mark.parametrize("name", ["tinyissimo-8x200", "tinymyo-8x1000"])
def test_planned_programs_are_proved(name: str) -> None:
    graph = network(name)
    plan = planned(graph)
    program = build_program(plan)
    proof = check_program(program, graph, plan, plan.staged.contents, TARGET)
    check_cycles(plan, program, proof, TARGET)
    assert proof.stages == len(plan.stages)


def test_planned_twice_is_identical() -> None:
    graph = network("tinymyo-8x1000")
    assert planned(graph) == planned(graph)


def test_values_live_from_their_stage_to_their_last_reader() -> None:
    graph = integer_network(80, 2, 8, 200, 6, 1, 10)
    ranges = {each.name: each for each in activation_ranges(stage_graph(graph, TARGET))}
    assert (ranges["patch"].first, ranges["patch"].last) == (0, 3)
    assert (ranges["block0.attn.q"].first, ranges["block0.attn.q"].last) == (1, 2)
    assert (ranges["block0.mlp.fc2"].first, ranges["block0.mlp.fc2"].last) == (3, 6)
    assert (ranges["pooled"].first, ranges["pooled"].last) == (7, 8)  # read through a reshape
    assert not {"input", "patches", "features", "logits"} & ranges.keys()
    assert ranges["patch"].size_bytes == 80 * 388  # 384 bytes, and an odd number of words from row to row


def test_the_caller_s_buffers_count_against_l2() -> None:
    graph = integer_network(80, 1, 8, 200, 6, 1, 10)
    assert external_bytes(stage_graph(graph, TARGET)) == 8 * 200 * 2 + 6 * 4


def test_an_l2_that_is_too_small_is_an_error_with_tensors_and_bytes() -> None:
    graph = integer_network(80, 1, 8, 200, 6, 1, 10)
    target = replace(TARGET, l2=replace(TARGET.l2, size_bytes=200_000, reserved_bytes=0))
    with pytest.raises(PlanError) as caught:
        planned(graph, target)
    message = str(caught.value)
    assert message.startswith("/block0/mlp/fc1/MatMul: found ")
    assert "bytes live at once, allowed" in message
    assert "%block0.mlp.fc1.weight 156672" in message
    assert caught.value.notes[-1] == "the caller's inputs and outputs take another 3224 bytes of L2"


def test_weights_give_way_until_l2_can_be_placed() -> None:
    """In a tight L2 the plan still keeps the budget, with weights streamed and their cycles exposed."""
    graph = integer_network(80, 2, 8, 200, 6, 1, 10)
    target = replace(TARGET, l2=replace(TARGET.l2, size_bytes=460_000, reserved_bytes=0))
    plan = planned(graph, target)
    assert_l2_disjoint(plan)
    assert plan.l2_peak_bytes <= 460_000 - external_bytes(stage_graph(graph, TARGET))
    assert any(not each.resident for each in plan.residency)
    assert plan.exposed_fetch_cycles > 0


def test_a_model_too_big_for_l3_is_an_error() -> None:
    graph = integer_network(80, 1, 8, 200, 6, 1, 10)
    target = replace(TARGET, l3=replace(TARGET.l3, size_bytes=300_000))
    with pytest.raises(PlanError, match=r"fc1/MatMul.*bytes of constants.*allowed 300000 bytes of L3"):
        planned(graph, target)


def test_a_sum_that_is_made_in_the_place_of_a_value_of_its_stage_is_stored() -> None:
    """As in a Conformer: the first block has no attention, so that its residual is a linear of the stage."""
    b = GraphBuilder.seeded(0)
    first = b.linear("first", b.input("x", 16, 80), 32)
    hidden = b.gelu("g", b.linear("h", b.layernorm("n", first), 64))
    total = b.add("total", first, b.linear("f", hidden, 32))
    normed = b.layernorm("m", total)
    q, k, v = (b.linear(name, normed, 32) for name in "qkv")
    attended = b.op(OpKind.ATTENTION, "a", q, k, v, attrs=AttentionAttrs(4, 0.35))
    b.linear("y", b.layernorm("l", b.add("sum", total, b.linear("o", attended, 32))), 4)
    graph = b.graph(("x",), ("y",))
    x = np.random.default_rng(0).standard_normal((1, 16, 80)).astype(np.float32)
    integer = quantise(graph, choose_scales(graph, calibrate(graph, {"x": x})))
    plan = planned(integer)
    assert any({"first", "total"} <= {op.output for op in stage.ops} for stage in plan.staged.stages)
    check_program(build_program(plan), integer, plan, plan.staged.contents, TARGET)
