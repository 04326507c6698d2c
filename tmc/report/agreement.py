"""How near the integer network is to the quantised file that it was made of, run op by op as ONNX says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tmc.frontend.oracle.onnxruntime import run_unfused
from tmc.ir.graph import Graph
from tmc.ir.interpret import interpret
from tmc.passes.accuracy.agreement import integer_outputs, output_agreement
from tmc.passes.calibrate.calibration import Calibration
from tmc.passes.declared.kept_declarations import KeptDeclarations
from tmc.passes.quantise_model import Quantised

WINDOWS = 4


def file_agreement(
    path: Path, imported: Graph, quantised: Quantised, calibration: Calibration
) -> KeptDeclarations | None:
    """Return what is kept of a quantised file, with the agreement of its outputs; None for a file in float.

    Compared on the first held-back samples; noise counts only where every code is the model's. Where this
    compiler does not repeat the file's roundings, their own noise against float stands beside.
    """
    kept = quantised.kept
    if kept is None or not (kept.exact or calibration.meaningful):
        return kept
    windows = calibration.first_held_back(WINDOWS)
    file = run_unfused(path, imported, windows)
    agreement = output_agreement(file, integer_outputs(quantised.graph, windows))
    if kept.exact:
        return replace(kept, file_db=agreement, file_windows=len(windows))
    real = [interpret(quantised.real, window) for window in windows]
    float_db = output_agreement(real, file)
    return replace(kept, file_db=agreement, file_float_db=float_db, file_windows=len(windows))
