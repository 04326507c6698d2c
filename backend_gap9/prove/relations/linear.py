"""A call of a linear: rows of x, rows of weights, bias and table for the channels that it writes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.heads import row_and_channel_of_heads
from tmc.backend_gap9.prove.relations.linear_job import relate_linear_job
from tmc.backend_gap9.prove.relations.wanted import (
    Wanted,
    all_lines,
    one_line,
    weight_lines,
    whole_elements,
)
from tmc.ir.graph import Graph
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.types import DType

_S8, _U8, _S16, _S32 = DType.S8, DType.U8, DType.S16, DType.S32
# By element types of x and of the result, table, residual, transposed.
_KERNELS: Mapping[tuple[DType, DType, bool, bool, bool], str] = {
    (_S8, _S8, False, False, False): "tmc_linear_s8s8s8",
    (_S8, _S8, True, False, False): "tmc_linear_table_s8s8s8",
    (_S8, _S8, False, False, True): "tmc_linear_transposed_s8s8s8",
    (_S8, _S8, True, False, True): "tmc_linear_table_transposed_s8s8s8",
    (_S8, _S16, False, False, False): "tmc_linear_s8s8s16",
    (_S8, _S16, False, True, False): "tmc_linear_add_s8s8s16",
    (_S8, _S32, False, False, False): "tmc_linear_s8s8s32",
    (_S16, _S16, False, False, False): "tmc_linear_grouped_s16s8s16",
    (_S16, _S32, False, False, False): "tmc_linear_s16s8s32",
}


def relate_linear(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call of a linear must be given."""
    op, attrs, y = call.op, call.op.attrs, call.claim("y")
    assert isinstance(attrs, QLinearAttrs)
    if graph.types[op.inputs[0]].dtype is _U8:
        return relate_linear_job(call, graph)
    rows_total, depth = graph.types[op.inputs[0]].shape
    channels_total = graph.types[op.inputs[1]].shape[0]
    channel = whole_elements(y.column_bytes, graph.types[op.output].dtype.size_bytes)
    x, result = (graph.types[name].dtype for name in (op.inputs[0], op.output))
    key = x, result, attrs.table, attrs.residual, attrs.layout == "transposed"
    if call.kernel != _KERNELS.get(key):
        raise ValueError(
            f"found kernel {call.kernel}, allowed one from {x.value} to {result.value} with {attrs}"
        )
    row, rows, channels = y.row, call.arguments["rows"], call.arguments["channels"]
    numbers = {"depth": depth, "shift": attrs.shift}
    if "head_channels" in call.arguments:
        numbers["head_channels"] = channels
    if attrs.layout == "transposed":
        row, channel = y.column_bytes, y.row
    elif attrs.layout == "heads":
        width = channels_total // attrs.heads
        row, channel = row_and_channel_of_heads(call, rows_total, width)
        numbers["head_channels"] = width
    taken = slice(channel, channel + channels)
    weight, multiplier, bias = (graph.constants[name] for name in op.inputs[1:4])
    grouped = x is result is DType.S16
    if bias.shape[0] != 1 and not grouped:
        raise ValueError(f"found {bias.shape[0]} groups of rows with a bias each, allowed 1 for this kernel")
    own_bias = bias[0]
    if grouped:
        weight, own_bias = weight.astype(np.int16), np.zeros_like(bias[0])
    constants = {"weight": weight_lines(weight[taken], multiplier[taken], own_bias[taken])}
    if grouped:
        group_rows = rows_total // bias.shape[0]
        last = (row + rows - 1) // group_rows
        constants["bias"] = all_lines(bias[: last + 1, taken].astype(np.int32))
        numbers |= {"row0": row, "group_rows": group_rows}
    if attrs.table:
        constants["table"] = one_line(graph.constants[op.inputs[4]])
    return Wanted({"x": (op.inputs[0], row, 0), "y": (op.output, y.row, y.column_bytes)}, constants, numbers)
