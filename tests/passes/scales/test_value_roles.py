from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder, Size, transformer
from tmc.ir import attrs as a
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.verify import verify
from tmc.passes.scales.value_roles import Role, value_roles


def test_roles_of_a_transformer() -> None:
    roles = value_roles(transformer(Size(layers=1)))
    expected = {
        "emg": Role.INPUT,
        "patches": Role.INPUT,
        "embedded": Role.RESIDUAL,
        "0.norm1": Role.ACTIVATION,
        "0.q": Role.UNROTATED,
        "0.k": Role.UNROTATED,
        "0.v": Role.VALUE,
        "0.q_turned": Role.QUERY_KEY,
        "0.k_turned": Role.QUERY_KEY,
        "0.attended": Role.ATTENDED,
        "0.out": Role.BRANCH,
        "0.after_attention": Role.RESIDUAL,
        "0.norm2": Role.ACTIVATION,
        "0.wide": Role.TABLE_INPUT,
        "0.gelu": Role.ACTIVATION,
        "0.narrow": Role.BRANCH,
        "0.after_mlp": Role.RESIDUAL,
        "tokens": Role.ACTIVATION,
        "pooled": Role.POOLED,
        "features": Role.POOLED,
        "logits": Role.LOGITS,
    }
    assert roles == expected


def test_without_rotation_the_projections_write_heads() -> None:
    roles = value_roles(transformer(Size(layers=1, rotary=False)))
    assert (roles["0.q"], roles["0.k"], roles["0.v"]) == (Role.QUERY_KEY, Role.QUERY_KEY, Role.VALUE)


def start() -> tuple[GraphBuilder, str]:
    """A 8 x 16 residual stream."""
    b = GraphBuilder.seeded(0)
    return b, b.linear("stream", b.input("x", 8, 4), 16)


def test_of_two_linear_summands_the_later_one_is_taken_in() -> None:
    b, x = start()
    b.op(OpKind.ADD, "sum", b.linear("first", b.layernorm("n", x), 16), b.linear("second", "n", 16))
    roles = value_roles(b.graph(("x",), ("sum",)))
    assert (roles["first"], roles["second"]) == (Role.RESIDUAL, Role.BRANCH)


def test_a_linear_that_only_linears_read_is_int8() -> None:
    b, x = start()
    b.linear("head", b.linear("hidden", b.layernorm("n", x), 8), 3)
    roles = value_roles(b.graph(("x",), ("head",)))
    assert (roles["hidden"], roles["head"]) == (Role.ACTIVATION, Role.LOGITS)


def test_result_seen_through_a_reshape() -> None:
    b, x = start()
    head = b.linear("head", b.layernorm("n", x), 2)
    b.op(OpKind.RESHAPE, "out", head, attrs=a.ReshapeAttrs((16,)))
    roles = value_roles(b.graph(("x",), ("out",)))
    assert (roles["head"], roles["out"]) == (Role.LOGITS, Role.LOGITS)


def test_what_is_compared_is_int16_and_its_index_int32() -> None:
    b, x = start()
    b.op(OpKind.ARGMAX_COLUMNS, "class", b.linear("logits", b.layernorm("n", x), 6))
    b.op(OpKind.RESHAPE, "y", "class", attrs=a.ReshapeAttrs((1, *b.types["class"].shape)))
    b.op(OpKind.ADD, "sum", x, b.linear("branch", "n", 16))
    b.op(OpKind.ARGMAX_COLUMNS, "z", "branch")
    roles = value_roles(b.graph(("x",), ("y", "z", "sum")))
    assert (roles["logits"], roles["branch"]) == (Role.RESIDUAL, Role.RESIDUAL)
    assert (roles["class"], roles["y"], roles["z"]) == (Role.INDEX,) * 3


def test_a_softmax_reads_int16_and_has_a_role_of_its_own() -> None:
    b, x = start()
    b.op(OpKind.SOFTMAX, "s", b.linear("logits", b.layernorm("n", x), 6), attrs=a.AxisAttrs(1))
    b.linear("mixed", "s", 4)
    roles = value_roles(b.graph(("x",), ("mixed",)))
    assert (roles["logits"], roles["s"], roles["mixed"]) == (Role.RESIDUAL, Role.SHARE, Role.LOGITS)


def unsupported_op(b: GraphBuilder, x: str) -> None:
    b.op(OpKind.EXP, "bad", x)


def norm_of_the_int8(b: GraphBuilder, x: str) -> None:
    n = b.layernorm("n", x)
    b.linear("reader", n, 4)
    b.layernorm("bad", n)


def computed_weight(b: GraphBuilder, x: str) -> None:
    b.op(OpKind.LINEAR, "bad", b.layernorm("n", x), b.linear("w", "x", 16), b.constant("c", np.ones((1, 8))))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (unsupported_op, "found exp in the graph to quantise, allowed linear, layernorm"),
        (computed_weight, "found computed operand %w of linear"),
        (norm_of_the_int8, "found operand %n as int8 with zero point, allowed int16 input or int16 mean"),
    ],
)
def test_what_has_no_integer_form_is_refused_by_name(
    build: Callable[[GraphBuilder, str], None], message: str
) -> None:
    b, x = start()
    build(b, x)
    graph: Graph = b.graph(("x",), (b.ops[-1].output,))
    verify(graph)
    with pytest.raises(QuantisationError, match=r"^/bad: ") as error:
        value_roles(graph)
    assert error.value.what.startswith(message)
    assert error.value.notes
