"""Integer constants of rotations and attention, with the proofs that they stay in int32."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np

from tmc.ir.errors import NoIntegerForm, QuantisationError
from tmc.ir.integer.qattention import EXP_ENTRIES, QAttentionAttrs
from tmc.ir.integer.qconvert import QConvertAttrs, ends_of_sums
from tmc.ir.shapes import is_int32
from tmc.ir.types import Array, DType, Quant
from tmc.passes.recipe import DEFAULT, Recipe

COSINE_BITS = 14
# Bits below the step of int8 Q and K that they keep until they are rotated.
ROTATION_BITS = 6
MAX_COSINE = 32767 / 2**COSINE_BITS
MAX_SCORE_SHIFT = 24
INT32 = 2**31
WIDEST_CODE = 16
MAX_SCORE = 2**15 - 1
# With a bias down to -2 s - 1023, a score within +-s has to fit.
MAX_BIASED_SCORE = (MAX_SCORE - (EXP_ENTRIES - 1)) // 3
# Codes of a mask have 15 bits: with the lowest a key counts nothing beside one of 0, whatever their scores.
MASK_LIMIT = 2**14
# The most steps of a score that a step of a mask may be: what is not 0 is beyond all codes then.
MASK_RATIO = 2**15
MAX_MASKED_SCORE = (MASK_LIMIT - EXP_ENTRIES) // 2
# Each key adds at most 255 * 128 to a sum of p v.
MAX_KEYS = (INT32 - 1) // (255 * 128)


@dataclass(frozen=True, slots=True, eq=False)
class AttentionCodes:
    """The constants of a qattention: exp_table u8 [H, 1024], the attributes, bias s16 [H or 1, M or 1, N].

    steps: what one step of a score is, by head.
    """

    exp_table: Array
    attrs: QAttentionAttrs
    steps: tuple[float, ...]
    bias: Array | None = None


def rotation_table(where: str, cosine: Array, sine: Array) -> Array:
    """Return the s16 table [P, d] of (cosine, sine) pairs at 2^14 from two tables [P, d / 2].

    Raises: QuantisationError for an entry outside int16 at 2^14; `where` names the ONNX node.
    """
    pairs = np.stack([cosine, sine], axis=-1).astype(np.float64)
    largest = float(np.abs(pairs).max())
    # Two products of an int16 element: 2^15 (|c| + |s|) plus the rounding has to stay below 2^31.
    sums = float(np.abs(np.rint(pairs * 2**COSINE_BITS)).sum(axis=-1).max())
    if largest > MAX_COSINE or 2**15 * sums + 2**19 >= INT32:
        raise QuantisationError(
            where, f"found a rotation table with entries up to {largest:g}, allowed cosines and sines"
        )
    return np.asarray(np.rint(pairs * 2**COSINE_BITS).astype(np.int16).reshape(len(cosine), -1))


def quantise_attention(
    where: str,
    q: Quant,
    k: Quant,
    scale: float,
    width: int,
    keys: int,
    out_factor: tuple[int, int],
    recipe: Recipe = DEFAULT,
    bias: Array | None = None,
    *,
    masked: bool = False,
    dtype: Literal["s8", "s16"] = "s8",
) -> AttentionCodes:
    """Return the constants of an integer attention with heads of `width` columns over `keys` rows of K and V.

    Codes of Q and K have the bits that q says, 8 if it says nothing.

    score_shift[h] is the largest shift for which one step of the rounded score, s_q,h s_k,h scale 2^shift, is
    at most 1 / score_steps of the recipe, but never so small that a score could leave int16, biased or not;
    those of Q and K of int16 saturate (smallest_wide_shift).
    exp_table[h][i] is 255 exp(-i step) rounded, and 0 in its last entry, which stands for everything beyond.
    out_factor: (out_multiplier, out_shift). bias: numbers [H or 1, M or 1, N], the largest of each row 0.
    masked: a mask of 15 bits is added to the scores of all heads. dtype: of the result.
    Raises: QuantisationError for a scale that is not positive, or sizes whose sums could leave int32.
    """
    if not scale > 0:
        raise QuantisationError(where, f"found attention scale {scale:g}, allowed positive numbers")
    bits = q.bits or 8
    if width * 2**14 >= INT32 or keys > MAX_KEYS:
        raise NoIntegerForm(
            where,
            f"found heads of {width} columns over {keys} keys, allowed fewer "
            f"than {INT32 // 2**14} columns and at most {MAX_KEYS} keys",
        )
    largest = MAX_MASKED_SCORE if masked else MAX_SCORE if bias is None else MAX_BIASED_SCORE
    narrow = bits == 8
    smallest = smallest_score_shift(width, largest) if narrow else smallest_wide_shift(width, largest, bits)
    shifts, steps, tables = [], [], []
    for q_scale, k_scale in zip(q.scale, k.scale, strict=True):
        shift = MAX_SCORE_SHIFT
        while shift > smallest and q_scale * k_scale * scale * 2.0**shift > 1 / recipe.score_steps:
            shift -= 1
        step = q_scale * k_scale * scale * 2.0**shift
        if (masked or bias is not None) and shift == MAX_SCORE_SHIFT:
            # All scores are 0, or next to it, and say nothing: steps are as large as the bias needs.
            step = max(step, 1 / recipe.score_steps)
        exact = 255 * np.exp(-step * np.arange(EXP_ENTRIES))
        table = _diffused(exact) if recipe.exp_table == "diffused" else np.rint(exact)
        table[-1] = 0
        shifts.append(shift)
        steps.append(step)
        tables.append(table.astype(np.uint8))
    normalised = recipe.softmax_division == "first"
    limit = MAX_SCORE if narrow or largest == MAX_SCORE else largest - 1
    attrs = QAttentionAttrs(len(q.scale), tuple(shifts), *out_factor, normalised, dtype, limit)
    if bias is None:
        return AttentionCodes(np.stack(tables), attrs, tuple(steps))
    reach = max(_largest_score(width, shift) for shift in shifts) if narrow else largest
    return AttentionCodes(np.stack(tables), attrs, tuple(steps), bias_codes(bias, np.array(steps), reach))


def quantise_mask(x: Quant, factor: float, offset: float, step: float) -> QConvertAttrs:
    """Return the attributes that make int16 codes of factor x + offset, in steps of the scores, of int16 x.

    What is further from 0 than codes reach saturates, so that numbers as -1e9 are made smaller before: the
    offset to four times what a code can be, and the factor to what int32 has room for. The shift is the
    largest with that room.
    """
    less = min(1.0, 4 * MASK_LIMIT * step / abs(offset)) if offset else 1.0
    ratio, constant = less * factor * x.scale[0] / step, less * offset / step
    if abs(ratio) > MASK_RATIO:
        ratio, constant = ratio * MASK_RATIO / abs(ratio), constant * MASK_RATIO / abs(ratio)
    for shift in range(MAX_SCORE_SHIFT, 0, -1):
        half = (1 << shift) >> 1
        attrs = QConvertAttrs(round(ratio * 2**shift), round(constant * 2**shift) + half, shift, "s16")
        if is_int32(*ends_of_sums(attrs, DType.S16)):
            return attrs
    return QConvertAttrs(round(ratio), round(constant), 0, "s16")


def bias_codes(bias: Array, steps: Array, reach: int) -> Array:
    """Return a bias in steps [H] of the scores, s16 [H or 1, M or 1, N]; scores are within +-reach.

    In each row some key has no bias, and so a sum of -reach or more: a bias of -2 reach - 1023 leaves every
    other key a weight of 0, and one below it says no more.
    """
    exact = np.rint(bias.astype(np.float64) / steps.reshape(-1, 1, 1))
    codes = np.maximum(exact, -2 * reach - (EXP_ENTRIES - 1)).astype(np.int16)
    return codes[:1] if (codes == codes[:1]).all() else codes


def _diffused(exact: Array) -> Array:
    """Round falling numbers from 255 to 0 so that every run of them keeps its sum to within 1.

    Each entry passes on what its rounding lost. Scores fall on neighbouring entries by chance, so that many
    small weights keep the mass and the order that rounding each alone would take from them.
    """
    rounded = np.empty_like(exact)
    lost = 0.0
    for index, number in enumerate(exact):
        rounded[index] = np.rint(number + lost)
        lost += number - rounded[index]
    return rounded


def query_key_bits(width: int) -> int:
    """Return the most bits of codes of Q and K in int16 for which no sum of `width` products leaves int32."""
    bits = WIDEST_CODE
    while width * 4 ** (bits - 1) + 2 ** (MAX_SCORE_SHIFT - 1) >= INT32:
        bits -= 1
    return bits


def rotation_bits(bits: int) -> int:
    """Return the bits below the step of Q and K of so many bits that they keep, in int16, until rotated."""
    return min(ROTATION_BITS, WIDEST_CODE - 1 - bits)


def smallest_score_shift(width: int, largest: int = MAX_SCORE) -> int:
    """Return the least shift for which no rounded score of `width` int8 products is beyond `largest`."""
    shift = 1
    while _largest_score(width, shift) > largest:
        shift += 1
    return shift


def smallest_wide_shift(width: int, largest: int, bits: int) -> int:
    """Return the least shift for a step of scores of `width` products of codes of `bits` bits.

    Scores of int16 saturate: at 1 / sqrt(width) of the extreme one or later, which is what products of any
    sign, all as large as they can be, add up to.
    """
    shift = 1
    while sqrt(width) * 4 ** (bits - 1) / 2**shift > largest:
        shift += 1
    return shift


def _largest_score(width: int, shift: int) -> int:
    """Return R(a, shift) of the extreme score a = width * 128 * 128; shift >= 1."""
    return (width * 2**14 + (1 << (shift - 1))) >> shift
