"""Which jobs of a row stage follow each other without a gap: of linears that need nothing of each other."""

from __future__ import annotations

from tmc.backend_gap9.kernels.linear import job_of
from tmc.backend_gap9.kernels.table import form_of
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
