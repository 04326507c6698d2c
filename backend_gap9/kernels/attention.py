"""The kernels of one head of attention: scores, their softmax without the division, weighted means of V."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tmc.backend_gap9.kernels.costs import BlockCosts, costs_of, share
from tmc.backend_gap9.kernels.operands import CHANNELS, ROWS, flat, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, Kernel, KernelRecord, OperandRule
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
    of the softmax."""

    scores: BlockCosts
    values: BlockCosts
    score_cycles: float
    row_cycles: float


def _costs(target: Target) -> AttentionCosts:
    return costs_of(target, "attention", AttentionCosts)


def _scores_cycles(target: Target, a: Arguments) -> float:
    return _costs(target).scores.cycles(share(target, a["rows"]), a["keys"], a["width"])


def _softmax_cycles(target: Target, a: Arguments) -> float:
    costs = _costs(target)
    return share(target, a["rows"]) * (a["keys"] * costs.score_cycles + costs.row_cycles)


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
SOFTMAX = Kernel(
    "tmc_attention_softmax_s16u8",
    "tmc_attention_softmax_args",
    (
        rows_of("scores", ROWS, mul(_KEYS, 2), Var("scores_pitch")),
        flat("exp_table", EXP_TABLE_BYTES),
        _written(rows_of("p", ROWS, _KEYS, Var("scores_pitch")), in_place="scores"),
        _written(rows_of("norm", Const(1), _NORM, _NORM)),
    ),
    ("rows", "keys", "scores_pitch", "out_multiplier"),
    frozenset({"out_multiplier"}),
    {"scalar": 16, "xpulp": 48},
    _softmax_cycles,
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


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return SCORES, SOFTMAX, VALUES


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
    return {"exp_table": graph.constants[op.inputs[3]]}


def _macs(graph: Graph, op: Op) -> int:
    heads, rows, width = graph.types[op.inputs[0]].shape
    return 2 * heads * rows * graph.types[op.inputs[1]].shape[1] * width


ATTENTION = KernelRecord(
    OpKind.QATTENTION,
    "cores",
    "attention",
    (SCORES, SOFTMAX, VALUES),
    _chosen,
    _numbers,
    ("attention", AttentionCosts),
    _tables,
    macs=_macs,
)
