"""Attentions for the accelerator: codes + 128 of their queries, the same numbers; or left to the cores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.backend_gap9.schedule.test_attention_jobs import attention
from tests.networks.emitted_network import some_inputs
from tests.networks.integer_networks import integer_network
from tmc.backend_gap9.stages.offload import offload
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.graph import Graph, OpKind
from tmc.ir.integer.qattention import QAttentionAttrs
from tmc.ir.integer.qconvert import TO_UNSIGNED
from tmc.ir.integer.qrope import QRopeAttrs
from tmc.ir.interpret import interpret
from tmc.ir.text import parse_graph, print_graph
from tmc.ir.types import DType, TensorType
from tmc.ir.verify import verify

NE16 = target_named("gap9-ne16")


def test_queries_are_converted_below_each_other() -> None:
    before = attention()
    after = offload(before, NE16)
    verify(after)
    assert [(op.kind, op.output, op.inputs[0]) for op in after.ops] == [
        (OpKind.RESHAPE, "q.lines", "q"),
        (OpKind.QCONVERT, "q.unsigned.lines", "q.lines"),
        (OpKind.RESHAPE, "q.unsigned", "q.unsigned.lines"),
        (OpKind.QATTENTION, "y", "q.unsigned"),
    ]
    assert (after.ops[1].attrs, after.ops[3].attrs) == (TO_UNSIGNED, before.ops[0].attrs)
    assert parse_graph(print_graph(after), after.constants) == after
    inputs = some_inputs(before)
    np.testing.assert_array_equal(interpret(after, inputs)["y"], interpret(before, inputs)["y"])


def test_a_rotation_makes_the_queries_that_it_reads() -> None:
    before = integer_network(60, 1, 4, 240, 4, seed=0, rope_period=15, dim=64, heads=1, hidden=64)
    after = offload(before, NE16)
    verify(after)
    ropes = {op.output: op.attrs for op in after.ops if isinstance(op.attrs, QRopeAttrs)}
    reads = next(op.inputs[:2] for op in after.ops if op.kind is OpKind.QATTENTION)
    assert [ropes[name].unsigned for name in reads] == [True, False]
    assert not any(op.output.endswith(".lines") for op in after.ops)
    inputs = some_inputs(before)
    np.testing.assert_array_equal(interpret(after, inputs)["logits"], interpret(before, inputs)["logits"])


def changed(**fields: object) -> Graph:
    graph = attention()
    attrs = graph.ops[0].attrs
    assert isinstance(attrs, QAttentionAttrs)
    return replace(graph, ops=(replace(graph.ops[0], attrs=replace(attrs, **fields)),))  # type: ignore[arg-type]


def biased() -> Graph:
    graph = attention()
    op, bias = graph.ops[0], np.zeros((1, 1, graph.types["k"].shape[1]), np.int16)
    types = {**graph.types, "bias": TensorType(DType.S16, bias.shape)}
    return replace(
        graph,
        ops=(replace(op, inputs=(*op.inputs, "bias")),),
        types=types,
        constants={**graph.constants, "bias": bias},
    )


def wide() -> Graph:
    graph = attention()
    types = {name: replace(graph.types[name], dtype=DType.S16) for name in ("q", "k")}
    return replace(graph, types={**graph.types, **types})


@pytest.mark.parametrize(
    "graph",
    [
        changed(dtype="s16"),
        changed(normalised=True),
        biased(),
        wide(),
        attention(rows=8, keys=40, width=8),  # no faster: a group of rows takes as long as 9 of them
        attention(
            rows=800, keys=800, width=64
        ),  # K and V of a head have no room in L1, and K is the caller's
        attention(rows=800, keys=800, width=40, computed=True),  # packed K is longer than K
        attention(rows=2000, keys=2000, width=64, computed=True),  # nor has V
    ],
    ids=["s16", "normalised", "bias", "wide", "few", "callers", "longer", "large"],
)
def test_what_stays_on_the_cores(graph: Graph) -> None:
    assert offload(graph, NE16).ops[-1] == graph.ops[-1]


def test_packed_keys_may_take_the_place_of_those_that_nobody_else_reads() -> None:
    graph = attention(rows=800, keys=800, width=64, computed=True)
    after = offload(graph, NE16)
    assert after.types[after.ops[-1].inputs[0]].dtype is DType.U8
    kept = offload(replace(graph, outputs=(*graph.outputs, "keys")), NE16)
    assert kept.ops[-1] == graph.ops[-1]
