"""The kernels of attention, of one head or some whole ones: scores, softmax without the division, means of V.

A bias on the scores is a small table of its stage where all queries of a head have the same; else its lines
travel with the queries. One that is computed, a mask, comes before the first of them. Wide: Q and K, or the
result, have 16 bits. Where queries are codes + 128, the accelerator has the products (attention_jobs.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np

from tmc.backend_gap9.kernels.attention_jobs import (
    EXP_TABLE_BYTES,
    NORM_BYTES,
    BesideJobs,
    BesideJobsCosts,
    ones_for,
)
from tmc.backend_gap9.kernels.costs import BlockCosts, costs_of, share
from tmc.backend_gap9.kernels.linear import SUMS
from tmc.backend_gap9.kernels.operands import CHANNELS, ROWS, flat, result, rows_of, written
from tmc.backend_gap9.kernels.record import Arguments, Kernel, KernelRecord
from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.program.expressions import mul
from tmc.backend_gap9.program.program import Const, Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qattention import QAttentionAttrs
from tmc.ir.types import Array, DType

MOST_HEADS = 4  # of a call: their shifts are one number
SHIFT_BITS = 8
_KEYS, _WIDTH, _HEADS = Var("keys"), Var("width"), Var("heads")
_NORM = mul(ROWS, NORM_BYTES)
_ALL_ROWS, _ALL_NORMS = mul(_HEADS, ROWS), mul(mul(_HEADS, ROWS), NORM_BYTES)


@dataclass(frozen=True, slots=True)
class AttentionCosts:
    """Scores have the depth head width, values the depth keys; score_cycles is per score, row_cycles per row
    of the softmax, left_cycles more per key beyond whole fours; bias_cycles more per score with a bias;
    wide_cycles more per value of an int16 result, limit_cycles per block of scores that saturate.

    What fills no block is computed row by row, 4 results in four_cycles and four_step_cycles for each step.
    block_code_cycles: what the long code of the blocks takes on its way into the caches, in each call.
    ne16: of what cores do where the accelerator has the products.
    """

    scores: BlockCosts
    values: BlockCosts
    ne16: BesideJobsCosts
    four_cycles: float
    four_step_cycles: float
    block_code_cycles: float
    score_cycles: float
    row_cycles: float
    left_cycles: float
    bias_cycles: float
    wide_cycles: float
    limit_cycles: float


def _costs(target: Target) -> AttentionCosts:
    return costs_of(target, "attention", AttentionCosts)


@cache
def _core_runs(cores: int, heads: int, rows: int) -> tuple[tuple[int, ...], ...]:
    """Return the rows of each core, of each head apart."""
    each = -(-heads * rows // cores)
    parts = []
    for first in range(0, heads * rows, each):
        end = min(first + each, heads * rows)
        cuts = [first, *range((first // rows + 1) * rows, end, rows), end]
        parts.append(tuple(last - begin for begin, last in pairwise(cuts)))
    return tuple(dict.fromkeys(parts))


def _products_cycles(
    target: Target, a: Arguments, blocks: BlockCosts, columns: int, depth: int, in_blocks: bool
) -> float:
    """Return the cycles of the slowest core for columns products of depth bytes, of all its rows."""
    costs = _costs(target)
    wide = columns // blocks.channels if in_blocks else 0
    four = -(-depth // 4) * costs.four_step_cycles + costs.four_cycles

    def run_cycles(rows: int) -> float:
        high = rows // blocks.rows
        fours = rows * -(-columns // blocks.channels) - high * blocks.rows * wide
        return fours * four + blocks.cycles(high * blocks.rows, wide * blocks.channels, depth)

    every = _core_runs(target.cores, a["heads"], a["rows"])
    has_blocks = wide > 0 and any(rows >= blocks.rows for runs in every for rows in runs)
    return max(sum(map(run_cycles, runs)) for runs in every) + has_blocks * costs.block_code_cycles


def _scores_cycles(target: Target, a: Arguments) -> float:
    in_blocks = a["width"] % 4 == 0 and a["width"] >= 8
    return _products_cycles(target, a, _costs(target).scores, a["keys"], a["width"], in_blocks)


def _wide_scores_cycles(target: Target, a: Arguments) -> float:
    costs, depth_bytes = _costs(target), 2 * a["width"]
    blocks = replace(costs.scores, block_cycles=costs.scores.block_cycles + costs.limit_cycles)
    in_blocks = depth_bytes % 4 == 0 and depth_bytes >= 8
    return _products_cycles(target, a, blocks, a["keys"], depth_bytes, in_blocks)


def _softmax_cycles(target: Target, a: Arguments) -> float:
    costs = _costs(target)
    rows = a["rows"] * a.get("heads", 1)
    row = a["keys"] * costs.score_cycles + a["keys"] % 4 * costs.left_cycles + costs.row_cycles
    return share(target, rows) * row


def _softmax_bias_cycles(target: Target, a: Arguments) -> float:
    added = share(target, a["rows"]) * a["keys"] * _costs(target).bias_cycles
    return _softmax_cycles(target, a) + added


def _values_cycles(target: Target, a: Arguments) -> float:
    return _products_cycles(target, a, _costs(target).values, a["channels"], a["keys"], a["keys"] > 4)


def _wide_values_cycles(target: Target, a: Arguments) -> float:
    results = share(target, a["rows"] * a.get("heads", 1)) * a["channels"]
    return _values_cycles(target, a) + results * _costs(target).wide_cycles


SCORES = Kernel(
    "tmc_attention_scores_s8s8s16",
    "tmc_attention_scores_args",
    (
        rows_of("q", _ALL_ROWS, _WIDTH, Var("q_pitch")),
        rows_of("k", mul(_HEADS, _KEYS), _WIDTH, Var("k_pitch")),
        written(rows_of("scores", _ALL_ROWS, mul(_KEYS, 2), Var("scores_pitch"))),
    ),
    ("rows", "keys", "width", "q_pitch", "k_pitch", "scores_pitch", "key0", "heads", "shift"),
    frozenset({"shift"}),
    {"scalar": 80, "xpulp": 272},
    _scores_cycles,
)
WIDE_SCORES = replace(
    SCORES,
    stem="tmc_attention_scores_s16s16s16",
    operands=(
        rows_of("q", _ALL_ROWS, mul(_WIDTH, 2), Var("q_pitch")),
        rows_of("k", mul(_HEADS, _KEYS), mul(_WIDTH, 2), Var("k_pitch")),
        SCORES.operands[2],
    ),
    arguments=(*SCORES.arguments, "limit"),
    quantisation=frozenset({"shift", "limit"}),
    core_cycles=_wide_scores_cycles,
)
SOFTMAX = Kernel(
    "tmc_attention_softmax_s16u8",
    "tmc_attention_softmax_args",
    (
        rows_of("scores", _ALL_ROWS, mul(_KEYS, 2), Var("scores_pitch")),
        flat("exp_table", mul(_HEADS, EXP_TABLE_BYTES)),
        written(rows_of("p", _ALL_ROWS, _KEYS, Var("scores_pitch")), in_place="scores"),
        written(rows_of("norm", Const(1), _ALL_NORMS, _ALL_NORMS)),
    ),
    ("rows", "keys", "scores_pitch", "heads", "out_multiplier"),
    frozenset({"out_multiplier"}),
    {"scalar": 16, "xpulp": 48},
    _softmax_cycles,
)
_SCORES = rows_of("scores", ROWS, mul(_KEYS, 2), Var("scores_pitch"))
_WEIGHTS = (
    flat("exp_table", EXP_TABLE_BYTES),
    written(rows_of("p", ROWS, _KEYS, Var("scores_pitch")), in_place="scores"),
    written(rows_of("norm", Const(1), _NORM, _NORM)),
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
        rows_of("p", _ALL_ROWS, _KEYS, Var("p_pitch")),
        rows_of("vt", mul(_HEADS, CHANNELS), _KEYS, Var("vt_pitch")),
        rows_of("norm", Const(1), _ALL_NORMS, _ALL_NORMS),
        result(ROWS, mul(_HEADS, CHANNELS)),
    ),
    ("rows", "keys", "channels", "p_pitch", "vt_pitch", "y_pitch", "heads", "out_shift"),
    frozenset({"out_shift"}),
    {"scalar": 32, "xpulp": 272},
    _values_cycles,
)


WIDE_VALUES = replace(
    VALUES,
    stem="tmc_attention_values_u8s8s16",
    operands=(*VALUES.operands[:3], result(ROWS, mul(mul(_HEADS, CHANNELS), 2))),
    stack_bytes={"scalar": 80, "xpulp": 272},
    core_cycles=_wide_values_cycles,
)
PACK, JOB_SOFTMAX, DIVIDE = BesideJobs(lambda target: _costs(target).ne16).kernels()


def bias_of(op: Op) -> str | None:
    """Return the bias on the scores, [H or 1, M or 1, N], if an attention has one."""
    return op.inputs[4] if len(op.inputs) > 4 else None


def mask_of(graph: Graph, op: Op) -> str | None:
    """Return the bias, [1, 1, N], that is computed and not a constant, if an attention has one."""
    bias = bias_of(op)
    return None if bias in graph.constants else bias


def scores_of(graph: Graph, op: Op) -> Kernel:
    """Return the kernel of the scores."""
    return SCORES if graph.types[op.inputs[0]].dtype is DType.S8 else WIDE_SCORES


def values_of(graph: Graph, op: Op) -> Kernel:
    """Return the kernel of the means of V."""
    return VALUES if graph.types[op.output].dtype is DType.S8 else WIDE_VALUES


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


def attention_on_ne16(graph: Graph, op: Op) -> bool:
    """Tell whether the accelerator computes the products of an attention: it reads unsigned queries."""
    return graph.types[op.inputs[0]].dtype is DType.U8


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    if attention_on_ne16(graph, op):
        return PACK, SUMS, JOB_SOFTMAX, DIVIDE
    return scores_of(graph, op), softmax_of(op), values_of(graph, op)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    attrs = op.attrs
    assert isinstance(attrs, QAttentionAttrs)
    return {
        "keys": graph.types[op.inputs[1]].shape[1],
        "width": graph.types[op.inputs[0]].shape[2],
        "key0": 0,
        "limit": attrs.score_limit,
        "out_multiplier": attrs.out_multiplier,
        "out_shift": attrs.out_shift,
    }


def _tables(graph: Graph, op: Op) -> Mapping[str, Array]:
    exp_table = graph.constants[op.inputs[3]]
    if attention_on_ne16(graph, op):
        _, keys, width = graph.types[op.inputs[1]].shape
        return {"exp_table": exp_table[:, ::-1], "multiplier": ones_for(max(keys, width))}
    tables = {"exp_table": exp_table}
    if bias_of(op) in graph.constants and not _line_tables(graph, op):
        tables["bias"] = _bias_lines(graph, op)
    return tables


def _line_tables(graph: Graph, op: Op) -> tuple[str, ...]:
    """Return the bias if it has a line for each query."""
    bias = bias_of(op)
    return (bias,) if bias is not None and bias in graph.constants and graph.types[bias].shape[1] > 1 else ()


def _macs(graph: Graph, op: Op) -> int:
    heads, rows, width = graph.types[op.inputs[0]].shape
    return 2 * heads * rows * graph.types[op.inputs[1]].shape[1] * width


ATTENTION = KernelRecord(
    OpKind.QATTENTION,
    "cores",
    "attention",
    (SCORES, WIDE_SCORES, SOFTMAX, SOFTMAX_BIAS, VALUES, WIDE_VALUES, PACK, SUMS, JOB_SOFTMAX, DIVIDE),
    _chosen,
    _numbers,
    ("attention", AttentionCosts),
    _tables,
    line_tables=_line_tables,
    macs=_macs,
)
