"""A float graph and its ranges while scale factors move between the constants of neighbouring ops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op
from tmc.ir.types import Array
from tmc.passes.calibrate.calibrate import Range, Ranges


class Rescaled:
    """Collects changed constants and ranges; the graph it was made of stays as it is.

    A changed constant gets a name of its own, for other ops may read the same one.
    """

    def __init__(self, graph: Graph, ranges: Ranges) -> None:
        self._graph = graph
        self._builder = GraphBuilder.like(graph)
        self._samples = ranges.samples
        self._inputs: dict[str, tuple[str, ...]] = {}
        self.values = dict(ranges.values)

    def constant(self, op: Op, operand: int) -> Array:
        """Return a constant operand as it is now."""
        array = self._builder.constant_of(self._inputs.get(op.output, op.inputs)[operand])
        assert array is not None, "only operands that are constants are rescaled"
        return array

    def set(self, op: Op, operand: int, array: Array, name: str) -> None:
        """Give an op another constant operand of the same shape."""
        operands = list(self._inputs.get(op.output, op.inputs))
        operands[operand] = self._builder.constant(array.astype(np.float32), name)
        self._inputs[op.output] = tuple(operands)

    def divide(self, name: str, factor: Array) -> None:
        """Divide the columns of a value: its range follows exactly, without another calibration."""
        self.values[name] = divided(self.values[name], factor)

    def result(self) -> tuple[Graph, Ranges]:
        """Return the graph without the constants that nobody reads any more, and its ranges."""
        for op in self._graph.ops:
            self._builder.keep(replace(op, inputs=self._inputs.get(op.output, op.inputs)))
        return self._builder.graph(), Ranges(self.values, self._samples)


def divided(found: Range, factor: Array) -> Range:
    """Return the range of a value after its columns were divided."""
    low = (found.column_low / factor).astype(np.float32)
    high = (found.column_high / factor).astype(np.float32)
    sample = (found.sample / factor[found.sample_columns]).astype(np.float32)
    rows = (found.rows / factor).astype(np.float32) if found.rows.size else found.rows
    return replace(found, column_low=low, column_high=high, sample=sample, rows=rows)
