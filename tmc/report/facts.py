"""What a compile found out about a network: the facts of report.json, report.html and `compile --json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tmc.backend_gap9.emit.stack_need import StackNeed, stack_need, stack_text
from tmc.backend_gap9.kernels.table import record_of
from tmc.backend_gap9.plan.l3_timeline import waits_for_l3
from tmc.backend_gap9.plan.plan import Plan, StagePlan
from tmc.backend_gap9.program.program import Program, calls
from tmc.backend_gap9.prove.clock import ReplayedCycles
from tmc.backend_gap9.stages.order import Order
from tmc.backend_gap9.target.target import Memory, Stacks, Target
from tmc.ir.graph import Graph
from tmc.ir.ops import VIEWS
from tmc.ir.ports import Port, ports_of
from tmc.passes.accuracy.record import Accuracy, OpAccuracy
from tmc.passes.declared.kept_declarations import KeptDeclarations
from tmc.report.accelerator import AcceleratorUse, accelerator_use


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an output comes from. `model` is a file name without its folder, the hash is of its bytes.

    recipe: the steps of the quantisation that differ from the default.
    """

    model: str
    model_sha256: str
    compiler: str  # name and version
    recipe: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PortRow:
    """One input or output: value = scale * (code - zero point), codes from limits[0] to limits[1].

    scales: one, or several as network.h says which element has which; none where the model states none.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zero_point: int
    limits: tuple[int, int]


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """Use of one memory. bound: no plan needs less: the solver's proof for L2, elsewhere the use itself."""

    peak_bytes: int
    bound_bytes: int
    budget_bytes: int


