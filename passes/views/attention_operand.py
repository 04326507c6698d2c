"""Read an operand of attention: which columns of which value it takes, turned by which angles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmc.ir.graph import Graph
from tmc.ir.types import Array
from tmc.passes.views.element_map import ElementMap, Tracer
from tmc.passes.views.emit_view import columns_of

# cos^2 + sin^2 of two float32 table entries, and entries that an exporter stored twice.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True)
class Operand:
    """An operand [rows, heads * d] as scale * sum over one or two terms of coefficient * source column.

    Row r comes from row r of the source, seen as [rows, width]. columns [T, heads * d]; coefficients
    [T, rows, heads * d], None where all are 1 and T = 1. A column without a second term has -1 there.
    """

    source: str
    scale: float
    columns: Array
    coefficients: Array | None


@dataclass(frozen=True, slots=True)
class Rotation:
    """An operand as pairs turned by (cosine, sine).

    first, second [heads, d / 2]: positions in a head of the two elements of a pair, first < second, in order
    of first. columns_first, columns_second [heads, d / 2]: the source columns. cosine, sine
    [rows, heads, d / 2].
    """

    first: Array
    second: Array
    columns_first: Array
    columns_second: Array
    cosine: Array
    sine: Array

    def columns_in_pairs(self) -> Array:
        """Return the source columns [heads * d] with the two of each pair side by side."""
        return np.stack([self.columns_first, self.columns_second], axis=-1).reshape(-1)

    def columns_in_place(self) -> Array:
        """Return the source columns [heads * d] in the order of the operand, as if nothing were turned."""
        heads, half = self.first.shape
        columns = np.empty((heads, 2 * half), dtype=self.columns_first.dtype)
        np.put_along_axis(columns, self.first, self.columns_first, axis=1)
        np.put_along_axis(columns, self.second, self.columns_second, axis=1)
        return columns.reshape(-1)

    def same_pairs(self, other: Rotation) -> bool:
        """Tell whether another operand's pairs are at the same positions."""
        return np.array_equal(self.first, other.first) and np.array_equal(self.second, other.second)


