"""Calls of attention: scores of a tile of keys, their softmax, weighted means of a tile of channels."""

from __future__ import annotations

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted, all_lines, one_line, within
from tmc.ir.graph import Graph
from tmc.ir.integer.qattention import QAttentionAttrs

NORM_BYTES = 8


def _attention(call: CheckedCall, graph: Graph) -> tuple[QAttentionAttrs, int, int, int]:
    """Return attributes, query rows, keys and head width."""
    op, attrs = call.op, call.op.attrs
    assert isinstance(attrs, QAttentionAttrs)
    _, rows_total, width = graph.types[op.inputs[0]].shape
    return attrs, rows_total, graph.types[op.inputs[1]].shape[1], width


def relate_scores(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call that makes scores must be given."""
    attrs, rows_total, keys_total, width = _attention(call, graph)
    scores = call.claim("scores")
    if scores.column_bytes % 2:
        raise ValueError(f"found scores from byte {scores.column_bytes} on, allowed whole elements")
    head, _ = within(scores.row, call.arguments["rows"], rows_total, "rows")
    q, k = call.op.inputs[:2]
    values = {
        "q": (q, scores.row, 0),
        "k": (k, head * keys_total + scores.column_bytes // 2, 0),
        "scores": (None, scores.row, scores.column_bytes),
    }
    return Wanted(values, {}, {"width": width, "key0": 0, "shift": attrs.score_shift[head]})


def relate_softmax(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call that makes exponentials and divisors must be given."""
    if len(call.op.inputs) != 4:
        raise ValueError(f"found kernel {call.kernel}, allowed one that adds a bias to the scores")
    return _softmax(call, graph)


def _softmax(call: CheckedCall, graph: Graph) -> Wanted:
    attrs, rows_total, keys_total, _ = _attention(call, graph)
    row = call.claim("p").row
    head, _ = within(row, call.arguments["rows"], rows_total, "rows")
    values = {"scores": (None, row, 0), "p": (None, row, 0), "norm": (None, 0, row * NORM_BYTES)}
    constants = {"exp_table": one_line(graph.constants[call.op.inputs[3]][head])}
    return Wanted(values, constants, {"keys": keys_total, "out_multiplier": attrs.out_multiplier})


def relate_softmax_bias(call: CheckedCall, graph: Graph) -> Wanted:
    """Return the same for one that adds a bias to the scores first."""
    wanted = _softmax(call, graph)
    if len(call.op.inputs) != 5:
        raise ValueError(f"found kernel {call.kernel}, allowed one for scores without a bias")
    bias = graph.constants[call.op.inputs[4]]
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
    head, _ = within(y.column_bytes, call.arguments["channels"], width, "channels")
    row = head * rows_total + y.row
    values = {
        "p": (None, row, 0),
        "norm": (None, 0, row * NORM_BYTES),
        "vt": (call.op.inputs[2], y.column_bytes, 0),
        "y": (call.op.output, y.row, y.column_bytes),
    }
    return Wanted(values, {}, {"keys": keys_total, "out_shift": attrs.out_shift})
