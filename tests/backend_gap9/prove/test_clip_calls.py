"""Every claim and number of calls of clips, and of V through a table, is held to the graph by the proof."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.backend_gap9.prove.test_relations import calls_with_changes
from tests.networks.small_program import edited, statements, with_stage
from tests.quantised.qdq_models import samples
from tests.quantised.relu_models import PLACES, SHAPE, write_network
from tmc.backend_gap9.plan.planning import make_plan
from tmc.backend_gap9.program.program import Call, Program
from tmc.backend_gap9.prove.check_program import check_program
from tmc.backend_gap9.schedule.schedule import build_program
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.ir.errors import CheckError

# Of one row, or one line of limits, no pitch matters.
ONE_LINE = {
    ("tmc_clip_add_s16s16", "limit_pitch"),
    *(("tmc_clip_s32s32", name) for name in ("x_pitch", "y_pitch", "limit_pitch")),
}


def test_every_change_of_a_clip_is_caught(tmp_path: Path) -> None:
    source = write_network(tmp_path / "m.onnx", PLACES, "Clip")
    np.savez(tmp_path / "m.calibration.npz", x=np.stack(samples(SHAPE, 8, 1)))
    target = target_named("gap9")
    graph = compile_model(Options(source, target)).graph
    plan = make_plan(stage_graph(graph, target), target)
    program, contents = build_program(plan), plan.staged.contents
    check_program(program, graph, plan, contents, target)

    def passes(changed: Program) -> bool:
        try:
            check_program(changed, graph, plan, contents, target)
        except CheckError:
            return False
        return True

    uncaught, seen = set(), set()
    for number, stage in enumerate(program.stages):
        for path, call in statements(stage.body):
            if not isinstance(call, Call) or call.kernel in seen:
                continue
            if not call.kernel.startswith(("tmc_clip", "tmc_linear_table_transposed")):
                continue
            seen.add(call.kernel)
            for what, changed in calls_with_changes(call):
                body = edited(stage.body, path, changed)
                if passes(with_stage(program, number, replace(stage, body=body))):
                    uncaught.add((call.kernel, what))
    assert uncaught == ONE_LINE
    assert seen == {
        "tmc_clip_s16s16",
        "tmc_clip_s32s32",
        "tmc_clip_add_s16s16",
        "tmc_linear_table_transposed_s8s8s8",
    }
