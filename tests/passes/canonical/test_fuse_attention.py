"""fuse_attention and gather_heads: what is taken, and why the rest is not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import add_lines, body, graph_of, normal, same_numbers
from tmc.ir.attrs import AttentionAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, OpKind
from tmc.ir.types import DType, TensorType
from tmc.passes.canonical.fuse_attention import fuse_attention, snapped_scale
from tmc.passes.canonical.gather_heads import gather_heads
from tmc.passes.pipeline import Declined

CONSTANTS = {
    "third": 1 / 3,
    "zeros": np.zeros((3, 3)),
    "mask": normal(3, 3),
    "k": normal(2, 4, 3),
    "kw": normal(1, 4, 3),
    "v": normal(2, 3, 4),
    "v5": normal(2, 3, 5),
    "two": 2.0,
    "row": normal(4),
}
END = " y = matmul(p, v)"


@pytest.mark.parametrize(
    ("middle", "scale"),
    [
        ("p = softmax(s) {axis=2}", 1.0),
        ("f = mul(third, s)\n p = softmax(f) {axis=2}", 1 / 3),
        ("f = div(s, two)\n p = softmax(f) {axis=2}", 0.5),
        ("f = mul(s, third)\n z = add(f, zeros)\n p = softmax(z) {axis=2}", 1 / 3),
        (
            "f = mul(s, third)\n r = reshape(f) {shape=(1, 2, 3, 3)}\n q = softmax(r) {axis=3}\n"
            " p = reshape(q) {shape=(2, 3, 3)}",
            1 / 3,
        ),
        (
            "r = reshape(s) {shape=(1, 2, 3, 3)}\n f = mul(r, third)\n q = softmax(f) {axis=3}\n"
            " p = reshape(q) {shape=(2, 3, 3)}",
            1 / 3,
        ),
    ],
)
def test_products_become_attention(middle: str, scale: float) -> None:
    graph = graph_of(f"s = matmul(x, k)\n {middle}\n{END}", (2, 3, 4), CONSTANTS)
    after = same_numbers(graph, fuse_attention, 1e-6)
    (attrs,) = (op.attrs for op in after.ops if isinstance(op.attrs, AttentionAttrs))
    assert attrs.heads == 2 and attrs.scale == pytest.approx(scale, rel=1e-7)
    assert not {"softmax", "matmul"} & {op.kind.value for op in after.ops}


MASKS = {
    **CONSTANTS,
    "causal": np.triu(np.full((3, 3), -1e9), 1),
    "kept": np.tril(np.ones((3, 3))),
    "by_head": normal(2, 3, 3),
    "padding": np.array([[[0, 0, -1e9]]]),
    "by_row": normal(2, 3, 1),
    "tau": np.array([0.5, 0.25]).reshape(2, 1, 1),
}


@pytest.mark.parametrize(
    ("middle", "scale", "shape"),
    [
        ("a = add(s, mask)", 1.0, (1, 3, 3)),
        ("a = sub(s, mask)", 1.0, (1, 3, 3)),
        ("b = add(by_head, s)\n a = mul(b, third)", 1 / 3, (2, 3, 3)),
        ("f = mul(s, third)\n b = add(f, mask)\n a = add(b, by_head)", 1 / 3, (2, 3, 3)),
        ("a = add(s, padding)", 1.0, (1, 1, 3)),
        ("m = mul(s, kept)\n a = add(m, causal)", 1.0, (1, 3, 3)),
        ("m = mul(kept, s)\n b = add(m, causal)\n a = add(b, by_row)", 1.0, (1, 3, 3)),
    ],
)
def test_constants_on_the_scores_become_a_bias(middle: str, scale: float, shape: tuple[int, ...]) -> None:
    graph = graph_of(f"s = matmul(x, k)\n {middle}\n p = softmax(a) {{axis=2}}\n{END}", (2, 3, 4), MASKS)
    after = same_numbers(graph, fuse_attention, 1e-6)
    (op,) = (op for op in after.ops if isinstance(op.attrs, AttentionAttrs))
    assert op.attrs == AttentionAttrs(heads=2, scale=pytest.approx(scale, rel=1e-7))
    bias = after.constants[op.inputs[3]]
    assert bias.shape == shape and (bias.max(axis=2) == 0).all()


def test_factors_of_heads_go_to_the_queries() -> None:
    text = "s = matmul(x, k)\n f = mul(s, tau)\n a = add(f, by_head)\n g = div(a, tau)\n h = mul(g, tau)"
    graph = graph_of(f"{text}\n p = softmax(h) {{axis=2}}\n{END}", (2, 3, 4), MASKS)
    after = same_numbers(graph, fuse_attention, 1e-6)
    (mul,) = (op for op in after.ops if op.kind is OpKind.MUL)
    np.testing.assert_allclose(after.constants[mul.inputs[1]].reshape(-1), [0.5, 0.25])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("s = matmul(x, k)\n p = softmax(s) {axis=1}\n" + END, "not over the last axis"),
        (
            "s = matmul(x, k)\n t = tanh(s)\n a = add(s, t)\n p = softmax(a) {axis=2}\n" + END,
            "through add, /a",
        ),
        ("s = matmul(x, k)\n a = sub(mask, s)\n p = softmax(a) {axis=2}\n" + END, "through sub, /a"),
        (
            "s = matmul(x, kt)\n r = reshape(s) {shape=(2, 4, 3)}\n p = softmax(r) {axis=2}\n" + END,
            "reshaped, /r",
        ),
        ("s = matmul(x, k)\n a = tanh(s)\n p = softmax(a) {axis=2}\n" + END, "go through tanh, /a"),
        ("s = matmul(x, k)\n a = mul(s, mask)\n p = softmax(a) {axis=2}\n" + END, "go through mul, /a"),
        ("p = softmax(x) {axis=2}\n y = matmul(p, k4)", "no matrix product"),
        ("s = matmul(x, kw)\n p = softmax(s) {axis=2}\n" + END, "different numbers of heads"),
        ("s = matmul(x, k)\n p = softmax(s) {axis=2}\n y = matmul(p, v5)", "heads of v are 5 wide"),
    ],
)
def test_declined(text: str, reason: str) -> None:
    graph = graph_of(text, (2, 3, 4), {**CONSTANTS, "k4": normal(2, 4, 4), "kt": normal(2, 4, 4)})
    declined: list[Declined] = []
    assert body(fuse_attention(graph, declined)) == body(graph)
    assert reason in declined[0].reason


def test_scale_is_snapped_only_nearby() -> None:
    assert snapped_scale(float(np.float32(64**-0.25)) ** 2, 64) == 0.125
    assert snapped_scale(0.125 * (1 + 2e-6), 64) != 0.125


def heads_of(middle: str) -> str:
    """Return an attention whose operands are views of x [3, 8] after `middle`."""
    return f"{middle}\n y = attention(q, k, v) {{heads=2, scale=0.5}}"


def test_heads_are_gathered_and_factors_go_into_the_scale() -> None:
    text = heads_of(
        "q = slice(x) {starts=(0, 0), ends=(3, 8), steps=(1, 2)}\n d = mul(x, two)\n"
        "k = slice(d) {starts=(0, 1), ends=(3, 8), steps=(1, 2)}\n"
        "v = gather(x) {axis=1, indices=(7, 6, 5, 4), shape=(4,)}"
    )
    after = same_numbers(graph_of(text, (3, 8), CONSTANTS), gather_heads, 1e-6)
    assert [op.kind.value for op in after.ops] == ["gather", "gather", "gather", "attention"]
    assert after.ops[-1].attrs == AttentionAttrs(heads=2, scale=1.0)


@pytest.mark.parametrize(
    ("middle", "reason"),
    [
        (
            "q = slice(x) {starts=(0, 0), ends=(3, 4), steps=(1, 1)}\n"
            "k = gather(q) {axis=0, indices=(2, 1, 0), shape=(3,)}\n"
            "v = slice(x) {starts=(0, 0), ends=(3, 4), steps=(1, 1)}",
            "operand K: token n does not come from row n",
        ),
        (
            "q = slice(x) {starts=(0, 0), ends=(3, 4), steps=(1, 1)}\n k = mul(q, row)\n v = tanh(q)",
            "operand K: its elements are multiplied",
        ),
        (
            "q = slice(x) {starts=(0, 0), ends=(3, 4), steps=(1, 1)}\n k = tanh(q)\n v = mul(q, two)",
            "operand V: V is multiplied by 2",
        ),
        (
            "a = gather(x) {axis=0, indices=(0, 1, 2, 0, 1), shape=(5,)}\n"
            "q = slice(a) {starts=(0, 0), ends=(5, 4), steps=(1, 1)}\n k = tanh(q)\n v = tanh(q)",
            "%x has 24 elements, no multiple of the 5",
        ),
    ],
)
def test_heads_that_are_not_gathered(middle: str, reason: str) -> None:
    declined: list[Declined] = []
    graph = graph_of(heads_of(middle), (3, 8), {"two": 2.0, "row": normal(4)})
    same_numbers(graph, lambda g: gather_heads(g, declined), 1e-6)
    assert any(reason in item.reason for item in declined), declined


MASK_STEPS = {
    "one": 1.0,
    "lowest": -1e4,
    "row": np.array([0.0, 0.0, -2.0]),
    "k": normal(2, 4, 3),
    "v": normal(2, 3, 4),
    "two": 2.0,
    "zero": 0.0,
}


def masked_graph(text: str, mask: tuple[int, ...] = (1, 3)) -> Graph:
    """Return an attention over x [2, 3, 4] with an input m besides; `text` makes p of the scores s and m."""
    types = {"x": TensorType(DType.F32, (2, 3, 4)), "m": TensorType(DType.F32, mask)}
    builder = GraphBuilder("g", types, ("y",))
    for name, array in MASK_STEPS.items():
        builder.constant(np.asarray(array, dtype=np.float32), name)
    add_lines(builder, f"s = matmul(x, k)\n {text}\n p = softmax(a) {{axis=2}}\n{END}")
    return builder.graph()


@pytest.mark.parametrize(
    ("text", "factor", "offset"),
    [
        ("a = add(s, m)", 1.0, 0.0),
        ("b = sub(one, m)\n c = mul(b, lowest)\n a = add(s, c)", 1e4, -1e4),
        ("b = sub(m, one)\n c = div(b, two)\n a = add(c, s)", 0.5, -0.5),
        ("b = add(m, one)\n c = mul(two, b)\n d = add(s, c)\n a = div(d, two)", 1.0, 1.0),
        (
            "b = reshape(m) {shape=(1, 1, 3)}\n c = expand(b) {shape=(2, 3, 3)}\n d = sub(one, c)\n"
            " e = mul(d, lowest)\n a = add(s, e)",
            1e4,
            -1e4,
        ),
    ],
)
def test_a_mask_that_is_an_input_is_an_operand(text: str, factor: float, offset: float) -> None:
    after = same_numbers(masked_graph(text), fuse_attention, 1e-5)
    (op,) = (op for op in after.ops if isinstance(op.attrs, AttentionAttrs))
    assert isinstance(op.attrs, AttentionAttrs)
    assert (op.attrs.mask_factor, op.attrs.mask_offset) == pytest.approx((factor, offset))
    assert after.types[op.inputs[3]].shape == (1, 3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("b = tanh(m)\n a = add(s, b)", "through add, /a"),
        ("b = mul(m, m)\n a = add(s, b)", "through add, /a"),
        ("b = mul(m, row)\n a = add(s, b)", "through add, /a"),
        ("b = mul(m, zero)\n a = add(s, b)", "through add, /a"),
        ("b = div(one, m)\n a = add(s, b)", "through add, /a"),
        ("a = sub(s, m)", "through sub, /a"),
        ("b = add(s, m)\n a = add(b, m)", "through add, /b"),
        ("b = add(s, row)\n a = add(b, m)", "a constant bias beside the mask of an input"),
    ],
)
def test_masks_that_are_no_operand(text: str, reason: str) -> None:
    declined: list[Declined] = []
    graph = masked_graph(text)
    assert body(fuse_attention(graph, declined)) == body(graph)
    assert reason in declined[0].reason


def test_a_mask_for_each_query_is_no_operand() -> None:
    declined: list[Declined] = []
    fuse_attention(masked_graph("a = add(s, m)", (3, 3)), declined)
    assert "through add, /a" in declined[0].reason
