"""fuse_gelu: many spellings of the two GELUs, and functions that are none."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import body, graph_of, same_numbers
from tmc.passes.canonical.fuse_gelu import fuse_gelu
from tmc.passes.pipeline import Declined

CONSTANTS = {
    "root2": 2**0.5,
    "iroot2": 0.5**0.5,
    "one": 1.0,
    "half": 0.5,
    "two": 2.0,
    "three": 3.0,
    "k": 0.044715,
    "rootpi": (2 / np.pi) ** 0.5,
    "vector": np.ones(4),
}
ERF = "u = div(x, root2)\n e = erf(u)\n a = add(e, one)\n"
TANH = (
    "c = pow(x, three)\n k3 = mul(k, c)\n i = add(x, k3)\n u = mul(i, rootpi)\n t = tanh(u)\n"
    "a = add(one, t)\n"
)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (ERF + "p = mul(x, a)\n y = mul(p, half)", "none"),
        (ERF + "p = mul(half, a)\n y = mul(x, p)", "none"),
        (ERF + "p = mul(x, half)\n y = mul(p, a)", "none"),
        (ERF + "p = mul(x, a)\n y = div(p, two)", "none"),
        (
            "u = mul(iroot2, x)\n n = neg(u)\n e = erf(n)\n a = sub(one, e)\n p = mul(a, half)\n"
            "y = mul(p, x)",
            "none",
        ),
        (TANH + "p = mul(x, half)\n y = mul(p, a)", "tanh"),
        (
            "q = mul(x, x)\n k2 = mul(q, k)\n f = add(k2, one)\n i = mul(x, f)\n u = mul(rootpi, i)\n"
            "t = tanh(u)\n"
            "a = add(t, one)\n p = mul(a, x)\n y = mul(half, p)",
            "tanh",
        ),
    ],
)
def test_parts_become_gelu(text: str, form: str) -> None:
    after = same_numbers(graph_of(text, (3, 4), CONSTANTS), fuse_gelu, 1e-6)
    assert body(after) == [f'y = gelu(x) {{approximate="{form}"}}']


@pytest.mark.parametrize(
    "text",
    [
        ERF + "y = mul(x, a)",
        "e = erf(x)\n a = add(e, one)\n p = mul(x, a)\n y = mul(p, half)",
        "u = mul(x, vector)\n v = div(u, root2)\n e = erf(v)\n a = add(e, one)\n p = mul(x, a)\n"
        "y = mul(p, half)",
        TANH + "y = mul(x, a)",
    ],
)
def test_something_else_is_left_alone(text: str) -> None:
    graph = graph_of(text, (3, 4), CONSTANTS)
    declined: list[Declined] = []
    assert body(fuse_gelu(graph, declined)) == body(graph)
    assert [item.op for item in declined] in (["erf"], ["tanh"])
