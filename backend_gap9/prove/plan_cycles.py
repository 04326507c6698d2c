"""Modelled cycles of a plan, added up call by call and fetch by fetch, to compare with what solvers state."""

from __future__ import annotations

from tmc.backend_gap9.kernels.attention import SCORES, SOFTMAX, VALUES
from tmc.backend_gap9.kernels.costs import call_cycles
from tmc.backend_gap9.kernels.table import record_of
from tmc.backend_gap9.plan.plan import AttentionTiling, ColumnTiling, Plan, RowTiling, Tiling
from tmc.backend_gap9.stages.stages import AnyStage, ColumnStage, RowStage
from tmc.backend_gap9.target.cost import fetch_cycles
from tmc.backend_gap9.target.target import Target
from tmc.ir.attrs import QMeanRowsAttrs
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
        whole = {"rows": rows, "keys": keys, "width": width}
        cycles += sum(
            call_cycles(target, SCORES, {**whole, "keys": tile}) for tile in _tiles(keys, tiling.keys)
        )
        cycles += call_cycles(target, SOFTMAX, whole)
        tiles = _tiles(width, tiling.channels)
        cycles += sum(call_cycles(target, VALUES, {**whole, "channels": tile}) for tile in tiles)
    return heads * cycles


def _call_cycles(graph: Graph, op: Op, target: Target, **numbers: int) -> int:
    record = record_of(op.kind)
    (kernel,) = record.chosen(graph, op)
    return call_cycles(target, kernel, {**record.numbers(graph, op), **numbers})


def _column_op_cycles(graph: Graph, op: Op, columns: int, target: Target) -> int:
    """Return the cycles of a tile of columns, for all runs of rows."""
    x = graph.types[op.inputs[0]]
    turns = x.shape[0] // op.attrs.group_rows if isinstance(op.attrs, QMeanRowsAttrs) else 1
    row_bytes = columns * x.dtype.size_bytes
    return turns * _call_cycles(graph, op, target, channels=columns, row_bytes=row_bytes)


def _row_op_cycles(graph: Graph, op: Op, rows: int, tiling: RowTiling, target: Target) -> int:
    y = graph.types[op.output].shape
    if op.kind is OpKind.QROPE:
        return y[0] * _call_cycles(graph, op, target, rows=rows)
    if op.kind is not OpKind.QLINEAR:
        return _call_cycles(graph, op, target, rows=rows, channels=y[1])
    channels = graph.types[op.inputs[1]].shape[0]
    return sum(
        _call_cycles(graph, op, target, rows=rows, channels=tile)
        for tile in _tiles(channels, tiling.channels_of(op.output))
    )


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
