"""The turns of a stage that moves rows: which rows of an operand become which rows of the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from tmc.backend_gap9.kernels.moves import step_bytes
from tmc.backend_gap9.kernels.record import Run
from tmc.backend_gap9.kernels.table import record_of
from tmc.backend_gap9.kernels.weight_rows import word_up
from tmc.backend_gap9.stages.pack import line_blocks, line_pitch
from tmc.backend_gap9.stages.staged import GraphStage, Staged

WORD_BYTES = 4


@dataclass(frozen=True, slots=True)
class MovedRun:
    """A run of rows with the places that its rows come from.

    source: the operand in L2, a value or a block of constants, with rows x_pitch bytes apart.
    """

    run: Run
    source: str
    x_rows: int
    x_pitch: int

    @property
    def rows(self) -> int:
        """Rows of the result."""
        return len(self.run.indices)

    @property
    def copied(self) -> bool:
        """Whether the rows of the operand are consecutive too."""
        return isinstance(self.run.indices, range)

    def firsts(self, rows: int) -> tuple[int, ...]:
        """Return the first row of the operand that each tile of `rows` rows is given."""
        count = self.window(rows)
        tiles = [self.run.indices[start : start + rows] for start in range(0, self.rows, rows)]
        return tuple(min(min(tile), self.x_rows - count) for tile in tiles)

    def window(self, rows: int) -> int:
        """Return how many rows of the operand a tile of `rows` rows is given: those between its outermost."""
        if self.copied:
            return min(rows, self.rows)
        return _widest(self.run.indices, rows)


@cache
def _widest(indices: Sequence[int], rows: int) -> int:
    """Return the rows between the outermost ones of a tile of so many, of that tile which has most."""
    tiles = (indices[start : start + rows] for start in range(0, len(indices), rows))
    return max(max(tile) + 1 - min(tile) for tile in tiles)


@dataclass(frozen=True, slots=True)
class MoveShape:
    """An op that moves rows of `columns` elements: its runs in the order of their rows in the result."""

    runs: tuple[MovedRun, ...]
    columns: int
    element_bytes: int
    y_pitch: int

    def tile_columns(self) -> tuple[int, ...]:
        """Return the legal columns of a tile, rising: whole words, and whole rows."""
        step = WORD_BYTES // self.element_bytes
        cuts = {-(-self.columns // (count * step)) * step for count in range(1, self.columns // step + 1)}
        return (*sorted(cut for cut in cuts if cut < self.columns), self.columns)

    def tile_rows(self) -> tuple[int, ...]:
        """Return the rows of a tile that make the largest run so many equal tiles, rising."""
        largest = max(run.rows for run in self.runs)
        return tuple(sorted({-(-largest // count) for count in range(1, largest + 1)}))

    def pitch(self, pitch_bytes: int, columns: int, taken: int) -> int:
        """Return the pitch in L1 of a tile's rows, `taken` of `columns` wide: as in L2 if rows are whole."""
        return pitch_bytes if columns == self.columns else taken * self.element_bytes

    def step_bytes(self, run: MovedRun, columns: int) -> int:
        """Return the widest step that all rows of all tiles of a run allow."""
        taken = {min(columns, self.columns - first) for first in range(0, self.columns, columns)}
        pitches = (run.x_pitch, self.y_pitch)
        return step_bytes(*(self.pitch(pitch, columns, each) for pitch in pitches for each in taken))

    def x_slot_bytes(self, rows: int, columns: int) -> int:
        """Return the size of the largest tile of an operand, in whole words."""
        return max(word_up(run.window(rows) * self.pitch(run.x_pitch, columns, columns)) for run in self.runs)

    def y_slot_bytes(self, rows: int, columns: int) -> int:
        """Return the size of the largest tile of the result, in whole words."""
        largest = min(rows, max(run.rows for run in self.runs))
        return word_up(largest * self.pitch(self.y_pitch, columns, columns))

    def turns(self, rows: int, columns: int) -> int:
        """Return the number of tiles."""
        tiles = sum(-(-run.rows // rows) for run in self.runs)
        return tiles * -(-self.columns // columns)


def move_shape(staged: Staged, stage: GraphStage) -> MoveShape:
    """Return the turns of an op of a stage that moves rows."""
    graph, op = staged.graph, stage.op
    kind = graph.types[op.output]
    blocks = line_blocks(graph, stage, op)

    def moved(run: Run) -> MovedRun:
        name = op.inputs[run.operand]
        constant = name in graph.constants
        pitch = line_pitch(graph, name) if constant else staged.layouts[name].pitch_bytes
        return MovedRun(run, blocks[name] if constant else name, graph.types[name].shape[0], pitch)

    return MoveShape(
        tuple(map(moved, record_of(op.kind).runs(graph, op))),
        kind.shape[1],
        kind.dtype.size_bytes,
        staged.layouts[op.output].pitch_bytes,
    )
