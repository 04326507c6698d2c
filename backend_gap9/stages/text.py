"""The text form of a staged graph: ops of every stage, what it reads and stores, how values lie."""

from __future__ import annotations

from tmc.backend_gap9.stages.staged import GraphStage, Staged


def print_staged(staged: Staged) -> str:
    """Return the staged graph as text."""
    lines = [f"staged: {len(staged.stages)} stages of @{staged.graph.name}"]
    if staged.order is not None:
        order = " ".join(map(str, staged.order.steps))
        lines.append(
            f"order {order}: {staged.order.peak_bytes} bytes of values live at once, "
            f"in no order less than {staged.order.bound_bytes}"
        )
    for stage in staged.stages:
        lines += _stage_lines(staged, stage)
    stored = [name for stage in staged.stages for name in (*stage.inputs, *stage.stored)]
    for name in dict.fromkeys(stored):
        rows, root = staged.layouts[name], staged.roots[name]
        view = "" if root == name else f", the bytes of {root}"
        lines.append(f"l2 {name}: {rows.rows} rows of {rows.row_bytes} bytes, {rows.pitch_bytes} apart{view}")
    return "\n".join(lines) + "\n"


def _stage_lines(staged: Staged, stage: GraphStage) -> list[str]:
    storage = staged.storage[stage.number]
    lines = [f"stage {stage.number}: {stage.form}, {stage.rows} rows"]
    for op in stage.ops:
        place = "stored" if op.output in stage.stored else "within"
        home = storage.home.get(op.output)
        if op.output in storage.streamed:
            place = "stored tile by tile"
        elif op.output in storage.per_tile:
            place = "within a channel tile"
        elif home is not None and home != op.output:
            place += f", in the place of {home}"
        lines.append(f"  {op.output} = {op.kind.value} {' '.join(op.inputs)}: {place}")
    lines.append(f"  reads {' '.join(stage.inputs)}")
    lines += [
        f"  constants {block.name}: {block.size_bytes} bytes" for block in staged.packed[stage.number].blocks
    ]
    return lines
