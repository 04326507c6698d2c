"""The L1 buffers of a stage for a given tiling: the one place that knows their sizes."""

from __future__ import annotations

from tmc.backend_gap9.kernels.attention import NORM_BYTES
from tmc.backend_gap9.kernels.table import form_of, record_of
from tmc.backend_gap9.kernels.weight_rows import odd_pitch, word_up
from tmc.backend_gap9.plan.plan import AttentionTiling, ColumnTiling, RowTiling, Tiling
from tmc.backend_gap9.stages.column_shape import column_shape
from tmc.backend_gap9.stages.layout import Rows, Storage, residual_operand
from tmc.backend_gap9.stages.pack import PackedStage, line_block, table_block
from tmc.backend_gap9.stages.stages import AnyStage, AttentionStage, ColumnStage, RowStage
from tmc.ir.attrs import QLinearAttrs
from tmc.ir.graph import Graph, Op

Sizes = tuple[tuple[str, int], ...]


def row_inputs(graph: Graph, stage: RowStage) -> tuple[str, ...]:
    """Return what a row stage loads tile by tile: inputs, and tables with a line per row."""
    tables = dict.fromkeys(block for op in stage.ops if (block := line_block(graph, stage, op)) is not None)
    return (*stage.inputs, *tables)


def input_pitch(graph: Graph, layouts: dict[str, Rows], stage: RowStage, name: str) -> int:
    """Return the bytes from row to row of a stage input, in L2 and in L1."""
    if name in layouts:
        return layouts[name].pitch_bytes
    op = next(op for op in stage.ops if line_block(graph, stage, op) == name)
    table = record_of(op.kind).line_table(graph, op)
    assert table is not None
    return graph.types[table].shape[1] * graph.types[table].dtype.size_bytes


def stored_in_place(graph: Graph, stage: RowStage, storage: Storage) -> frozenset[str]:
    """Return the stage inputs whose tiles turn into a stored residual sum: these need two buffers."""
    return frozenset(
        storage.home[op.output]
        for op in stage.ops
        if residual_operand(op) is not None and op.output in stage.stored
    )


def row_pitch(graph: Graph, layouts: dict[str, Rows], storage: Storage, value: str) -> int:
    """Return the bytes from row to row of a whole row tile in L1."""
    return layouts[storage.home[value]].pitch_bytes


def tile_pitch(channels: int) -> int:
    """Return the pitch of an int16 channel tile that waits for its rotation."""
    return odd_pitch(channels * 2)


def streamed_pitch(graph: Graph, layouts: dict[str, Rows], op: Op, rows: int, channels: int) -> int:
    """Return the pitch of a channel tile on its way to L2: packed, or as in L2 if that is one run."""
    layout = layouts[op.output]
    if isinstance(op.attrs, QLinearAttrs) and op.attrs.layout == "transposed":
        return word_up(rows)
    if form_of(op) == "follower" or (isinstance(op.attrs, QLinearAttrs) and op.attrs.layout == "heads"):
        return layout.pitch_bytes
    size_bytes = channels * graph.types[op.output].dtype.size_bytes
    return layout.pitch_bytes if size_bytes == layout.row_bytes else size_bytes


def streamed_bytes(graph: Graph, layouts: dict[str, Rows], op: Op, rows: int, channels: int) -> int:
    """Return the size of one channel tile on its way to L2."""
    lines = channels if isinstance(op.attrs, QLinearAttrs) and op.attrs.layout == "transposed" else rows
    return lines * streamed_pitch(graph, layouts, op, rows, channels)


def channel_source(stage: RowStage, op: Op) -> Op:
    """Return the linear whose channel tiles an op follows: itself, or the one before a rotation."""
    if form_of(op) == "follower":
        return next(other for other in stage.ops if other.output == op.inputs[0])
    return op


