"""The L1 buffers of a stage for a given tiling: the one place that knows their sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tmc.backend_gap9.kernels.attention import attention_on_ne16, mask_of
from tmc.backend_gap9.kernels.attention_jobs import NORM_BYTES
from tmc.backend_gap9.kernels.attention_turns import STREAM_BUFFERS, held_bytes, raw_room
from tmc.backend_gap9.kernels.linear import LinearJob, job_of
from tmc.backend_gap9.kernels.ne16 import packed_pitch
from tmc.backend_gap9.kernels.table import form_of, record_of
from tmc.backend_gap9.kernels.weight_rows import odd_pitch, word_up
from tmc.backend_gap9.plan.job_runs import ahead_of
from tmc.backend_gap9.plan.plan import AttentionTiling, ColumnTiling, MoveTiling, RowTiling
from tmc.backend_gap9.stages.column_shape import column_shape
from tmc.backend_gap9.stages.layout import residual_operand
from tmc.backend_gap9.stages.move_shape import move_shape
from tmc.backend_gap9.stages.pack import line_blocks, line_pitch
from tmc.backend_gap9.stages.staged import GraphStage, Staged
from tmc.ir.graph import Graph, Op
from tmc.ir.integer.qlinear import QLinearAttrs


@dataclass(frozen=True, slots=True)
class L1Need:
    """A buffer of a stage, and what its size follows from.

    role: an input has one or two tiles; operand, result and sums have two of the largest of all steps; all
    else is fixed by the rows of a tile.
    """

    name: str
    size_bytes: int
    role: Literal["input", "operand", "result", "sums", "fixed"]


L1Needs = tuple[L1Need, ...]


def needed_bytes(needs: L1Needs) -> int:
    """Return what buffers take one after the other, each from a word on."""
    return sum(word_up(each.size_bytes) for each in needs)


def row_inputs(staged: Staged, stage: GraphStage) -> tuple[str, ...]:
    """Return what a row stage loads tile by tile: inputs, and tables with a line per row."""
    blocks = (block for op in stage.ops for block in line_blocks(staged.graph, stage, op).values())
    return (*stage.inputs, *dict.fromkeys(blocks))


def input_pitch(staged: Staged, stage: GraphStage, name: str) -> int:
    """Return the bytes from row to row of a stage input, in L2 and in L1."""
    if name in staged.layouts:
        return staged.layouts[name].pitch_bytes
    tables = ((op, table) for op in stage.ops for table in record_of(op.kind).line_tables(staged.graph, op))
    table = next(table for op, table in tables if line_blocks(staged.graph, stage, op)[table] == name)
    return line_pitch(staged.graph, table)


def weight_pitch_of(staged: Staged, op: Op) -> int:
    """Return the bytes from row to row of the packed weights of an op."""
    return record_of(op.kind).numbers(staged.graph, op)["weight_pitch"]


def stored_in_place(staged: Staged, stage: GraphStage) -> frozenset[str]:
    """Return the stage inputs whose tiles turn into a stored residual sum: these need two buffers."""
    home = staged.storage[stage.number].home
    return frozenset(
        home[op.output] for op in stage.ops if residual_operand(op) is not None and op.output in stage.stored
    )


def whole_stored(staged: Staged, stage: GraphStage) -> tuple[str, ...]:
    """Return the values of a row stage that are stored as whole row tiles."""
    return tuple(value for value in stage.stored if value in staged.storage[stage.number].home)


def row_pitch(staged: Staged, stage: GraphStage, value: str) -> int:
    """Return the bytes from row to row of a whole row tile in L1."""
    return staged.layouts[staged.storage[stage.number].home[value]].pitch_bytes


def tile_pitch(channels: int) -> int:
    """Return the pitch of an int16 channel tile that waits for its rotation."""
    return odd_pitch(channels * 2)


def is_transposed(op: Op) -> bool:
    """Tell whether a linear stores its result by channels."""
    return isinstance(op.attrs, QLinearAttrs) and op.attrs.layout == "transposed"


def streamed_bytes(staged: Staged, op: Op, rows: int, channels: int) -> int:
    """Return the size of one channel tile on its way to L2: packed, or as in L2 if that is one run."""
    layout = staged.layouts[op.output]
    if is_transposed(op):
        return channels * word_up(rows)
    if form_of(op) == "follower":
        return rows * layout.pitch_bytes
    if isinstance(op.attrs, QLinearAttrs) and op.attrs.layout == "heads":
        return channels // staged.graph.types[op.output].shape[2] * rows * layout.pitch_bytes
    size_bytes = channels * staged.graph.types[op.output].dtype.size_bytes
    return rows * (layout.pitch_bytes if size_bytes == layout.row_bytes else size_bytes)


def channel_source(stage: GraphStage, op: Op) -> Op:
    """Return the linear whose channel tiles an op follows: itself, or the one before a rotation."""
    if form_of(op) == "follower":
        return next(other for other in stage.ops if other.output == op.inputs[0])
    return op


def streamed_slot_bytes(staged: Staged, stage: GraphStage, tiling: RowTiling) -> int:
    """Return the size of the largest channel tile on its way to L2, 0 if there is none."""
    streamed = staged.storage[stage.number].streamed
    return max(
        (
            streamed_bytes(staged, op, tiling.rows, tiling.channels_of(channel_source(stage, op).output))
            for op in stage.ops
            if op.output in streamed
        ),
        default=0,
    )


def weight_slot_bytes(staged: Staged, stage: GraphStage, tiling: RowTiling) -> int:
    """Return the size of the largest weight tile, 0 if there is none."""
    return max(
        (
            tiling.channels_of(op.output) * weight_pitch_of(staged, op)
            for op in stage.ops
            if form_of(op) == "channels"
        ),
        default=0,
    )


def sums_pitch(job: LinearJob, channels: int) -> int:
    """Return the pitch of what a job leaves for the cores to finish."""
    return odd_pitch(channels * job.result.size_bytes)


def sums_bytes(graph: Graph, op: Op, rows: int, channels: int) -> int:
    """Return the size of what the job of a channel tile leaves for the cores to finish, 0 if nothing."""
    job = job_of(graph, op) if form_of(op) == "channels" else None
    return 0 if job is None or job.epilogue is None else rows * sums_pitch(job, channels)


def sums_slot_bytes(staged: Staged, stage: GraphStage, tiling: RowTiling) -> int:
    """Return the size of the largest tile that a job leaves for the cores to finish, 0 if there is none."""
    linears = (op for op in stage.ops if form_of(op) == "channels")
    sizes = (sums_bytes(staged.graph, op, tiling.rows, tiling.channels_of(op.output)) for op in linears)
    return max(sizes, default=0)


def row_buffers(staged: Staged, stage: GraphStage, tiling: RowTiling) -> L1Needs:
    """Return every L1 buffer of a row stage; all live through the whole stage."""
    rows, storage = tiling.rows, staged.storage[stage.number]
    ahead = ahead_of(staged, stage) if tiling.ahead_rows else None
    needs: list[L1Need] = []
    for name in row_inputs(staged, stage):
        tile_bytes = word_up(rows * input_pitch(staged, stage, name))
        needs.append(L1Need(f"in.{name}", tiling.buffers_of(name) * tile_bytes, "input"))
    stored = {storage.home[value] for value in whole_stored(staged, stage)}
    for value, home in storage.home.items():
        if value == home and value not in stage.inputs:
            layout = staged.layouts[value]
            # What is stored as one run has the padding of its last row too: a sum made in its place as well.
            padding = 0 if value in stored else layout.pitch_bytes - layout.row_bytes
            size_bytes = rows * layout.pitch_bytes - padding
            if ahead is not None and ahead.op.output == value:
                size_bytes += word_up(rows * layout.pitch_bytes)
            needs.append(L1Need(f"row.{value}", size_bytes, "fixed"))
    for value in storage.per_tile:
        channels = tiling.channels_of(value)
        size_bytes = (rows - 1) * tile_pitch(channels) + channels * 2
        needs.append(L1Need(f"tile.{value}", size_bytes, "fixed"))
    if storage.streamed:
        needs.append(L1Need("out", 2 * streamed_slot_bytes(staged, stage, tiling), "result"))
    if any(form_of(op) == "channels" for op in stage.ops):
        needs.append(L1Need("weight", 2 * weight_slot_bytes(staged, stage, tiling), "operand"))
    if sums_slot_bytes(staged, stage, tiling):
        needs.append(L1Need("sums", 2 * sums_slot_bytes(staged, stage, tiling), "sums"))
    return (*needs, *_tables(staged, stage))


def key_value_slot_bytes(staged: Staged, stage: GraphStage, tiling: AttentionTiling) -> int:
    """Return the size of the larger one of a tile of K and a tile of V transposed, of all heads of a turn."""
    k, vt = stage.op.inputs[1:3]
    layouts = staged.layouts
    one_head = max(tiling.keys * layouts[k].pitch_bytes, tiling.channels * layouts[vt].pitch_bytes)
    return tiling.heads * one_head


def bias_line_bytes(staged: Staged, stage: GraphStage) -> int:
    """Return the bytes of a line of the bias that travels with the queries, 0 if there is none."""
    return sum(line_pitch(staged.graph, table) for table in line_blocks(staged.graph, stage, stage.op))


def mask_bytes(staged: Staged, stage: GraphStage) -> int:
    """Return the bytes of the computed row that is added to all scores, 0 if there is none."""
    mask = mask_of(staged.graph, stage.op)
    return 0 if mask is None else staged.layouts[mask].row_bytes


def raw_slot(staged: Staged, stage: GraphStage, tiling: AttentionTiling) -> tuple[str, int]:
    """Return the buffer that has two tiles of K or V before they are packed, and the bytes of one of them."""
    if not tiling.streamed:
        return "kv", key_value_slot_bytes(staged, stage, tiling)
    keys = staged.graph.types[stage.op.inputs[1]].shape[1]
    return "scores", raw_room(tiling.rows, keys)


def attention_job_buffers(staged: Staged, stage: GraphStage, tiling: AttentionTiling) -> L1Needs:
    """Return every L1 buffer of an attention stage whose products the accelerator computes."""
    q, k = stage.op.inputs[:2]
    keys, width = staged.graph.types[k].shape[1:]
    held = held_bytes(tiling.rows, keys, width, streamed=tiling.streamed)
    kv_bytes = (
        STREAM_BUFFERS * tiling.keys * packed_pitch(width)
        if tiling.streamed
        else 2 * key_value_slot_bytes(staged, stage, tiling)
    )
    return (
        L1Need("q", 2 * tiling.rows * staged.layouts[q].pitch_bytes, "input"),
        L1Need("kv", kv_bytes, "operand"),
        *(L1Need(name, size_bytes, "fixed") for name, size_bytes in held.items()),
        *_tables(staged, stage),
    )


def attention_buffers(staged: Staged, stage: GraphStage, tiling: AttentionTiling) -> L1Needs:
    """Return every L1 buffer of an attention stage."""
    if attention_on_ne16(staged.graph, stage.op):
        return attention_job_buffers(staged, stage, tiling)
    q, k = stage.op.inputs[:2]
    keys, width = staged.graph.types[k].shape[1:]
    head_bytes = width * staged.graph.types[stage.op.output].dtype.size_bytes
    bias_bytes, mask = bias_line_bytes(staged, stage), mask_bytes(staged, stage)
    rows = tiling.heads * tiling.rows
    scores = (rows - 1) * odd_pitch(keys * 2) + keys * 2
    return (
        L1Need("q", 2 * rows * staged.layouts[q].pitch_bytes, "input"),
        *((L1Need("bias", 2 * tiling.rows * bias_bytes, "input"),) if bias_bytes else ()),
        *((L1Need("mask", mask, "fixed"),) if mask else ()),
        L1Need("kv", 2 * key_value_slot_bytes(staged, stage, tiling), "operand"),
        L1Need("scores", scores, "fixed"),
        L1Need("norm", rows * NORM_BYTES, "fixed"),
        L1Need("out", 2 * rows * head_bytes, "fixed"),
        *_tables(staged, stage),
    )


def column_buffers(staged: Staged, stage: GraphStage, tiling: ColumnTiling) -> L1Needs:
    """Return every L1 buffer of a column stage; one turn needs no second ones."""
    shape, columns, layouts = column_shape(staged.graph, stage.op), tiling.columns, staged.layouts
    count = 1 if shape.groups == 1 and columns == shape.columns else 2
    needs = [
        L1Need("in", count * shape.x_bytes(layouts[stage.op.inputs[0]], columns), "input"),
        L1Need("out", count * shape.y_bytes(layouts[stage.op.output], columns), "result"),
    ]
    if shape.weight_bytes:
        needs.append(L1Need("weight", count * columns * shape.weight_bytes, "operand"))
    if shape.z_rows:
        needs.append(L1Need("z", count * shape.z_bytes(layouts[stage.op.inputs[1]]), "operand"))
    return (*needs, *_tables(staged, stage))


def move_buffers(staged: Staged, stage: GraphStage, tiling: MoveTiling) -> L1Needs:
    """Return every L1 buffer of a stage that moves rows; one turn needs no second ones."""
    shape = move_shape(staged, stage)
    sizes = tiling.rows, tiling.columns
    count = min(2, shape.turns(*sizes))
    return (
        L1Need("in", count * shape.x_slot_bytes(*sizes), "input"),
        L1Need("out", count * shape.y_slot_bytes(*sizes), "result"),
        *_tables(staged, stage),
    )


def _tables(staged: Staged, stage: GraphStage) -> L1Needs:
    size_bytes = staged.packed[stage.number].tables_bytes
    return (L1Need("tables", size_bytes, "fixed"),) if size_bytes else ()
