"""What jobs of a row stage have beside them: those of linears that need nothing of each other, without a gap
between; and what the cores compute of the next row tile.
"""

from __future__ import annotations

from dataclasses import dataclass

from tmc.backend_gap9.kernels.linear import job_of
from tmc.backend_gap9.kernels.table import form_of, record_of
from tmc.backend_gap9.stages.staged import GraphStage, Staged
from tmc.ir.graph import Op


def job_before(staged: Staged, stage: GraphStage, op: Op) -> Op | None:
    """Return the linear beside whose last job the first one of another linear starts, None if there is none.

    Both are on the accelerator, one behind the other, and the cores finish the results of the first one
    meanwhile: the other one reads none of them, and its own go where no core is.
    """
    steps = _steps(stage)
    number = steps.index(op)
    job = job_of(staged.graph, op)
    if number == 0 or job is None or job_of(staged.graph, steps[number - 1]) is None:
        return None
    previous = steps[number - 1]
    storage = staged.storage[stage.number]
    free = job.epilogue is not None or op.output in storage.streamed
    return previous if free and previous.output not in op.inputs else None


def job_behind(staged: Staged, stage: GraphStage, op: Op) -> Op | None:
    """Return the linear whose first job starts beside the last one of another, None if there is none."""
    following = (each for each in _steps(stage) if job_before(staged, stage, each) is op)
    return next(following, None)


def _steps(stage: GraphStage) -> list[Op]:
    return [op for op in stage.ops if form_of(op) != "follower"]


@dataclass(frozen=True, slots=True)
class Ahead:
    """An op that runs one row tile ahead, in slices beside the jobs of another one.

    op: the first of its stage; its input, of which the next tile has come. beside: the last one, a linear.
    """

    op: Op
    input: str
    beside: Op


def ahead_of(staged: Staged, stage: GraphStage) -> Ahead | None:
    """Return what runs ahead in a row stage of several turns, None if nothing does.

    That is row by row, of one input, what only the stage reads; and the cores have a place beside the jobs:
    that of what they finish.
    """
    steps, graph = _steps(stage), staged.graph
    first, last = steps[0], steps[-1]
    job = job_of(graph, last)
    if first is last or job is None or job.epilogue is None or form_of(first) != "rows":
        return None
    record = record_of(first.kind)
    read = [name for name in first.inputs if name not in graph.constants]
    alone = len(read) == 1 and read[0] in stage.inputs and not record.line_tables(graph, first)
    storage = staged.storage[stage.number]
    kept = storage.home.get(first.output) == first.output and first.output not in stage.stored
    if not alone or not kept or record.runs(graph, first):
        return None
    return Ahead(first, read[0], last)
