"""The kernels of one head of attention: scores, their softmax without the division, weighted means of V.

A bias on the scores is a small table of its stage where all queries of a head have the same; else its lines
travel with the queries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tmc.backend_gap9.kernels.costs import BlockCosts, costs_of, share
from tmc.backend_gap9.kernels.operands import CHANNELS, ROWS, flat, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, Kernel, KernelRecord, OperandRule
from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.program.expressions import mul
from tmc.backend_gap9.program.program import Const, Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qattention import QAttentionAttrs
from tmc.ir.types import Array

EXP_TABLE_BYTES = 1024  # of one head
NORM_BYTES = 8  # divisor and its reciprocal, of one row
_KEYS, _WIDTH = Var("keys"), Var("width")
_NORM = mul(ROWS, NORM_BYTES)


@dataclass(frozen=True, slots=True)
class AttentionCosts:
    """Scores have the depth head width, values the depth keys; score_cycles is per score, row_cycles per row
    of the softmax; bias_cycles more per score with a bias."""

    scores: BlockCosts
    values: BlockCosts
    score_cycles: float
    row_cycles: float
    bias_cycles: float


def _costs(target: Target) -> AttentionCosts:
    return costs_of(target, "attention", AttentionCosts)


def _scores_cycles(target: Target, a: Arguments) -> float:
    return _costs(target).scores.cycles(share(target, a["rows"]), a["keys"], a["width"])


def _softmax_cycles(target: Target, a: Arguments) -> float:
    costs = _costs(target)
    return share(target, a["rows"]) * (a["keys"] * costs.score_cycles + costs.row_cycles)


def _softmax_bias_cycles(target: Target, a: Arguments) -> float:
    added = share(target, a["rows"]) * a["keys"] * _costs(target).bias_cycles
    return _softmax_cycles(target, a) + added


def _values_cycles(target: Target, a: Arguments) -> float:
    return _costs(target).values.cycles(share(target, a["rows"]), a["channels"], a["keys"])


def _written(rule: OperandRule, *, in_place: str | None = None) -> OperandRule:
    return replace(rule, access="write", in_place=in_place)


SCORES = Kernel(
    "tmc_attention_scores_s8s8s16",
    "tmc_attention_scores_args",
    (
        rows_of("q", ROWS, _WIDTH, Var("q_pitch")),
        rows_of("k", _KEYS, _WIDTH, Var("k_pitch")),
        _written(rows_of("scores", ROWS, mul(_KEYS, 2), Var("scores_pitch"))),
    ),
    ("rows", "keys", "width", "q_pitch", "k_pitch", "scores_pitch", "key0", "shift"),
    frozenset({"shift"}),
    {"scalar": 48, "xpulp": 240},
    _scores_cycles,
)
_SCORES = rows_of("scores", ROWS, mul(_KEYS, 2), Var("scores_pitch"))
_WEIGHTS = (
    flat("exp_table", EXP_TABLE_BYTES),
    _written(rows_of("p", ROWS, _KEYS, Var("scores_pitch")), in_place="scores"),
    _written(rows_of("norm", Const(1), _NORM, _NORM)),
)
SOFTMAX = Kernel(
    "tmc_attention_softmax_s16u8",
    "tmc_attention_softmax_args",
    (_SCORES, *_WEIGHTS),
    ("rows", "keys", "scores_pitch", "out_multiplier"),
    frozenset({"out_multiplier"}),
    {"scalar": 16, "xpulp": 48},
    _softmax_cycles,
)
SOFTMAX_BIAS = Kernel(
    "tmc_attention_softmax_bias_s16s16u8",
    "tmc_attention_softmax_bias_args",
    (_SCORES, rows_of("bias", Var("bias_rows"), mul(_KEYS, 2), Var("bias_pitch")), *_WEIGHTS),
    ("rows", "keys", "scores_pitch", "bias_rows", "bias_pitch", "out_multiplier"),
    frozenset({"out_multiplier"}),
    {"scalar": 32, "xpulp": 64},
    _softmax_bias_cycles,
)
VALUES = Kernel(
    "tmc_attention_values_u8s8s8",
    "tmc_attention_values_args",
    (
        rows_of("p", ROWS, _KEYS, Var("p_pitch")),
        rows_of("vt", CHANNELS, _KEYS, Var("vt_pitch")),
        rows_of("norm", Const(1), _NORM, _NORM),
        result(ROWS, CHANNELS),
    ),
    ("rows", "keys", "channels", "p_pitch", "vt_pitch", "y_pitch", "out_shift"),
    frozenset({"out_shift"}),
    {"scalar": 32, "xpulp": 240},
    _values_cycles,
)


def bias_of(op: Op) -> str | None:
    """Return the bias on the scores, [H or 1, M or 1, N], if an attention has one."""
    return op.inputs[4] if len(op.inputs) > 4 else None


def softmax_of(op: Op) -> Kernel:
    """Return the kernel of the softmax."""
    return SOFTMAX if bias_of(op) is None else SOFTMAX_BIAS


def bias_pitch(keys: int) -> int:
    """Return the bytes from line to line of a packed bias."""
    return word_up(2 * keys)


def _bias_lines(graph: Graph, op: Op) -> Array:
    """Return the packed lines of a bias, [H M, words], those of a head one after the other."""
    bias = graph.constants[op.inputs[4]]
    lines = bias.reshape(-1, bias.shape[2])
    spare = bias_pitch(lines.shape[1]) // 2 - lines.shape[1]
    return np.pad(lines, ((0, 0), (0, spare))).astype("<i2")


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return SCORES, softmax_of(op), VALUES


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    attrs = op.attrs
    assert isinstance(attrs, QAttentionAttrs)
    return {
        "keys": graph.types[op.inputs[1]].shape[1],
        "width": graph.types[op.inputs[0]].shape[2],
        "key0": 0,
        "out_multiplier": attrs.out_multiplier,
        "out_shift": attrs.out_shift,
    }


def _tables(graph: Graph, op: Op) -> Mapping[str, Array]:
    tables = {"exp_table": graph.constants[op.inputs[3]]}
    if bias_of(op) is not None and not _line_tables(graph, op):
        tables["bias"] = _bias_lines(graph, op)
    return tables


def _line_tables(graph: Graph, op: Op) -> tuple[str, ...]:
    """Return the bias if it has a line for each query."""
    bias = bias_of(op)
    return (bias,) if bias is not None and graph.types[bias].shape[1] > 1 else ()


def _macs(graph: Graph, op: Op) -> int:
    heads, rows, width = graph.types[op.inputs[0]].shape
    return 2 * heads * rows * graph.types[op.inputs[1]].shape[1] * width


ATTENTION = KernelRecord(
    OpKind.QATTENTION,
    "cores",
    "attention",
    (SCORES, SOFTMAX, SOFTMAX_BIAS, VALUES),
    _chosen,
    _numbers,
    ("attention", AttentionCosts),
    _tables,
    line_tables=_line_tables,
    macs=_macs,
)
