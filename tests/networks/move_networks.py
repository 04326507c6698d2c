"""Integer graphs that move rows and columns, of any width, between inputs, linears and outputs."""

from __future__ import annotations

import numpy as np

from tmc.ir.attrs import ConcatAttrs, GatherAttrs, TransposeAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, OpKind
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.types import DType, TensorType
from tmc.ir.verify import verify

MOVED = (DType.S8, DType.S16, DType.S32)


def gathered(builder: GraphBuilder, x: str, axis: int, indices: tuple[int, ...], name: str) -> str:
    """Add a gather of rows or columns."""
    attrs = GatherAttrs(axis, indices, (len(indices),))
    return builder.op(OpKind.GATHER, [x], attrs, f"/{name}/Gather", name)


def joined(builder: GraphBuilder, operands: list[str], axis: int, name: str) -> str:
    """Add a concatenation."""
    return builder.op(OpKind.CONCAT, operands, ConcatAttrs(axis), f"/{name}/Concat", name)


def linear(builder: GraphBuilder, random: np.random.Generator, x: str, channels: int, name: str) -> str:
    """Add a linear from int8 to int8."""
    depth = builder.type_of(x).shape[1]
    operands = [
        x,
        builder.constant(random.integers(-127, 128, (channels, depth)).astype(np.int8), f"{name}.weight"),
        builder.constant(random.integers(64, 128, channels).astype(np.int32), f"{name}.multiplier"),
        builder.constant(random.integers(-(2**18), 2**18, (1, channels)).astype(np.int32), f"{name}.bias"),
    ]
    return builder.op(OpKind.QLINEAR, operands, QLinearAttrs(16, "s8"), f"/{name}/MatMul", name)


def picks(random: np.random.Generator, size: int) -> tuple[int, ...]:
    """Return indices below size: a slice, two slices the other way round, or any, some of them again."""
    kind = random.integers(3)
    first = int(random.integers(size))
    if kind == 0:
        return tuple(range(first, int(random.integers(first, size)) + 1))
    if kind == 1:
        return (*range(first, size), *range(first))
    return tuple(map(int, random.integers(size, size=random.integers(1, 2 * size + 1))))


def row_moves(seed: int) -> Graph:
    """Return a verified graph of gathers and concatenations of rows of one type, of any small shape."""
    random = np.random.default_rng(seed)
    dtype, columns = MOVED[seed % 3], int(random.integers(1, 20))
    shapes = {name: (int(random.integers(1, 30)), columns) for name in ("x", "z")}
    inputs = {name: TensorType(dtype, shape) for name, shape in shapes.items()}
    builder = GraphBuilder("moves", inputs, ("y",))
    limits = np.iinfo(dtype.numpy)
    token = random.integers(limits.min, limits.max + 1, (int(random.integers(1, 12)), columns))
    operands = ["x", "z", builder.constant(token.astype(dtype.numpy), "token")]
    operands += ["x"] * int(random.integers(2))
    value = joined(builder, [operands[at] for at in random.permutation(len(operands))], 0, "joined")
    for number in range(int(random.integers(3))):
        value = gathered(builder, value, 0, picks(random, builder.type_of(value).shape[0]), f"g{number}")
    gathered(builder, value, 0, picks(random, builder.type_of(value).shape[0]), "y")
    graph = builder.graph()
    verify(graph)
    return graph


def column_moves(seed: int) -> Graph:
    """Return a verified graph of gathers and concatenations of columns of one type, of any small shape."""
    random = np.random.default_rng(seed)
    dtype, rows = MOVED[seed % 3], int(random.integers(1, 30))
    shapes = {name: (rows, int(random.integers(1, 20))) for name in ("x", "z")}
    inputs = {name: TensorType(dtype, shape) for name, shape in shapes.items()}
    builder = GraphBuilder("moves", inputs, ("y",))
    limits = np.iinfo(dtype.numpy)
    lines = random.integers(limits.min, limits.max + 1, (rows, int(random.integers(1, 9))))
    operands = ["x", "z", builder.constant(lines.astype(dtype.numpy), "lines")]
    operands += ["x"] * int(random.integers(2))
    value = joined(builder, [operands[at] for at in random.permutation(len(operands))], 1, "joined")
    for number in range(int(random.integers(3))):
        value = gathered(builder, value, 1, picks(random, builder.type_of(value).shape[1]), f"g{number}")
    gathered(builder, value, 1, picks(random, builder.type_of(value).shape[1]), "y")
    graph = builder.graph()
    verify(graph)
    return graph


def split_and_joined(rows: int, channels: int) -> Graph:
    """Return a verified graph that cuts the columns of a linear in two, computes on each, joins results."""
    random = np.random.default_rng(rows)
    builder = GraphBuilder("split", {"x": TensorType(DType.S8, (rows, 8))}, ("logits",))
    value = linear(builder, random, "x", 2 * channels, "both")
    halves = [
        gathered(builder, value, 1, tuple(range(first, first + channels)), f"half{first}")
        for first in (0, channels)
    ]
    made = [linear(builder, random, half, 3 + at, f"m{at}") for at, half in enumerate(halves)]
    lines = builder.constant(random.integers(-128, 128, (rows, 3)).astype(np.int8), "lines")
    value = joined(builder, [made[1], lines, made[0], halves[1]], 1, "joined")
    linear(builder, random, value, 4, "logits")
    graph = builder.graph()
    verify(graph)
    return graph


def turned(builder: GraphBuilder, x: str, name: str) -> str:
    """Add a transpose."""
    return builder.op(OpKind.TRANSPOSE, [x], TransposeAttrs((1, 0)), f"/{name}/Transpose", name)


def transposes(seed: int) -> Graph:
    """Return a verified graph: a small value of one type is transposed, joined with itself, turned back."""
    random = np.random.default_rng(seed)
    dtype = MOVED[seed % 3]
    rows, columns = (int(random.integers(1, 40)) for _ in range(2))
    builder = GraphBuilder("turned", {"x": TensorType(dtype, (rows, columns))}, ("first", "y"))
    value = turned(builder, "x", "first")
    value = joined(builder, [value, value], int(random.integers(2)), "joined")
    turned(builder, value, "y")
    graph = builder.graph()
    verify(graph)
    return graph


def channel_tokens(channels: int, samples: int) -> Graph:
    """Return a verified graph whose tokens are channels of a window: transposes before and behind linears."""
    random = np.random.default_rng(channels)
    builder = GraphBuilder("channels", {"x": TensorType(DType.S8, (samples, channels))}, ("y",))
    value = linear(builder, random, turned(builder, "x", "tokens"), 12, "embed")
    turned(builder, linear(builder, random, value, 7, "forecast"), "y")
    graph = builder.graph()
    verify(graph)
    return graph


def class_token(rows: int, channels: int, *, seed: int = 0) -> Graph:
    """Return a verified graph that puts a constant row before those of a linear, and reads it at the end."""
    random = np.random.default_rng(seed)
    builder = GraphBuilder("token", {"x": TensorType(DType.S8, (rows, 8))}, ("logits",))
    value = linear(builder, random, "x", channels, "patch")
    token = builder.constant(random.integers(-128, 128, (1, channels)).astype(np.int8), "token")
    value = joined(builder, [token, value], 0, "with_token")
    value = linear(builder, random, value, channels, "mixed")
    value = gathered(builder, value, 0, (0,), "first")
    linear(builder, random, value, 5, "logits")
    graph = builder.graph()
    verify(graph)
    return graph
