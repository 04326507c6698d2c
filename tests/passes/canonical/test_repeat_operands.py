"""repeat_operands and lower_quotients: what sums, products and quotients of computed values become."""

from __future__ import annotations

import pytest

from tests.passes.pass_checks import body, graph_of, normal, same_numbers
from tmc.ir.graph import OpKind
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.canonical.lower_quotients import lower_quotients
from tmc.passes.canonical.repeat_operands import repeat_operands
from tmc.passes.pipeline import run_passes

CONSTANTS = {"row": normal(1, 4), "column": normal(6, 1), "number": normal(1, 1)[0, 0]}
ROW = "r = gather(x) {axis=0, indices=(2,), shape=(1,)}"
COLUMN = "c = gather(x) {axis=1, indices=(3,), shape=(1,)}"
ONE = "c = gather(r) {axis=1, indices=(3,), shape=(1,)}"


@pytest.mark.parametrize("kind", ["add", "sub", "mul"])
def test_rows_and_columns_are_repeated(kind: str) -> None:
    graph = graph_of(f"{ROW}\n {COLUMN}\n a = {kind}(x, r)\n y = {kind}(c, a)", (6, 4), CONSTANTS)
    after = same_numbers(graph, repeat_operands)
    kinds = [op.kind.value for op in after.ops]
    assert kinds == ["gather", "gather", "gather", kind, "gather", kind]
    assert all(after.types[name].shape == (6, 4) for op in after.ops[3::2][:2] for name in op.inputs)


def test_what_two_read_is_repeated_once_and_one_element_in_two_steps() -> None:
    graph = graph_of(f"{ROW}\n {ONE}\n a = mul(x, c)\n y = mul(a, c)", (6, 4), CONSTANTS)
    after = same_numbers(graph, repeat_operands)
    assert [op.kind.value for op in after.ops] == ["gather"] * 4 + ["mul"] * 2
    assert [after.types[op.output].shape for op in after.ops[2:4]] == [(1, 4), (6, 4)]


def test_two_vectors_are_both_repeated() -> None:
    graph = graph_of(f"{ROW}\n {COLUMN}\n y = mul(r, c)", (6, 4), CONSTANTS)
    assert [op.kind.value for op in same_numbers(graph, repeat_operands).ops] == ["gather"] * 4 + ["mul"]


@pytest.mark.parametrize(("constant", "shape"), [("row", (1, 4)), ("column", (6, 4)), ("number", ())])
def test_constants(constant: str, shape: tuple[int, ...]) -> None:
    after = same_numbers(graph_of(f"y = mul(x, {constant})", (6, 4), CONSTANTS), repeat_operands)
    (op,) = after.ops
    assert after.constants[op.inputs[1]].shape == shape


def test_quotients_of_computed_values() -> None:
    graph = graph_of("a = exp(x)\n y = div(x, a)", (6, 4), CONSTANTS)
    after = same_numbers(graph, lower_quotients, 1e-6)
    assert [op.kind for op in after.ops] == [OpKind.EXP, OpKind.FUNCTION, OpKind.MUL]
    for text in ("y = div(x, column)", "y = div(column, x)"):
        graph = graph_of(text, (6, 4), CONSTANTS)
        assert body(same_numbers(graph, lower_quotients)) == body(graph)


def test_a_row_over_its_size_is_one_product() -> None:
    """The root and what is 1 over it are one function; the size of each row is repeated."""
    text = "s = abs(x)\n m = reduce_mean(s) {axes=(1,), keepdims=True}\n r = sqrt(m)\n y = div(x, r)"
    after = same_numbers(graph_of(text, (6, 4)), lambda graph: run_passes(graph, CANONICALISE), 1e-5)
    kinds = [op.kind for op in after.ops]
    assert kinds.count(OpKind.FUNCTION) == 2 and kinds.count(OpKind.MUL) == 1
    assert OpKind.DIV not in kinds