def read_operand(graph: Graph, tracer: Tracer, value: str) -> Operand | str:
    """Return how a value [rows, columns] comes from its source, or the reason why that is not row by row."""
    rows = graph.types[value].shape[0]
    traced = tracer.trace(value)
    elements = graph.types[traced.source].elements
    if elements % rows != 0:
        return f"%{traced.source} has {elements} elements, no multiple of the {rows} tokens"
    columns = []
    for term in traced.terms:
        found = columns_of(term.index, elements // rows)
        if found is None:
            return (
                f"token n does not come from row n of %{traced.source} with the same columns for all tokens"
            )
        columns.append(found)
    if len(columns) == 1 and traced.terms[0].coefficient is None:
        return Operand(traced.source, traced.scale, np.stack(columns), None)
    return _two_terms(traced, np.stack(columns))


def _two_terms(traced: ElementMap, columns: Array) -> Operand | str:
    """Add up terms of one column, and drop those that are 0 for all tokens."""
    shape = traced.terms[0].index.shape
    factors = [
        np.ones(shape, dtype=np.float32) if term.coefficient is None else np.array(term.coefficient)
        for term in traced.terms
    ]
    if len(factors) == 1:
        factors, columns = [*factors, np.zeros_like(factors[0])], np.repeat(columns, 2, axis=0)
    for later in range(len(factors)):
        for earlier in range(later):
            same = columns[earlier] == columns[later]
            factors[earlier][:, same] += factors[later][:, same]
            factors[later][:, same] = 0
    coefficients = np.stack(factors)
    used = coefficients.any(axis=1)
    count = used.sum(axis=0)
    if count.max() > 2 or count.min() == 0:
        return f"an element is a sum of {count.max()} elements of %{traced.source}, a rotation has two"
    order = np.argsort(~used, axis=0, kind="stable")[:2]
    columns = np.where(
        np.take_along_axis(used, order, axis=0), np.take_along_axis(columns, order, axis=0), -1
    )
    coefficients = np.take_along_axis(coefficients, order[:, None, :], axis=0)
    if count.max() == 1 and (coefficients[0] == 1).all():
        return Operand(traced.source, traced.scale, columns[:1], None)
    return Operand(traced.source, traced.scale, columns, coefficients)


def read_rotation(operand: Operand, heads: int, stretch: float = _ROUNDING) -> Rotation | str:
    """Return an operand with coefficients as pairs of a rotation, or the reason why it is none.

    Columns that are not turned are paired with one another, by an angle of 0. stretch: how far the square of
    a turned pair's length may be from what it was.
    """
    assert operand.coefficients is not None, "a plain view has no rotation"
    pairs: list[list[tuple[int, int]]] = []
    for columns in np.split(operand.columns, heads, axis=1):
        found = _pairs_of_head(columns)
        if isinstance(found, str):
            return found
        pairs.append(found)
    positions = np.array(pairs, dtype=np.int64)
    base = np.arange(heads)[:, None] * (operand.columns.shape[1] // heads)
    first, second = (positions + base[..., None]).reshape(-1, 2).T
    one, two = operand.columns[:, first]
    cos_own, cos_other = operand.coefficients[:, :, first]
    swapped = operand.columns[0, second] != one
    sin_own = np.where(swapped, operand.coefficients[1][:, second], operand.coefficients[0][:, second])
    sin_other = np.where(swapped, operand.coefficients[0][:, second], operand.coefficients[1][:, second])
    # Which of the two columns the first element keeps at angle 0.
    still = two == -1
    keeps_one = (_close(cos_own, sin_other) & _close(cos_other, -sin_own)) | still
    keeps_two = _close(cos_other, sin_own) & _close(cos_own, -sin_other)
    cosine = np.where(still | keeps_one, cos_own, cos_other)
    # Adding 0 turns -0 into 0.
    sine = np.where(still, np.float32(0), -np.where(keeps_one, cos_other, cos_own)) + np.float32(0)
    alone = operand.coefficients[0][:, second]
    unmoved = bool((~still | (_close(cos_own, alone) & (np.abs(cos_own - 1) <= stretch).all(axis=0))).all())
    norm = cosine * cosine + sine * sine
    if not (unmoved and bool((keeps_one | keeps_two).all()) and np.allclose(norm, 1.0, rtol=0, atol=stretch)):
        return "the factors of a pair of elements are no cosine and sine of one angle"
    own = np.where(keeps_one, one, two)
    other = np.where(still, operand.columns[0, second], np.where(keeps_one, two, one))
    shape = positions.shape[:2]
    return Rotation(
        positions[..., 0],
        positions[..., 1],
        own.reshape(shape),
        other.reshape(shape),
        cosine.reshape(-1, *shape),
        sine.reshape(-1, *shape),
    )


def _close(x: Array, y: Array) -> Array:
    """Tell for each column whether two arrays agree in all rows."""
    return np.asarray((np.abs(x - y) <= _ROUNDING).all(axis=0))


def _pairs_of_head(columns: Array) -> list[tuple[int, int]] | str:
    """Return the positions that share their two source columns, in order; columns is [2, d]."""
    partners: dict[tuple[int, int], list[int]] = {}
    still: list[int] = []
    for position, (one, two) in enumerate(columns.T.tolist()):
        if two == -1:
            still.append(position)
        else:
            partners.setdefault((min(one, two), max(one, two)), []).append(position)
    pairs = [(found[0], found[-1]) for found in partners.values()]
    if any(len(found) != 2 for found in partners.values()) or len(still) % 2:
        return "the elements of a head do not come in pairs of the same two columns"
    return sorted([*pairs, *zip(still[::2], still[1::2], strict=True)])
