"""Lower factors and offsets that no op takes in to convolutions of a single tap, or to a linear of a sum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tmc.ir.attrs import Attrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, producers
from tmc.ir.types import Array
from tmc.passes.canonical.affine import Affine, affine, per_column
from tmc.passes.canonical.fold_factors import fold_factors
from tmc.passes.pipeline import Declined

# Up to so many columns a product with a diagonal takes no more cycles than the convolution and what brings
# the sum to its 8 bits.
MOST_COLUMNS = 64


def lower_factors(graph: Graph, declined: list[Declined] | None = None) -> Graph:
    """Rewrite x [M, C] * a + c, with a constant a and c for each column, to depthwise_rows of one tap.

    If x is a sum of few columns, as before the batch norm of a post-norm block, to a linear with the diagonal
    a: of int16 it makes int16, a convolution only int8 of int8.
    Where there is one of each per row, or for runs of one length within rows, as behind a norm of groups of
    channels, x is transposed before, seen as rows of such runs, and the result behind. A factor and an offset
    behind it become one op. Equal up to float32 rounding.
    """
    found: list[Declined] = []
    left = True
    while left:
        builder, made_by, left = GraphBuilder.like(graph), producers(graph), False
        found.clear()
        for op in graph.ops:
            what = None if left else affine(op, graph)
            reason = None if what is None else _lower(builder, op, what, _is_sum(made_by.get(what.x)))
            if what is None or reason is not None:
                builder.keep(op)
            else:
                left = True
            if reason is not None:
                found.append(Declined(op.loc, op.kind.value, reason))
        if left:
            graph = fold_factors(builder.graph())
    if declined is not None:
        declined += found
    return graph


def _is_sum(maker: Op | None) -> bool:
    return maker is not None and maker.kind in (OpKind.ADD, OpKind.SUB)


def _lower(builder: GraphBuilder, op: Op, what: Affine, of_sum: bool) -> str | None:
    """Emit the linear or the convolution, or return why not."""
    shape = builder.type_of(what.x).shape
    if len(shape) != 2:
        return f"{shape} is no matrix"
    rows, columns = shape
    down = _columns(what, (rows, columns))
    if down is not None and of_sum and columns <= MOST_COLUMNS:
        _multiply(builder, what.x, down, op)
        return None
    if down is not None:
        _convolve(builder, what.x, down, op, op.output)
        return None
    numbers = [np.broadcast_to(each, shape) for each in (what.factor, what.offset)]
    run = _run(numbers, columns)
    if run == 1:
        return "it is neither one number for each column nor one for each row or run of columns"
    x = builder.reshape(what.x, (rows * columns // run, run), op.loc)
    x = builder.op(OpKind.TRANSPOSE, [x], TransposeAttrs((1, 0)), op.loc)
    factor, offset = (each.reshape(-1, run)[:, 0] for each in numbers)
    result = _convolve(builder, x, (factor, offset), op)
    if run == columns:
        builder.op(OpKind.TRANSPOSE, [result], TransposeAttrs((1, 0)), op.loc, op.output)
        return None
    result = builder.op(OpKind.TRANSPOSE, [result], TransposeAttrs((1, 0)), op.loc)
    builder.reshape(result, shape, op.loc, op.output)
    return None


def _run(numbers: Sequence[Array], columns: int) -> int:
    """Return the longest run of columns, a divisor of them, within which none of the matrices changes."""
    for run in range(columns, 1, -1):
        if columns % run == 0:
            runs = [each.reshape(-1, run) for each in numbers]
            if all(bool((each == each[:, :1]).all()) for each in runs):
                return run
    return 1


def _columns(what: Affine, shape: tuple[int, int]) -> tuple[Array, Array] | None:
    """Return factor and offset of each column, if they are the same in all rows."""
    factor, offset = per_column(what.factor, shape), per_column(what.offset, shape)
    return None if factor is None or offset is None else (factor, offset)


def _convolve(
    builder: GraphBuilder, x: str, columns: tuple[Array, Array], op: Op, output: str | None = None
) -> str:
    factor, offset = columns
    operands = [
        x,
        builder.constant(factor.astype(np.float32)[:, None], f"{op.output}.weight"),
        builder.constant(offset.astype(np.float32), f"{op.output}.bias"),
    ]
    return builder.op(OpKind.DEPTHWISE_ROWS, operands, Attrs(), op.loc, output)


def _multiply(builder: GraphBuilder, x: str, columns: tuple[Array, Array], op: Op) -> None:
    factor, offset = columns
    operands = [
        x,
        builder.constant(np.diag(factor).astype(np.float32), f"{op.output}.weight"),
        builder.constant(offset.astype(np.float32)[None], f"{op.output}.bias"),
    ]
    builder.op(OpKind.LINEAR, operands, Attrs(), op.loc, op.output)