def row_buffers(
    graph: Graph,
    stage: RowStage,
    layouts: dict[str, Rows],
    storage: Storage,
    packed: PackedStage,
    tiling: RowTiling,
) -> Sizes:
    """Return name and size of every L1 buffer of a row stage; all live through the whole stage."""
    rows = tiling.rows
    sizes: list[tuple[str, int]] = []
    for name in row_inputs(graph, stage):
        tile_bytes = rows * input_pitch(graph, layouts, stage, name)
        sizes.append((f"in.{name}", tiling.buffers_of(name) * tile_bytes))
    for value, home in storage.home.items():
        if value == home and value not in stage.inputs:
            layout = layouts[value]
            used = rows * layout.pitch_bytes
            sizes.append(
                (
                    f"row.{value}",
                    used if value in stage.stored else used - layout.pitch_bytes + layout.row_bytes,
                )
            )
    linears = [op for op in stage.ops if form_of(op) == "channels"]
    for value in storage.per_tile:
        width = tiling.channels_of(value) * 2
        sizes.append((f"tile.{value}", (rows - 1) * tile_pitch(tiling.channels_of(value)) + width))
    if storage.streamed:
        sizes.append(
            (
                "out",
                2
                * max(
                    streamed_bytes(
                        graph, layouts, op, rows, tiling.channels_of(channel_source(stage, op).output)
                    )
                    for op in stage.ops
                    if op.output in storage.streamed
                ),
            )
        )
    if linears:
        sizes.append(("weight", 2 * weight_slot_bytes(graph, stage, tiling)))
    if table_block(stage) in packed.contents:
        sizes.append(("tables", len(packed.contents[table_block(stage)])))
    return tuple(sizes)


def weight_slot_bytes(graph: Graph, stage: RowStage, tiling: RowTiling) -> int:
    """Return the size of the largest weight tile."""
    return max(
        tiling.channels_of(op.output) * record_of(op.kind).numbers(graph, op)["weight_pitch"]
        for op in stage.ops
        if form_of(op) == "channels"
    )


def key_value_slot_bytes(
    graph: Graph, stage: AttentionStage, layouts: dict[str, Rows], tiling: AttentionTiling
) -> int:
    """Return the size of the larger one of a tile of K and a tile of V transposed."""
    _, k, vt, _ = stage.op.inputs
    return max(tiling.keys * layouts[k].pitch_bytes, tiling.channels * layouts[vt].pitch_bytes)


def attention_buffers(
    graph: Graph,
    stage: AttentionStage,
    layouts: dict[str, Rows],
    packed: PackedStage,
    tiling: AttentionTiling,
) -> Sizes:
    """Return name and size of every L1 buffer of an attention stage."""
    q, k, _, _ = stage.op.inputs
    keys, width = graph.types[k].shape[1:]
    scores = (tiling.rows - 1) * odd_pitch(keys * 2) + keys * 2
    return (
        ("q", 2 * tiling.rows * layouts[q].pitch_bytes),
        ("kv", 2 * key_value_slot_bytes(graph, stage, layouts, tiling)),
        ("scores", scores),
        ("norm", tiling.rows * NORM_BYTES),
        ("out", 2 * tiling.rows * width),
        ("tables", len(packed.contents[table_block(stage)])),
    )


def column_buffers(
    graph: Graph, stage: ColumnStage, layouts: dict[str, Rows], packed: PackedStage, tiling: ColumnTiling
) -> Sizes:
    """Return name and size of every L1 buffer of a column stage; one turn needs no second ones."""
    shape, columns = column_shape(graph, stage.op), tiling.columns
    count = 1 if shape.groups == 1 and columns == shape.columns else 2
    sizes = [
        ("in", count * shape.x_bytes(layouts[stage.op.inputs[0]], columns)),
        ("out", count * shape.y_bytes(layouts[stage.op.output], columns)),
    ]
    if shape.weight_bytes:
        sizes.append(("weight", count * columns * shape.weight_bytes))
    if table_block(stage) in packed.contents:
        sizes.append(("tables", len(packed.contents[table_block(stage)])))
    return tuple(sizes)


def buffers_of_stage(
    graph: Graph,
    stage: AnyStage,
    layouts: dict[str, Rows],
    storage: Storage | None,
    packed: PackedStage,
    tiling: Tiling,
) -> Sizes:
    """Return name and size of every L1 buffer of any stage."""
    if isinstance(stage, RowStage):
        assert storage is not None and isinstance(tiling, RowTiling)
        return row_buffers(graph, stage, layouts, storage, packed, tiling)
    if isinstance(stage, AttentionStage):
        assert isinstance(tiling, AttentionTiling)
        return attention_buffers(graph, stage, layouts, packed, tiling)
    assert isinstance(tiling, ColumnTiling)
    return column_buffers(graph, stage, layouts, packed, tiling)
