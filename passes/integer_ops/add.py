"""Sums of two values of scales of their own: which adds are sums of int8, and the constants of them all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import frexp
from typing import Literal

from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.integer.qadd import QAddAttrs, ends_of_sums
from tmc.ir.shapes import is_int32
from tmc.ir.types import DType, Quant
from tmc.passes.integer_ops.activation_table import ACTIVATIONS
from tmc.passes.integer_ops.convert import Stored

# Multipliers of so many bits always fit: with the zero points of int8 codes, no sum of products leaves int32.
MULTIPLIER_BITS: Mapping[Stored, int] = {"s8": 21, "s16": 14}
# A zero point of an int8 result, shifted up, stays below 2^29.
MAX_SHIFT = 22
# No ratio of scales needs more.
MAX_WIDE_SHIFT = 30


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


def quantise_add(
    loc: str,
    x: Quant,
    z: Quant,
    y: Quant,
    types: tuple[Stored, Stored, Stored] = ("s8", "s8", "s8"),
    signs: tuple[Literal[1, -1], Literal[1, -1]] = (1, 1),
) -> QAddAttrs:
    """Return the attributes of y = x + z, each with one scale and a zero point; one rounding, half up.

    types: of x, z and y. signs: of x and z; (1, -1) is their difference. Of int8 values the larger of the
    ratios of scales, x / y and z / y, has 21 bits, or fewer where the shift is MAX_SHIFT: that is a ratio
    below 1 / 2, and a step of 2^-23 of the result. With int16 among them the shift is the largest that int32
    has room for: at least 14 bits for an int16 value.
    Raises: QuantisationError for an operand whose step is too many times the step of the result.
    """
    ratios = x.scale[0] / y.scale[0], z.scale[0] / y.scale[0]
    room = min(MULTIPLIER_BITS[kind] - frexp(ratio)[1] for kind, ratio in zip(types, ratios, strict=False))
    if room < 0:
        raise QuantisationError(
            loc,
            f"found a sum with a step of {y.scale[0]:g} of values with steps of {x.scale[0]:g} and "
            f"{z.scale[0]:g}, allowed steps up to "
            f"{' and '.join(f'{2 ** MULTIPLIER_BITS[kind]:,}' for kind in types[:2])} times as large",
            "the summands cancel in calibration; give samples in which they do not",
        )
    shift = min(room, MAX_SHIFT) if types[:2] == ("s8", "s8") else MAX_WIDE_SHIFT
    while True:
        attrs = _added(ratios, shift, (x, z, y), types[2], signs)
        if is_int32(*ends_of_sums(attrs, DType(types[0]), DType(types[1]))):
            return attrs
        shift -= 1


def _added(
    ratios: tuple[float, float],
    shift: int,
    quants: tuple[Quant, Quant, Quant],
    dtype: Stored,
    signs: tuple[int, int],
) -> QAddAttrs:
    x, z, y = (quant.zero_point for quant in quants)
    x_multiplier, z_multiplier = (
        sign * round(ratio * 2**shift) for sign, ratio in zip(signs, ratios, strict=True)
    )
    bias = (y << shift) + ((1 << shift) >> 1) - x * x_multiplier - z * z_multiplier
    return QAddAttrs(x_multiplier, z_multiplier, bias, shift, dtype)
