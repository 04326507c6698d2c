"""Kernel calls of tiles: operands and numbers in the order of the kernel's record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.grid import SPLIT
from tmc.backend_gap9.kernels.linear import HEAD_CHANNELS
from tmc.backend_gap9.kernels.record import Kernel
from tmc.backend_gap9.kernels.table import record_of
from tmc.backend_gap9.program.expressions import Number, add, expr, mul
from tmc.backend_gap9.program.program import Address, Argument, Call, Expr, Operand, Part
from tmc.backend_gap9.schedule.context import at, operand, part
from tmc.backend_gap9.stages.pack import weight_block
from tmc.backend_gap9.stages.staged import PackedStage
from tmc.ir.graph import Graph, Op
from tmc.ir.integer.qlinear import QLinearAttrs


@dataclass(frozen=True, slots=True)
class Tables:
    """The small tables of a stage in L1: their block, and where each one lies in it."""

    block: str
    offsets_bytes: Mapping[tuple[str, str], int]

    @classmethod
    def of(cls, packed: PackedStage) -> Tables:
        """Return the small tables of a stage, of its packed constants."""
        return cls(packed.table_block, packed.offsets_bytes)

    def operand(self, op: Op, field: str, within_bytes: Number = 0) -> Operand:
        """Return the operand of a table of an op, from `within_bytes` of the table on."""
        offset = add(within_bytes, self.offsets_bytes[op.output, field])
        return operand(field, at("tables", offset), part(self.block, 0, offset))


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of a row stage: input and output in L1, its rows, and which channel tile it is.

    split: how cores share it, if it is one of a linear. head_channels: of its channels, those that lie side
    by side in the result; all, if 0.
    more: place and pitch of the second input and those after it, of ops that read several values by rows.
    """

    x: Address
    x_pitch: int
    y: Address
    y_pitch: Number
    row: Number
    rows: Expr
    index: Number = 0
    tile_channels: int = 0
    channels: Number = 0
    more: tuple[tuple[Address, int], ...] = ()
    split: int = 0
    head_channels: int = 0

    @property
    def channel(self) -> Expr:
        """Return the first channel."""
        return mul(self.index, self.tile_channels)

    def numbers(self) -> dict[str, Number]:
        """Return the arguments that follow from the tile."""
        return {
            "rows": self.rows,
            "channels": self.channels,
            "x_pitch": self.x_pitch,
            "y_pitch": self.y_pitch,
            "row0": self.row,
            SPLIT: self.split,
            HEAD_CHANNELS: self.head_channels or self.channels,
        }


def kernel_call(
    graph: Graph,
    op: Op,
    kernel: Kernel,
    given: Mapping[str, Operand],
    numbers: Mapping[str, Number],
    tables: Tables,
    channel: Number = 0,
) -> Call:
    """Return the call of a kernel for a tile of an op.

    given: operands of the tile by field; all others are small tables of the stage, from the tile's first
    channel on. numbers: those of the tile; all others follow from the op. What the kernel does not have of
    either is left out.
    """
    operands = tuple(
        given[rule.field]
        if rule.field in given
        else tables.operand(op, rule.field, mul(channel, rule.channel_bytes))
        for rule in kernel.operands
    )
    known = {**record_of(op.kind).numbers(graph, op), **numbers}
    arguments = tuple(Argument(name, expr(known[name])) for name in kernel.arguments)
    return Call(kernel.stem, op.output, operands, arguments)


def made_part(graph: Graph, op: Op, tile: Tile) -> Part:
    """Return which part of its output an op tile makes."""
    shape = graph.types[op.output].shape
    if isinstance(op.attrs, QLinearAttrs) and op.attrs.layout == "transposed":
        return part(op.output, tile.channel, tile.row)
    if len(shape) == 3:  # heads: the channel tile is one head, or all of them and all rows
        return part(op.output, add(mul(tile.index, shape[1]), tile.row))
    return part(op.output, tile.row, mul(tile.channel, graph.types[op.output].dtype.size_bytes))


def computed_rows(graph: Graph, op: Op) -> tuple[tuple[str, str], ...]:
    """Return what an op takes by rows, field and value; constants among its operands are tables."""
    operands = zip(record_of(op.kind).row_inputs, op.inputs, strict=False)
    return tuple((field, value) for field, value in operands if value not in graph.constants)


def line_field(op: Op, table: str) -> str:
    """Return the field of a line table: that of the operand whose rows it has, else `table`."""
    return dict(zip(op.inputs, record_of(op.kind).row_inputs, strict=False)).get(table, "table")


def row_call(
    graph: Graph,
    op: Op,
    tile: Tile,
    tables: Tables,
    weight: Address | None = None,
    lines: Operand | None = None,
) -> Call:
    """Return the call for a tile of rows, and of channels where there are weights at an address.

    lines: the part of a line table that travels with the rows of the tile, if the op has one.
    """
    record = record_of(op.kind)
    (kernel,) = record.chosen(graph, op)
    given = {"y": operand("y", tile.y, made_part(graph, op, tile))}
    numbers = tile.numbers()
    places = ((tile.x, tile.x_pitch), *tile.more)
    for (field, value), (address, pitch) in zip(computed_rows(graph, op), places, strict=True):
        given[field] = operand(field, address, part(value, tile.row))
        numbers[f"{field}_pitch"] = pitch
    if lines is not None:
        given[lines.field] = lines
    if weight is not None:
        given["weight"] = operand("weight", weight, part(weight_block(graph, op), tile.channel))
    return kernel_call(graph, op, kernel, given, numbers, tables, tile.channel)


def follower_call(graph: Graph, op: Op, tile: Tile, tables: Tables, lines: Operand | None) -> Call:
    """Return the call of an op on one channel tile of the linear before it: one head.

    lines: the part of its line table that travels with the rows of the tile, if it has one.
    """
    (kernel,) = record_of(op.kind).chosen(graph, op)
    head_bytes = graph.types[op.output].shape[2] * graph.types[op.inputs[0]].dtype.size_bytes
    given = {
        "x": operand("x", tile.x, part(op.inputs[0], tile.row, mul(tile.index, head_bytes))),
        "y": operand("y", tile.y, made_part(graph, op, tile)),
    }
    numbers = tile.numbers()
    if lines is not None:
        # A line for each row of the tile, the first one for the first.
        given[lines.field] = lines
        numbers |= {"row0": 0, "period": tile.rows}
    return kernel_call(graph, op, kernel, given, numbers, tables)
