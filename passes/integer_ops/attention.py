"""Integer constants of rotations and attention, with the proofs that they stay in int32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmc.ir.errors import NoIntegerForm, QuantisationError
from tmc.ir.integer.qattention import EXP_ENTRIES, QAttentionAttrs
from tmc.ir.types import Array, Quant
from tmc.passes.recipe import DEFAULT, Recipe

COSINE_BITS = 14
MAX_COSINE = 32767 / 2**COSINE_BITS
MAX_SCORE_SHIFT = 24
INT32 = 2**31
# Each key adds at most 255 * 128 to a sum of p v.
MAX_KEYS = (INT32 - 1) // (255 * 128)


@dataclass(frozen=True, slots=True, eq=False)
class AttentionCodes:
    """The constants of a qattention: exp_table u8 [H, 1024] and the attributes."""

    exp_table: Array
    attrs: QAttentionAttrs


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
) -> AttentionCodes:
    """Return the constants of an integer attention with heads of `width` columns over `keys` rows of K and V.

    score_shift[h] is the largest shift for which one step of the rounded score, s_q,h s_k,h scale 2^shift, is
    at most 1 / score_steps of the recipe, but never so small that a score could leave int16.
    exp_table[h][i] is 255 exp(-i step) rounded, and 0 in its last entry, which stands for everything beyond.
    out_factor: (out_multiplier, out_shift).
    Raises: QuantisationError for a scale that is not positive, or sizes whose sums could leave int32.
    """
    if not scale > 0:
        raise QuantisationError(where, f"found attention scale {scale:g}, allowed positive numbers")
    if width * 2**14 >= INT32 or keys > MAX_KEYS:
        raise NoIntegerForm(
            where,
            f"found heads of {width} columns over {keys} keys, allowed fewer "
            f"than {INT32 // 2**14} columns and at most {MAX_KEYS} keys",
        )
    smallest = smallest_score_shift(width)
    shifts, tables = [], []
    for q_scale, k_scale in zip(q.scale, k.scale, strict=True):
        shift = MAX_SCORE_SHIFT
        while shift > smallest and q_scale * k_scale * scale * 2.0**shift > 1 / recipe.score_steps:
            shift -= 1
        step = q_scale * k_scale * scale * 2.0**shift
        exact = 255 * np.exp(-step * np.arange(EXP_ENTRIES))
        table = _diffused(exact) if recipe.exp_table == "diffused" else np.rint(exact)
        table[-1] = 0
        shifts.append(shift)
        tables.append(table.astype(np.uint8))
    normalised = recipe.softmax_division == "first"
    attrs = QAttentionAttrs(len(q.scale), tuple(shifts), *out_factor, normalised)
    return AttentionCodes(np.stack(tables), attrs)


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


def smallest_score_shift(width: int) -> int:
    """Return the least shift for which every rounded score of `width` int8 products is below 2^15."""
    # The extreme score is width * 128 * 128, and R(a, s) of it is (a + 2^(s-1)) >> s.
    shift = 1
    while (width * 2**14 + 2 ** (shift - 1)) >> shift >= 2**15:
        shift += 1
    return shift
