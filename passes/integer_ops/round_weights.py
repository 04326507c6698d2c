"""Round the weights of a linear op, so that their errors cancel on the rows it sees (GPTQ)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tmc.ir.types import Array

Float = NDArray[np.float64]
Int = NDArray[np.int64]

# Of the mean power of a column, added to all: what the rows did not show may still come.
DAMPING = 0.01
# Columns whose errors are handed on together.
BLOCK = 32


def round_weights(steps: Float, rows: Array | None, limit: int) -> Int:
    """Return integers within +-limit near `steps` [N, K], with products near those of steps on rows [R, K].

    Columns are rounded one after the other, strongest first; each error is made up for by the columns that
    are still real, in the least-squares sense over the rows. Rows fewer than columns may say too little: then
    one half of them makes the weights and the other compares them with the nearest ones, which stay unless
    they do worse. Without rows the nearest ones it is. Source: Frantar et al., "GPTQ", ICLR 2023.
    """
    nearest = _nearest(steps, limit)
    if rows is None:
        return nearest.astype(np.int64)
    x = rows.astype(np.float64)
    if len(x) < steps.shape[1]:
        made, seen = _compensated(steps, x[::2], limit), x[1::2]
        if np.square(seen @ (made - steps).T).sum() >= np.square(seen @ (nearest - steps).T).sum():
            return nearest.astype(np.int64)
    return _compensated(steps, x, limit).astype(np.int64)


def _nearest(steps: Float, limit: int) -> Float:
    return np.asarray(np.clip(np.rint(steps), -limit, limit))


def _compensated(steps: Float, x: Float, limit: int) -> Float:
    gram = x.T @ x
    power = gram.diagonal().copy()
    order = np.argsort(-power, kind="stable")
    gram[np.diag_indices_from(gram)] += DAMPING * power.mean() or 1.0  # all rows zero: any will do
    inverse = np.linalg.inv(gram[np.ix_(order, order)])
    factor = np.linalg.cholesky((inverse + inverse.T) / 2).T  # upper: inverse = factor^T factor
    real = steps[:, order]
    rounded = np.empty_like(real)
    columns = real.shape[1]
    for start in range(0, columns, BLOCK):
        end = min(start + BLOCK, columns)
        errors = np.empty((len(real), end - start))
        for column in range(start, end):
            rounded[:, column] = _nearest(real[:, column], limit)
            error = (real[:, column] - rounded[:, column]) / factor[column, column]
            real[:, column + 1 : end] -= np.outer(error, factor[column, column + 1 : end])
            errors[:, column - start] = error
        real[:, end:] -= errors @ factor[start:end, end:]
    result = np.empty_like(rounded)
    result[:, order] = rounded
    return result
