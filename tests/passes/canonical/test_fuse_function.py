"""fuse_function: which ops become one function of one element, and which stay."""

from __future__ import annotations

import pytest

from tests.passes.pass_checks import body, graph_of, normal, same_numbers
from tmc.passes.canonical.fuse_function import fuse_function

CONSTANTS = {
    "one": 1.0,
    "zero": 0.0,
    "six": 6.0,
    "three": 3.0,
    "tenth": 0.1,
    "v": normal(4),
    "w": normal(4, 4),
    "b": normal(1, 4),
}


def fused(text: str) -> list[str]:
    """Return the ops of a network once its functions are fused; it computes the same bits."""
    return body(same_numbers(graph_of(text, (3, 4), CONSTANTS), fuse_function))


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("y = exp(x)", '("x", "exp")'),
        ("y = mul(x, x)", '("x", "x", "mul")'),
        ("y = add(x, x)", '("x", "x", "add")'),
        ("y = div(one, x)", '(1.0, "x", "div")'),
        ("r = relu(x)\n a = add(r, one)\n y = div(six, a)", '(6.0, "x", "relu", 1.0, "add", "div")'),
        ("t = tanh(x)\n y = mul(three, t)", '(3.0, "x", "tanh", "mul")'),
        ("t = tanh(x)\n y = sigmoid(t)", '("x", "tanh", "sigmoid")'),
        (
            "a = add(x, three)\n c = clip(a, zero, six)\n m = mul(x, c)\n y = div(m, six)",
            '("x", "x", 3.0, "add", 0.0, 6.0, "clip", "mul", 6.0, "div")',
        ),
        ("g = gelu(x) {approximate='tanh'}\n y = abs(g)", '("x", "gelu_tanh", "abs")'),
        ("f = function(x) {program=('x', 'exp')}\n y = add(f, one)", '("x", "exp", 1.0, "add")'),
        (
            "a = abs(x)\n y = function(a) {program=('x', 'x', 2.0, 'mul', 'add')}",
            '("x", "abs", "x", "abs", 2.0, "mul", "add")',
        ),
        (
            "n = minimum(x, zero)\n e = exp(n)\n s = sub(e, one)\n r = relu(x)\n y = add(r, s)",
            '("x", "relu", "x", -3.4028234663852886e+38, 0.0, "clip", "exp", 1.0, "sub", "add")',
        ),
    ],
)
def test_a_group_is_one_op(text: str, program: str) -> None:
    assert fused(text) == [f"y = function(x) {{program={program}}}"]


@pytest.mark.parametrize(
    "text",
    [
        "y = tanh(x)",
        "y = silu(x)",
        "c = clip(x, zero, six)\n y = sigmoid(c)",
        "t = tanh(x)\n y = clip(t, zero, one)",
        "m = mul(x, three)\n y = add(m, one)",
        "m = mul(x, three)\n r = relu(m)\n y = sub(one, r)",
        "t = tanh(x)\n y = mul(t, v)",
        "e = tanh(x)\n l = linear(x, w, b)\n y = mul(e, l)",
        "y = softmax(x) {axis=1}",
        "f = function(x) {program=('x', 'exp')}\n y = relu(f)",
    ],
)
def test_what_has_a_form_of_its_own_stays(text: str) -> None:
    assert fused(text) == body(graph_of(text, (3, 4), CONSTANTS))


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("y = maximum(x, zero)", ["relu"]),
        ("y = maximum(tenth, x)", ["clip"]),
        ("a = minimum(x, six)\n y = maximum(a, v)", ["clip", "clip"]),
        ("l = linear(x, w, b)\n y = maximum(x, l)", ["linear", "maximum"]),
    ],
)
def test_limits_become_clips(text: str, kinds: list[str]) -> None:
    after = same_numbers(graph_of(text, (3, 4), CONSTANTS), fuse_function)
    assert [op.kind.value for op in after.ops] == kinds


def test_what_others_read_is_cut() -> None:
    text = "e = exp(x)\n a = add(e, one)\n g = log(a)\n l = linear(e, w, b)\n y = add(g, l)"
    assert fused(text) == [
        'e = function(x) {program=("x", "exp")}',
        'g = function(e) {program=("x", 1.0, "add", "log")}',
        "l = linear(e, w, b)",
        "y = add(g, l)",
    ]


def test_what_others_read_and_its_source_are_both_needed() -> None:
    text = "e = exp(x)\n m = mul(x, e)\n l = linear(e, w, b)\n y = add(m, l)"
    assert fused(text) == [
        'e = function(x) {program=("x", "exp")}',
        'm = function(x) {program=("x", "x", "exp", "mul")}',
        "l = linear(e, w, b)",
        "y = add(m, l)",
    ]


def test_an_output_inside_is_cut() -> None:
    graph = graph_of("e = exp(x)\n y = log(e)", (3, 4), CONSTANTS, ("e", "y"))
    assert body(same_numbers(graph, fuse_function)) == [
        'e = function(x) {program=("x", "exp")}',
        'y = function(e) {program=("x", "log")}',
    ]


def test_long_programs_become_functions_of_functions() -> None:
    lines = ["a0 = abs(x)", *(f"a{i} = add(a{i - 1}, a{i - 1})" for i in range(1, 11)), "y = add(a10, one)"]
    graph = graph_of("\n".join(lines), (3, 4), CONSTANTS)
    after = same_numbers(graph, fuse_function)
    assert [op.kind.value for op in after.ops] == ["function", "function"]


def test_broadcast_values_are_no_functions() -> None:
    text = "r = reduce_mean(x) {axes=(1,), keepdims=True}\n e = exp(r)\n y = mul(x, e)"
    assert [line.split(" = ")[1].split("(")[0] for line in fused(text)] == ["reduce_mean", "function", "mul"]


def test_constants_stay_constants() -> None:
    assert fused("e = exp(x)\n y = mul(e, tenth)") == [
        'y = function(x) {program=("x", "exp", 0.10000000149011612, "mul")}'
    ]
