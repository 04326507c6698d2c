"""A linear op of int16 values with int8 results: sums in int32, then a requantisation of each channel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from tmc.ir.types import Array, Quant
from tmc.passes.integer_ops.declared_weights import DeclaredWeights
from tmc.passes.integer_ops.linear import (
    WEIGHT_LIMIT,
    LinearCodes,
    LinearTask,
    large_mean,
    quantise_logits,
    sum_ranges,
)
from tmc.passes.integer_ops.requantise_factors import requantise_factors


@dataclass(frozen=True, slots=True, eq=False)
class WideCodes:
    """The constants of a qlinear with int32 results and their scales, and of the qrequantise after it.

    factors: s32 [N, 4].
    """

    linear: LinearCodes
    sums: Quant
    factors: Array


def quantise_wide(task: LinearTask) -> WideCodes:
    """Return the constants of a linear op in two steps.

    Weights have the scale max |weight| / 127 of their channel, unless the model gives integers. The sums are
    kept with their bias, then requantised by a product of 64 bits: no kernel does both for int16 values, and
    a multiplier of 8 bits would often not fit beside their sums. Adding the zero point is left to the
    requantisation.
    Raises: QuantisationError if a sum does not provably fit int32.
    """
    declared = task.declared or _per_channel(task.weight.astype(np.float64))
    mean = large_mean(task.rows)
    if mean is not None and task.declared is None:
        error = task.weight - declared.codes * declared.scale[:, None]
        task = replace(task, bias=task.bias + error @ mean)
    linear = quantise_logits(replace(task, declared=declared))
    steps = [Fraction(task.x.scale[0]) * Fraction(float(step)) for step in linear.weight_scale]
    slope = [step / Fraction(float(y)) for step, y in zip(steps, task.y_scale, strict=True)]
    factors = requantise_factors(task.where, sum_ranges(task, linear), slope, [Fraction(0)] * len(slope))
    return WideCodes(linear, Quant(tuple(float(step) for step in steps), per="channel"), factors)


def _per_channel(weight: Array) -> DeclaredWeights:
    largest = np.abs(weight).max(axis=1)
    scale = np.where(largest > 0, largest / WEIGHT_LIMIT, 1.0)
    return DeclaredWeights(np.rint(weight / scale[:, None]).astype(np.int8), scale)
