"""What the operands of a call must be to each other, so that the call computes its part of the op.

The part that is written fixes everything else: which rows and columns of the inputs, which constants, which
numbers. Nothing here comes from the schedule or from the packing of constants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.ir.attrs import (
    PermuteRowsAttrs,
    QAttentionAttrs,
    QClipAttrs,
    QDepthwiseRowsAttrs,
    QInterpolateRowsAttrs,
    QLayerNormAttrs,
    QLinearAttrs,
    QMeanRowsAttrs,
    QRequantiseAttrs,
    QRopeAttrs,
)
from tmc.ir.graph import Graph
from tmc.ir.integer_semantics import RSQRT_TABLE
from tmc.ir.types import Array

Bytes = NDArray[np.uint8]
WORD_BYTES = 4
NORM_BYTES = 8


@dataclass(frozen=True, slots=True)
class ConstantLines:
    """The bytes that some lines of a constant operand must hold: line lines[i] begins with data[i]."""

    lines: NDArray[np.int64]
    data: Bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a kernel must be given, by field: values from which row and column (bytes) on, constants, numbers.

    A value without a name is one that the graph does not know: it lives within one stage.
    """

    values: Mapping[str, tuple[str | None, int, int]]
    constants: Mapping[str, ConstantLines]
    numbers: Mapping[str, int]


