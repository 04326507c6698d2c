"""fuse_silu, lower_depthwise, fuse_interpolation, exchanged axes: what regression heads are made of."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import body, graph_of, normal, same_numbers
from tmc.ir.errors import UnsupportedModel
from tmc.ir.float_semantics import interpolation
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.canonical.explain import explain
from tmc.passes.canonical.fuse_interpolation import fuse_interpolation
from tmc.passes.canonical.fuse_silu import fuse_silu
from tmc.passes.canonical.lower_depthwise import lower_depthwise
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


def convolution(
    x: tuple[int, ...], kernel: tuple[int, int], pads: tuple[int, int, int, int], more: str = "groups=4"
) -> str:
    """Return the text of a convolution of 4 channels."""
    return f"y = conv(x, w, b) {{strides=(1, 1), pads={pads}, {more}}}"


@pytest.mark.parametrize(
    ("shape", "kernel", "pads", "taps"),
    [
        ((1, 4, 1, 9), (1, 3), (0, 1, 0, 1), 3),
        ((1, 4, 9, 1), (5, 1), (2, 0, 2, 0), 5),
        ((1, 4, 1, 9), (1, 1), (0, 0, 0, 0), 1),
        ((1, 4, 1, 9), (1, 3), (0, 2, 0, 0), 5),  # causal
        ((1, 4, 1, 9), (1, 4), (0, 1, 0, 2), 5),  # even
        ((1, 4, 1, 2), (1, 7), (0, 3, 0, 3), 7),  # more taps than samples
    ],
)
def test_depthwise_convolutions(
    shape: tuple[int, ...], kernel: tuple[int, int], pads: tuple[int, int, int, int], taps: int
) -> None:
    graph = graph_of(convolution(shape, kernel, pads), shape, {"w": normal(4, 1, *kernel), "b": normal(4)})
    after = same_numbers(graph, lower_depthwise, 1e-6)
    assert [op.kind.value for op in after.ops] == [
        *("reshape", "transpose", "depthwise_rows", "transpose", "reshape")
    ]
    assert after.types[after.ops[2].inputs[1]].shape == (4, taps)


@pytest.mark.parametrize(
    ("text", "shape", "weight", "reason"),
    [
        ("pads=(0, 1, 0, 1), groups=2", (1, 4, 1, 9), (4, 2, 1, 3), "4 filters in 2 groups for 4 channels"),
        ("pads=(0, 1, 0, 1), groups=4", (1, 4, 1, 9), (8, 1, 1, 3), "8 filters in 4 groups for 4 channels"),
        ("pads=(0, 1, 0, 1), groups=4", (2, 4, 1, 9), (4, 1, 1, 3), "and batch 2"),
        ("pads=(0, 0, 0, 0), groups=4", (1, 4, 1, 9), (4, 1, 1, 3), "as many samples as it reads"),
        ("pads=(0, 1, 0, 2), groups=4", (1, 4, 1, 9), (4, 1, 1, 3), "as many samples as it reads"),
        ("pads=(1, 1, 1, 1), groups=4", (1, 4, 3, 9), (4, 1, 3, 3), "must run along one axis"),
        ("pads=(1, 0, 1, 0), groups=4", (1, 4, 1, 9), (4, 1, 3, 1), "must run along one axis"),
        ("pads=(0, 1, 1, 1), groups=4", (1, 4, 1, 9), (4, 1, 2, 3), "must run along one axis"),
    ],
)
def test_other_convolutions_are_declined(
    text: str, shape: tuple[int, ...], weight: tuple[int, ...], reason: str
) -> None:
    constants = {"w": normal(*weight), "b": normal(weight[0])}
    graph = graph_of(f"y = conv(x, w, b) {{strides=(1, 1), {text}}}", shape, constants)
    declined: list[Declined] = []
    assert body(lower_depthwise(graph, declined)) == body(graph)
    assert len(declined) == 1 and reason in declined[0].reason


def test_stride_and_computed_weights_are_declined_by_name() -> None:
    constants = {"w": normal(4, 1, 1, 3), "b": normal(4)}
    text = "y = conv(x, w, b) {strides=(1, 2), pads=(0, 1, 0, 1), groups=4}"
    graph = graph_of(text, (1, 4, 1, 9), constants)
    with pytest.raises(UnsupportedModel, match=r"^/y: found /y: conv") as error:
        run_passes(graph, CANONICALISE)
    assert any("strides (1, 2)" in note and "the stride must be 1" in note for note in error.value.notes)
    text = "n = neg(w)\n y = conv(x, n, b) {strides=(1, 1), pads=(0, 1, 0, 1), groups=4}"
    declined: list[Declined] = []
    lower_depthwise(graph_of(text, (1, 4, 1, 9), constants), declined)
    assert [item.reason for item in declined] == ["weight or bias is computed"]


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
