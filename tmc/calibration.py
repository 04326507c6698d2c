"""Which samples a compile calibrates on: those given, those beside the model, or noise with a warning."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tmc.ir.graph import Graph
from tmc.passes.calibrate.calibration import Calibration
from tmc.passes.calibrate.calibration_file import noise_calibration, read_calibration

NOISE_SAMPLES = 8


def choose_calibration(
    model: Path, given: Path | None, graph: Graph, truths: Collection[str] = ()
) -> Calibration:
    """Return the samples of `given`, or of MODEL.calibration.npz beside the model, or seeded noise.

    truths: the inputs of truth values. Raises: CalibrationError if the file does not fit the graph.
    """
    beside = model.with_name(f"{model.stem}.calibration.npz")
    path = given if given is not None else beside
    if given is None and not beside.exists():
        return Calibration(
            noise_calibration(graph, NOISE_SAMPLES, seed=0, truths=truths), "noise", meaningful=False
        )
    return Calibration(read_calibration(path, graph, truths), path.name, meaningful=True)