def wanted(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what the kernel must be given to compute the part that it writes.

    Raises: ValueError if no input gives that part, such as rows of two heads.
    """
    return _RULES[call.kernel.rpartition("_")[0]](call, graph)


def _bytes(rows: Array) -> Bytes:
    little = np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder("<"))
    return little.view(np.uint8).reshape(rows.shape[0], -1)


def _all_lines(rows: Array) -> ConstantLines:
    return ConstantLines(np.arange(rows.shape[0]), _bytes(rows))


def _one_line(array: Array) -> ConstantLines:
    return _all_lines(array.reshape(1, -1))


def _within(first: int, count: int, size: int, what: str) -> tuple[int, int]:
    """Return the part of size `size` that first .. first + count - 1 lie in, and the first one within it."""
    index, start = divmod(first, size)
    if start + count > size:
        raise ValueError(f"found {what} {first} to {first + count - 1}, allowed those of one head of {size}")
    return index, start


def _linear(call: CheckedCall, graph: Graph) -> Wanted:
    op, attrs, y = call.op, call.op.attrs, call.claim("y")
    assert isinstance(attrs, QLinearAttrs)
    rows_total, depth = graph.types[op.inputs[0]].shape
    channels_total = graph.types[op.inputs[1]].shape[0]
    channel, rest = divmod(y.column_bytes, graph.types[op.output].dtype.size_bytes)
    if rest:
        raise ValueError(f"found a write from byte {y.column_bytes} on, allowed whole elements")
    _expect_kernel(call, graph, attrs)
    row, rows, channels = y.row, call.arguments["rows"], call.arguments["channels"]
    if attrs.layout == "transposed":
        row, channel = y.column_bytes, y.row
    elif attrs.layout == "heads":
        head, row = _within(y.row, rows, rows_total, "rows")
        channel += head * (channels_total // attrs.heads)
    taken = slice(channel, channel + channels)
    weight, multiplier, bias = (graph.constants[name] for name in op.inputs[1:4])
    grouped = call.kernel.startswith("tmc_linear_grouped")
    if bias.shape[0] != 1 and not grouped:
        raise ValueError(f"found {bias.shape[0]} groups of rows with a bias each, allowed 1 for this kernel")
    own_bias = np.zeros_like(bias[0]) if grouped else bias[0]
    padded = np.pad(weight[taken], ((0, 0), (0, -depth % WORD_BYTES)))
    words = np.stack([multiplier[taken], own_bias[taken]], axis=1).astype(np.int32)
    data = np.concatenate([_bytes(padded), _bytes(words)], axis=1)
    constants = {"weight": ConstantLines(np.arange(channels), data)}
    numbers = {"depth": depth, "shift": attrs.shift}
    if grouped:
        group_rows = rows_total // bias.shape[0]
        last = (row + rows - 1) // group_rows
        constants["bias"] = _all_lines(bias[: last + 1, taken].astype(np.int32))
        numbers |= {"row0": row, "group_rows": group_rows}
    if attrs.table:
        constants["table"] = _one_line(graph.constants[op.inputs[4]])
    return Wanted({"x": (op.inputs[0], row, 0), "y": (op.output, y.row, y.column_bytes)}, constants, numbers)


def _expect_kernel(call: CheckedCall, graph: Graph, attrs: QLinearAttrs) -> None:
    x, y = (graph.types[name].dtype.value for name in (call.op.inputs[0], call.op.output))
    variants = {"_table": attrs.table, "_add": attrs.residual, "_transposed": attrs.layout == "transposed"}
    fits = all((f"{variant}_" in call.kernel) is used for variant, used in variants.items())
    if not fits or not call.kernel.endswith(f"_{x}s8{y}"):
        raise ValueError(f"found kernel {call.kernel}, allowed one from {x} to {y} with {attrs}")


def _requantise(call: CheckedCall, graph: Graph) -> Wanted:
    op, attrs = call.op, call.op.attrs
    assert isinstance(attrs, QRequantiseAttrs)
    x = graph.types[op.inputs[0]].dtype.value
    if not call.kernel.endswith(f"_{x}s8"):
        raise ValueError(f"found kernel {call.kernel}, allowed one from {x}")
    constants = {
        "factors": _one_line(graph.constants[op.inputs[1]].astype(np.int32)),
        "table": _one_line(graph.constants[op.inputs[2]]),
    }
    numbers = {
        "channels": graph.types[op.output].shape[1],
        "zero_point": attrs.zero_point,
        "ties_to_even": int(attrs.ties == "even"),
    }
    row = call.claim("y").row
    return Wanted({"x": (op.inputs[0], row, 0), "y": (op.output, row, 0)}, constants, numbers)


def _clip(call: CheckedCall, graph: Graph) -> Wanted:
    op, attrs, y = call.op, call.op.attrs, call.claim("y")
    assert isinstance(attrs, QClipAttrs)
    x, result = (graph.types[name].dtype.value for name in (op.inputs[0], op.output))
    if not call.kernel.endswith(f"_{x}{result}") or ("_add_" in call.kernel) is not attrs.residual:
        raise ValueError(f"found kernel {call.kernel}, allowed one from {x} to {result} with {attrs}")
    rows_total, channels = graph.types[op.output].shape
    group_rows = rows_total // graph.types[op.inputs[1]].shape[0]
    last = (y.row + call.arguments["rows"] - 1) // group_rows
    limits = zip(("low", "high"), op.inputs[1:3], strict=True)
    constants = {field: _all_lines(graph.constants[name][: last + 1]) for field, name in limits}
    numbers = {"channels": channels, "row0": y.row, "group_rows": group_rows}
    return Wanted({"x": (op.inputs[0], y.row, 0), "y": (op.output, y.row, 0)}, constants, numbers)


def _layernorm(call: CheckedCall, graph: Graph) -> Wanted:
    op, attrs = call.op, call.op.attrs
    assert isinstance(attrs, QLayerNormAttrs)
    x, y = (graph.types[name].dtype.value for name in (op.inputs[0], op.output))
    if not call.kernel.endswith(f"_{x}{y}"):
        raise ValueError(f"found kernel {call.kernel}, allowed one from {x} to {y}")
    constants = {
        "gamma": _one_line(graph.constants[op.inputs[1]]),
        "beta": _one_line(graph.constants[op.inputs[2]]),
        "epsilon": _one_line(np.array(attrs.epsilon_by_shift, dtype=np.int32)),
        "rsqrt": _one_line(RSQRT_TABLE.astype(np.uint16)),
    }
    names = ("center_bits", "norm_bits", "root", "gamma_shift")
    numbers = {name: int(getattr(attrs, name)) for name in names}
    numbers["channels"] = graph.types[op.output].shape[1]
    row = call.claim("y").row
    return Wanted({"x": (op.inputs[0], row, 0), "y": (op.output, row, 0)}, constants, numbers)


def _rope(call: CheckedCall, graph: Graph) -> Wanted:
    op, attrs = call.op, call.op.attrs
    assert isinstance(attrs, QRopeAttrs)
    _, rows_total, width = graph.types[op.output].shape
    rows = call.arguments["rows"]
    y = call.claim("y")
    head, row = _within(y.row, rows, rows_total, "rows")
    table = graph.constants[op.inputs[1]]
    # Row r of the call uses line (row0 + r) % period of its operand, and must use the line of row + r.
    lines = (call.arguments["row0"] + np.arange(rows)) % call.arguments["period"]
    data = _bytes(table[(row + np.arange(rows)) % table.shape[0]])
    numbers = {"width": width, "shift": attrs.shift}
    values = {"x": (op.inputs[0], row, head * width * 2), "y": (op.output, y.row, 0)}
    return Wanted(values, {"table": ConstantLines(lines, data)}, numbers)


def _attention(call: CheckedCall, graph: Graph) -> tuple[QAttentionAttrs, int, int, int]:
    """Return attributes, query rows, keys and head width."""
    op, attrs = call.op, call.op.attrs
    assert isinstance(attrs, QAttentionAttrs)
    _, rows_total, width = graph.types[op.inputs[0]].shape
    return attrs, rows_total, graph.types[op.inputs[1]].shape[1], width


def _scores(call: CheckedCall, graph: Graph) -> Wanted:
    attrs, rows_total, keys_total, width = _attention(call, graph)
    scores = call.claim("scores")
    if scores.column_bytes % 2:
        raise ValueError(f"found scores from byte {scores.column_bytes} on, allowed whole elements")
    head, _ = _within(scores.row, call.arguments["rows"], rows_total, "rows")
    q, k = call.op.inputs[:2]
    values = {
        "q": (q, scores.row, 0),
        "k": (k, head * keys_total + scores.column_bytes // 2, 0),
        "scores": (None, scores.row, scores.column_bytes),
    }
    return Wanted(values, {}, {"width": width, "key0": 0, "shift": attrs.score_shift[head]})


def _softmax(call: CheckedCall, graph: Graph) -> Wanted:
    attrs, rows_total, keys_total, _ = _attention(call, graph)
    row = call.claim("p").row
    head, _ = _within(row, call.arguments["rows"], rows_total, "rows")
    values = {"scores": (None, row, 0), "p": (None, row, 0), "norm": (None, 0, row * NORM_BYTES)}
    constants = {"exp_table": _one_line(graph.constants[call.op.inputs[3]][head])}
    return Wanted(values, constants, {"keys": keys_total, "out_multiplier": attrs.out_multiplier})


def _values(call: CheckedCall, graph: Graph) -> Wanted:
    attrs, rows_total, keys_total, width = _attention(call, graph)
    y = call.claim("y")
    head, _ = _within(y.column_bytes, call.arguments["channels"], width, "channels")
    row = head * rows_total + y.row
    values = {
        "p": (None, row, 0),
        "norm": (None, 0, row * NORM_BYTES),
        "vt": (call.op.inputs[2], y.column_bytes, 0),
        "y": (call.op.output, y.row, y.column_bytes),
    }
    return Wanted(values, {}, {"keys": keys_total, "out_shift": attrs.out_shift})


def _mean_rows(call: CheckedCall, graph: Graph) -> Wanted:
    attrs, y = call.op.attrs, call.claim("y")
    assert isinstance(attrs, QMeanRowsAttrs)
    if call.arguments["rows"] % attrs.group_rows or y.column_bytes % 2:
        raise ValueError(f"found {call.arguments['rows']} rows, allowed whole groups of {attrs.group_rows}")
    names = ("group_rows", "multiplier", "bias", "shift")
    numbers = {name: int(getattr(attrs, name)) for name in names}
    values = {
        "x": (call.op.inputs[0], y.row * attrs.group_rows, y.column_bytes // 2),
        "y": (call.op.output, y.row, y.column_bytes),
    }
    return Wanted(values, {}, numbers)


def _depthwise(call: CheckedCall, graph: Graph) -> Wanted:
    op, attrs, y = call.op, call.op.attrs, call.claim("y")
    assert isinstance(attrs, QDepthwiseRowsAttrs)
    if ("_table_" in call.kernel) is not attrs.table:
        raise ValueError(f"found kernel {call.kernel}, allowed one with {attrs}")
    weight, multiplier, bias = (graph.constants[name] for name in op.inputs[1:4])
    columns = np.arange(y.column_bytes, y.column_bytes + call.arguments["channels"])
    constants = {"weight": ConstantLines(np.arange(columns.size), _taps(weight, multiplier, bias)[columns])}
    if attrs.table:
        constants["table"] = _one_line(graph.constants[op.inputs[4]])
    numbers = {"rows": graph.types[op.output].shape[0], "taps": weight.shape[1]}
    numbers |= {"zero_point": attrs.zero_point, "shift": attrs.shift}
    values = {"x": (op.inputs[0], 0, y.column_bytes), "y": (op.output, 0, y.column_bytes)}
    return Wanted(values, constants, numbers)


def _taps(weight: Array, multiplier: Array, bias: Array) -> Bytes:
    padded = np.pad(weight, ((0, 0), (0, -weight.shape[1] % WORD_BYTES)))
    words = np.stack([multiplier, bias], axis=1).astype(np.int32)
    return np.concatenate([_bytes(padded), _bytes(words)], axis=1)


def _interpolate(call: CheckedCall, graph: Graph) -> Wanted:
    op, attrs, y = call.op, call.op.attrs, call.claim("y")
    assert isinstance(attrs, QInterpolateRowsAttrs)
    transposed = attrs.layout == "transposed"
    if ("_transposed_" in call.kernel) is not transposed:
        raise ValueError(f"found kernel {call.kernel}, allowed one with {attrs}")
    row, column_bytes = (y.row, 0) if transposed else (0, y.column_bytes)
    values = {
        "x": (op.inputs[0], 0, 2 * y.row if transposed else y.column_bytes),
        "y": (op.output, row, column_bytes),
    }
    constants = {"table": _one_line(graph.constants[op.inputs[1]])}
    return Wanted(values, constants, {"rows": attrs.rows, "x_rows": graph.types[op.inputs[0]].shape[0]})


def _permute(call: CheckedCall, graph: Graph) -> Wanted:
    op, attrs, y = call.op, call.op.attrs, call.claim("y")
    assert isinstance(attrs, PermuteRowsAttrs)
    values = {"x": (op.inputs[0], 0, y.column_bytes), "y": (op.output, 0, y.column_bytes)}
    return Wanted(values, {}, {"rows": graph.types[op.output].shape[0], "groups": attrs.groups})


_RULES: Mapping[str, Callable[[CheckedCall, Graph], Wanted]] = {
    "tmc_linear": _linear,
    "tmc_linear_table": _linear,
    "tmc_linear_add": _linear,
    "tmc_linear_transposed": _linear,
    "tmc_linear_table_transposed": _linear,
    "tmc_linear_grouped": _linear,
    "tmc_requantise": _requantise,
    "tmc_clip": _clip,
    "tmc_clip_add": _clip,
    "tmc_layernorm": _layernorm,
    "tmc_rope": _rope,
    "tmc_attention_scores": _scores,
    "tmc_attention_softmax": _softmax,
    "tmc_attention_values": _values,
    "tmc_mean_rows": _mean_rows,
    "tmc_depthwise_rows": _depthwise,
    "tmc_depthwise_rows_table": _depthwise,
    "tmc_interpolate_rows": _interpolate,
    "tmc_interpolate_rows_transposed": _interpolate,
    "tmc_permute_rows": _permute,
}
