"""Values that are read in another form than the one in which they are stored."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder, Size, transformer
from tmc.ir import attrs as a
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.ir.verify import verify
from tmc.passes.accuracy.agreement import dequantise
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.calibrate.codes import quantise_inputs
from tmc.passes.quantise import quantise
from tmc.passes.scales.choose_forms import choose_forms
from tmc.passes.scales.choose_scales import choose_scales
from tmc.passes.scales.value_roles import value_roles


def test_a_network_whose_forms_agree_stays_as_it_is() -> None:
    graph = transformer(Size(layers=2))
    assert choose_forms(graph) == graph


def norm_of_an_int8_value(b: GraphBuilder, x: str) -> None:
    n = b.layernorm("n", x)
    b.linear("reader", n, 4)
    b.layernorm("bad", n)


def two_used_summands(b: GraphBuilder, x: str) -> None:
    first = b.op(OpKind.ADD, "first", x, b.linear("branch", b.layernorm("n", x), 16))
    b.op(OpKind.ADD, "bad", first, x)


def gelu_read_twice(b: GraphBuilder, x: str) -> None:
    h = b.linear("h", b.layernorm("n", x), 16)
    b.op(OpKind.GELU, "bad", h, attrs=a.GeluAttrs("none"))
    b.linear("also", h, 4)


def gelu_of_a_result(b: GraphBuilder, x: str) -> None:
    b.op(OpKind.GELU, "bad", b.layernorm("n", x), attrs=a.GeluAttrs("none"))


def value_is_also_key(b: GraphBuilder, x: str) -> None:
    n = b.layernorm("n", x)
    q, k = b.linear("q", n, 16), b.linear("k", n, 16)
    b.op(OpKind.ATTENTION, "bad", q, k, k, attrs=a.AttentionAttrs(2, 0.5))


def reshape_before_a_gelu(b: GraphBuilder, x: str) -> None:
    h = b.linear("h", b.layernorm("n", x), 16)
    h = b.op(OpKind.RESHAPE, "bad", h, attrs=a.ReshapeAttrs((16, 8)))
    b.op(OpKind.GELU, "g", h, attrs=a.GeluAttrs("none"))


def mean_of_the_stream(b: GraphBuilder, x: str) -> None:
    b.layernorm("n", x)
    b.op(OpKind.MEAN_ROWS, "bad", x, attrs=a.MeanRowsAttrs(4))


def sum_is_read_by_a_gelu(b: GraphBuilder, x: str) -> None:
    b.op(OpKind.ADD, "sum", x, b.linear("branch", b.layernorm("n", x), 16))
    b.op(OpKind.GELU, "bad", "sum", attrs=a.GeluAttrs("none"))


def rotated_norm(b: GraphBuilder, x: str) -> None:
    n = b.layernorm("n", x)
    angles = np.random.default_rng(2).uniform(0, 6, (8, 4))
    tables = [b.constant(name, f(angles)) for name, f in (("cos", np.cos), ("sin", np.sin))]
    q = b.op(OpKind.ROPE, "q", n, *tables, attrs=a.RopeAttrs(2))
    b.op(OpKind.ATTENTION, "bad", q, q, n, attrs=a.AttentionAttrs(2, 0.5))


def projections_of_the_stream(b: GraphBuilder, x: str) -> None:
    q, k, v = (b.linear(name, x, 16) for name in "qkv")
    b.op(OpKind.ATTENTION, "bad", q, k, v, attrs=a.AttentionAttrs(2, 0.5))


def constant_summand(b: GraphBuilder, x: str) -> None:
    b.op(OpKind.ADD, "bad", x, b.constant("c", np.linspace(-2, 3, 16)[None]))


def difference(b: GraphBuilder, x: str) -> None:
    b.op(OpKind.SUB, "bad", x, b.gelu("g", b.linear("h", x, 16)))


def parts_of_the_stream(b: GraphBuilder, x: str) -> None:
    token = b.constant("token", np.linspace(-1, 1, 16)[None])
    b.op(OpKind.CONCAT, "joined", token, x, attrs=a.ConcatAttrs(0))
    b.layernorm("bad", "joined")


def parts_that_are_read_elsewhere(b: GraphBuilder, x: str) -> None:
    g = b.gelu("g", b.linear("h", x, 16))
    b.op(OpKind.CONCAT, "joined", g, b.linear("own", x, 8), g, attrs=a.ConcatAttrs(1))
    b.op(OpKind.CONCAT, "bad", b.linear("y", "joined", 4), b.linear("also", g, 4), attrs=a.ConcatAttrs(1))


def two_heads(b: GraphBuilder, x: str) -> None:
    b.op(OpKind.CONCAT, "bad", b.linear("h", x, 4), b.linear("g", x, 8), attrs=a.ConcatAttrs(1))


def many_products_of_the_stream(b: GraphBuilder, x: str) -> None:
    wide = b.linear("wide", x, 264)
    b.layernorm("n", wide)
    b.op(OpKind.LINEAR, "bad", wide, b.constant("w", np.ones((4, 264))), b.constant("b", np.zeros((1, 4))))


@pytest.mark.parametrize(
    ("build", "added"),
    [
        (norm_of_an_int8_value, [OpKind.CONVERT]),
        (two_used_summands, []),
        (gelu_read_twice, []),
        (gelu_of_a_result, []),
        (value_is_also_key, [OpKind.LINEAR] * 2),
        (reshape_before_a_gelu, []),
        (mean_of_the_stream, [OpKind.CONVERT]),
        (sum_is_read_by_a_gelu, [OpKind.CONVERT]),
        (rotated_norm, [OpKind.LINEAR] * 2),
        (constant_summand, []),
        (difference, []),
        (parts_of_the_stream, []),
        (parts_that_are_read_elsewhere, [OpKind.CONVERT]),
        (two_heads, []),
        (projections_of_the_stream, [OpKind.CONVERT]),
        (many_products_of_the_stream, [OpKind.CONVERT]),
    ],
)
def test_what_stands_between_is_right(
    build: Callable[[GraphBuilder, str], None], added: list[OpKind]
) -> None:
    b = GraphBuilder.seeded(0)
    build(b, b.linear("stream", b.input("x", 8, 4), 16))
    graph: Graph = b.graph(("x",), ("stream", b.ops[-1].output))
    formed = choose_forms(graph)
    verify(formed)
    value_roles(formed)
    before = {op.output for op in graph.ops}
    assert [op.kind for op in formed.ops if op.output not in before] == added
    samples = {"x": np.random.default_rng(1).standard_normal((16, 8, 4)).astype(np.float32)}
    integer = quantise(formed, choose_scales(formed, calibrate(formed, samples)))
    for x in samples["x"][:4]:
        exact = interpret(graph, {"x": x})
        assert {name: array.tobytes() for name, array in interpret(formed, {"x": x}).items()} == {
            name: array.tobytes() for name, array in exact.items()
        }
        found = interpret(integer, quantise_inputs(integer, {"x": x}))
        for name, array in exact.items():
            error = dequantise(integer.types[name], found[name]) - array
            assert 10 * np.log10(np.mean(array**2) / np.mean(error**2)) > 28, name
