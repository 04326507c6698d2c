"""Observe the value ranges of a float graph over calibration samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import gcd

import numpy as np

from tmc.ir.errors import CalibrationError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.ir.types import Array

SAMPLE_ELEMENTS = 40_000
SAMPLE_ROWS = 1024
# Of what these ops read whole rows are kept: what a convert reads is a linear op's operand in another form.
ROWS_OF = frozenset({OpKind.LINEAR, OpKind.LAYERNORM, OpKind.CONVERT})
# Of so many elements, ranges are taken as they are: hardly anything lies beyond the largest of them.
PLENTY = 2**18


@dataclass(frozen=True, slots=True, eq=False)
class Range:
    """What one value held over all calibration samples.

    column_low, column_high: smallest and largest element per index of the last axis. sample: about 40,000
    elements for error searches; sample_columns: the last-axis index of each. rows: about 1,024 whole
    rows of what linear ops, norms and converts read, else none. elements: how many were seen, of all columns
    of the value. least, most: what it cannot leave, whatever the input.
    """

    column_low: Array
    column_high: Array
    sample: Array
    sample_columns: Array
    rows: Array = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    elements: int = PLENTY
    least: float = -np.inf
    most: float = np.inf

    @property
    def low(self) -> float:
        """Return the smallest element."""
        return float(self.column_low.min())

    @property
    def high(self) -> float:
        """Return the largest element."""
        return float(self.column_high.max())

    @property
    def column_magnitude(self) -> Array:
        """Return the largest absolute element per column."""
        return np.asarray(np.maximum(np.abs(self.column_low), np.abs(self.column_high)))

    @property
    def magnitude(self) -> float:
        """Return the largest absolute element."""
        return float(self.column_magnitude.max())

    def columns(self, start: int, stop: int) -> Range:
        """Return the range of the columns from start to stop (exclusive): one head of Q or K."""
        inside = (self.sample_columns >= start) & (self.sample_columns < stop)
        return replace(
            self,
            column_low=self.column_low[start:stop],
            column_high=self.column_high[start:stop],
            sample=self.sample[inside],
            sample_columns=self.sample_columns[inside] - start,
            rows=self.rows[:, start:stop],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """The range of every graph input and every computed value, by name, over `samples` samples."""

    values: Mapping[str, Range]
    samples: int


def calibrate(graph: Graph, samples: Mapping[str, Array]) -> Ranges:
    """Interpret the float graph on every sample and return what its values held.

    samples: per graph input an array [S, *input shape]. The elements kept for error searches are picked by a
    fixed stride, so equal samples give equal ranges.
    Raises: CalibrationError if a value becomes NaN or infinite, or an input never differs from zero.
    """
    counts = {len(samples[name]) for name in graph.inputs}
    assert len(counts) == 1, "read_calibration gives every input the same number of samples"
    count = counts.pop()
    observers: dict[str, _Observer] = {}
    operands = {op.inputs[0] for op in graph.ops if op.kind in ROWS_OF}

    def observe(name: str, array: Array) -> None:
        if name not in observers:
            observers[name] = _Observer(name, array.size, array.shape[-1], count, name in operands)
        observers[name].add(array)

    for index in range(count):
        inputs = {name: np.asarray(samples[name][index], dtype=np.float32) for name in graph.inputs}
        for name, array in inputs.items():
            observe(name, array)
        with np.errstate(over="ignore", invalid="ignore"):
            interpret(graph, inputs, observe)
    values = {name: observer.range() for name, observer in observers.items()}
    for name in graph.inputs:
        if values[name].magnitude == 0.0:
            raise CalibrationError(
                f"input %{name}", f"found only zeros in {count} samples", "calibrate on recorded windows"
            )
    return Ranges(values, count)


class _Observer:
    """Running column extremes and a strided selection of the elements of one value."""

    def __init__(self, name: str, elements: int, columns: int, count: int, keep_rows: bool) -> None:
        self.name = name
        self.columns = columns
        self.elements = elements * count
        self.low = np.full(columns, np.inf, dtype=np.float32)
        self.high = np.full(columns, -np.inf, dtype=np.float32)
        self.chosen: list[Array] = []
        self.chosen_columns: list[Array] = []
        stride = max(1, elements * count // SAMPLE_ELEMENTS)
        while gcd(stride, columns) != 1:  # otherwise the stride would visit the same few columns in every row
            stride += 1
        self.stride = stride
        self.row_stride = max(1, elements // columns * count // SAMPLE_ROWS) if keep_rows else 0
        self.chosen_rows: list[Array] = []

    def add(self, array: Array) -> None:
        rows = array.reshape(-1, self.columns)
        low, high = rows.min(axis=0), rows.max(axis=0)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise CalibrationError(
                f"value %{self.name}",
                "found NaN or infinity, allowed finite numbers",
                "check the weights, and the calibration samples for extreme values",
            )
        np.minimum(self.low, low, out=self.low)
        np.maximum(self.high, high, out=self.high)
        if self.row_stride:
            self.chosen_rows.append(rows[len(self.chosen) % self.row_stride :: self.row_stride].copy())
        first = len(self.chosen) % self.stride
        self.chosen.append(rows.reshape(-1)[first :: self.stride].copy())
        self.chosen_columns.append(np.arange(first, rows.size, self.stride) % self.columns)

    def range(self) -> Range:
        rows = np.concatenate(self.chosen_rows) if self.row_stride else np.zeros((0, 0), dtype=np.float32)
        chosen, columns = np.concatenate(self.chosen), np.concatenate(self.chosen_columns)
        return Range(self.low, self.high, chosen, columns, rows, self.elements)