@dataclass(frozen=True, slots=True)
class OpRow:
    """One op of the integer graph: its output, the ONNX node, its stage and the kernels that run it.

    sqnr_db, added_db, clipped: see OpAccuracy; None where nothing was compared.
    """

    name: str
    op: str
    node: str
    stage: int
    dtype: str
    shape: tuple[int, ...]
    macs: int
    kernels: tuple[str, ...]
    sqnr_db: float | None = None
    added_db: float | None = None
    clipped: float | None = None


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage: ops, tiles, memory and modelled cycles. bound_cycles: no tiling of it is modelled faster.

    l3_wait_cycles come on top: what the stage waits for its weights before it begins. replayed_cycles: what
    the program of the stage takes by the same costs, replayed call by call and transfer by transfer.
    job_cycles: of the accelerator's jobs, alone; None on a target without one.
    """

    name: str
    ops: tuple[str, ...]
    tiles: str
    macs: int
    l1_peak_bytes: int
    cycles: int
    compute_cycles: int
    dma_cycles: int
    exposed_cycles: int
    bound_cycles: int
    l3_wait_cycles: int
    replayed_cycles: int | None
    job_cycles: int | None


@dataclass(frozen=True, slots=True)
class BufferRow:
    """One buffer in L2, in use from the start of stage `first` to the end of stage `last`."""

    name: str
    offset_bytes: int
    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class OrderRow:
    """The order of the stages: what values take of L2 at most in it, and what they take in any order.

    changed: the order is another one than that of the graph.
    """

    changed: bool
    peak_bytes: int
    bound_bytes: int

    @property
    def text(self) -> str:
        """Return the order in words, and what is proved about it."""
        order = "another order than the graph's" if self.changed else "the order of the graph"
        if self.peak_bytes == self.bound_bytes:
            return f"{order}; proved: in none do values take less of L2 than {self.peak_bytes:,} bytes"
        return (
            f"{order}, in which values take at most {self.peak_bytes:,} bytes of L2; "
            f"proved: in none less than {self.bound_bytes:,}"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """All facts of a compile but its times. cycles_estimate is of one inference, on the modelled target.

    declared: what was kept of a quantised model; None for one in float. order: of the stages; None where
    there is only one. loudness: windows so many times as loud as those of the calibration fit the input and
    the residual stream; 1 where nothing was chosen. accelerator: None on a target without one.
    """

    network: str
    origin: Origin
    target: str
    cores: int
    cluster_hz: int
    inputs: tuple[PortRow, ...]
    outputs: tuple[PortRow, ...]
    macs: int
    weights_bytes: int
    l1: MemoryRow
    l2: MemoryRow
    l3: MemoryRow
    stacks: Stacks
    worker_stack: StackNeed
    cycles_estimate: int
    exposed_fetch_cycles: int
    stages: tuple[StageRow, ...]
    ops: tuple[OpRow, ...]
    l2_buffers: tuple[BufferRow, ...]
    accuracy: Accuracy | None = None
    declared: KeptDeclarations | None = None
    order: OrderRow | None = None
    loudness: float = 1.0
    accelerator: AcceleratorUse | None = None

    @property
    def accelerator_text(self) -> str | None:
        """Return how much the accelerator is used, in words, on a target that has one."""
        if self.accelerator is None:
            return None
        return self.accelerator.text(self.macs, self.cycles_estimate)

    @property
    def loudness_text(self) -> str | None:
        """Return how loud windows may be, in words, where that was chosen."""
        if self.loudness == 1.0:
            return None
        return (
            f"windows up to {self.loudness:g} times as loud as those of the calibration fit the input "
            "and the residual stream"
        )

    @property
    def stack_text(self) -> str:
        """Return what the program needs of the stack of a core that works, in words."""
        return stack_text(self.worker_stack, self.stacks)

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        facts = asdict(self)
        origin: dict[str, Any] = facts.pop("origin")
        memories = {
            f"{name}_{key}": value for name in ("l1", "l2", "l3") for key, value in facts.pop(name).items()
        }
        if self.accuracy is not None:
            del facts["accuracy"]["ops"]  # they stand in the rows of ops
        if self.accelerator is None:
            del facts["accelerator"]
            for stage in facts["stages"]:
                del stage["job_cycles"]
        return origin | facts | memories | {"l3_bytes": self.l3.peak_bytes}


def build_report(
    plan: Plan,
    program: Program,
    target: Target,
    origin: Origin,
    accuracy: Accuracy | None = None,
    declared: KeptDeclarations | None = None,
    replayed: Sequence[ReplayedCycles] = (),
    loudness: float = 1.0,
) -> Report:
    """Return the report of a planned and scheduled network.

    accuracy: its comparison to float, declared: what it keeps of a quantised model, if there is that.
    replayed: the cycles of each stage as the proof found them, if it did. loudness: see Report.
    """
    graph = plan.staged.graph
    compared = {} if accuracy is None else {op.name: op for op in accuracy.ops}
    ops = _op_rows(graph, program, compared)
    waits = waits_for_l3(plan.residency, [stage.cycles.total for stage in plan.stages], target)
    stages = tuple(
        _stage_row(
            stage.name,
            planned,
            tuple(row for row in ops if row.stage == number),
            waits[number],
            replayed[number] if replayed else None,
            has_jobs=bool(target.accelerator),
        )
        for number, (stage, planned) in enumerate(zip(program.stages, plan.stages, strict=True))
    )
    ranges = {live.name: live for live in plan.l2_ranges}
    ports = ports_of(graph)
    return Report(
        network=graph.name,
        origin=origin,
        target=target.name,
        cores=target.cores,
        cluster_hz=target.cluster_hz,
        inputs=tuple(map(_port_row, ports.inputs)),
        outputs=tuple(map(_port_row, ports.outputs)),
        macs=sum(row.macs for row in ops),
        weights_bytes=sum(block.size_bytes for block in plan.staged.blocks),
        l1=MemoryRow(plan.l1_peak_bytes, plan.l1_peak_bytes, target.l1_usable_bytes),
        l2=_memory(plan.l2_peak_bytes, plan.l2_bound_bytes, target.l2),
        l3=_memory(plan.l3_bytes, plan.l3_bytes, target.l3),
        stacks=target.stacks,
        worker_stack=stack_need(program),
        cycles_estimate=plan.cycles,
        exposed_fetch_cycles=plan.exposed_fetch_cycles,
        stages=stages,
        ops=ops,
        l2_buffers=tuple(
            BufferRow(
                buffer.name,
                buffer.offset_bytes,
                buffer.size_bytes,
                ranges[buffer.name].first,
                ranges[buffer.name].last,
            )
            for buffer in plan.l2
        ),
        accuracy=accuracy,
        declared=declared,
        order=_order_row(plan.staged.order),
        loudness=loudness,
        accelerator=accelerator_use(target, [stage.cycles for stage in plan.stages]),
    )


def _order_row(order: Order | None) -> OrderRow | None:
    if order is None:
        return None
    changed = order.steps != tuple(range(len(order.steps)))
    return OrderRow(changed, order.peak_bytes, order.bound_bytes)


def _port_row(port: Port) -> PortRow:
    kind, quant = port.type, port.type.quant
    scales, zero_point = ((), 0) if quant is None else (quant.scale, quant.zero_point)
    return PortRow(port.name, kind.dtype.value, kind.shape, scales, zero_point, kind.code_limits)


def _memory(peak_bytes: int, bound_bytes: int, memory: Memory) -> MemoryRow:
    return MemoryRow(peak_bytes, bound_bytes, memory.usable_bytes)


def _op_rows(graph: Graph, program: Program, compared: Mapping[str, OpAccuracy]) -> tuple[OpRow, ...]:
    stage_of: dict[str, int] = {}
    kernels: dict[str, dict[str, None]] = {}
    for number, stage in enumerate(program.stages):
        for call in calls(stage.body):
            stage_of[call.op] = number
            kernels.setdefault(call.op, {})[call.kernel] = None
    return tuple(
        OpRow(
            op.output,
            op.kind.value,
            op.loc,
            stage_of[op.output],
            graph.types[op.output].dtype.value,
            graph.types[op.output].shape,
            record_of(op.kind).macs(graph, op),
            tuple(kernels[op.output]),
            *_accuracy_columns(compared.get(op.output)),
        )
        for op in graph.ops
        if op.kind not in VIEWS
    )


def _accuracy_columns(found: OpAccuracy | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if found is None else (found.sqnr_db, found.added_db, found.clipped)


def _stage_row(
    name: str,
    planned: StagePlan,
    ops: tuple[OpRow, ...],
    l3_wait_cycles: int,
    replayed: ReplayedCycles | None,
    *,
    has_jobs: bool,
) -> StageRow:
    cycles = planned.cycles
    return StageRow(
        name=name,
        ops=tuple(row.name for row in ops),
        tiles=planned.tiling.text(),
        macs=sum(row.macs for row in ops),
        l1_peak_bytes=planned.l1_peak_bytes,
        cycles=cycles.total,
        compute_cycles=cycles.compute,
        dma_cycles=cycles.dma,
        exposed_cycles=cycles.exposed,
        bound_cycles=cycles.bound,
        l3_wait_cycles=l3_wait_cycles,
        replayed_cycles=None if replayed is None else replayed.compute + replayed.waited,
        job_cycles=cycles.jobs if has_jobs else None,
    )
