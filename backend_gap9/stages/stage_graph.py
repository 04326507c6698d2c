"""Cut the integer graph into stages: runs of ops that share one loop over row tiles in L1.

* Attention needs many rows at once: a stage of its own.
* So do means, convolutions, interpolations, permutations of rows and transposes. They work column by column:
  a stage each, with a loop over tiles of columns.
* What only picks rows, or puts values one below the other, is a stage each too, with a loop over runs of
  rows.
* All other ops work row by row, those that pick columns or put values side by side too. Consecutive ones form
  one stage, so that what only they use never leaves L1; a stage ends after a value that later stages need
  anyway (the residual stream between attention and MLP), where more weights would not leave L2 room to bring
  those of the next stage, and after STAGE_OPS ops. On an accelerator a LayerNorm for its linears begins one
  where its linears come before it, too: the first op of a stage runs beside the jobs of the row tile before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from networkx import DiGraph

from tmc.backend_gap9.kernels.linear import job_of
from tmc.backend_gap9.kernels.record import Form
from tmc.backend_gap9.kernels.table import RECORDS, form_of
from tmc.backend_gap9.stages.kernel_limits import check_kernel_limits
from tmc.backend_gap9.stages.layout import l2_layouts, residual_operand, row_storage
from tmc.backend_gap9.stages.order import Order, lowest_peak_order, single_entry_regions
from tmc.backend_gap9.stages.pack import pack_stage
from tmc.backend_gap9.stages.staged import GraphStage, Rows, Staged, StageForm, Storage
from tmc.backend_gap9.stages.step_graph import step_graph
from tmc.backend_gap9.stages.value_graph import maker, read_across, readers, value_graph
from tmc.backend_gap9.target.target import Target
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import DType

# Ops of these forms are a stage each.
WHOLE: Mapping[Form, StageForm] = {"attention": "attention", "columns": "columns", "moves": "moves"}
# All weights of a stage take their part of L2 at once, and those of the next one travel meanwhile: less than
# half of what a plan may use each.
STAGE_WEIGHTS_SHARE = Fraction(5, 11)
# A stage is one function in C, and its tiles are one problem for the solver: neither should grow without end.
STAGE_OPS = 64
NO_STORAGE = Storage({}, (), ())


def stage_graph(graph: Graph, target: Target) -> Staged:
    """Return the stages of an integer graph in execution order, and what they need to know of memories.

    Stages run in the order of the graph, unless another order needs less of L2.
    Raises: PlanError for an op without an integer kernel (left in float, say), or that kernels cannot take.
    """
    roots = view_roots(graph)
    layouts = l2_layouts(graph, roots)
    check_kernel_limits(graph, layouts)
    values = value_graph(graph)
    runs = _Cutter(graph, roots, values, weights_room(target), inputs_room(target)).runs()
    order = _order(graph, roots, values, runs, layouts)
    in_order = runs if order is None else [runs[step] for step in order.steps]
    read_by = {name: tuple(graph.ops[index] for index in readers(values, name)) for name in values}
    stages = tuple(_stage(graph, read_by, number, run) for number, run in enumerate(in_order))
    storage = tuple(row_storage(stage, read_by) if stage.form == "rows" else NO_STORAGE for stage in stages)
    packed = tuple(pack_stage(graph, stage) for stage in stages)
    return Staged(graph, stages, storage, packed, layouts, roots, order)


def weights_room(target: Target) -> int:
    """Return how many bytes of weights a stage may have: as many travel for the next one meanwhile."""
    return int(target.l2.usable_bytes * STAGE_WEIGHTS_SHARE)


def inputs_room(target: Target) -> int:
    """Return how many inputs a stage may have: transfers in flight, beside those of weights and results."""
    return max(2, target.dma.queue_entries * 3 // 4)


def view_roots(graph: Graph) -> dict[str, str]:
    """Return for each value the value whose bytes it is: itself, or what a chain of reshapes starts from."""
    roots = {name: name for name in graph.types}
    for op in graph.ops:
        if op.kind is OpKind.RESHAPE:
            roots[op.output] = roots[op.inputs[0]]
    return roots


def _order(
    graph: Graph,
    roots: Mapping[str, str],
    values: DiGraph[str],
    runs: Sequence[Sequence[Op]],
    layouts: Mapping[str, Rows],
) -> Order | None:
    """Return the order of the runs in which least bytes of L2 live at once, None if there is only one order.

    What lies in buffers of the caller is there whatever the order.
    """
    callers = {roots[name] for name in (*graph.inputs, *graph.outputs)}
    sizes = {op.output: layouts[op.output].size_bytes for run in runs for op in run}
    step_of = {maker(values, op.output): step for step, run in enumerate(runs) for op in run}
    kept = {name: size for name, size in sizes.items() if name not in callers}
    steps, lives = step_graph(values, step_of, kept)
    if all(len(span) == 1 for span in single_entry_regions(steps)):
        return None
    return lowest_peak_order(steps, lives)


@dataclass(frozen=True, slots=True)
class _Cutter:
    """A graph on its way into runs of ops.

    A run has at most weights_bytes of weights and inputs_most inputs, each a transfer, or one op.
    """

    graph: Graph
    roots: Mapping[str, str]
    values: DiGraph[str]
    weights_bytes: int
    inputs_most: int

    def runs(self) -> list[tuple[Op, ...]]:
        """Return the ops of every stage."""
        wholes = [index for index, op in enumerate(self.graph.ops) if _is_whole(op)]
        across = read_across(self.values, wholes)
        runs: list[list[Op]] = []
        for op in self.graph.ops:
            if op.kind is OpKind.RESHAPE:
                continue
            if (op.kind, "cores") not in RECORDS:
                raise PlanError(
                    op.loc, f"found {op.kind.value}, allowed integer ops", "run the quantise pass first"
                )
            if runs and not _is_whole(op) and self._continues(runs[-1], op, across):
                runs[-1].append(op)
            else:
                runs.append([op])
        return [tuple(run) for run in runs]

    def _continues(self, run: Sequence[Op], op: Op, across: Collection[str]) -> bool:
        """Tell whether an op may join the run: same rows, nothing stored before it, not too many weights.

        A sum is made in the place of its residual, which is therefore not read behind it in its run.

        across: values that are also read behind an op of whole columns or heads; they are stored anyway.
        """
        if len(run) == STAGE_OPS or _is_whole(run[0]) or _rows(self.graph, op) != _rows(self.graph, run[0]):
            return False
        made = {earlier.output for earlier in run}
        for name in op.inputs:
            if (self.roots[name] != name and self.roots[name] in made) or (name in made and name in across):
                return False
        if any(residual_operand(earlier) in op.inputs for earlier in run):
            return False
        if _is_before_jobs(self.graph, op) and any(job_of(self.graph, earlier) for earlier in run):
            return False
        if len(self._read((*run, op))) > self.inputs_most:
            return False
        residual = residual_operand(op)
        if residual is not None and residual in made and self._is_read_behind(residual, (*run, op)):
            return False
        weights_bytes = sum(self._weight_bytes(each) for each in (*run, op))
        return form_of(op) != "channels" or weights_bytes <= self.weights_bytes

    def _read(self, run: Sequence[Op]) -> set[str]:
        """Return the computed values that a run reads and does not make."""
        read = {name for op in run for name in op.inputs if name not in self.graph.constants}
        return read - {op.output for op in run}

    def _is_read_behind(self, name: str, run: Sequence[Op]) -> bool:
        """Tell whether something else than a run reads a value that it makes."""
        inside = {op.output for op in run}
        read_by = (self.graph.ops[index].output for index in readers(self.values, name))
        return name in self.graph.outputs or not inside.issuperset(read_by)

    def _weight_bytes(self, op: Op) -> int:
        return self.graph.types[op.inputs[1]].size_bytes if form_of(op) == "channels" else 0


def _is_before_jobs(graph: Graph, op: Op) -> bool:
    """Tell whether an op is a LayerNorm that only the accelerator reads."""
    return op.kind is OpKind.QLAYERNORM and graph.types[op.output].dtype is DType.U8


def _is_whole(op: Op) -> bool:
    return (op.kind, "cores") in RECORDS and form_of(op) in WHOLE


def _rows(graph: Graph, op: Op) -> int:
    return graph.types[op.inputs[0]].shape[-2]


def _stage(graph: Graph, read_by: Mapping[str, Sequence[Op]], number: int, ops: tuple[Op, ...]) -> GraphStage:
    made = {op.output for op in ops}
    inputs = dict.fromkeys(
        name for op in ops for name in op.inputs if name not in made and name not in graph.constants
    )
    stored = tuple(
        op.output
        for op in ops
        if op.output in graph.outputs or any(each.output not in made for each in read_by.get(op.output, ()))
    )
    form = WHOLE.get(form_of(ops[0]), "rows")
    rows = graph.types[ops[0].output].shape[0] if form == "moves" else _rows(graph, ops[0])
    return GraphStage(number, form, ops, rows, tuple(inputs), stored)
