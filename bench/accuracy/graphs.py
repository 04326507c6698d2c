"""Integer graphs of one calibrated network under any recipe, without the plan and the C."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tmc.calibration import choose_calibration
from tmc.frontend.onnx_import import load
from tmc.ir.graph import Graph
from tmc.passes.calibrate.calibrate import Ranges, calibrate
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.pipeline import run_passes
from tmc.passes.quantise_calibrated import quantise_calibrated
from tmc.passes.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A network in canonical float form, and what its values held over the calibration windows."""

    graph: Graph
    ranges: Ranges


def calibrated(model: Path, calibration: Path) -> Calibrated:
    """Import an ONNX file and calibrate it, as `tmc compile` does."""
    imported = load(model)
    graph = run_passes(imported, CANONICALISE)
    return Calibrated(graph, calibrate(graph, choose_calibration(model, calibration, imported).used))


def integer_graph(network: Calibrated, recipe: Recipe) -> Graph:
    """Return the integer graph that a recipe gives."""
    return quantise_calibrated(network.graph, network.ranges, recipe).graph
