"""Cut the integer graph into stages: runs of ops that share one loop over row tiles in L1.

* Attention needs many rows at once: a stage of its own.
* So do means, convolutions, interpolations and permutations of rows. They work column by column: a stage
  each, with a loop over tiles of columns.
* All other ops work row by row. Consecutive ones form one stage, so that what only they use never leaves L1;
  a stage ends after a value that later stages need anyway (the residual stream between attention and MLP),
  and where more weights would not leave L2 room to bring those of the next stage.
"""

from __future__ import annotations

from dataclasses import dataclass

from tmc.backend_gap9.kernels.record import Form
from tmc.backend_gap9.kernels.table import RECORDS, form_of
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, Op, OpKind, producers, uses

# Ops of these forms are a stage each.
WHOLE: frozenset[Form] = frozenset({"attention", "columns"})
# Of L2 all weights of a stage take their part at once, and those of the next one travel meanwhile: less than
# half of 1.5 MiB each.
STAGE_WEIGHTS_BYTES = 640 * 1024


@dataclass(frozen=True, slots=True)
class RowStage:
    """Row-wise ops over the same rows. `inputs` come from L2 (roots of views), `stored` values go there."""

    number: int
    ops: tuple[Op, ...]
    rows: int
    inputs: tuple[str, ...]
    stored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AttentionStage:
    """One attention op."""

    number: int
    op: Op


@dataclass(frozen=True, slots=True)
class ColumnStage:
    """One op that needs all rows of a column, or a run of them."""

    number: int
    op: Op


AnyStage = RowStage | AttentionStage | ColumnStage


def stage_ops(stage: AnyStage) -> tuple[Op, ...]:
    """Return the ops of a stage in order."""
    return stage.ops if isinstance(stage, RowStage) else (stage.op,)


def view_roots(graph: Graph) -> dict[str, str]:
    """Return for each value the value whose bytes it is: itself, or what a chain of reshapes starts from."""
    roots = {name: name for name in graph.types}
    for op in graph.ops:
        if op.kind is OpKind.RESHAPE:
            roots[op.output] = roots[op.inputs[0]]
    return roots


def row_operands(graph: Graph, op: Op) -> tuple[str, ...]:
    """Return the operands of an op that are computed or given at run time."""
    return tuple(name for name in op.inputs if name not in graph.constants)


def build_stages(graph: Graph) -> tuple[AnyStage, ...]:
    """Return the stages in execution order.

    Raises: PlanError for an op that has no integer kernel (left in float, say).
    """
    roots = view_roots(graph)
    runs: list[list[Op]] = []
    for op in graph.ops:
        if op.kind is OpKind.RESHAPE:
            continue
        if (op.kind, "cores") not in RECORDS:
            raise PlanError(
                op.loc, f"found {op.kind.value}, allowed integer ops", "run the quantise pass first"
            )
        if runs and form_of(op) not in WHOLE and _continues(graph, roots, runs[-1], op):
            runs[-1].append(op)
        else:
            runs.append([op])
    return tuple(_stage(graph, roots, number, tuple(run)) for number, run in enumerate(runs))


def _rows(graph: Graph, op: Op) -> int:
    return graph.types[op.inputs[0]].shape[0]


def _continues(graph: Graph, roots: dict[str, str], run: list[Op], op: Op) -> bool:
    """Tell whether an op may join the run: same rows, nothing stored before it, not too many weights."""
    if form_of(run[0]) in WHOLE or _rows(graph, op) != _rows(graph, run[0]):
        return False
    made = {earlier.output for earlier in run}
    rows_inputs = [name for name in row_operands(graph, op)]
    views = [name for name in rows_inputs if roots[name] != name and roots[name] in made]
    residual_stream = [name for name in rows_inputs if name in made and _crosses(graph, name, op)]
    weights_bytes = sum(_weight_bytes(graph, each) for each in (*run, op))
    heavy = form_of(op) == "channels" and weights_bytes > STAGE_WEIGHTS_BYTES
    return not views and not residual_stream and not heavy


def _weight_bytes(graph: Graph, op: Op) -> int:
    return graph.types[op.inputs[1]].size_bytes if form_of(op) == "channels" else 0


def _crosses(graph: Graph, value: str, op: Op) -> bool:
    """Tell whether a value read by `op` is also read across an op that needs all rows."""
    position = {each.output: index for index, each in enumerate(graph.ops)}
    wholes = [
        position[each.output]
        for each in graph.ops
        if each.kind is not OpKind.RESHAPE and form_of(each) in WHOLE
    ]
    last = max(position[reader.output] for reader in uses(graph)[value])
    return any(position[value] < whole < last for whole in wholes)


def _stage(graph: Graph, roots: dict[str, str], number: int, ops: tuple[Op, ...]) -> AnyStage:
    form = form_of(ops[0])
    if form == "attention":
        return AttentionStage(number, ops[0])
    if form == "columns":
        return ColumnStage(number, ops[0])
    made = {op.output for op in ops}
    inputs = dict.fromkeys(name for op in ops for name in row_operands(graph, op) if name not in made)
    outside = {name for op in graph.ops if op.output not in made for name in op.inputs} | set(graph.outputs)
    stored = tuple(op.output for op in ops if op.output in outside)
    makers = producers(graph)
    for name in inputs:
        if roots[name] == name and name in makers and makers[name].output in made:
            raise PlanError(ops[0].loc, f"found %{name} read before its stage")
    return RowStage(number, ops, _rows(graph, ops[0]), tuple(inputs), stored)
