"""pad_rows: copies before and behind what kernels cannot read or write where it lies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.passes.pass_checks import body
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.attrs import GatherAttrs, ReshapeAttrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.integer.qclip import QClipAttrs
from tmc.ir.integer.qinterpolate_rows import QInterpolateRowsAttrs
from tmc.ir.interpret import interpret
from tmc.ir.types import DType, Quant, TensorType
from tmc.ir.verify import verify
from tmc.passes.integer_form.pad_rows import pad_rows
from tmc.passes.integer_ops.interpolation import interpolation_table

TARGET, QUANT = target_named("gap9"), Quant((0.5,))


def clips(dtype: DType, shape: Sequence[int], *steps: int | tuple[int, int]) -> Graph:
    """Return a graph of an input x: a tuple is a reshape, a number a clip at plus and minus it."""
    builder = GraphBuilder("g", {"x": TensorType(dtype, tuple(shape), QUANT)}, ("y",))
    value = "x"
    for number, step in enumerate(steps, 1):
        output = "y" if number == len(steps) else f"v{number}"
        if isinstance(step, tuple):
            value = builder.reshape(value, step, f"/{output}", output)
            continue
        size = (1, builder.type_of(value).shape[1])
        ends = [np.full(size, end, dtype.numpy) for end in (-step, step)]
        names = [builder.constant(end, f"{output}.end", QUANT) for end in ends]
        value = builder.op(OpKind.QCLIP, [value, *names], QClipAttrs(), f"/{output}", output, QUANT)
    return builder.graph()


def copied(graph: Graph) -> list[str]:
    """Return the ops after the pass; the codes must be those of before, and the rows lie right."""
    after = pad_rows(graph)
    verify(after)
    kind = graph.types["x"]
    limits = np.iinfo(kind.dtype.numpy)
    codes = np.random.default_rng(0).integers(limits.min, limits.max + 1, kind.shape).astype(kind.dtype.numpy)
    expected, found = (interpret(each, {"x": codes})["y"] for each in (graph, after))
    assert np.array_equal(expected, found) and found.dtype == expected.dtype
    stage_graph(after, TARGET)
    return ops(after)


def ops(graph: Graph) -> list[str]:
    return [line.replace(" {residual=False}", "") for line in body(graph)]


def copy(value: str, rows: int) -> str:
    return f"gather({value}) {{axis=0, indices={tuple(range(rows))}, shape=({rows},)}}"


@pytest.mark.parametrize(("dtype", "shape"), [(DType.S8, (5, 7)), (DType.S16, (5, 3)), (DType.S8, (5, 2))])
def test_what_the_caller_gives_and_gets(dtype: DType, shape: tuple[int, int]) -> None:
    assert copied(clips(dtype, shape, 9)) == [
        f"x.padded = {copy('x', 5)}",
        "y.padded = qclip(x.padded, y.end, y.end.1)",
        f"y = {copy('y.padded', 5)}",
    ]


def test_what_a_reshape_reads_and_makes() -> None:
    assert copied(clips(DType.S8, (4, 9), 90, (6, 6), 80, 70)) == [
        f"x.padded = {copy('x', 4)}",
        "v1.padded = qclip(x.padded, v1.end, v1.end.1)",
        f"v1 = {copy('v1.padded', 4)}",
        "v2 = reshape(v1) {shape=(6, 6)}",
        f"v2.padded = {copy('v2', 6)}",
        "v3 = qclip(v2.padded, v3.end, v3.end.1)",
        "y.padded = qclip(v3, y.end, y.end.1)",
        f"y = {copy('y.padded', 6)}",
    ]


@pytest.mark.parametrize(
    ("dtype", "shape", "steps"),
    [
        (DType.S8, (5, 8), (9,)),
        (DType.S16, (5, 6), (9,)),
        (DType.S8, (1, 7), (9,)),  # one row
        (DType.S8, (6, 4), (90, (3, 8), 80)),
    ],
)
def test_whole_words_stay(dtype: DType, shape: tuple[int, int], steps: tuple[int | tuple[int, int]]) -> None:
    graph = clips(dtype, shape, *steps)
    assert copied(graph) == ops(graph)


def test_what_reads_and_writes_a_copy_too() -> None:
    builder = GraphBuilder("g", {"x": TensorType(DType.S8, (4, 3), QUANT)}, ("y", "z"))
    ends = [builder.constant(np.full((1, 3), end, np.int8), "end", QUANT) for end in (-50, 50)]
    for name in ("y", "z"):
        builder.op(OpKind.QCLIP, ["x" if name == "y" else "y", *ends], QClipAttrs(), f"/{name}", name, QUANT)
    assert ops(pad_rows(builder.graph())) == [
        f"x.padded = {copy('x', 4)}",
        "y.padded = qclip(x.padded, end, end.1)",
        f"y = {copy('y.padded', 4)}",
        "z.padded = qclip(y.padded, end, end.1)",
        f"z = {copy('z.padded', 4)}",
    ]


def test_moves_take_rows_as_they_come() -> None:
    builder = GraphBuilder("g", {"x": TensorType(DType.S8, (4, 3), QUANT)}, ("y",))
    builder.op(OpKind.GATHER, ["x"], GatherAttrs(0, (3, 0), (2,)), "/g", "g", QUANT)
    builder.op(OpKind.RESHAPE, ["g"], ReshapeAttrs((3, 2)), "/y", "y", QUANT)
    graph = builder.graph()
    assert copied(graph) == ops(graph)


def test_without_copies_the_back_end_refuses() -> None:
    with pytest.raises(PlanError) as caught:
        stage_graph(clips(DType.S16, (5, 3), 9), TARGET)
    assert str(caught.value.what) == "found rows of 3 elements of s16 in %x, allowed multiples of 2"
    assert "pad the rows with zeros" in caught.value.notes[0]


def test_what_is_written_element_by_element_needs_no_copy() -> None:
    builder = GraphBuilder("g", {"x": TensorType(DType.S16, (3, 4), QUANT)}, ("y", "z"))
    builder.op(OpKind.TRANSPOSE, ["x"], TransposeAttrs((1, 0)), "/y", "y", QUANT)
    table = builder.constant(interpolation_table("/z", 3, 7), "table")
    attrs = QInterpolateRowsAttrs(7, "transposed")
    builder.op(OpKind.QINTERPOLATE_ROWS, ["x", table], attrs, "/z", "z", QUANT)
    graph = builder.graph()
    assert pad_rows(graph).ops == graph.ops
    stage_graph(graph, TARGET)
