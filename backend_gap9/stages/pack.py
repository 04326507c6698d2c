"""Offline packing of constants into the byte blocks that travel from L3 to L2 to L1.

Every op with weights has one block: its packed rows. Every stage has one block of small tables, in which each
table starts at a multiple of 4 bytes. Tables with a line per row are a block of their own, since they travel
tile by tile.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from tmc.backend_gap9.kernels.table import record_of
from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.stages.staged import ConstantBlock, GraphStage, PackedStage
from tmc.ir.graph import Graph, Op
from tmc.ir.types import Array


def own_name(graph: Graph, name: str) -> str:
    """Return a name for something that the graph does not know, as near to this one as its values allow.

    Constants of the graph have no place of their own: what is packed of them may bear their names.
    """
    while name in graph.types and name not in graph.constants:
        name += "_"
    return name


def weight_block(graph: Graph, op: Op) -> str:
    """Return the name of the weight block of a linear."""
    return own_name(graph, f"{op.output}.weight")


def table_block(graph: Graph, stage: GraphStage) -> str:
    """Return the name of the block of small tables of a stage."""
    return own_name(graph, f"stage_{stage.number}.tables")


def line_blocks(graph: Graph, stage: GraphStage, op: Op) -> Mapping[str, str]:
    """Return the names of the blocks of an op's line tables, which travel with the rows, by constant.

    Ops of a stage share them: the rotations of Q and K do.
    """
    tables = record_of(op.kind).line_tables(graph, op)
    return {table: own_name(graph, f"stage_{stage.number}.{table}") for table in tables}


def line_pitch(graph: Graph, table: str) -> int:
    """Return the bytes from line to line of a packed line table: whole words."""
    kind = graph.types[table]
    return word_up(kind.shape[-1] * kind.dtype.size_bytes)


def _packed_lines(graph: Graph, table: str) -> bytes:
    lines = graph.constants[table].reshape(-1, graph.types[table].shape[-1])
    data = np.ascontiguousarray(lines, lines.dtype.newbyteorder("<")).view(np.uint8)
    more = line_pitch(graph, table) - data.shape[1]
    return np.pad(data, ((0, 0), (0, more))).tobytes()


def pack_stage(graph: Graph, stage: GraphStage) -> PackedStage:
    """Return the constant blocks of a stage, in the order in which it needs them."""
    blocks: list[ConstantBlock] = []
    contents: dict[str, bytes] = {}
    offsets: dict[tuple[str, str], int] = {}
    tables = bytearray()
    seen: dict[bytes, int] = {}

    def add_block(name: str, rows: int, data: bytes) -> None:
        blocks.append(ConstantBlock(name, stage.number, rows, len(data) // rows))
        contents[name] = data

    def add_table(op: Op, field: str, array: Array) -> None:
        data = array.tobytes()
        if data not in seen:
            seen[data] = len(tables)
            tables.extend(data + bytes(word_up(len(data)) - len(data)))
        offsets[op.output, field] = seen[data]

    for op in stage.ops:
        record = record_of(op.kind)
        for field, array in record.tables(graph, op).items():
            add_table(op, field, array)
        if record.weight_rows is not None:
            packed = record.weight_rows(graph, op)
            add_block(weight_block(graph, op), packed.shape[0], packed.tobytes())
        for table, block in line_blocks(graph, stage, op).items():
            if block not in contents:
                add_block(block, prod(graph.types[table].shape[:-1]), _packed_lines(graph, table))
    if tables:
        blocks.insert(0, ConstantBlock(table_block(graph, stage), stage.number, 1, len(tables)))
        contents[table_block(graph, stage)] = bytes(tables)
    return PackedStage(tuple(blocks), contents, table_block(graph, stage), offsets)
