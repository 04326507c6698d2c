"""fuse_silu, fuse_interpolation, exchanged axes: what regression heads are made of."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import body, graph_of, same_numbers
from tmc.ir.float_semantics import interpolation
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.canonical.explain import explain
from tmc.passes.canonical.fuse_interpolation import fuse_interpolation
from tmc.passes.canonical.fuse_silu import fuse_silu
from tmc.passes.pipeline import Declined, run_passes

SCALARS = {"half": 0.5, "one": 1.0, "two": 2.0, "steep": 1.702}


@pytest.mark.parametrize(
    "text",
    [
        "s = sigmoid(x)\n y = mul(x, s)",
        "s = sigmoid(x)\n y = mul(s, x)",
        "n = neg(x)\n s = sigmoid(n)\n r = sub(one, s)\n y = mul(r, x)",
        "h = mul(x, half)\n t = tanh(h)\n a = add(t, one)\n y = mul(h, a)",
    ],
)
def test_parts_become_silu(text: str) -> None:
    after = same_numbers(graph_of(text, (3, 4), SCALARS), fuse_silu, 1e-6)
    assert body(after)[-1] == "y = silu(x)"


@pytest.mark.parametrize(
    "text",
    [
        "u = mul(x, steep)\n s = sigmoid(u)\n y = mul(x, s)",
        "t = tanh(x)\n s = sigmoid(t)\n y = mul(x, s)",
    ],
)
def test_other_gates_are_declined(text: str) -> None:
    graph = graph_of(text, (3, 4), SCALARS)
    declined: list[Declined] = []
    assert body(fuse_silu(graph, declined)) == body(graph)
    assert [str(item) for item in declined] == [
        "/y (mul): a product with a sigmoid, but not x * sigmoid(x) of one x"
    ]


def test_a_sigmoid_by_itself_stays() -> None:
    graph = graph_of("s = sigmoid(x)\n y = mul(s, two)", (3, 4), SCALARS)
    assert body(fuse_silu(graph)) == body(graph)


def blended(rows: int, out: int, axis: int) -> tuple[str, dict[str, np.ndarray]]:
    """Return the text and constants of an interpolation of x along an axis of 2, by gathers and products."""
    first, weight = interpolation(rows, out)
    after = weight.astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
    parts = [
        f"{name} = gather(x) {{axis={axis}, indices={tuple(index.tolist())}, shape=({out},)}}"
        for name, index in (("p", first), ("q", first + 1))
    ]
    return "\n".join(parts), {"after": after, "before": 1 - after}


@pytest.mark.parametrize(("rows", "out"), [(2, 2), (4, 50), (50, 4), (7, 20), (5, 1), (200, 1000)])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    "blend",
    [
        "d = sub(q, p)\n m = mul(d, after)\n y = add(p, m)",
        "m = mul(after, q)\n n = mul(before, p)\n y = add(n, m)",
        "d = sub(p, q)\n m = mul(d, after)\n y = sub(p, m)",
    ],
)
def test_blends_of_neighbours_become_an_interpolation(rows: int, out: int, axis: int, blend: str) -> None:
    text, constants = blended(rows, out, axis)
    shape = (rows, 3) if axis == 0 else (3, rows)
    after = same_numbers(graph_of(f"{text}\n{blend}", shape, constants), fuse_interpolation, 1e-5)
    found = [op.kind.value for op in after.ops]
    if axis == 0:
        assert body(after) == [f"y = interpolate_rows(x) {{rows={out}}}"]
    else:
        assert found[:2] == ["transpose", "interpolate_rows"] and set(found[2:]) <= {"reshape", "gather"}


def test_places_in_float32_as_exporters_compute_them() -> None:
    rows, out = 200, 1000
    place = np.clip((np.arange(out, dtype=np.float32) + np.float32(0.5)) * np.float32(0.2) - 0.5, 0, None)
    first = place.astype(np.int64)
    second = np.minimum(first + 1, rows - 1)
    text = (
        f"p = gather(x) {{axis=0, indices={tuple(first.tolist())}, shape=({out},)}}\n"
        f"q = gather(x) {{axis=0, indices={tuple(second.tolist())}, shape=({out},)}}\n"
        "d = sub(q, p)\n m = mul(d, after)\n y = add(p, m)"
    )
    constants = {"after": (place - first).astype(np.float32).reshape(-1, 1)}
    after = same_numbers(graph_of(text, (rows, 2), constants), fuse_interpolation, 1e-4)
    assert body(after) == ["y = interpolate_rows(x) {rows=1000}"]


@pytest.mark.parametrize(
    "text",
    [
        # corners aligned
        "p = gather(x) {axis=0, indices=(0, 0, 1), shape=(3,)}\n"
        "q = gather(x) {axis=0, indices=(1, 1, 2), shape=(3,)}\n"
        "d = sub(q, p)\n m = mul(d, corner)\n y = add(p, m)",
        # a difference, a sum over columns, neighbours in another column
        "p = gather(x) {axis=0, indices=(0, 1), shape=(2,)}\n"
        "q = gather(x) {axis=0, indices=(1, 2), shape=(2,)}\n y = sub(q, p)",
        "p = gather(x) {axis=1, indices=(0, 1, 2, 3), shape=(4,)}\n"
        "q = gather(x) {axis=1, indices=(3, 2, 1, 0), shape=(4,)}\n y = add(q, p)",
        "y = add(x, x)",
    ],
)
def test_other_sums_are_declined(text: str) -> None:
    graph = graph_of(text, (4, 4), {"corner": np.array([[0.0], [0.5], [0.0]])})
    declined: list[Declined] = []
    assert body(fuse_interpolation(graph, declined)) == body(graph)
    assert "y" in [item.loc.removeprefix("/") for item in declined]
    assert all("no linear interpolation between its samples" in item.reason for item in declined)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # tokens [3 channels, 4 patches, 5] to [4, 3 * 5]
        (
            "r = reshape(x) {shape=(3, 4, 5)}\n p = transpose(r) {permutation=(1, 0, 2)}\n"
            "y = reshape(p) {shape=(4, 15)}",
            ["permute_rows_0 = permute_rows(x) {groups=3}", "y = reshape(permute_rows_0) {shape=(4, 15)}"],
        ),
        # halves of rows
        (
            "r = reshape(x) {shape=(12, 2, 5)}\n p = transpose(r) {permutation=(1, 0, 2)}\n"
            "y = reshape(p) {shape=(24, 5)}",
            ["reshape_0 = reshape(x) {shape=(24, 5)}", "y = permute_rows(reshape_0) {groups=12}"],
        ),
        ("y = transpose(x) {permutation=(1, 0)}", ["y = transpose(x) {permutation=(1, 0)}"]),
        (
            "r = reshape(x) {shape=(2, 6, 5)}\n p = transpose(r) {permutation=(2, 1, 0)}\n"
            "q = transpose(p) {permutation=(0, 2, 1)}\n y = reshape(q) {shape=(1, 5, 12)}",
            [
                "transpose_0 = transpose(x) {permutation=(1, 0)}",
                "y = reshape(transpose_0) {shape=(1, 5, 12)}",
            ],
        ),
    ],
)
def test_exchanged_axes(text: str, expected: list[str]) -> None:
    shape = (12, 10) if "(12, 2, 5)" in text else (12, 5)
    canonical = same_numbers(graph_of(text, shape), lambda graph: run_passes(graph, CANONICALISE))
    assert body(canonical) == expected
    assert explain(canonical, CANONICALISE) == ()
