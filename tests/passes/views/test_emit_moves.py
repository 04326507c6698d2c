"""Every rearrangement of elements as moves of rows, columns and matrices, the fewest that are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.passes.pass_checks import normal
from tmc.ir.attrs import GatherAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph
from tmc.ir.interpret import interpret
from tmc.ir.types import DType, TensorType
from tmc.ir.verify import verify
from tmc.passes.views.emit_moves import emit_moves
from tmc.passes.views.emit_view import emit_view


def moved(source: Sequence[int], index: NDArray[np.int64], shape: Sequence[int], run: int = 0) -> Graph:
    """Return a graph that takes these elements of x, which must give numpy's numbers."""
    builder = GraphBuilder("g", {"x": TensorType(DType.F32, tuple(source))}, ("y",))
    emit = emit_view if run else emit_moves
    value = emit(builder, "x", index.reshape(-1), shape, "/y")
    builder.reshape(value, tuple(shape), "/y", "y")
    graph, x = builder.graph(), normal(*source)
    verify(graph)
    np.testing.assert_array_equal(interpret(graph, {"x": x})["y"], x.reshape(-1)[index].reshape(tuple(shape)))
    return graph


def moves(graph: Graph) -> list[str]:
    """Return the kinds of the ops, gathers with their axis, without reshapes."""
    names = [
        f"gather {op.attrs.axis}" if isinstance(op.attrs, GatherAttrs) else op.kind.value for op in graph.ops
    ]
    return [name for name in names if name != "reshape"]


def places(*shape: int) -> NDArray[np.int64]:
    """Return the numbers of elements in a shape."""
    return np.arange(np.prod(shape), dtype=np.int64).reshape(shape)


WINDOWS = np.arange(6)[:, None] * 2 + np.arange(5)


@pytest.mark.parametrize(
    ("source", "index", "expected"),
    [
        ((6, 4), places(2, 12), []),
        ((3, 4, 5), places(3, 4, 5).transpose(1, 0, 2), ["permute_rows"]),
        ((6, 4), places(6, 4).T, ["transpose"]),
        ((6, 4), places(6, 4)[:1], ["gather 0"]),
        ((6, 4), places(6, 4)[-1:], ["gather 0"]),
        ((6, 4), places(6, 4)[[0, 0, 5, 1, 1, 2, 3]], ["gather 0"]),
        ((6, 4), places(6, 4)[:, 1:3], ["gather 1"]),
        ((6, 4), places(6, 4)[:, [3, 3, 0, 1, 2]], ["gather 1"]),
        # the second half of one row of two windows
        ((2, 3, 8), places(2, 3, 8)[:, 1, 4:], ["gather 0"]),
        # windows of rows: taps of a convolution over tokens
        ((16, 4), places(16, 4)[WINDOWS].reshape(6, 20), ["gather 0"]),
        # windows of columns: taps of a convolution over samples, channel by channel
        ((3, 16), places(3, 16)[:, WINDOWS].reshape(18, 5), ["gather 1"]),
        # patches of a picture, of pictures of three channels, of two windows of samples
        ((16, 24), places(2, 8, 4, 6).transpose(0, 2, 1, 3).reshape(8, 48), ["gather 0"]),
        ((3, 4, 12), places(3, 2, 2, 3, 4).transpose(1, 3, 0, 2, 4).reshape(6, 24), ["gather 0"]),
        ((2, 3, 20), places(2, 3, 4, 5).transpose(0, 2, 1, 3).reshape(8, 15), ["gather 0"]),
        # some rows of some columns
        ((6, 5), places(6, 5)[1:4, 1:3], ["gather 0", "gather 1"]),
        ((3, 5), places(3, 5)[[0, 0, 1, 2]][:, 1:3], ["gather 1", "gather 0"]),
        # channels of two windows before and behind their samples
        ((2, 5, 3), places(2, 5, 3).transpose(0, 2, 1), ["transpose", "permute_rows"]),
        ((6, 7), places(2, 3, 7).transpose(0, 2, 1).reshape(14, 3)[::2], ["transpose", "gather 0"]),
        # short runs, and single elements of no order at all
        ((5, 6), places(15, 2)[[3, 1, 9, 4]], ["gather 0"]),
        ((3, 4), places(12)[[5, 2, 2, 11, 0]], ["gather 1"]),
        ((3, 1), places(3, 1)[[1, 2, 0]], ["gather 0"]),
    ],
)
def test_fewest_moves(source: tuple[int, ...], index: NDArray[np.int64], expected: list[str]) -> None:
    assert moves(moved(source, index, index.shape)) == expected


@pytest.mark.parametrize("seed", range(40))
def test_any_order(seed: int) -> None:
    """Reshapes, transposes, slices and repetitions at random, as views and as moves."""
    rng = np.random.default_rng(seed)
    source = tuple(int(size) for size in rng.integers(1, 5, rng.integers(2, 5)))
    index = places(*source)
    for _ in range(3):
        index = index.transpose(rng.permutation(index.ndim))
        axis = int(rng.integers(index.ndim))
        if rng.random() < 0.5:
            index = np.take(index, rng.integers(0, index.shape[axis], rng.integers(1, 6)), axis)
        index = index.reshape(*index.shape[:-2], -1) if index.ndim > 2 and rng.random() < 0.3 else index
    moved(source, index, index.shape)
    moved(source, index, index.shape, run=1)
    moved(source, index, (1, index.size))
