"""Attention whose two products NE16 computes: what the cores do of it.

Keys, and values by channel, are packed as the weights of a linear; scores come in 32 bits, and their softmax
leaves the unsigned probabilities that the second product reads as they are; its sums are divided at last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tmc.backend_gap9.kernels.costs import share
from tmc.backend_gap9.kernels.ne16 import CHANNELS_READ, INPUTS_READ
from tmc.backend_gap9.kernels.operands import CHANNELS, ROWS, flat, result, rows_of, written
from tmc.backend_gap9.kernels.record import Arguments, Kernel
from tmc.backend_gap9.program.expressions import add, div, mul
from tmc.backend_gap9.program.program import Const, Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.types import Array

EXP_TABLE_BYTES = 1024
NORM_BYTES = 8
_KEYS, _DEPTH = Var("keys"), Var("depth")
_PACKED_BYTES = mul(div(add(_DEPTH, INPUTS_READ - 1), INPUTS_READ), INPUTS_READ)
_NORM = mul(ROWS, NORM_BYTES)


@dataclass(frozen=True, slots=True)
class BesideJobsCosts:
    """Of each 16 bytes that are packed, and each row of them; of each score, and each row of scores; of each
    mean, and each row of means.
    """

    pack_cycles: float
    pack_row_cycles: float
    score_cycles: float
    row_cycles: float
    mean_cycles: float
    mean_row_cycles: float


@dataclass(frozen=True, slots=True)
class BesideJobs:
    """The kernels, of what they cost on a target."""

    costs: Callable[[Target], BesideJobsCosts]

    def kernels(self) -> tuple[Kernel, Kernel, Kernel]:
        """Return the kernels that pack, that make probabilities, and that divide."""
        pack = Kernel(
            "tmc_attention_pack_s8u8",
            "tmc_attention_pack_args",
            (
                rows_of("x", ROWS, _DEPTH, Var("x_pitch")),
                written(rows_of("weight", ROWS, _PACKED_BYTES, _PACKED_BYTES)),
                written(rows_of("bias", Const(1), mul(ROWS, 4), mul(ROWS, 4))),
            ),
            ("rows", "depth", "x_pitch", "offset", "half"),
            frozenset({"half"}),
            {"scalar": 32, "xpulp": 128},
            self._pack_cycles,
        )
        softmax = Kernel(
            "tmc_attention_softmax_s32u8",
            "tmc_attention_softmax_wide_args",
            (
                rows_of("scores", ROWS, mul(_KEYS, 4), Var("scores_pitch")),
                flat("exp_table", EXP_TABLE_BYTES),
                written(rows_of("p", ROWS, _KEYS, Var("p_pitch"))),
                written(rows_of("norm", Const(1), _NORM, _NORM)),
            ),
            ("rows", "keys", "scores_pitch", "p_pitch", "out_multiplier"),
            frozenset({"out_multiplier"}),
            {"scalar": 16, "xpulp": 48},
            self._softmax_cycles,
        )
        divide = Kernel(
            "tmc_attention_divide_s32s8",
            "tmc_attention_divide_args",
            (
                rows_of("sums", ROWS, mul(CHANNELS, 4), Var("sums_pitch")),
                rows_of("norm", Const(1), _NORM, _NORM),
                result(ROWS, CHANNELS),
            ),
            ("rows", "channels", "sums_pitch", "y_pitch", "out_shift"),
            frozenset({"out_shift"}),
            {"scalar": 48, "xpulp": 48},
            self._divide_cycles,
        )
        return pack, softmax, divide

    def _pack_cycles(self, target: Target, a: Arguments) -> float:
        costs, groups = self.costs(target), -(-a["depth"] // INPUTS_READ)
        return share(target, a["rows"]) * (groups * costs.pack_cycles + costs.pack_row_cycles)

    def _softmax_cycles(self, target: Target, a: Arguments) -> float:
        costs = self.costs(target)
        return share(target, a["rows"]) * (a["keys"] * costs.score_cycles + costs.row_cycles)

    def _divide_cycles(self, target: Target, a: Arguments) -> float:
        costs, fours = self.costs(target), share(target, -(-a["channels"] // 4))
        return a["rows"] * (4 * fours * costs.mean_cycles + costs.mean_row_cycles)


def channels_read(channels: int) -> int:
    """Return of how many channels the accelerator reads multipliers and biases."""
    return -(-channels // CHANNELS_READ) * CHANNELS_READ


def ones_for(channels: int) -> Array:
    """Return the multipliers of both products."""
    return np.ones(channels_read(channels), np.uint8)
