"""What an op of a row stage moves that picks columns, or puts values side by side: a call for each run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.moves import step_bytes
from tmc.backend_gap9.kernels.record import Run
from tmc.backend_gap9.kernels.table import record_of
from tmc.backend_gap9.plan.l1_buffers import input_pitch, row_pitch
from tmc.backend_gap9.stages.pack import line_blocks
from tmc.backend_gap9.stages.staged import GraphStage, Staged
from tmc.ir.graph import Op


@dataclass(frozen=True, slots=True)
class ColumnRun:
    """Bytes of every row of an operand, a value or a block of constant rows, on their way to the result."""

    run: Run
    source: str
    x_bytes: int
    y_bytes: int
    row_bytes: int
    x_pitch: int
    y_pitch: int

    def numbers(self) -> Mapping[str, int]:
        """Return the arguments of the call, but for its rows and what follows from the op."""
        numbers = {"row_bytes": self.row_bytes, "x_pitch": self.x_pitch, "y_pitch": self.y_pitch}
        return numbers | {"step_bytes": step_bytes(self.x_bytes, self.y_bytes, self.x_pitch, self.y_pitch)}


def column_runs(staged: Staged, stage: GraphStage, op: Op) -> tuple[ColumnRun, ...]:
    """Return the runs of columns that an op of a row stage moves; none if it computes."""
    graph = staged.graph
    size_bytes = graph.types[op.output].dtype.size_bytes
    blocks = line_blocks(graph, stage, op)

    def moved(run: Run) -> ColumnRun:
        name = op.inputs[run.operand]
        block = blocks.get(name)
        first = run.indices.start if isinstance(run.indices, range) else 0
        return ColumnRun(
            run,
            name if block is None else block,
            first * size_bytes,
            run.target * size_bytes,
            len(run.indices) * size_bytes,
            row_pitch(staged, stage, name) if block is None else input_pitch(staged, stage, block),
            row_pitch(staged, stage, op.output),
        )

    return tuple(map(moved, record_of(op.kind).runs(graph, op)))
