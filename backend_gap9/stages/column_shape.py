"""The turns of a column stage: which rows and columns of input and output one kernel call has."""

from __future__ import annotations

from dataclasses import dataclass

from tmc.backend_gap9.kernels.record import WORD
from tmc.backend_gap9.kernels.table import record_of
from tmc.backend_gap9.stages.staged import Rows
from tmc.ir.graph import Graph, Op

WORD_BYTES = 4


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """What one op needs at once: x_rows rows of its input give y_rows rows of its output, `groups` times.

    A tile has some of the columns of both. A transposed output has a row for each column of the input; its
    y_rows are elements of such a row. ragged: the kernel takes rows of its input any elements apart.
    weight_bytes: packed constants of one column, or 0. z_rows: of a second input, for calls_per_z groups;
    then tiles have all columns.
    """

    groups: int
    x_rows: int
    y_rows: int
    columns: int
    x_element_bytes: int
    y_element_bytes: int
    transposed: bool
    ragged: bool
    weight_bytes: int
    z_rows: int = 0
    calls_per_z: int = 1

    def tile_columns(self) -> tuple[int, ...]:
        """Return the legal tiles: whole rows, and what keeps every row of every tile at whole words.

        Of ragged ones the last may be narrower: nothing comes behind it in L1.
        """
        if self.z_rows:
            return (self.columns,)
        y_element_bytes = WORD_BYTES if self.transposed else self.y_element_bytes
        step = WORD_BYTES // min(self.x_element_bytes, y_element_bytes)
        cut = range(step, self.columns, step) if self.ragged or self.columns % step == 0 else range(0)
        return (*cut, self.columns)

    def sizes(self, columns: int) -> list[int]:
        """Return the columns of all tiles of one group."""
        return [min(columns, self.columns - first) for first in range(0, self.columns, columns)]

    def x_pitch(self, layout: Rows, columns: int) -> int:
        """Return the bytes from row to row of an input tile in L1: as in L2 if it has all columns."""
        return layout.pitch_bytes if columns == self.columns else columns * self.x_element_bytes

    def y_pitch(self, layout: Rows, columns: int) -> int:
        """Return the bytes from row to row of an output tile in L1."""
        whole = self.transposed or columns == self.columns
        return layout.pitch_bytes if whole else columns * self.y_element_bytes

    def x_bytes(self, layout: Rows, columns: int) -> int:
        """Return the size of an input tile."""
        return self.x_rows * self.x_pitch(layout, columns)

    def y_bytes(self, layout: Rows, columns: int) -> int:
        """Return the size of an output tile."""
        return (columns if self.transposed else self.y_rows) * self.y_pitch(layout, columns)

    def z_bytes(self, layout: Rows) -> int:
        """Return the size of what a call has of the second input."""
        return self.z_rows * layout.pitch_bytes


def column_shape(graph: Graph, op: Op) -> ColumnShape:
    """Return the turns of an op of a column stage."""
    x, y = graph.types[op.inputs[0]], graph.types[op.output]
    rows, columns = x.shape
    record = record_of(op.kind)
    (kernel,), needs = record.chosen(graph, op), record.columns(graph, op)
    return ColumnShape(
        groups=rows // needs.x_rows,
        x_rows=needs.x_rows,
        y_rows=needs.y_rows,
        columns=columns,
        x_element_bytes=x.dtype.size_bytes,
        y_element_bytes=y.dtype.size_bytes,
        transposed=needs.transposed,
        ragged=needs.transposed and kernel.operand("x").pitch_unit != WORD,
        weight_bytes=record.numbers(graph, op)["weight_pitch"] if record.weight_rows is not None else 0,
        z_rows=needs.z_rows,
        calls_per_z=needs.calls_per_z,
    )
