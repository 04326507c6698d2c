"""The kernel calls of row-wise ops: which kernel, which operands, which numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.linear_kernel import linear_kernel
from tmc.backend_gap9.kernels.table import weight_pitch, word_up
from tmc.backend_gap9.program.expressions import Number, add, mul
from tmc.backend_gap9.program.program import Address, Call, Expr, Operand, Part
from tmc.backend_gap9.schedule.context import at, call, operand, part
from tmc.backend_gap9.stages.pack import is_grouped, weight_block
from tmc.ir.attrs import QClipAttrs, QLayerNormAttrs, QLinearAttrs, QRequantiseAttrs, QRopeAttrs
from tmc.ir.graph import Graph, Op, OpKind


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of an op: input and output in L1, its rows, and which channel tile it is."""

    x: Address
    x_pitch: int
    y: Address
    y_pitch: Number
    row: Number
    rows: Expr
    index: Number = 0
    tile_channels: int = 0
    channels: Number = 0

    @property
    def channel(self) -> Expr:
        """Return the first channel."""
        return mul(self.index, self.tile_channels)


@dataclass(frozen=True, slots=True)
class Tables:
    """The small tables of a stage in L1: their block, and where each one lies in it."""

    block: str
    offsets_bytes: Mapping[tuple[str, str], int]

    def operand(self, op: Op, field: str, within_bytes: Number = 0) -> Operand:
        """Return the operand of a table of an op, from `within_bytes` of the table on."""
        offset = add(within_bytes, self.offsets_bytes[op.output, field])
        return operand(field, at("tables", offset), part(self.block, 0, offset))


def made_part(graph: Graph, op: Op, tile: Tile) -> Part:
    """Return which part of its output an op tile makes."""
    shape = graph.types[op.output].shape
    if isinstance(op.attrs, QLinearAttrs) and op.attrs.layout == "transposed":
        return part(op.output, tile.channel, tile.row)
    if len(shape) == 3:  # heads: the channel tile is one head
        return part(op.output, add(mul(tile.index, shape[1]), tile.row))
    return part(op.output, tile.row, mul(tile.channel, graph.types[op.output].dtype.size_bytes))


def linear_call(graph: Graph, op: Op, tile: Tile, weight: Address, tables: Tables) -> Call:
    """Return the call for one channel tile of a linear."""
    attrs = op.attrs
    assert isinstance(attrs, QLinearAttrs)
    channels_total, depth = graph.types[op.inputs[1]].shape
    operands = [
        operand("x", tile.x, part(op.inputs[0], tile.row)),
        operand("weight", weight, part(weight_block(op), tile.channel)),
    ]
    numbers: dict[str, Number] = {
        "rows": tile.rows,
        "depth": depth,
        "channels": tile.channels,
        "x_pitch": tile.x_pitch,
        "weight_pitch": weight_pitch(depth),
        "y_pitch": tile.y_pitch,
        "shift": attrs.shift,
    }
    if is_grouped(graph, op):
        groups = graph.types[op.inputs[3]].shape[0]
        operands.append(tables.operand(op, "bias", mul(tile.channel, 4)))
        numbers |= {
            "row0": tile.row,
            "group_rows": graph.types[op.inputs[0]].shape[0] // groups,
            "bias_channels": channels_total,
        }
    if attrs.table:
        operands.append(tables.operand(op, "table"))
    operands.append(operand("y", tile.y, made_part(graph, op, tile)))
    return call(linear_kernel(graph, op), op.output, tuple(operands), **numbers)


def layernorm_call(graph: Graph, op: Op, tile: Tile, tables: Tables) -> Call:
    """Return the call of a LayerNorm on a row tile."""
    attrs = op.attrs
    assert isinstance(attrs, QLayerNormAttrs)
    return call(
        f"tmc_layernorm_s16{attrs.dtype}",
        op.output,
        (
            operand("x", tile.x, part(op.inputs[0], tile.row)),
            *(tables.operand(op, field) for field in ("gamma", "beta", "epsilon", "rsqrt")),
            operand("y", tile.y, part(op.output, tile.row)),
        ),
        rows=tile.rows,
        channels=tile.channels,
        x_pitch=tile.x_pitch,
        y_pitch=tile.y_pitch,
        center_bits=attrs.center_bits,
        norm_bits=attrs.norm_bits,
        root=attrs.root,
        gamma_shift=attrs.gamma_shift,
    )


def requantise_call(graph: Graph, op: Op, tile: Tile, tables: Tables) -> Call:
    """Return the call of a requantisation of a row tile."""
    attrs = op.attrs
    assert isinstance(attrs, QRequantiseAttrs)
    return call(
        f"tmc_requantise_{graph.types[op.inputs[0]].dtype.value}s8",
        op.output,
        (
            operand("x", tile.x, part(op.inputs[0], tile.row)),
            *(tables.operand(op, field) for field in ("factors", "table")),
            operand("y", tile.y, part(op.output, tile.row)),
        ),
        rows=tile.rows,
        channels=tile.channels,
        x_pitch=tile.x_pitch,
        y_pitch=tile.y_pitch,
        zero_point=attrs.zero_point,
        ties_to_even=int(attrs.ties == "even"),
    )


def clip_call(graph: Graph, op: Op, tile: Tile, tables: Tables) -> Call:
    """Return the call of a clip of a row tile."""
    attrs, kind = op.attrs, graph.types[op.output]
    assert isinstance(attrs, QClipAttrs)
    groups, channels = graph.types[op.inputs[1]].shape
    return call(
        f"tmc_clip{'_add' * attrs.residual}_{2 * kind.dtype.value}",
        op.output,
        (
            operand("x", tile.x, part(op.inputs[0], tile.row)),
            *(tables.operand(op, field) for field in ("low", "high")),
            operand("y", tile.y, part(op.output, tile.row)),
        ),
        rows=tile.rows,
        channels=tile.channels,
        x_pitch=tile.x_pitch,
        limit_pitch=word_up(channels * kind.dtype.size_bytes),
        y_pitch=tile.y_pitch,
        row0=tile.row,
        group_rows=kind.shape[0] // groups,
    )


# The calls of ops that take rows as a whole.
ROW_CALLS: Mapping[OpKind, Callable[[Graph, Op, Tile, Tables], Call]] = {
    OpKind.QLAYERNORM: layernorm_call,
    OpKind.QREQUANTISE: requantise_call,
    OpKind.QCLIP: clip_call,
}


def rope_call(graph: Graph, op: Op, tile: Tile, table: Operand, first_row: Number, period: Number) -> Call:
    """Return the call that rotates one head of a row tile by a table of `period` lines; the tile's first row
    is number `first_row` for the table."""
    attrs = op.attrs
    assert isinstance(attrs, QRopeAttrs)
    width = graph.types[op.output].shape[2]
    column_bytes = mul(tile.index, width * 2)
    return call(
        "tmc_rope_s16s8",
        op.output,
        (
            operand("x", tile.x, part(op.inputs[0], tile.row, column_bytes)),
            table,
            operand("y", tile.y, made_part(graph, op, tile)),
        ),
        rows=tile.rows,
        width=width,
        x_pitch=tile.x_pitch,
        y_pitch=tile.y_pitch,
        table_pitch=width * 2,
        row0=first_row,
        period=period,
        shift=attrs.shift,
    )
