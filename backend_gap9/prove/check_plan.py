"""Check every claim of a plan against graph and target, without solvers: everything is compared with all.

What the plan says of stages is a claim too: here, that they run every op once, behind what it reads. Whether
a stage can compute its ops in its buffers, in the cycles that it states, is for `check_program` and
`check_cycles`, which follow the program. Taken on trust: that no better tiling or residency exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from tmc.backend_gap9.kernels.record import Form
from tmc.backend_gap9.kernels.table import form_of
from tmc.backend_gap9.plan.plan import (
    AttentionTiling,
    ColumnTiling,
    MemoryName,
    MoveTiling,
    Plan,
    RowTiling,
    Tiling,
)
from tmc.backend_gap9.program.buffers import Buffer
from tmc.backend_gap9.target.target import Target
from tmc.ir.errors import CheckError
from tmc.ir.graph import Graph, Op, OpKind, follow
from tmc.ir.types import DType

WORD_BYTES = 4
Stages = Sequence[Sequence[Op]]
# The tiles of stages that are one op; all others have rows.
TILINGS: Mapping[Form, type[Tiling]] = {
    "attention": AttentionTiling,
    "columns": ColumnTiling,
    "moves": MoveTiling,
}


def check_plan(plan: Plan, graph: Graph, target: Target) -> None:
    """Check stages, offsets, live ranges, residency, tiles, peaks and bounds of a plan.

    Raises: CheckError naming the stage or the buffers and the bytes.
    """
    stages = [stage.ops for stage in plan.staged.stages]
    if len(plan.stages) != len(stages):
        raise CheckError("plan", f"found {len(plan.stages)} stages, allowed {len(stages)}")
    check_stages(stages, graph)
    check_residency(plan, graph, stages)
    check_live_ranges(plan, graph, stages)
    check_memories(plan, graph, target)
    for number, ops in enumerate(stages):
        check_tiles(f"plan, stage {number}", plan.stages[number].tiling, graph, ops)


def check_stages(stages: Stages, graph: Graph) -> None:
    """Check that stages run the ops of the graph, views apart: each once, each behind what it reads."""
    roots = _roots(graph)
    done = {name for name in graph.types if name in graph.constants or name in graph.inputs}
    ops = {op.output: op for op in graph.ops if op.kind is not OpKind.RESHAPE}
    for number, stage in enumerate(stages):
        for op in stage:
            if ops.pop(op.output, None) != op:
                raise CheckError(f"plan, stage {number}", f"found %{op.output}, allowed each op once")
            for name in op.inputs:
                if roots[name] not in done:
                    raise CheckError(
                        f"plan, stage {number}", f"found %{op.output} before %{name}, which it reads"
                    )
            done.add(op.output)
    if ops:
        raise CheckError("plan", f"found no stage for {', '.join(f'%{name}' for name in ops)}")


def _roots(graph: Graph) -> Mapping[str, str]:
    """Return for each value the value that its bytes are of, behind all reshapes."""
    viewed = {op.output: op.inputs[0] for op in graph.ops if op.kind is OpKind.RESHAPE}
    return {name: follow(name, viewed.get)[-1] for name in graph.types}


def _constants_of(graph: Graph, op: Op) -> Iterator[bytes]:
    """Yield the constants of an op as bytes, as few as they can be packed in: multipliers of linears of
    unsigned rows have one byte each."""
    for number, name in enumerate(op.inputs):
        if name in graph.constants:
            array = graph.constants[name]
            short = op.kind is OpKind.QLINEAR and graph.types[op.inputs[0]].dtype is DType.U8 and number == 2
            yield (array.astype(np.uint8) if short else array).tobytes()


def check_residency(plan: Plan, graph: Graph, stages: Stages) -> None:
    """Check that constants have blocks in their stage, that L3 has all blocks, that fetches come in time."""
    names = [entry.block.name for entry in plan.residency]
    if len(set(names)) != len(names):
        raise CheckError("plan", f"found {len(names)} blocks with {len(set(names))} names")
    for entry in plan.residency:
        block = entry.block
        if not 0 <= block.stage < len(stages) or not 0 <= entry.fetch_stage <= block.stage:
            raise CheckError(
                "plan",
                f"found {block.name} of stage {block.stage} fetched in stage {entry.fetch_stage}, "
                f"allowed 0 <= fetched <= used < {len(stages)}",
            )
    for number, stage in enumerate(stages):
        held = sum(entry.block.size_bytes for entry in plan.residency if entry.block.stage == number)
        # Equal tables are packed once.
        needed = sum(map(len, {each for op in stage for each in _constants_of(graph, op)}))
        if held < needed:
            raise CheckError(
                f"plan, stage {number}", f"found blocks of {held} bytes, allowed at least {needed}"
            )
    sizes = {buffer.name: buffer.size_bytes for buffer in plan.l3}
    for entry in plan.residency:
        if sizes.get(entry.block.name, 0) < entry.block.size_bytes:
            raise CheckError(
                "plan",
                f"found {sizes.get(entry.block.name, 0)} bytes of L3 for {entry.block.name}, "
                f"allowed {entry.block.size_bytes}",
            )


def check_live_ranges(plan: Plan, graph: Graph, stages: Stages) -> None:
    """Check that what must live in L2 does, long enough and in enough bytes, and shares no byte meanwhile."""
    ranges = {each.name: each for each in plan.l2_ranges}
    if [(each.name, each.size_bytes) for each in plan.l2_ranges] != [(b.name, b.size_bytes) for b in plan.l2]:
        raise CheckError("plan", "found live ranges and L2 buffers of other names or sizes")
    last_stage = len(stages) - 1
    needed = [
        (entry.block.name, entry.block.size_bytes, 0, last_stage)
        if entry.resident
        else (entry.block.name, entry.block.size_bytes, entry.fetch_stage, entry.block.stage)
        for entry in plan.residency
    ]
    for name, size_bytes, first, last in (*needed, *stored_values(graph, stages)):
        found = ranges.get(name)
        if found is None or found.size_bytes < size_bytes or found.first > first or found.last < last:
            raise CheckError(
                "plan", f"found {found}, allowed {size_bytes} bytes of {name} in stages {first} to {last}"
            )
    for (a, at_a), (b, at_b) in combinations(zip(plan.l2_ranges, plan.l2, strict=True), 2):
        if a.first <= b.last and b.first <= a.last and _share(at_a, at_b):
            raise CheckError(
                "plan",
                f"found %{a.name} and %{b.name} in the same bytes of l2 in stage {max(a.first, b.first)}",
            )
    load = max(
        (
            sum(_word_up(each.size_bytes) for each in plan.l2_ranges if each.first <= stage <= each.last)
            for stage in range(len(stages))
        ),
        default=0,
    )
    if not load <= plan.l2_bound_bytes <= plan.l2_peak_bytes:
        raise CheckError(
            "plan",
            f"found a bound of {plan.l2_bound_bytes} bytes of l2, "
            f"allowed {load}, what lives at once, to {plan.l2_peak_bytes}, the peak",
        )


def stored_values(graph: Graph, stages: Stages) -> list[tuple[str, int, int, int]]:
    """Return name, bytes, first and last stage of every value that one stage leaves for another one."""
    roots = _roots(graph)
    external = {roots[name] for name in (*graph.inputs, *graph.outputs)}
    made = {op.output: number for number, stage in enumerate(stages) for op in stage}
    last: dict[str, int] = {}
    for number, stage in enumerate(stages):
        for op in stage:
            for name in op.inputs:
                root = roots[name]
                if root in made and root not in external and made[root] != number:
                    last[root] = number
    return [(name, graph.types[name].size_bytes, made[name], stage) for name, stage in last.items()]


def check_memories(plan: Plan, graph: Graph, target: Target) -> None:
    """Check that buffers are aligned and inside what target and caller leave free, and peaks as stated."""
    for number, stage in enumerate(plan.stages):
        where = f"plan, stage {number}"
        _check_buffers(where, "l1", stage.l1, stage.l1_peak_bytes, target.l1_usable_bytes)
        _check_apart(where, stage.l1)
    highest = max((stage.l1_peak_bytes for stage in plan.stages), default=0)
    if plan.l1_peak_bytes != highest:
        raise CheckError("plan", f"found a peak of {plan.l1_peak_bytes} bytes in l1, allowed {highest}")
    roots = _roots(graph)
    callers = {roots[name] for name in (*graph.inputs, *graph.outputs)}
    free_bytes = target.l2.usable_bytes - sum(_word_up(graph.types[name].size_bytes) for name in callers)
    _check_buffers("plan", "l2", plan.l2, plan.l2_peak_bytes, free_bytes)
    _check_buffers("plan", "l3", plan.l3, plan.l3_bytes, target.l3.usable_bytes)
    _check_apart("plan", plan.l3)
    for buffer in plan.l3:
        if buffer.offset_bytes % target.l3_channel.alignment_bytes:
            allowed = f"a multiple of {target.l3_channel.alignment_bytes} as the offset in l3"
            raise CheckError("plan", f"found {buffer}, allowed {allowed}")


def _check_buffers(
    where: str, memory: MemoryName, buffers: Sequence[Buffer], peak_bytes: int, usable_bytes: int
) -> None:
    if len({buffer.name for buffer in buffers}) != len(buffers):
        raise CheckError(where, f"found two buffers of one name in {memory}")
    for buffer in buffers:
        wrong = buffer.memory != memory or buffer.external or buffer.offset_bytes % WORD_BYTES
        if wrong or buffer.offset_bytes < 0 or buffer.size_bytes < 1:
            raise CheckError(
                where, f"found {buffer}, allowed a buffer in {memory} at a multiple of {WORD_BYTES}"
            )
    end = max((buffer.offset_bytes + buffer.size_bytes for buffer in buffers), default=0)
    if not end <= peak_bytes <= _word_up(end):
        raise CheckError(where, f"found a peak of {peak_bytes} bytes in {memory}, allowed {_word_up(end)}")
    if peak_bytes > usable_bytes:
        largest = sorted(buffers, key=lambda each: -each.size_bytes)[:3]
        raise CheckError(
            where,
            f"found a peak of {peak_bytes} bytes in {memory}, allowed {usable_bytes}; largest are "
            + ", ".join(f"{each.name} {each.size_bytes}" for each in largest),
        )


def _check_apart(where: str, buffers: Sequence[Buffer]) -> None:
    for a, b in combinations(buffers, 2):
        if _share(a, b):
            raise CheckError(where, f"found buffers {a.name} and {b.name} in the same bytes of {a.memory}")


def _share(a: Buffer, b: Buffer) -> bool:
    return a.offset_bytes < b.offset_bytes + b.size_bytes and b.offset_bytes < a.offset_bytes + a.size_bytes


def _word_up(size_bytes: int) -> int:
    return size_bytes + -size_bytes % WORD_BYTES


def check_tiles(where: str, tiling: Tiling, graph: Graph, ops: Sequence[Op]) -> None:
    """Check that tiles are not larger than what they cut."""
    x = graph.types[ops[0].inputs[0]].shape
    forms = {form_of(op) for op in ops}
    allowed = TILINGS.get(forms.pop(), RowTiling) if len(forms) == 1 else RowTiling
    if type(tiling) is not allowed:
        raise CheckError(where, f"found {type(tiling).__name__}, allowed {allowed.__name__}")
    sizes: list[tuple[str, int, int]]
    if isinstance(tiling, AttentionTiling):
        keys = graph.types[ops[0].inputs[1]].shape[1]
        sizes = [
            ("rows", tiling.rows, x[1]),
            ("keys", tiling.keys, keys),
            ("channels", tiling.channels, x[2]),
            ("heads", tiling.heads, x[0]),
        ]
    elif isinstance(tiling, RowTiling):
        linears = [op for op in ops if op.kind is OpKind.QLINEAR]
        if sorted(name for name, _ in tiling.channels) != sorted(op.output for op in linears):
            raise CheckError(where, f"found channel tiles of {tiling.channels}, allowed one for each linear")
        sizes = [("rows", tiling.rows, x[0])]
        sizes += [
            (op.output, tiling.channels_of(op.output), graph.types[op.inputs[1]].shape[0]) for op in linears
        ]
        sizes += [(f"buffers of {name}", count, 2) for name, count in tiling.input_buffers]
    elif isinstance(tiling, MoveTiling):
        rows, columns = graph.types[ops[0].output].shape
        sizes = [("rows", tiling.rows, rows), ("columns", tiling.columns, columns)]
    else:
        sizes = [("columns", tiling.columns, x[1])]
    for what, found, whole in sizes:
        if not 1 <= found <= whole:
            raise CheckError(where, f"found a tile of {found} {what}, allowed 1 to {whole}")
