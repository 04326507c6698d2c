"""Heads that kernels cannot take, where no pass made them whole words wide."""

from __future__ import annotations

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.attrs import AttentionAttrs
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, OpKind
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.canonical.pad_heads import pad_heads
from tmc.passes.quantise import quantise
from tmc.passes.scales.choose_scales import choose_scales


def integer_form(graph: Graph) -> Graph:
    """Return a graph in integers, calibrated on noise."""
    x = np.random.default_rng(0).standard_normal((4, 7, 12)).astype(np.float32)
    return quantise(graph, choose_scales(graph, calibrate(graph, {"x": x})))


def test_heads_of_no_whole_words_are_refused_by_their_width() -> None:
    b = GraphBuilder.seeded(0)
    n = b.layernorm("n", b.input("x", 7, 12))
    q, k, v = (b.linear(name, n, 18) for name in "qkv")
    b.linear("y", b.op(OpKind.ATTENTION, "mixed", q, k, v, attrs=AttentionAttrs(3, 0.5)), 4)
    graph = b.graph(("x",), ("y",))
    with pytest.raises(
        PlanError, match=r"/mixed: found heads of 6 columns, allowed multiples of 4"
    ) as caught:
        stage_graph(integer_form(graph), target_named("gap9"))
    assert caught.value.notes
    assert stage_graph(integer_form(pad_heads(graph)), target_named("gap9")).stages
