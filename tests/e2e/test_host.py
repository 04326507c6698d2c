"""Generated networks on the host: every op equals the interpreter, and the sanitizers find nothing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.networks.emitted_network import ORIGIN, emitted, some_inputs
from tests.networks.integer_networks import integer_network
from tests.networks.simple_plan import Tiles
from tmc.backend_gap9.emit.emit import emit
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.backend_gap9.plan.planning import make_plan
from tmc.backend_gap9.prove.check_cycles import check_cycles
from tmc.backend_gap9.prove.check_program import check_program
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.schedule.schedule import build_program
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.errors import PlatformError
from tmc.ir.graph import Graph
from tmc.report.captions import captions
from tmc.report.facts import build_report
from tmc.report.page import report_files

# Tokens, layers, channels, samples, rope period; with tiles that leave ragged rests.
NETWORKS = [
    (20, 1, 4, 40, 0, Tiles(rows=8, channels=16, buffers=1, queries=8, keys=12, values=8)),
    (24, 2, 4, 48, 24, Tiles(rows=16, channels=12, buffers=2, queries=5, keys=20, values=4)),
    (30, 3, 6, 60, 5, Tiles(rows=30, channels=48, buffers=1, queries=30, keys=30, values=8)),
    (22, 1, 2, 44, 11, Tiles(rows=12, channels=20, buffers=2, queries=22, keys=8, values=8)),
]


def small_network(tokens: int, layers: int, channels: int, samples: int, period: int) -> Graph:
    """Return a narrow network."""
    return integer_network(
        tokens, layers, channels, samples, 5, seed=tokens, rope_period=period, dim=24, heads=3, hidden=40
    )


def planned(graph: Graph) -> dict[str, bytes]:
    """Return the output directory under the plan of the solver, its program proved."""
    target = target_named("gap9")
    plan = make_plan(stage_graph(graph, target), target)
    program, contents = build_program(plan), plan.staged.contents
    check_cycles(plan, program, check_program(program, graph, plan, contents, target), target)
    report = build_report(plan, program, target, ORIGIN)
    files = emit(graph, program, contents, captions(report), target, some_inputs(graph))
    return files | report_files(report)


@pytest.mark.parametrize(("tokens", "layers", "channels", "samples", "period", "tiles"), NETWORKS)
def test_every_op_is_bit_exact(
    tmp_path: Path, tokens: int, layers: int, channels: int, samples: int, period: int, tiles: Tiles
) -> None:
    graph = small_network(tokens, layers, channels, samples, period)
    write_directory(emitted(graph, tiles), tmp_path / "out")
    given = [some_inputs(graph, seed)["input"] for seed in range(2)]
    result = run_host(tmp_path / "out", {"input": np.stack(given)})
    assert result.first_wrong is None and result.bit_exact
    assert [op.name for op in result.ops] == [op.output for op in graph.ops if op.kind.value != "reshape"]
    assert all(np.unique(run).size > 1 for run in result.outputs["logits"])


@pytest.mark.parametrize("number", range(len(NETWORKS)))
def test_no_data_race(tmp_path: Path, number: int) -> None:
    *sizes, tiles = NETWORKS[number]
    graph = small_network(*sizes)
    write_directory(emitted(graph, tiles), tmp_path / "out")
    result = run_host(tmp_path / "out", trace=False, sanitizer="thread", compiler_flags="-O1 -g")
    assert result.bit_exact


def test_tinyissimo_is_clean_under_the_address_sanitizer(tmp_path: Path) -> None:
    graph = integer_network(80, 4, 8, 200, 6, seed=1, rope_period=80)
    write_directory(planned(graph), tmp_path / "out")
    result = run_host(tmp_path / "out", sanitizer="address", compiler_flags="-O1 -g")
    assert result.first_wrong is None and result.bit_exact


@pytest.mark.parametrize("slot", ["q[turn % 2u]", "kv[k_tile % 2u]", "weight[w % 2u]"])
def test_a_missing_wait_does_not_get_away(tmp_path: Path, slot: str) -> None:
    *sizes, tiles = NETWORKS[0]
    files = emitted(small_network(*sizes), tiles)
    wait = re.compile(rf"(if \(core == 0u\)\n +)?tmc_dma_wait\(&network_dma_{re.escape(slot)}\);\n *")
    code, count = wait.subn("", files["network.c"].decode(), count=1)
    assert count == 1
    write_directory({**files, "network.c": code.encode()}, tmp_path / "out")
    with pytest.raises(PlatformError, match="host: the run failed with status -6"):
        run_host(tmp_path / "out")
