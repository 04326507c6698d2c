"""Calls of attention whose products the accelerator computes.

Packing of keys, or of a head's values by channel; jobs of scores and of sums; softmax; division. What lives
in L1 alone has a part for each head, so that its place tells which head it is of.
"""

from __future__ import annotations

import numpy as np

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted, one_line, within
from tmc.ir.graph import Graph
from tmc.ir.integer.qattention import QAttentionAttrs
from tmc.ir.types import DType

NORM_BYTES = 8
WORD = 4
OFFSET = 128  # of unsigned queries


class _Sizes:
    """What an attention is: attributes, query rows, keys, head width."""

    def __init__(self, call: CheckedCall, graph: Graph) -> None:
        op = call.op
        assert isinstance(op.attrs, QAttentionAttrs)
        if graph.types[op.inputs[0]].dtype is not DType.U8 or len(op.inputs) != 4:
            raise ValueError(f"found kernel {call.kernel}, allowed those for signed queries, or with a bias")
        self.attrs = op.attrs
        _, self.rows, self.width = graph.types[op.inputs[0]].shape
        self.keys = graph.types[op.inputs[1]].shape[1]


def relate_pack(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call that packs rows must be given: keys of a head, or channels of its values."""
    sizes, (_, k, vt, _) = _Sizes(call, graph), call.op.inputs
    weight, x = call.claim("weight"), call.claim("x").value
    if x not in (k, vt):
        raise ValueError(f"found %{x} packed, allowed %{k} or %{vt}")
    of_keys = x == k
    head, _ = within(
        weight.row,
        call.arguments["rows"],
        sizes.keys if of_keys else sizes.width,
        "keys" if of_keys else "channels",
    )
    values = {
        "x": (x, weight.row, 0),
        "weight": (None, weight.row, 0),
        "bias": (None, 0, WORD * weight.row),
    }
    names = ("keys", "key_bias") if of_keys else ("values", "value_bias")
    numbers = {
        "depth": sizes.width if of_keys else sizes.keys,
        "offset": OFFSET if of_keys else 0,
        "half": 1 << sizes.attrs.score_shift[head] >> 1 if of_keys else 0,
    }
    return Wanted(values, {}, numbers, dict(zip(("weight", "bias"), names, strict=True)))


def relate_product(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a job must be given: of queries and keys, or of probabilities and values."""
    sizes, q, y = _Sizes(call, graph), call.op.inputs[0], call.claim("y")
    of_scores = call.claim("x").value == q
    head, _ = within(y.row, call.arguments["rows"], sizes.rows, "rows")
    total, depth = (sizes.keys, sizes.width) if of_scores else (sizes.width, sizes.keys)
    channels, (channel, rest) = call.arguments["channels"], divmod(y.column_bytes, WORD)
    if rest or channel + channels > total:
        raise ValueError(
            f"found results {channel} to {channel + channels - 1} from byte {y.column_bytes} on, "
            f"allowed whole ones of {total}"
        )
    first = head * total + channel
    values = {
        "x": (q if of_scores else None, y.row, 0),
        "weight": (None, first, 0),
        "bias": (None, 0, WORD * first),
        "y": (None, y.row, y.column_bytes),
    }
    names = ("keys", "key_bias", "scores") if of_scores else ("values", "value_bias", "sums")
    roles = {"x": "p", **dict(zip(("weight", "bias", "y"), names, strict=True))}
    numbers = {
        "head_channels": channels,
        "depth": depth,
        "shift": sizes.attrs.score_shift[head] if of_scores else 0,
    }
    return Wanted(values, {"multiplier": one_line(np.ones(channels, np.uint8))}, numbers, roles)


def relate_job_softmax(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call that makes exponentials and divisors must be given."""
    sizes, row = _Sizes(call, graph), call.claim("p").row
    head, _ = within(row, call.arguments["rows"], sizes.rows, "rows")
    values = {"scores": (None, row, 0), "p": (None, row, 0), "norm": (None, 0, row * NORM_BYTES)}
    constants = {"exp_table": one_line(graph.constants[call.op.inputs[3]][head, ::-1])}
    return Wanted(values, constants, {"keys": sizes.keys, "out_multiplier": sizes.attrs.out_multiplier})


def relate_divide(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call that divides sums must be given."""
    sizes, y = _Sizes(call, graph), call.claim("y")
    head, channel = within(y.column_bytes, call.arguments["channels"], sizes.width, "channels")
    row = head * sizes.rows + y.row
    values = {
        "sums": (None, row, channel * WORD),
        "norm": (None, 0, row * NORM_BYTES),
        "y": (call.op.output, y.row, y.column_bytes),
    }
    return Wanted(values, {}, {"out_shift": sizes.attrs.out_shift})
