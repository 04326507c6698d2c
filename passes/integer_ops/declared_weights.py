"""Find the integer codes of weights that a quantised model gave as integers.

Passes may transpose, cut and reorder weights, but their values stay what the model's DequantizeLinear made of
them: code * scale in float32, with a scale that the model states. So the codes are found from the values, and
what is found is exact: every element has to be such a product to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tmc.ir.types import Array

LIMIT = 128
# float32 products and quotients are this close to the real ones.
CLOSE = 2.0**-22


@dataclass(frozen=True, slots=True, eq=False)
class DeclaredWeights:
    """weight[n][k] is codes[n][k] * scale[n] in float32. codes s8 [N, K], scale f64 [N]."""

    codes: Array
    scale: Array


def declared_weights(weight: Array, scales: Sequence[float]) -> DeclaredWeights | None:
    """Return the codes of a float32 weight [N, K], None if a row of it is not on the grid of a known scale.

    `scales`, rising: those of the model's integer constants. A row that several scales fit has the same real
    values by each; the largest is taken. A row of zeros takes the scale of another row.
    """
    if not scales:
        return None
    known = np.array(scales, dtype=np.float64)
    found = np.zeros(len(weight))
    for row, values in enumerate(weight):
        largest = float(np.abs(values).max())
        if largest > 0:
            found[row] = _row_scale(values, largest, known)
            if found[row] == 0:
                return None
    found[found == 0] = found.max() or known[0]
    codes = np.rint(weight / found[:, None])
    return DeclaredWeights(codes.astype(np.int8), found)


def _row_scale(values: Array, largest: float, known: Array) -> float:
    """Return the largest known scale of which every value is a multiple, 0 if there is none."""
    first = np.searchsorted(known, largest / LIMIT * (1 - CLOSE))
    candidates = known[first : np.searchsorted(known, largest * (1 + CLOSE), side="right")]
    multiples = largest / candidates
    near = np.abs(multiples - np.rint(multiples)) <= CLOSE * multiples
    for scale in candidates[near][::-1]:
        codes = np.rint(values / scale)
        exact = (codes.astype(np.float32) * np.float32(scale) == values).all()
        if exact and codes.min() >= -LIMIT and codes.max() < LIMIT:
            return float(scale)
    return 0.0
