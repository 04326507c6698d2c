"""The text form of a plan: tiles and L1 of every stage, placement in L2, journeys from L3."""

from __future__ import annotations

from tmc.backend_gap9.plan.plan import Plan


def print_plan(plan: Plan) -> str:
    """Return the plan as text."""
    lines = [
        f"plan: {plan.cycles} cycles, {plan.exposed_fetch_cycles} of them waiting for L3",
        f"l1 {plan.l1_peak_bytes} bytes",
        f"l2 {plan.l2_peak_bytes} bytes, no placement needs less than {plan.l2_bound_bytes}",
        f"l3 {plan.l3_bytes} bytes",
    ]
    for number, stage in enumerate(plan.stages):
        cycles = stage.cycles
        lines.append(f"stage {number}: {stage.tiling.text()}")
        lines.append(
            f"  {cycles.total} cycles: compute {cycles.compute}, transfers {cycles.dma}, "
            + (f"jobs {cycles.jobs}, " if cycles.jobs else "")
            + f"exposed {cycles.exposed}; no tiling below {cycles.bound}"
        )
        lines += [f"  l1 {each.name}: {each.size_bytes} bytes at {each.offset_bytes}" for each in stage.l1]
    for buffer, live in zip(plan.l2, plan.l2_ranges, strict=True):
        lines.append(
            f"l2 {buffer.name}: {buffer.size_bytes} bytes at {buffer.offset_bytes}, "
            f"stages {live.first} to {live.last}"
        )
    for each in plan.residency:
        journey = "resident" if each.resident else f"fetched from stage {each.fetch_stage}"
        lines.append(
            f"l3 {each.block.name}: {each.block.size_bytes} bytes for stage {each.block.stage}, {journey}"
        )
    return "\n".join(lines) + "\n"
