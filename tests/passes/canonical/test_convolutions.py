"""lower_conv and lower_depthwise: convolutions of all kinds as moves of rows around products."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import body, graph_of, normal, same_numbers
from tmc.ir.graph import Graph
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.canonical.lower_conv import lower_conv
from tmc.passes.canonical.lower_depthwise import lower_depthwise
from tmc.passes.pipeline import Declined, run_passes

Shape = tuple[int, ...]


def kinds(graph: Graph) -> list[str]:
    """Return the kinds of the ops, without reshapes."""
    return [op.kind.value for op in graph.ops if op.kind.value != "reshape"]


def convolution(shape: Shape, weight: Shape, text: str) -> Graph:
    """Return a convolution; text: what differs from strides 1, no padding, one group."""
    settings = {"strides": "(1, 1)", "pads": "(0, 0, 0, 0)", "groups": "1"}
    settings |= dict(part.split("=") for part in text.split("; ") if part)
    fields = ", ".join(f"{name}={value}" for name, value in settings.items())
    constants = {"w": normal(*weight), "b": normal(weight[0])}
    return graph_of(f"y = conv(x, w, b) {{{fields}}}", shape, constants)


@pytest.mark.parametrize(("shape", "weight"), [((1, 1, 6, 20), (3, 1, 1, 5)), ((1, 2, 7, 9), (3, 2, 2, 4))])
def test_patches(shape: Shape, weight: Shape) -> None:
    graph = convolution(shape, weight, f"strides=({weight[2]}, {weight[3]})")
    after = same_numbers(graph, lower_conv, 1e-6)
    assert kinds(after).count("linear") == 1 and {"gather", "concat"}.isdisjoint(kinds(after))


@pytest.mark.parametrize(
    ("shape", "weight", "text", "expected"),
    [
        # overlap, stride, padding in time
        ((1, 3, 1, 20), (8, 3, 1, 5), "", ["transpose", "gather", "linear", "transpose"]),
        ((1, 3, 1, 20), (8, 3, 1, 4), "strides=(1, 2)", ["transpose", "gather", "linear", "transpose"]),
        (
            (1, 3, 1, 20),
            (8, 3, 1, 7),
            "strides=(1, 4); pads=(0, 3, 0, 3)",
            ["concat", "transpose", "gather", "linear", "transpose"],
        ),
        # every second sample
        ((1, 3, 1, 20), (8, 3, 1, 1), "strides=(1, 2)", ["transpose", "gather", "linear", "transpose"]),
        # one kernel over the samples of each electrode; one over the electrodes
        ((1, 1, 6, 20), (8, 1, 1, 5), "", ["gather", "linear", "transpose"]),
        ((1, 1, 6, 20), (8, 1, 1, 5), "pads=(0, 2, 0, 2)", ["concat", "gather", "linear", "transpose"]),
        ((1, 8, 6, 20), (8, 8, 6, 1), "", ["transpose", "permute_rows", "linear", "transpose"]),
        # pictures
        (
            (1, 3, 9, 9),
            (8, 3, 3, 3),
            "strides=(2, 2); pads=(1, 1, 1, 1)",
            ["concat", "concat", "transpose", "gather", "linear", "transpose"],
        ),
        # groups, windows of a batch
        (
            (1, 4, 6, 20),
            (6, 2, 1, 5),
            "groups=2",
            ["transpose", "gather", "linear", "transpose"],
        ),
        (
            (2, 3, 1, 20),
            (8, 3, 1, 5),
            "strides=(1, 2); pads=(0, 2, 0, 1)",
            ["concat", "transpose", "gather", "linear", "transpose", "permute_rows"],
        ),
    ],
)
def test_windows(shape: Shape, weight: Shape, text: str, expected: list[str]) -> None:
    graph = convolution(shape, weight, text)
    after = same_numbers(graph, lambda before: run_passes(before, CANONICALISE), 1e-5)
    assert kinds(after) == expected
    assert all(len(after.types[op.output].shape) == 2 for op in after.ops if op.kind.value != "reshape")


def test_a_dilated_kernel_has_as_many_products_as_taps() -> None:
    weight = normal(8, 3, 1, 7)
    weight[..., 1::2] = 0
    text = "y = conv(x, w, b) {strides=(1, 1), pads=(0, 3, 0, 3), groups=1}"
    graph = graph_of(text, (1, 3, 1, 20), {"w": weight, "b": normal(8)})
    after = same_numbers(graph, lower_conv, 1e-6)
    (linear,) = (op for op in after.ops if op.kind.value == "linear")
    assert after.types[linear.inputs[1]].shape == (8, 3 * 4)


def test_a_kernel_of_zeros_is_its_bias() -> None:
    constants = {"w": np.zeros((2, 3, 1, 5)), "b": normal(2)}
    text = "y = conv(x, w, b) {strides=(1, 1), pads=(0, 0, 0, 0), groups=1}"
    same_numbers(graph_of(text, (1, 3, 1, 9), constants), lower_conv, 1e-6)


def test_two_convolutions_stay_rows_of_channels() -> None:
    """A stem: between its convolutions nothing is turned."""
    constants = {"w": normal(8, 3, 1, 7), "b": normal(8), "v": normal(4, 8, 1, 3), "c": normal(4)}
    text = (
        "a = conv(x, w, b) {strides=(1, 4), pads=(0, 3, 0, 3), groups=1}\n g = gelu(a) {approximate='none'}\n"
        "d = conv(g, v, c) {strides=(1, 2), pads=(0, 1, 0, 1), groups=1}\n r = reshape(d) {shape=(4, 5)}\n"
        "y = transpose(r) {permutation=(1, 0)}"
    )
    graph = graph_of(text, (1, 3, 1, 40), constants)
    after = same_numbers(graph, lambda before: run_passes(before, CANONICALISE), 1e-5)
    assert kinds(after) == [
        *("concat", "transpose", "gather", "linear", "gelu", "concat", "gather", "linear"),
    ]


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
def test_depthwise_convolutions(shape: Shape, kernel: Shape, pads: Shape, taps: int) -> None:
    graph = convolution(shape, (4, 1, *kernel), f"pads={pads}; groups=4")
    after = same_numbers(graph, lower_depthwise, 1e-6)
    assert kinds(after) == ["transpose", "depthwise_rows", "transpose"]
    (depthwise,) = (op for op in after.ops if op.kind.value == "depthwise_rows")
    assert after.types[depthwise.inputs[1]].shape == (4, taps)


@pytest.mark.parametrize(
    ("shape", "weight", "text", "columns", "rows"),
    [
        ((1, 4, 1, 9), (4, 1, 1, 3), "strides=(1, 2); pads=(0, 1, 0, 1)", 4, 5),
        ((1, 4, 1, 9), (4, 1, 1, 3), "", 4, 7),
        ((1, 4, 1, 9), (4, 1, 1, 4), "strides=(1, 3)", 4, 2),
        ((1, 4, 1, 9), (4, 1, 1, 4), "strides=(1, 3); pads=(0, 3, 0, 0)", 4, 3),
        ((2, 4, 1, 9), (4, 1, 1, 3), "pads=(0, 1, 0, 1)", 8, 9),
        ((1, 4, 1, 9), (8, 1, 1, 3), "pads=(0, 1, 0, 1)", 8, 9),
        ((2, 4, 3, 9), (8, 1, 1, 3), "pads=(0, 1, 0, 0)", 48, 8),
        ((1, 4, 6, 10), (8, 1, 6, 1), "", 80, 1),
    ],
)
def test_more_depthwise_convolutions(shape: Shape, weight: Shape, text: str, columns: int, rows: int) -> None:
    graph = convolution(shape, weight, f"{text}; groups=4".removeprefix("; "))
    after = same_numbers(graph, lower_depthwise, 1e-6)
    (depthwise,) = (op for op in after.ops if op.kind.value == "depthwise_rows")
    assert after.types[depthwise.output].shape[1] == columns
    assert after.types["y"].elements == columns * rows
    same_numbers(graph, lambda before: run_passes(before, CANONICALISE), 1e-5)


@pytest.mark.parametrize(
    ("text", "shape", "weight", "reason"),
    [
        ("pads=(0, 1, 0, 1); groups=2", (1, 4, 1, 9), (4, 2, 1, 3), "4 filters in 2 groups for 4 channels"),
        ("pads=(0, 1, 0, 2); groups=4", (1, 4, 1, 9), (4, 1, 1, 3), "more windows than the 9 samples"),
        ("pads=(1, 1, 1, 1); groups=4", (1, 4, 3, 9), (4, 1, 3, 3), "must run along one axis"),
        (
            "strides=(2, 1); pads=(0, 1, 0, 1); groups=4",
            (1, 4, 3, 9),
            (4, 1, 1, 3),
            "must run along one axis",
        ),
        ("pads=(0, 1, 1, 1); groups=4", (1, 4, 1, 9), (4, 1, 2, 3), "must run along one axis"),
    ],
)
def test_what_is_no_depthwise_convolution_over_time_becomes_linear(
    text: str, shape: Shape, weight: Shape, reason: str
) -> None:
    graph = convolution(shape, weight, text)
    declined: list[Declined] = []
    assert body(lower_depthwise(graph, declined)) == body(graph)
    assert len(declined) == 1 and reason in declined[0].reason
    assert kinds(same_numbers(graph, lower_conv, 1e-6)).count("linear") == 1


@pytest.mark.parametrize("groups", [1, 4])
def test_computed_weights_are_declined(groups: int) -> None:
    text = f"n = neg(w)\n y = conv(x, n, b) {{strides=(1, 1), pads=(0, 1, 0, 1), groups={groups}}}"
    graph = graph_of(text, (1, 4, 1, 9), {"w": normal(4, 4 // groups, 1, 3), "b": normal(4)})
    declined: list[Declined] = []
    after = lower_conv(lower_depthwise(graph, declined), declined)
    assert body(after) == body(graph)
    assert {item.reason for item in declined} == {"weight or bias is computed"}
