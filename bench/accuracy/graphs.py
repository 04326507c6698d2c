"""Integer graphs of one calibrated network under any recipe, without the plan and the C."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tmc.calibration import choose_calibration
from tmc.frontend.onnx_import import load
from tmc.ir.graph import Graph
from tmc.passes.calibrate.calibrate import Ranges, calibrate
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.pipeline import NamedPass, run_passes
from tmc.passes.quantise import quantise
from tmc.passes.recipe import Recipe
from tmc.passes.scales.choose_scales import Scales, choose_scales
from tmc.passes.scales.equalise import equalise


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


def equalised(network: Calibrated, recipe: Recipe) -> tuple[Graph, Scales]:
    """Return the float graph that a recipe makes easier to quantise, and the scales of its values."""
    graph, ranges = equalise(network.graph, network.ranges, recipe)
    return graph, choose_scales(graph, ranges, recipe)


def integer_graph(network: Calibrated, recipe: Recipe) -> Graph:
    """Return the integer graph that a recipe gives."""
    graph, scales = equalised(network, recipe)
    return run_passes(graph, (NamedPass("quantise", partial(quantise, scales=scales, recipe=recipe)),))
