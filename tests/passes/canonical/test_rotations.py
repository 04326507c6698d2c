"""fuse_rope and drop_shared_rotation on single operands: what is a rotation, and what is none."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import graph_of, same_numbers
from tmc.passes.canonical.drop_shared_rotation import drop_shared_rotation
from tmc.passes.canonical.fuse_rope import fuse_rope
from tmc.passes.pipeline import Declined

ROWS = 4
ANGLES = np.arange(ROWS).reshape(-1, 1) * np.array([1.0, 0.1])
FULL = {
    "c": np.cos(ANGLES),
    "s": np.sin(ANGLES),
    "two": 2.0,
    "c2": 2 * np.cos(ANGLES),
    "cosine1": np.cos(ANGLES[1:2]),
    "sine1": np.sin(ANGLES[1:2]),
    "mask": np.array([[1.0, 0.0], [0.0, 1.0]] * 2),
}
HALVES = (
    "a = slice({x}) {{starts=(0, 0), ends=(4, 2), steps=(1, 1)}}\n"
    "b = slice({x}) {{starts=(0, 2), ends=(4, 4), steps=(1, 1)}}\n"
)
ATTEND = "\n y = attention(q, {k}, x) {{heads=1, scale=0.5}}"


def turned(q: str, k: str = "q") -> str:
    """Return attention over a rotated x [4, 4]; q gives `o` and `e`, its two halves."""
    return HALVES.format(x="x") + q + "\n q = concat(e, o) {axis=1}" + ATTEND.format(k=k)


ROTATION = (
    "ac = mul(a, c)\n bs = mul(b, s)\n e = sub(ac, bs)\n bc = mul(b, c)\n as = mul(a, s)\n o = add(bc, as)"
)
FIXED = ROTATION.replace(", c)", ", cosine1)").replace(", s)", ", sine1)")


def test_rotation_becomes_rope() -> None:
    after = same_numbers(graph_of(turned(ROTATION), (ROWS, 4), FULL), fuse_rope, 1e-6)
    assert [op.kind.value for op in after.ops] == ["gather", "rope", "gather", "rope", "attention"]


def test_rotation_the_other_way_round_becomes_rope() -> None:
    other = ROTATION.replace("e = sub(ac, bs)", "e = add(ac, bs)").replace(
        "o = add(bc, as)", "o = sub(bc, as)"
    )
    after = same_numbers(graph_of(turned(other), (ROWS, 4), FULL), fuse_rope, 1e-6)
    assert [op.kind.value for op in after.ops].count("rope") == 2


def test_swapped_pairs_become_rope() -> None:
    swapped = ROTATION.replace("(a,", "(z,").replace("(b,", "(a,").replace("(z,", "(b,")
    after = same_numbers(graph_of(turned(swapped), (ROWS, 4), FULL), fuse_rope, 1e-6)
    assert [op.kind.value for op in after.ops].count("rope") == 2


def test_rotation_that_ignores_the_token_is_dropped() -> None:
    after = same_numbers(graph_of(turned(FIXED), (ROWS, 4), FULL), drop_shared_rotation, 1e-6)
    assert [op.kind.value for op in after.ops] == ["attention"]
    assert after.ops[0].inputs == ("x", "x", "x")


def test_rotation_that_sees_the_token_is_not_dropped() -> None:
    graph = graph_of(turned(ROTATION), (ROWS, 4), FULL)
    assert same_numbers(graph, drop_shared_rotation) == graph


def test_rotation_of_q_alone_is_not_dropped() -> None:
    graph = graph_of(turned(FIXED, "x"), (ROWS, 4), FULL)
    assert same_numbers(graph, drop_shared_rotation) == graph


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (turned(ROTATION, "x"), "Q is turned, K is not: it is a plain view"),
        (
            turned(ROTATION).replace("attention(q, q", "attention(x, q"),
            "K is turned, Q is not: it is a plain view",
        ),
        (turned(ROTATION.replace("mul(a, c)", "mul(a, c2)")), "no cosine and sine of one angle"),
        (turned(ROTATION.replace("sub(ac, bs)", "add(ac, bs)")), "no cosine and sine of one angle"),
        (turned("e = add(a, b)\n o = mul(a, c)"), "pairs of the same two columns"),
        (
            turned(
                ROTATION.replace(
                    "o = add(bc, as)",
                    "g = mul(b, c)\n h = gather(x) {axis=1, indices=(1, 0), shape=(2,)}\n"
                    "i = mul(h, s)\n t = add(bc, as)\n o = add(t, i)",
                )
            ),
            "an element is a sum of 3",
        ),
        (turned("e = mul(a, c)\n o = mul(b, c)"), "no cosine and sine of one angle"),
    ],
)
def test_declined(text: str, reason: str) -> None:
    graph = graph_of(text, (ROWS, 4), FULL)
    declined: list[Declined] = []
    assert fuse_rope(graph, declined) == graph
    assert reason in declined[0].reason


def test_q_and_k_in_different_pairs() -> None:
    adjacent = (
        "a1 = slice(x) {starts=(0, 0), ends=(4, 4), steps=(1, 2)}\n"
        "b1 = slice(x) {starts=(0, 1), ends=(4, 4), steps=(1, 2)}\n"
        "ac1 = mul(a1, c)\n bs1 = mul(b1, s)\n e1 = sub(ac1, bs1)\n bc1 = mul(b1, c)\n as1 = mul(a1, s)\n"
        "o1 = add(bc1, as1)\n k1 = concat(e1, o1) {axis=1}\n"
        "k = gather(k1) {axis=1, indices=(0, 2, 1, 3), shape=(4,)}\n"
    )
    declined: list[Declined] = []
    fuse_rope(graph_of(adjacent + turned(ROTATION, "k"), (ROWS, 4), FULL), declined)
    assert declined[0].reason == "Q and K are turned in different pairs of columns"


@pytest.mark.parametrize("columns", ["(0, 2, 1, 3)", "(0, 3, 2, 1)"])
def test_rotations_in_different_pairs_are_not_dropped(columns: str) -> None:
    # K is the same rotation with its columns in another order.
    text = turned(FIXED, "k").replace(
        "\n y =", f"\n k = gather(q) {{axis=1, indices={columns}, shape=(4,)}}\n y ="
    )
    graph = graph_of(text, (ROWS, 4), FULL)
    assert same_numbers(graph, drop_shared_rotation) == graph


def test_what_is_no_rotation_is_not_dropped() -> None:
    graph = graph_of(turned(FIXED.replace("mul(a, cosine1)", "mul(a, sine1)")), (ROWS, 4), FULL)
    assert same_numbers(graph, drop_shared_rotation) == graph
