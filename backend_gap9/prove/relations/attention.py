"""Calls of attention: scores of a tile of keys, their softmax, weighted means of a tile of channels.

A call is for a part of one head, or for whole heads.
"""

from __future__ import annotations

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted, all_lines, one_line, within
from tmc.ir.graph import Graph
from tmc.ir.integer.qattention import QAttentionAttrs
from tmc.ir.types import DType

NORM_BYTES = 8
SHIFT_BITS = 8


def _attention(call: CheckedCall, graph: Graph) -> tuple[QAttentionAttrs, int, int, int]:
    """Return attributes, query rows, keys and head width."""
    op, attrs = call.op, call.op.attrs
    assert isinstance(attrs, QAttentionAttrs)
    _, rows_total, width = graph.types[op.inputs[0]].shape
    if graph.types[op.inputs[0]].dtype is DType.U8:
        raise ValueError(f"found kernel {call.kernel}, allowed those for unsigned queries")
    return attrs, rows_total, graph.types[op.inputs[1]].shape[1], width


def _heads(call: CheckedCall, first: int, count: int, size: int, what: str) -> tuple[int, int]:
    """Return the first head of a call and how many it is for, from what it writes of heads of a size.

    Raises: ValueError where it is for parts of several heads.
    """
    heads = call.arguments.get("heads", 1)
    if heads == 1:
        return within(first, count, size, what)[0], 1
    if first % size or count != size:
        raise ValueError(f"found {what} {first} to {first + count - 1} of {heads} heads, allowed whole heads")
    return first // size, heads


def relate_scores(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call that makes scores must be given."""
    attrs, rows_total, keys_total, width = _attention(call, graph)
    scores = call.claim("scores")
    if scores.column_bytes % 2:
        raise ValueError(f"found scores from byte {scores.column_bytes} on, allowed whole elements")
    head, heads = _heads(call, scores.row, call.arguments["rows"], rows_total, "rows")
    if heads > 1 and call.arguments["keys"] != keys_total:
        raise ValueError(f"found {call.arguments['keys']} keys of {heads} heads, allowed whole heads")
    q, k = call.op.inputs[:2]
    values = {
        "q": (q, scores.row, 0),
        "k": (k, head * keys_total + scores.column_bytes // 2, 0),
        "scores": (None, scores.row, scores.column_bytes),
    }
    shifts = attrs.score_shift[head : head + heads]
    shift = sum(each << SHIFT_BITS * index for index, each in enumerate(shifts))
    numbers = {"width": width, "key0": 0, "shift": shift}
    if graph.types[q].dtype is DType.S16:
        numbers["limit"] = attrs.score_limit
    return Wanted(values, {}, numbers)


def relate_softmax(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call that makes exponentials and divisors must be given."""
    if len(call.op.inputs) != 4:
        raise ValueError(f"found kernel {call.kernel}, allowed one that adds a bias to the scores")
    return _softmax(call, graph)


def _softmax(call: CheckedCall, graph: Graph) -> Wanted:
    attrs, rows_total, keys_total, _ = _attention(call, graph)
    row = call.claim("p").row
    head, heads = _heads(call, row, call.arguments["rows"], rows_total, "rows")
    values = {"scores": (None, row, 0), "p": (None, row, 0), "norm": (None, 0, row * NORM_BYTES)}
    constants = {"exp_table": one_line(graph.constants[call.op.inputs[3]][head : head + heads])}
    return Wanted(values, constants, {"keys": keys_total, "out_multiplier": attrs.out_multiplier})


def relate_softmax_bias(call: CheckedCall, graph: Graph) -> Wanted:
    """Return the same for one that adds a bias to the scores first."""
    wanted = _softmax(call, graph)
    if len(call.op.inputs) != 5:
        raise ValueError(f"found kernel {call.kernel}, allowed one for scores without a bias")
    bias = graph.constants.get(call.op.inputs[4])
    if bias is None:  # a computed row, of all heads and queries
        if graph.types[call.op.inputs[4]].shape[:2] != (1, 1):
            raise ValueError(f"found %{call.op.inputs[4]} as a bias, allowed a computed row for all queries")
        values = {**wanted.values, "bias": (call.op.inputs[4], 0, 0)}
        return Wanted(values, wanted.constants, {**wanted.numbers, "bias_rows": 1})
    rows_total, rows = graph.types[call.op.inputs[0]].shape[1], call.arguments["rows"]
    head, first = divmod(call.claim("p").row, rows_total)
    of_head = bias[head if bias.shape[0] > 1 else 0]
    lines = of_head[first : first + rows] if bias.shape[1] > 1 else of_head
    return Wanted(
        wanted.values,
        {**wanted.constants, "bias": all_lines(lines)},
        {**wanted.numbers, "bias_rows": len(lines)},
    )


def relate_values(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call that makes weighted means must be given."""
    attrs, rows_total, keys_total, width = _attention(call, graph)
    y = call.claim("y")
    element_bytes = graph.types[call.op.output].dtype.size_bytes
    channel, rest = divmod(y.column_bytes, element_bytes)
    if rest:
        raise ValueError(f"found y from byte {y.column_bytes} on, allowed whole elements")
    head, heads = _heads(call, channel, call.arguments["channels"], width, "channels")
    if heads > 1 and call.arguments["rows"] != rows_total:
        raise ValueError(f"found {call.arguments['rows']} rows of {heads} heads, allowed whole heads")
    row = head * rows_total + y.row
    values = {
        "p": (None, row, 0),
        "norm": (None, 0, row * NORM_BYTES),
        "vt": (call.op.inputs[2], channel, 0),
        "y": (call.op.output, y.row, y.column_bytes),
    }
    return Wanted(values, {}, {"keys": keys_total, "out_shift": attrs.out_shift})
