"""The calls of a linear on the accelerator: its job, and the kernel that finishes what the job leaves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.heads import row_and_channel_of_heads
from tmc.backend_gap9.prove.relations.wanted import Wanted, bit_lines, one_line, whole_elements
from tmc.ir.graph import Graph
from tmc.ir.integer.qlinear import QLinearAttrs

_CODES, _SUMS = "tmc_linear_u8s8s8", "tmc_linear_u8s8s32"
# The job, and the kernel behind it, by the type of the result, table, residual, transposed.
_KERNELS: Mapping[tuple[str, bool, bool, bool], tuple[str, str | None]] = {
    ("s8", False, False, False): (_CODES, None),
    ("s8", True, False, False): (_CODES, "tmc_epilogue_table_s8s8"),
    ("u8", True, False, False): (_CODES, "tmc_epilogue_table_s8s8"),  # the table has bytes of the result
    ("s8", False, False, True): (_CODES, "tmc_epilogue_transposed_s8s8"),
    ("s16", False, False, False): (_SUMS, "tmc_epilogue_s32s16"),
    ("s16", False, True, False): (_SUMS, "tmc_epilogue_add_s32s16"),
}
_RESULT_BYTES = {_CODES: 1, _SUMS: 4}


def relate_linear_job(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a job of a linear must be given, or the kernel behind it."""
    op, attrs = call.op, call.op.attrs
    assert isinstance(attrs, QLinearAttrs)
    transposed = attrs.layout == "transposed"
    job, epilogue = _KERNELS.get((attrs.dtype, attrs.table, attrs.residual, transposed), ("", None))
    if call.kernel == job:
        return _job(call, graph, whole=epilogue is None)
    if call.kernel != epilogue:
        raise ValueError(f"found kernel {call.kernel}, allowed {job or 'none'} and {epilogue} with {attrs}")
    y = call.claim("y")
    row, channel = y.row, whole_elements(y.column_bytes, graph.types[op.output].dtype.size_bytes)
    if transposed:
        row, channel = y.column_bytes, y.row
    constants = {"table": one_line(graph.constants[op.inputs[4]])} if attrs.table else {}
    values = {
        "x": (None, row, channel * _RESULT_BYTES[job]),
        "y": (op.output, y.row, y.column_bytes),
    }
    return Wanted(values, constants, {}, {"x": "sums"})


def _job(call: CheckedCall, graph: Graph, *, whole: bool) -> Wanted:
    """Return what a job must be given. whole: its results are those of the op."""
    op, attrs, y = call.op, call.op.attrs, call.claim("y")
    assert isinstance(attrs, QLinearAttrs)
    rows_total, depth = graph.types[op.inputs[0]].shape
    channels = call.arguments["channels"]
    row, channel = y.row, whole_elements(y.column_bytes, _RESULT_BYTES[call.kernel])
    width = channels
    if whole and attrs.layout == "heads":
        width = graph.types[op.output].shape[2]
        row, channel = row_and_channel_of_heads(call, rows_total, width)
    taken = slice(channel, channel + channels)
    weight, multiplier, bias = (graph.constants[name] for name in op.inputs[1:4])
    constants = {
        "weight": bit_lines(weight[taken]),
        "multiplier": one_line(multiplier[taken].astype(np.uint8)),
        "bias": one_line(bias[0, taken].astype(np.int32)),
    }
    numbers = {"depth": depth, "shift": attrs.shift, "head_channels": width}
    values = {
        "x": (op.inputs[0], row, 0),
        "y": (op.output if whole else None, y.row, y.column_bytes),
    }
    return Wanted(values, constants, numbers, {"y": "sums"})
