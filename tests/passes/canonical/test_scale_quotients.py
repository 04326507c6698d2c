"""scale_quotients: rows that stand above and below a quotient, brought to one length."""

from __future__ import annotations

import pytest

from tests.passes.pass_checks import graph_of, normal, same_numbers
from tmc.ir.attrs import LayerNormAttrs
from tmc.ir.graph import OpKind
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.canonical.scale_quotients import EPSILON, scale_quotients
from tmc.passes.pipeline import run_passes

CONSTANTS = {
    "w": normal(4, 4),
    "b": normal(1, 4),
    "low": 0.01,
    "high": 1e30,
    "one": 1.0,
    "two": 2.0,
    "m": abs(normal(4, 6)),
    "s": abs(normal(4, 1)),
}
PRODUCTS = "a = matmul(q, m)\n z = matmul(q, s)\n"


@pytest.mark.parametrize(
    "text",
    [
        f"l = linear(x, w, b)\n q = clip(l, low, high)\n {PRODUCTS} y = div(a, z)",
        f"l = linear(x, w, b)\n q = clip(l, low, high)\n {PRODUCTS} i = div(one, z)\n y = mul(a, i)",
        f"l = linear(x, w, b)\n c = clip(l, low, high)\n q = add(c, low)\n {PRODUCTS} y = div(a, z)",
    ],
    ids=["quotient", "product with an inverse", "a constant behind limits"],
)
def test_a_row_above_and_below_gets_one_length(text: str) -> None:
    after = same_numbers(graph_of(text, (6, 4), CONSTANTS), scale_quotients, 1e-5)
    norms = [op for op in after.ops if op.kind is OpKind.LAYERNORM]
    assert [(op.inputs[0], op.attrs) for op in norms] == [("q", LayerNormAttrs(EPSILON, "zero"))]
    read = [op.inputs[0] for op in after.ops if op.kind is OpKind.MATMUL]
    assert read == [norms[0].output] * 2
    assert [op.kind for op in after.ops][-1] is OpKind.DIV
    same_numbers(graph_of(text, (6, 4), CONSTANTS), lambda before: run_passes(before, CANONICALISE), 1e-5)


@pytest.mark.parametrize(
    "text",
    [
        # of a table of 256 codes, which has no more bits
        f"l = linear(x, w, b)\n q = exp(l)\n {PRODUCTS} y = div(a, z)",
        # of another value
        "q = linear(x, w, b)\n r = clip(q, low, high)\n a = matmul(q, m)\n z = matmul(r, s)\n y = div(a, z)",
        # of the sum of two values
        f"l = linear(x, w, b)\n c = clip(l, low, high)\n q = add(l, c)\n {PRODUCTS} y = div(a, z)",
        # a number for each element
        "l = linear(x, w, b)\n q = clip(l, low, high)\n a = matmul(q, m)\n y = div(a, a)",
        f"l = linear(x, w, b)\n q = clip(l, low, high)\n {PRODUCTS} i = div(two, z)\n y = mul(a, i)",
        f"l = linear(x, w, b)\n q = clip(l, low, high)\n {PRODUCTS} y = mul(a, z)",
        f"l = linear(x, w, b)\n q = clip(l, low, high)\n {PRODUCTS} y = add(a, z)",
        f"l = linear(x, w, b)\n q = clip(l, low, high)\n {PRODUCTS} t = tanh(z)\n y = div(a, t)",
        f"q = clip(x, low, high)\n {PRODUCTS} y = div(a, z)",
    ],
)
def test_all_else_stays(text: str) -> None:
    graph = graph_of(text, (6, 4), CONSTANTS)
    assert scale_quotients(graph) == graph
