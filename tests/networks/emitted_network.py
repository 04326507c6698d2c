"""Output directories of integer networks of TinyMyo's structure, by a plan without a solver."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.networks.simple_plan import Planned, Tiles, simple_plan
from tmc.backend_gap9.emit.emit import emit
from tmc.backend_gap9.prove.check_program import check_program
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.graph import Graph
from tmc.ir.ports import ports_of
from tmc.ir.types import Array
from tmc.report.captions import captions
from tmc.report.facts import Origin, Report, build_report
from tmc.report.page import report_files

ORIGIN = Origin("network.onnx", "0123456789abcdef" * 4, "tmc 0")


def some_inputs(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """Return codes of at most 13 bits for every input."""
    random = np.random.default_rng(seed)
    codes: dict[str, Array] = {}
    for port in ports_of(graph).inputs:
        least, most = (min(max(end, -4096), 4095) for end in port.type.code_limits)
        codes[port.name] = random.integers(least, most + 1, port.type.shape).astype(port.type.dtype.numpy)
    return codes


def report_of(planned: Planned) -> Report:
    """Return the report of a planned network."""
    return build_report(planned.plan, planned.program, target_named("gap9"), ORIGIN)


def emitted(graph: Graph, tiles: Tiles, name: str = "network") -> dict[str, bytes]:
    """Return the output directory of a graph under given tiles, its program proved."""
    named = replace(graph, name=name)
    planned = simple_plan(named, tiles)
    check_program(planned.program, named, planned.plan, planned.contents, target_named("gap9"))
    report = report_of(planned)
    files = emit(
        named, planned.program, planned.contents, captions(report), target_named("gap9"), some_inputs(named)
    )
    return files | report_files(report)
