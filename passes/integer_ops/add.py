"""Sums of two int8 values of scales of their own: which adds they are, and their constants."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import frexp

from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.integer.qadd import QAddAttrs
from tmc.ir.types import Quant
from tmc.passes.integer_ops.activation_table import ACTIVATIONS

# Multipliers have so many bits at most: with the zero points, no sum of products leaves int32.
MULTIPLIER_BITS = 21
# A zero point of the result, shifted up, stays below 2^29.
MAX_SHIFT = 22


# What can be stored as int8, what as int16; some as both, as their readers ask.
_INT8 = frozenset({*ACTIVATIONS, OpKind.ATTENTION, OpKind.DEPTHWISE_ROWS, OpKind.LINEAR, OpKind.LAYERNORM})
_INT16 = frozenset({OpKind.LINEAR, OpKind.LAYERNORM})
# Stored as the operand is; blends and transposes are of int16 values alone.
_AS_OPERAND = frozenset({OpKind.RESHAPE, OpKind.PERMUTE_ROWS, OpKind.CLIP})
_INT16_AS_OPERAND = frozenset({OpKind.INTERPOLATE_ROWS, OpKind.TRANSPOSE})


def int8_sums(
    graph: Graph, fusable: Mapping[str, Collection[str]], narrow: Collection[str] = ()
) -> frozenset[str]:
    """Return the adds that are sums of two int8 values: none of them adds a linear to the residual stream.

    fusable: for each add the linear results, clipped or not, that it alone reads. An add of one of them, made
    of int8, and of a value that can be int16 is a part of that linear. narrow: the inputs that are int8.
    """
    int8 = set(narrow)
    int16 = set(graph.inputs) - int8
    of_int16: set[str] = set()  # linear results that no kernel adds; a clip of one can be added
    sums: set[str] = set()
    for op in graph.ops:
        if op.kind is OpKind.LINEAR and op.inputs[0] in int16 - int8:
            of_int16.add(op.output)
        if op.kind is OpKind.ADD:
            pairs = (op.inputs, op.inputs[::-1])
            branches = set(fusable[op.output]) - of_int16
            if any(branch in branches and other in int16 for branch, other in pairs):
                int16.add(op.output)
            elif int8.issuperset(op.inputs):
                sums.add(op.output)
                int8.add(op.output)
            continue
        same = op.kind in _AS_OPERAND and op.inputs[0] in int8
        if op.kind in _INT8 or same:
            int8.add(op.output)
        same = op.kind in _AS_OPERAND | _INT16_AS_OPERAND and op.inputs[0] in int16
        if op.kind in _INT16 or same:
            int16.add(op.output)
    return frozenset(sums)


def quantise_add(loc: str, x: Quant, z: Quant, y: Quant) -> QAddAttrs:
    """Return the attributes of y = x + z, each with one scale and a zero point; one rounding, half up.

    The larger of the ratios of scales, x / y and z / y, has MULTIPLIER_BITS bits, or fewer where the shift is
    MAX_SHIFT: that is a ratio below 1 / 2, and a step of 2^-23 of the result.
    Raises: QuantisationError for scales of operands beyond 2^MULTIPLIER_BITS steps of the result.
    """
    ratios = x.scale[0] / y.scale[0], z.scale[0] / y.scale[0]
    shift = min(MULTIPLIER_BITS - frexp(max(ratios))[1], MAX_SHIFT)
    if shift < 0:
        raise QuantisationError(
            loc,
            f"found a sum with a step of {y.scale[0]:g} of values with steps of {x.scale[0]:g} and "
            f"{z.scale[0]:g}, allowed steps up to {2**MULTIPLIER_BITS:,} times as large",
            "the summands cancel in calibration; give samples in which they do not",
        )
    x_multiplier, z_multiplier = (min(round(ratio * 2**shift), 2**MULTIPLIER_BITS - 1) for ratio in ratios)
    half = (1 << shift) >> 1
    bias = (y.zero_point << shift) + half - x.zero_point * x_multiplier - z.zero_point * z_multiplier
    return QAddAttrs(x_multiplier, z_multiplier, bias, shift)
