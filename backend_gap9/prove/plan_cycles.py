"""Modelled cycles of a plan, added up call by call and fetch by fetch, to compare with what solvers state."""

from __future__ import annotations

from tmc.backend_gap9.plan.plan import AttentionTiling, ColumnTiling, Plan, RowTiling, Tiling
from tmc.backend_gap9.stages.stages import AnyStage, ColumnStage, RowStage
from tmc.backend_gap9.target.cost import (
    clip_cycles,
    depthwise_rows_cycles,
    fetch_cycles,
    interpolate_rows_cycles,
    layernorm_cycles,
    linear_cycles,
    mean_rows_cycles,
    permute_rows_cycles,
    requantise_cycles,
    rope_cycles,
    scores_cycles,
    softmax_cycles,
    values_cycles,
)
from tmc.backend_gap9.target.target import Target
from tmc.ir.attrs import QClipAttrs, QDepthwiseRowsAttrs, QLinearAttrs, QMeanRowsAttrs
from tmc.ir.graph import Graph, Op, OpKind


def compute_cycles(graph: Graph, stage: AnyStage, tiling: Tiling, target: Target) -> int:
    """Return the modelled cycles of all kernel calls of a stage, added up one by one."""
    if isinstance(stage, RowStage):
        assert isinstance(tiling, RowTiling)
        return sum(
            _row_op_cycles(graph, op, rows, tiling, target)
            for rows in _tiles(stage.rows, tiling.rows)
            for op in stage.ops
        )
    x = graph.types[stage.op.inputs[0]].shape
    if isinstance(stage, ColumnStage):
        assert isinstance(tiling, ColumnTiling)
        return sum(_column_op_cycles(graph, stage.op, tile, target) for tile in _tiles(x[1], tiling.columns))
    assert isinstance(tiling, AttentionTiling)
    heads, rows_total, width = x
    keys = graph.types[stage.op.inputs[1]].shape[1]
    cycles = 0
    for rows in _tiles(rows_total, tiling.rows):
        cycles += sum(scores_cycles(target, rows, tile, width) for tile in _tiles(keys, tiling.keys))
        cycles += softmax_cycles(target, rows, keys)
        cycles += sum(values_cycles(target, rows, keys, tile) for tile in _tiles(width, tiling.channels))
    return heads * cycles


def _column_op_cycles(graph: Graph, op: Op, columns: int, target: Target) -> int:
    """Return the cycles of a tile of columns, for all runs of rows."""
    rows, attrs = graph.types[op.inputs[0]].shape[0], op.attrs
    if isinstance(attrs, QMeanRowsAttrs):
        return rows // attrs.group_rows * mean_rows_cycles(target, attrs.group_rows, columns)
    if isinstance(attrs, QDepthwiseRowsAttrs):
        taps = graph.types[op.inputs[1]].shape[1]
        return depthwise_rows_cycles(target, rows, columns, taps, attrs.table)
    if op.kind is OpKind.QINTERPOLATE_ROWS:
        return interpolate_rows_cycles(target, graph.types[op.inputs[1]].shape[0], columns)
    return permute_rows_cycles(target, rows, columns * graph.types[op.output].dtype.size_bytes)


def _row_op_cycles(graph: Graph, op: Op, rows: int, tiling: RowTiling, target: Target) -> int:
    types = graph.types
    if op.kind is OpKind.QLAYERNORM:
        return layernorm_cycles(target, rows, types[op.output].shape[1])
    if op.kind is OpKind.QREQUANTISE:
        return requantise_cycles(target, rows, types[op.output].shape[1])
    if isinstance(op.attrs, QClipAttrs):
        kind = types[op.output]
        return clip_cycles(target, rows, kind.shape[1], kind.dtype.size_bytes, op.attrs.residual)
    if op.kind is OpKind.QROPE:
        heads, _, width = types[op.output].shape
        return heads * rope_cycles(target, rows, width)
    channels, depth = types[op.inputs[1]].shape
    kernel = _linear_kernel(graph, op)
    rows_in_all, bias = types[op.inputs[0]].shape[0], types[op.inputs[3]]
    return sum(
        linear_cycles(target, kernel, rows, tile, depth, rows_in_all // bias.shape[0])
        for tile in _tiles(channels, tiling.channels_of(op.output))
    )


def _linear_kernel(graph: Graph, op: Op) -> str:
    assert isinstance(op.attrs, QLinearAttrs)
    x, y = graph.types[op.inputs[0]].dtype.value, graph.types[op.output].dtype.value
    variant = "_table" * op.attrs.table + "_add" * op.attrs.residual
    variant += "_transposed" * (op.attrs.layout == "transposed") + "_grouped" * ((x, y) == ("s16", "s16"))
    return f"tmc_linear{variant}_{x}s8{y}"


def _tiles(whole: int, tile: int) -> list[int]:
    return [min(tile, whole - start) for start in range(0, whole, tile)]


def waited_cycles(plan: Plan, target: Target) -> int:
    """Return how long stages wait for L3: one transfer at a time, first asked for, first done."""
    arrivals: dict[str, int] = {}
    channel_free = clock = waited = 0
    for number, stage in enumerate(plan.stages):
        for entry in plan.residency:
            if not entry.resident and entry.fetch_stage == number:
                channel_free = max(channel_free, clock) + fetch_cycles(target, entry.block.size_bytes)
                arrivals[entry.block.name] = channel_free
        own = [
            arrivals[each.block.name]
            for each in plan.residency
            if each.block.stage == number and not each.resident
        ]
        ready = max([clock, *own])
        waited += ready - clock
        clock = ready + stage.cycles.total
    return waited
