"""Groups of tokens: a batch, windows, and axes of a grid become one attention with a mask between groups."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.pass_checks import graph_of, normal, same_numbers
from tmc.ir.attrs import AttentionAttrs
from tmc.ir.graph import Graph
from tmc.passes.canonical import attention_groups
from tmc.passes.canonical.fuse_attention import fuse_attention
from tmc.passes.canonical.gather_heads import gather_heads
from tmc.passes.pipeline import run_passes

CONSTANTS = {
    **{f"w{name}": normal(4, 4) for name in "qkv"},
    "b": normal(1, 4),
    "causal": np.triu(np.full((3, 3), -1e9), 1),
    "by_cell": normal(4, 3, 3),
}
LINEARS = "".join(f"{name} = linear(x, w{name}, b)\n " for name in "qkv")
# Each splits q, k and v into cells of three tokens, and puts a result of cells `a` together again.
BATCH_OF_TWO = (
    "r{0} = reshape({0}) {{shape=(2, 3, 2, 2)}}\n h{0} = transpose(r{0}) {{permutation=(0, 2, 1, 3)}}\n ",
    "y = transpose(a) {permutation=(0, 2, 1, 3)}",
)
SEQUENCE_FIRST = (
    "r{0} = reshape({0}) {{shape=(3, 4, 2)}}\n h{0} = transpose(r{0}) {{permutation=(1, 0, 2)}}\n ",
    "y = transpose(a) {permutation=(1, 0, 2)}",
)
HEADS_OUTSIDE = (
    "r{0} = reshape({0}) {{shape=(2, 3, 2, 2)}}\n h{0} = transpose(r{0}) {{permutation=(2, 0, 1, 3)}}\n ",
    "y = transpose(a) {permutation=(1, 2, 0, 3)}",
)
ONE_HEAD = ("h{0} = reshape({0}) {{shape=(2, 3, 4)}}\n ", "y = relu(a)")


def batched(ways: tuple[str, str], rank: int, shape: tuple[int, ...], middle: str = "") -> Graph:
    """Return attention over cells of three tokens."""
    split, join = ways
    turned = (*range(rank - 2), rank - 1, rank - 2)
    text = (
        LINEARS
        + "".join(split.format(name) for name in "qkv")
        + f"t = transpose(hk) {{permutation={turned}}}\n s = matmul(hq, t)\n {middle or 'm = reshape(s)'}"
        + ("" if middle else f" {{shape={shape}}}")
        + f"\n p = softmax(m) {{axis={rank - 1}}}\n a = matmul(p, hv)\n {join}"
    )
    return graph_of(text, (6, 4), CONSTANTS)


def attended(graph: Graph) -> tuple[AttentionAttrs, np.ndarray, list[str]]:
    """Return attributes and bias of the one attention after recognition, and what computes its operands."""
    after = same_numbers(graph, lambda before: run_passes(before, [fuse_attention, gather_heads]), 1e-5)
    (op,) = (op for op in after.ops if isinstance(op.attrs, AttentionAttrs))
    assert isinstance(op.attrs, AttentionAttrs)
    made = {each.output: each.kind.value for each in after.ops}
    bias = after.constants[op.inputs[3]] if len(op.inputs) > 3 else np.zeros(0)
    return op.attrs, bias, [made[name] for name in op.inputs[:3]]


@pytest.mark.parametrize(
    ("ways", "shape", "heads", "group"),
    [
        (BATCH_OF_TWO, (2, 2, 3, 3), 2, [0, 0, 0, 1, 1, 1]),
        (SEQUENCE_FIRST, (4, 3, 3), 2, [0, 1, 0, 1, 0, 1]),
        (HEADS_OUTSIDE, (2, 2, 3, 3), 2, [0, 0, 0, 1, 1, 1]),
        (ONE_HEAD, (2, 3, 3), 1, [0, 0, 0, 1, 1, 1]),
    ],
)
def test_groups_are_masked(
    ways: tuple[str, str], shape: tuple[int, ...], heads: int, group: list[int]
) -> None:
    """Q, K and V are the linears as they are: no token moves."""
    attrs, bias, before = attended(batched(ways, len(shape), shape))
    assert attrs.heads == heads and before == ["linear"] * 3
    same = np.equal.outer(group, group)
    assert bias.shape == (1, 6, 6) and (bias[0][same] == 0).all() and (bias[0][~same] < -1e8).all()


@pytest.mark.parametrize(("added", "heads"), [("causal", 1), ("by_cell", 2)])
def test_groups_keep_their_own_bias(added: str, heads: int) -> None:
    attrs, bias, _ = attended(batched(SEQUENCE_FIRST, 3, (4, 3, 3), f"m = add(s, {added})"))
    assert attrs.heads == 2 and bias.shape == (heads, 6, 6)
    assert ((bias > -1e8).sum(axis=2) == (3 if heads == 2 else [1, 1, 2, 2, 3, 3])).all()


def test_many_tokens_are_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention_groups, "LARGEST_MASK", 35)
    attrs, bias, _ = attended(batched(BATCH_OF_TWO, 4, (2, 2, 3, 3)))
    assert attrs.heads == 4 and bias.size == 0
