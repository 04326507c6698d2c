"""Where stages end because of their weights."""

from __future__ import annotations

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder
from tmc.backend_gap9.stages.layout import residual_operand
from tmc.backend_gap9.stages.offload import offload
from tmc.backend_gap9.stages.stage_graph import STAGE_OPS, STAGE_WEIGHTS_SHARE, stage_graph
from tmc.backend_gap9.target.targets import target_named
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.quantise import quantise
from tmc.passes.scales.choose_scales import choose_scales


@pytest.mark.parametrize(
    ("columns", "stages"),
    [
        (640, [["n", "hidden", "head"]]),
        (644, [["n", "hidden"], ["head"]]),
    ],
)
def test_a_stage_ends_before_too_many_weights(columns: int, stages: list[list[str]]) -> None:
    b = GraphBuilder.seeded(0)
    b.linear("head", b.linear("hidden", b.layernorm("n", b.input("x", 4, 512)), columns), 512)
    graph = b.graph(("x",), ("head",))
    x = np.random.default_rng(0).standard_normal((1, 4, 512)).astype(np.float32)
    integer = quantise(graph, choose_scales(graph, calibrate(graph, {"x": x})))
    target = target_named("gap9")
    staged = stage_graph(integer, target)
    assert [[op.output for op in stage.ops] for stage in staged.stages] == stages
    assert 2 * 640 * 512 == target.l2.usable_bytes * STAGE_WEIGHTS_SHARE


def test_a_stage_ends_after_so_many_ops() -> None:
    b = GraphBuilder.seeded(0)
    value = b.layernorm("n", b.input("x", 4, 8))
    for number in range(150):
        value = b.linear(f"fc{number}", value, 8)
    graph = b.graph(("x",), (value,))
    x = np.random.default_rng(0).standard_normal((1, 4, 8)).astype(np.float32)
    staged = stage_graph(
        quantise(graph, choose_scales(graph, calibrate(graph, {"x": x}))), target_named("gap9")
    )
    assert [len(stage.ops) for stage in staged.stages] == [STAGE_OPS, STAGE_OPS, 151 - 2 * STAGE_OPS]


def test_nothing_reads_a_residual_behind_the_sum_in_its_place() -> None:
    """As in parallel branches: the second one reads the stream that the first sum would take the place of."""
    b = GraphBuilder.seeded(0)
    stream = b.linear("stream", b.input("x", 8, 12), 16)
    first = b.linear("down0", b.gelu("g0", b.linear("up0", b.layernorm("n0", stream), 24)), 16)
    total = b.add("total", stream, first)
    second = b.linear("down1", b.gelu("g1", b.linear("up1", b.layernorm("n1", stream), 24)), 16)
    b.linear("y", b.layernorm("n2", b.add("sum", total, second)), 4)
    graph = b.graph(("x",), ("y",))
    x = np.random.default_rng(0).standard_normal((1, 8, 12)).astype(np.float32)
    integer = quantise(graph, choose_scales(graph, calibrate(graph, {"x": x})))
    staged = stage_graph(integer, target_named("gap9"))
    assert [[op.output for op in stage.ops] for stage in staged.stages] == [
        ["stream", "n0", "g0"],
        ["total"],
        ["n1", "g1", "sum", "n2", "y"],
    ]
    for stage in staged.stages:
        taken: set[str] = set()
        for op in stage.ops:
            assert taken.isdisjoint(op.inputs)
            residual = residual_operand(op)
            taken |= {residual} - {None}


def test_a_norm_between_jobs_begins_a_stage() -> None:
    """It runs beside the jobs of the row tile before; on the cores alone it joins them."""
    b = GraphBuilder.seeded(0)
    stream = b.linear("stream", b.input("x", 90, 36), 32)
    total = b.add("total", stream, b.linear("down", b.layernorm("n0", stream), 32))
    b.linear("y", b.gelu("g", b.linear("up", b.layernorm("n1", total), 64)), 32)
    graph = b.graph(("x",), ("y",))
    x = np.random.default_rng(0).standard_normal((1, 90, 36)).astype(np.float32)
    integer = quantise(graph, choose_scales(graph, calibrate(graph, {"x": x})))
    found = {}
    for name in ("gap9", "gap9-ne16"):
        target = target_named(name)
        staged = stage_graph(offload(integer, target), target)
        found[name] = [[op.output for op in stage.ops] for stage in staged.stages]
    assert found["gap9"] == [["stream", "n0", "total", "n1", "g", "y"]]
    assert found["gap9-ne16"] == [["stream", "n0", "total"], ["n1", "g", "y"]]
