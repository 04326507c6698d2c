"""What a program needs of a core's stack: a bound on the deepest path of calls, before anything is compiled.

    platform > entry > member of alike stages > stage > kernel

Frames of kernels are measured (`kernels.py`). That of a stage follows from how it is printed
(`emit_statements.py`): the arguments of one call, what the calling convention saves, and what lives across
calls, which is the numbers of loops and what the compiler derives from them; no matter how many calls there
are. Builds add up what was really compiled (`runtime_c/stacks`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tmc.backend_gap9.kernels.table import KERNELS
from tmc.backend_gap9.program.program import If, Loop, Program, Stage, Stmt, calls
from tmc.backend_gap9.target.target import Stacks, Target
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph

# cluster_serve, the entry, and a stage of a group that hands its own constants to what they share.
CALLERS_BYTES = 48 + 16 + 32
SAVED_BYTES = 64  # twelve registers and the return address
SPILLED_BYTES = 48  # what the compiler spills at most without a loop
LOOP_BYTES = 32  # and for every loop around a call
PLATFORM_BYTES = 48  # transfers, barriers, tracing: beside kernels, what a stage calls


@dataclass(frozen=True, slots=True)
class StackNeed:
    """Bytes that a core's stack needs at most, and the stage and kernel of the deepest path."""

    need_bytes: int
    stage: str
    kernel: str


def stack_need(program: Program) -> StackNeed:
    """Return what a program needs on the stack of each core, whatever its kernels are built for."""
    paths = [
        StackNeed(CALLERS_BYTES + stage_frame_bytes(stage) + need_bytes, stage.name, kernel)
        for stage in (program.init, *program.stages)
        for kernel, need_bytes in (("the platform", PLATFORM_BYTES), *_kernels(stage))
    ]
    return max(paths, key=lambda path: path.need_bytes)


def stack_text(need: StackNeed, stacks: Stacks) -> str:
    """Return what a program needs of the stack of a core that works, in words."""
    return f"Worker stack: at most {need.need_bytes:,} of {stacks.worker_bytes:,} bytes"


def stage_frame_bytes(stage: Stage) -> int:
    """Return what the frame of a stage's function has at most."""
    args_bytes = max((KERNELS[call.kernel].args_bytes for call in calls(stage.body)), default=0)
    return _aligned(SAVED_BYTES + SPILLED_BYTES + args_bytes + LOOP_BYTES * _loops_deep(stage.body))


def check_stack(program: Program, graph: Graph, target: Target) -> None:
    """Refuse a program whose need may be more than the stack of a core.

    Raises: PlanError naming the ONNX nodes of the stage with the deepest path.
    """
    need = stack_need(program)
    allowed = target.stacks.worker_bytes
    if need.need_bytes <= allowed:
        return
    ops = {call.op for stage in program.stages if stage.name == need.stage for call in calls(stage.body)}
    nodes = ", ".join(op.loc for op in graph.ops if op.output in ops) or f"graph @{graph.name}"
    found = f"a need of {need.need_bytes:,} bytes on the stack of a core, deepest in {need.kernel}"
    raise PlanError(
        nodes,
        f"found {found}, allowed {allowed:,}",
        "the target's file has the sizes of stacks: larger ones leave less of L1 for tiles",
    )


def _kernels(stage: Stage) -> Iterator[tuple[str, int]]:
    for call in calls(stage.body):
        yield call.kernel, max(KERNELS[call.kernel].stack_bytes.values())


def _loops_deep(body: tuple[Stmt, ...]) -> int:
    """Return how many loops are around one statement at most."""
    depths = [isinstance(each, Loop) + _loops_deep(each.body) for each in body if isinstance(each, Loop | If)]
    return max(depths, default=0)


def _aligned(size_bytes: int) -> int:
    return (size_bytes + 15) // 16 * 16
