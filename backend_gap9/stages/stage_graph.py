"""Cut the integer graph into stages: runs of ops that share one loop over row tiles in L1.

* Attention needs many rows at once: a stage of its own.
* So do means, convolutions, interpolations and permutations of rows. They work column by column: a stage
  each, with a loop over tiles of columns.
* All other ops work row by row. Consecutive ones form one stage, so that what only they use never leaves L1;
  a stage ends after a value that later stages need anyway (the residual stream between attention and MLP),
  and where more weights would not leave L2 room to bring those of the next stage.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tmc.backend_gap9.kernels.record import Form
from tmc.backend_gap9.kernels.table import RECORDS, form_of
from tmc.backend_gap9.stages.kernel_limits import check_kernel_limits
from tmc.backend_gap9.stages.layout import l2_layouts, row_storage
from tmc.backend_gap9.stages.pack import pack_stage
from tmc.backend_gap9.stages.staged import GraphStage, Staged, StageForm, Storage
from tmc.backend_gap9.target.target import Target
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, Op, OpKind, uses

# Ops of these forms are a stage each.
WHOLE: Mapping[Form, StageForm] = {"attention": "attention", "columns": "columns"}
# All weights of a stage take their part of L2 at once, and those of the next one travel meanwhile: less than
# half of what a plan may use each.
STAGE_WEIGHTS_SHARE = Fraction(5, 11)
NO_STORAGE = Storage({}, (), ())


def stage_graph(graph: Graph, target: Target) -> Staged:
    """Return the stages of an integer graph in execution order, and what they need to know of memories.

    Raises: PlanError for an op that has no integer kernel (left in float, say), for what kernels cannot take,
    and where a residual sum cannot be made in place.
    """
    roots = view_roots(graph)
    layouts = l2_layouts(graph, roots)
    check_kernel_limits(graph, layouts)
    readers = uses(graph)
    cutter = _Cutter(graph, roots, readers, int(target.l2.usable_bytes * STAGE_WEIGHTS_SHARE))
    stages = tuple(_stage(graph, readers, number, run) for number, run in enumerate(cutter.runs()))
    storage = tuple(row_storage(stage, readers) if stage.form == "rows" else NO_STORAGE for stage in stages)
    packed = tuple(pack_stage(graph, stage) for stage in stages)
    return Staged(graph, stages, storage, packed, layouts, roots)


def view_roots(graph: Graph) -> dict[str, str]:
    """Return for each value the value whose bytes it is: itself, or what a chain of reshapes starts from."""
    roots = {name: name for name in graph.types}
    for op in graph.ops:
        if op.kind is OpKind.RESHAPE:
            roots[op.output] = roots[op.inputs[0]]
    return roots


@dataclass(frozen=True, slots=True)
class _Cutter:
    """A graph on its way into runs of ops. A run has at most weights_bytes of weights, or one op."""

    graph: Graph
    roots: Mapping[str, str]
    readers: Mapping[str, Sequence[Op]]
    weights_bytes: int

    def runs(self) -> list[tuple[Op, ...]]:
        """Return the ops of every stage."""
        position = {op.output: index for index, op in enumerate(self.graph.ops)}
        wholes = [position[op.output] for op in self.graph.ops if _is_whole(op)]
        runs: list[list[Op]] = []
        for op in self.graph.ops:
            if op.kind is OpKind.RESHAPE:
                continue
            if (op.kind, "cores") not in RECORDS:
                raise PlanError(
                    op.loc, f"found {op.kind.value}, allowed integer ops", "run the quantise pass first"
                )
            if runs and not _is_whole(op) and self._continues(runs[-1], op, position, wholes):
                runs[-1].append(op)
            else:
                runs.append([op])
        return [tuple(run) for run in runs]

    def _continues(
        self, run: Sequence[Op], op: Op, position: Mapping[str, int], wholes: Sequence[int]
    ) -> bool:
        """Tell whether an op may join the run: same rows, nothing stored before it, not too many weights."""
        if _is_whole(run[0]) or _rows(self.graph, op) != _rows(self.graph, run[0]):
            return False
        made = {earlier.output for earlier in run}
        for name in op.inputs:
            if self.roots[name] != name and self.roots[name] in made:
                return False
            # A value that is also read across an op of whole columns or heads is stored anyway.
            if name in made:
                last = max(position[reader.output] for reader in self.readers[name])
                after = bisect_right(wholes, position[name])
                if after < len(wholes) and wholes[after] < last:
                    return False
        weights_bytes = sum(self._weight_bytes(each) for each in (*run, op))
        return form_of(op) != "channels" or weights_bytes <= self.weights_bytes

    def _weight_bytes(self, op: Op) -> int:
        return self.graph.types[op.inputs[1]].size_bytes if form_of(op) == "channels" else 0


def _is_whole(op: Op) -> bool:
    return (op.kind, "cores") in RECORDS and form_of(op) in WHOLE


def _rows(graph: Graph, op: Op) -> int:
    return graph.types[op.inputs[0]].shape[0]


def _stage(graph: Graph, readers: Mapping[str, Sequence[Op]], number: int, ops: tuple[Op, ...]) -> GraphStage:
    made = {op.output for op in ops}
    inputs = dict.fromkeys(
        name for op in ops for name in op.inputs if name not in made and name not in graph.constants
    )
    stored = tuple(
        op.output
        for op in ops
        if op.output in graph.outputs or any(each.output not in made for each in readers.get(op.output, ()))
    )
    form = WHOLE.get(form_of(ops[0]), "rows")
    return GraphStage(number, form, ops, _rows(graph, ops[0]), tuple(inputs), stored)
