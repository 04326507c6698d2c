"""Offline packing of constants into the byte blocks that travel from L3 to L2 to L1.

Every linear and every convolution has one block: its packed weight rows. Every stage has one block of small
tables, in which each table starts at a multiple of 4 bytes. Rotation tables with a line per row are a block
of their own, since they travel tile by tile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tmc.backend_gap9.kernels.table import weight_pitch, word_up
from tmc.backend_gap9.stages.stages import AnyStage, stage_ops
from tmc.ir.attrs import QDepthwiseRowsAttrs, QLayerNormAttrs
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer_semantics import RSQRT_TABLE


@dataclass(frozen=True, slots=True)
class ConstantBlock:
    """A packed run of constant bytes for one stage: the rows of one weight, or all small tables."""

    name: str
    stage: int
    rows: int
    row_bytes: int

    @property
    def size_bytes(self) -> int:
        """Return rows * row_bytes."""
        return self.rows * self.row_bytes


@dataclass(frozen=True, slots=True)
class PackedStage:
    """The constants of one stage: blocks with their bytes, and where each small table lies in `tables`.

    offsets_bytes: (op output, field of the kernel's arguments) -> offset in the table block.
    """

    blocks: tuple[ConstantBlock, ...]
    contents: Mapping[str, bytes]
    offsets_bytes: Mapping[tuple[str, str], int]


def weight_block(op: Op) -> str:
    """Return the name of the weight block of a linear."""
    return f"{op.output}.weight"


def table_block(stage: AnyStage) -> str:
    """Return the name of the block of small tables of a stage."""
    return f"stage_{stage.number}.tables"


def rope_block(stage: AnyStage, op: Op) -> str:
    """Return the name of the block of a rotation table that is read tile by tile; Q and K share it."""
    return f"stage_{stage.number}.{op.inputs[1]}"


def rope_is_tiled(graph: Graph, op: Op) -> bool:
    """Tell whether a rotation has a table line for each row; otherwise the whole table stays in L1."""
    return graph.types[op.inputs[1]].shape[0] == graph.types[op.inputs[0]].shape[0]


def pack_stage(graph: Graph, stage: AnyStage) -> PackedStage:
    """Return the constant blocks of a stage, in the order in which it needs them."""
    blocks: list[ConstantBlock] = []
    contents: dict[str, bytes] = {}
    offsets: dict[tuple[str, str], int] = {}
    tables = bytearray()
    seen: dict[bytes, int] = {}

    def add_block(name: str, rows: int, data: bytes) -> None:
        blocks.append(ConstantBlock(name, stage.number, rows, len(data) // rows))
        contents[name] = data

    def add_table(op: Op, field: str, array: np.ndarray) -> None:
        data = array.tobytes()
        if data not in seen:
            seen[data] = len(tables)
            tables.extend(data + bytes(word_up(len(data)) - len(data)))
        offsets[op.output, field] = seen[data]

    for op in stage_ops(stage):
        for field, array in small_tables(graph, op):
            add_table(op, field, array)
        if op.kind in (OpKind.QLINEAR, OpKind.QDEPTHWISE_ROWS):
            packed = pack_weight(graph, op)
            add_block(weight_block(op), packed.shape[0], packed.tobytes())
        if op.kind is OpKind.QROPE and rope_is_tiled(graph, op) and rope_block(stage, op) not in contents:
            table = graph.constants[op.inputs[1]]
            add_block(rope_block(stage, op), table.shape[0], table.tobytes())
    if tables:
        blocks.insert(0, ConstantBlock(table_block(stage), stage.number, 1, len(tables)))
        contents[table_block(stage)] = bytes(tables)
    return PackedStage(tuple(blocks), contents, offsets)


def small_tables(graph: Graph, op: Op) -> tuple[tuple[str, np.ndarray], ...]:
    """Return the small tables of an op by the field of the kernel's arguments, in target byte order."""
    constants = graph.constants
    if op.kind is OpKind.QLINEAR:
        bias = (("bias", constants[op.inputs[3]]),) if is_grouped(graph, op) else ()
        table = (("table", constants[op.inputs[4]]),) if getattr(op.attrs, "table", False) else ()
        return (*bias, *table)
    if op.kind is OpKind.QREQUANTISE:
        return (
            ("factors", constants[op.inputs[1]].astype("<i4")),
            ("table", constants[op.inputs[2]]),
        )
    if op.kind is OpKind.QCLIP:
        low, high = (_in_words(constants[name]) for name in op.inputs[1:3])
        return (("low", low), ("high", high))
    if isinstance(op.attrs, QLayerNormAttrs):
        epsilon = np.array(op.attrs.epsilon_by_shift, dtype="<i4")
        return (
            ("gamma", constants[op.inputs[1]]),
            ("beta", constants[op.inputs[2]]),
            ("epsilon", epsilon),
            ("rsqrt", RSQRT_TABLE.astype("<u2")),
        )
    if op.kind is OpKind.QROPE and not rope_is_tiled(graph, op):
        return (("table", constants[op.inputs[1]]),)
    if op.kind is OpKind.QATTENTION:
        return (("exp_table", constants[op.inputs[3]]),)
    if isinstance(op.attrs, QDepthwiseRowsAttrs) and op.attrs.table:
        return (("table", constants[op.inputs[4]]),)
    if op.kind is OpKind.QINTERPOLATE_ROWS:
        return (("table", constants[op.inputs[1]]),)
    return ()


def _in_words(rows: np.ndarray) -> np.ndarray:
    """Return rows that each start at a word, in target byte order."""
    more = -rows.shape[1] * rows.itemsize % 4 // rows.itemsize
    return np.pad(rows, ((0, 0), (0, more))).astype(rows.dtype.newbyteorder("<"))


def is_grouped(graph: Graph, op: Op) -> bool:
    """Tell whether a linear runs on the grouped kernel: int16 in, int16 out, bias rows beside the weights."""
    return graph.types[op.inputs[0]].dtype.value == "s16" and graph.types[op.output].dtype.value == "s16"


def pack_weight(graph: Graph, op: Op) -> np.ndarray:
    """Return packed weight rows [N, weight_pitch] as bytes: weights, multiplier, bias (zero if grouped).

    The taps of a depthwise convolution are such a row for each column.
    """
    weight, multiplier, bias = (graph.constants[name] for name in op.inputs[1:4])
    channels, depth = weight.shape
    packed = np.zeros((channels, weight_pitch(depth)), dtype=np.uint8)
    packed[:, :depth] = weight.view(np.uint8)
    start = word_up(depth)
    packed[:, start : start + 4] = multiplier.astype("<i4").view(np.uint8).reshape(channels, 4)
    if not is_grouped(graph, op):
        shared = bias.reshape(-1, channels)[0].astype("<i4")
        packed[:, start + 4 : start + 8] = shared.view(np.uint8).reshape(channels, 4)
    return packed
