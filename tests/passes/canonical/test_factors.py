"""fold_factors, sink_factors, lower_factors: constants that multiply and add, taken in or convolved."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import body, graph_of, normal, same_numbers
from tmc.passes.canonical.fold_factors import fold_factors
from tmc.passes.canonical.lower_factors import lower_factors
from tmc.passes.canonical.sink_factors import sink_factors
from tmc.passes.pipeline import Declined

ROUNDING = 2e-6
WEIGHTS = {
    "w": normal(4, 5),
    "b": normal(1, 4),
    "v": normal(3, 4),
    "e": normal(1, 3),
    "g": normal(4) + 3,
    "h": normal(2, 1, 4),
    "t": normal(4, 3),
    "s": np.float32(2.5),
    "o": np.float32(1.0),
    "low": np.float32(-1.0),
    "high": np.float32(0.5),
    "rows": normal(6, 1) + 3,
}


def kinds(text: str, shape: tuple[int, ...] = (6, 5)) -> list[str]:
    """Return the ops that fold_factors leaves of a network that computes the same."""
    after = same_numbers(graph_of(text, shape, WEIGHTS), fold_factors, ROUNDING)
    return [op.kind.value for op in after.ops]


@pytest.mark.parametrize(
    "step",
    ["mul(l, g)", "mul(s, l)", "div(l, g)", "neg(l)", "sub(g, l)", "sub(l, g)", "add(g, l)", "mul(l, b)"],
)
def test_factor_behind_a_linear(step: str) -> None:
    assert kinds(f"l = linear(x, w, b)\n y = {step}") == ["linear"]


def test_batch_norm_behind_a_linear_whose_bias_is_an_addition() -> None:
    text = "l = linear(x, w, b)\n a = add(l, g)\n m = mul(a, g)\n n = sub(m, b)\n d = div(n, s)\n y = neg(d)"
    assert kinds(text) == ["linear"]


def test_factor_per_channel_behind_transposed_channels() -> None:
    text = (
        "l = linear(x, w, b)\n r = reshape(l) {shape=(3, 2, 4)}\n"
        "p = transpose(r) {permutation=(2, 0, 1)}\n k = reshape(p) {shape=(4, 6)}\n y = mul(k, c)"
    )
    after = same_numbers(graph_of(text, (6, 5), {**WEIGHTS, "c": normal(4, 1)}), fold_factors, ROUNDING)
    assert [op.kind.value for op in after.ops] == ["linear", "reshape", "transpose", "reshape"]


def test_slices_of_one_linear_take_their_factors_each() -> None:
    text = (
        "l = linear(x, w, b)\n q = slice(l) {starts=(0, 0), ends=(6, 2), steps=(1, 1)}\n"
        "k = slice(l) {starts=(0, 2), ends=(6, 4), steps=(1, 1)}\n m = mul(q, p)\n"
        "n = sub(m, s)\n y = add(n, k)"
    )
    after = same_numbers(graph_of(text, (6, 5), {**WEIGHTS, "p": normal(2)}), fold_factors, ROUNDING)
    assert [op.kind.value for op in after.ops] == ["linear", "slice", "slice", "add"]


@pytest.mark.parametrize("norm", ["layernorm(x, g, g) {epsilon=1e-05}", "depthwise_rows(x, t, g)"])
@pytest.mark.parametrize("step", ["mul(r, g)", "sub(g, r)", "div(r, s)"])
def test_factor_behind_other_ops_with_weights(norm: str, step: str) -> None:
    text = f"l = {norm}\n r = reshape(l) {{shape=(2, 3, 4)}}\n y = {step}"
    assert kinds(text, (6, 4)) == [norm.split("(")[0], "reshape"]


@pytest.mark.parametrize("limit", ["relu(l)", "clip(l, low, high)"])
def test_positive_factor_behind_a_clip(limit: str) -> None:
    assert kinds(f"l = linear(x, w, b)\n c = {limit}\n y = mul(c, g)") == ["linear", limit.split("(")[0]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("l = linear(x, w, b)\n m = mul(l, g)\n y = add(m, l)", "others read"),
        ("l = linear(x, w, b)\n r = relu(l)\n y = neg(r)", "a relu lies between"),
        ("l = linear(x, w, b)\n y = mul(l, rows)", "from row to row"),
        ("n = neg(w)\n l = linear(x, n, b)\n y = mul(l, g)", "are computed"),
        ("l = layernorm(x, f, f) {epsilon=1e-05}\n y = add(l, rows)", "its offset differs"),
        (
            "l = linear(x, w, b)\n k = gather(l) {axis=1, indices=(0, 0, 1), shape=(3,)}\n y = mul(k, s)",
            "taken twice",
        ),
    ],
)
def test_factors_that_stay(text: str, reason: str) -> None:
    graph = graph_of(text, (6, 5), {**WEIGHTS, "f": normal(5)})
    declined: list[Declined] = []
    assert body(fold_factors(graph, declined)) == body(graph)
    assert reason in declined[0].reason


def test_the_scale_of_scores_stays() -> None:
    text = (
        "q = linear(x, w, b)\n k = linear(x, w, b)\n m = mul(q, s)\n c = transpose(k) {permutation=(1, 0)}\n"
        "y = matmul(m, c)"
    )
    graph = graph_of(text, (6, 5), WEIGHTS)
    declined: list[Declined] = []
    assert body(sink_factors(fold_factors(graph, declined), declined)) == body(graph)
    assert declined == []


def sunk(text: str, shape: tuple[int, ...], tolerance: float = 1e-5) -> list[str]:
    """Return the ops that sink_factors leaves of a network that computes the same."""
    after = same_numbers(graph_of(text, shape, WEIGHTS), sink_factors, tolerance)
    return [op.kind.value for op in after.ops]


def test_normalised_input_goes_into_patches() -> None:
    constants = {"mean": normal(1, 2, 1), "std": normal(1, 2, 1) + 3, "w": normal(3, 8), "b": normal(2, 3)}
    text = (
        "c = sub(x, mean)\n n = div(c, std)\n r = reshape(n) {shape=(2, 6, 4)}\n"
        "p = transpose(r) {permutation=(1, 0, 2)}\n m = reshape(p) {shape=(6, 8)}\n y = linear(m, w, b)"
    )
    after = same_numbers(graph_of(text, (1, 2, 24), constants), sink_factors, 1e-5)
    assert [op.kind.value for op in after.ops] == ["reshape", "transpose", "reshape", "linear"]
    assert after.types[after.ops[-1].inputs[2]].shape == (2, 3)


def test_offset_per_row_before_a_linear_becomes_a_bias_per_row() -> None:
    graph = graph_of("a = add(x, c)\n y = linear(a, w, b)", (6, 5), {**WEIGHTS, "c": normal(6, 5)})
    after = same_numbers(graph, sink_factors, 1e-5)
    assert after.types[after.ops[0].inputs[2]].shape == (6, 4)


@pytest.mark.parametrize(
    ("middle", "kinds"),
    [
        ("m = relu(z)", ["relu", "linear"]),
        ("m = clip(z, low, high)", ["clip", "linear"]),
        ("m = mean_rows(z) {group_rows=3}", ["mean_rows", "linear"]),
        (
            "r = reshape(z) {shape=(2, 3, 4)}\n n = reduce_mean(r) {axes=(1,), keepdims=False}\n"
            "m = mul(n, g)",
            ["reshape", "reduce_mean", "linear"],
        ),
        ("m = depthwise_rows(z, t, b4)", ["depthwise_rows", "linear"]),
        ("m = layernorm(z, g, b4) {epsilon=0.1}", ["layernorm", "linear"]),
    ],
)
@pytest.mark.parametrize("factor", ["g", "s"])
def test_factor_through_other_ops_into_a_linear(middle: str, kinds: list[str], factor: str) -> None:
    constants = {**WEIGHTS, "b4": normal(4), "g": np.abs(normal(4)) + 1}
    text = f"z = mul(x, {factor})\n {middle}\n y = linear(m, v, e)"
    after = same_numbers(graph_of(text, (6, 4), constants), sink_factors, 1e-5)
    stays = factor == "g" and kinds[0] == "layernorm"
    assert [op.kind.value for op in after.ops] == (["mul", *kinds] if stays else kinds)


def test_offset_through_a_clip_and_one_tap() -> None:
    constants = {**WEIGHTS, "one": normal(4, 1), "b4": normal(4)}
    text = "z = add(x, g)\n c = clip(z, low, high)\n d = depthwise_rows(c, one, b4)\n y = linear(d, v, e)"
    after = same_numbers(graph_of(text, (6, 4), constants), sink_factors, 1e-5)
    assert [op.kind.value for op in after.ops] == ["clip", "depthwise_rows", "linear"]


def test_negative_number_before_a_norm_and_offset_per_row() -> None:
    text = "z = neg(x)\n a = add(z, rows)\n n = layernorm(a, g, g) {epsilon=0.5}\n y = linear(n, v, e)"
    assert sunk(text, (6, 4)) == ["layernorm", "linear"]


def test_batch_norms_of_a_stream_move_to_its_end() -> None:
    block = "f{0} = linear({1}, s4, z4)\n a{0} = add({1}, f{0})\n m{0} = mul(a{0}, g)\n n{0} = add(m{0}, k)\n"
    text = block.format(0, "x") + block.format(1, "n0") + block.format(2, "n1") + "y = linear(n2, v, e)"
    constants = {**WEIGHTS, "s4": normal(4, 4), "z4": normal(1, 4), "k": normal(4)}
    after = same_numbers(graph_of(text, (6, 4), constants), sink_factors, 1e-5)
    assert [op.kind.value for op in after.ops] == ["linear", "add"] * 3 + ["linear"]


def test_what_is_left_of_a_stream_is_one_batch_norm() -> None:
    block = "f{0} = linear({1}, s4, z4)\n a{0} = add({1}, f{0})\n m{0} = mul(a{0}, g)\n n{0} = add(m{0}, k)\n"
    text = block.format(0, "x") + block.format(1, "n0") + "y = tanh(n1)"
    constants = {**WEIGHTS, "s4": normal(4, 4), "z4": normal(1, 4), "k": normal(4)}
    after = same_numbers(graph_of(text, (6, 4), constants), sink_factors, 1e-5)
    assert [op.kind.value for op in after.ops] == ["linear", "add"] * 2 + ["mul", "add", "tanh"]


@pytest.mark.parametrize(
    "text",
    [
        "y = mul(x, g)",
        "z = mul(x, g)\n y = add(z, z)",
        "z = mul(x, g)\n l = tanh(x)\n y = add(z, l)",
        "z = mul(x, tiny)\n l = linear(x, s4, z4)\n y = add(z, l)",
        "z = add(x, g)\n d = depthwise_rows(z, t, b4)\n y = linear(d, v, e)",
        "z = mul(x, rows)\n y = linear(z, v, e)",
        "z = mul(x, g)\n n = neg(v)\n y = linear(z, n, e)",
        "z = mul(x, rows)\n m = mean_rows(z) {group_rows=3}\n y = linear(m, v, e)",
        "z = neg(x)\n r = relu(z)\n y = linear(r, v, e)",
        "z = neg(x)\n r = clip(z, low, high)\n y = linear(r, v, e)",
    ],
)
def test_factors_with_nowhere_to_go(text: str) -> None:
    constants = {**WEIGHTS, "b4": normal(4), "s4": normal(4, 4), "z4": normal(1, 4)}
    constants["tiny"] = np.float32([1, 1e-3, 1, 1])
    graph = graph_of(text, (6, 4), constants)
    declined: list[Declined] = []
    assert body(same_numbers(graph, lambda graph: sink_factors(graph, declined), ROUNDING)) == body(graph)
    assert "no op with weights" in declined[0].reason


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("y = mul(x, g)", ["depthwise_rows"]),
        ("y = sub(b1, x)", ["depthwise_rows"]),
        ("y = div(x, s)", ["depthwise_rows"]),
        ("m = mul(x, g)\n y = add(m, b1)", ["depthwise_rows"]),
        ("m = mul(x, g)\n q = tanh(m)\n y = neg(q)", ["depthwise_rows", "tanh", "depthwise_rows"]),
        ("m = mul(x, rows)\n y = add(m, rows)", ["transpose", "depthwise_rows", "transpose"]),
        (
            "m = mul(x, runs)\n y = add(m, runs)",
            ["reshape", "transpose", "depthwise_rows", "transpose", "reshape"],
        ),
    ],
)
def test_what_is_left_is_a_convolution_of_one_tap(text: str, kinds: list[str]) -> None:
    graph = graph_of(
        text, (6, 4), {**WEIGHTS, "b1": normal(1, 4), "runs": np.repeat(normal(6, 2), 2, axis=1)}
    )
    after = same_numbers(graph, lower_factors, ROUNDING)
    assert [op.kind.value for op in after.ops] == kinds


@pytest.mark.parametrize(
    ("columns", "kinds"),
    [(64, ["gelu", "add", "linear", "gelu"]), (65, ["gelu", "add", "depthwise_rows", "gelu"])],
)
@pytest.mark.parametrize("sum_of", ["add", "sub"])
def test_what_is_left_of_a_sum_of_few_columns_is_a_linear(
    columns: int, kinds: list[str], sum_of: str
) -> None:
    text = (
        f'e = gelu(x) {{approximate="none"}}\n a = {sum_of}(x, e)\n m = mul(a, f)\n n = add(m, c)\n'
        'y = gelu(n) {approximate="none"}'
    )
    constants = {"f": normal(columns) + 3, "c": normal(1, columns)}
    after = same_numbers(graph_of(text, (6, columns), constants), lower_factors, ROUNDING)
    assert [op.kind.value for op in after.ops] == [sum_of if kind == "add" else kind for kind in kinds]


@pytest.mark.parametrize(
    ("text", "shape", "reason"),
    [("y = add(x, p)", (6, 4), "neither one number"), ("y = mul(x, s)", (2, 3, 4), "(2, 3, 4) is no matrix")],
)
def test_what_is_no_convolution(text: str, shape: tuple[int, ...], reason: str) -> None:
    graph = graph_of(text, shape, {**WEIGHTS, "p": normal(6, 4)})
    declined: list[Declined] = []
    assert body(lower_factors(graph, declined)) == body(graph)
    assert [each.reason for each in declined if reason in each.reason]
