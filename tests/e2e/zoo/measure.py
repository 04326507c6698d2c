"""Compile an encoder of the table and compare its outputs with onnxruntime's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from tests.e2e.encoders import windows
from tests.e2e.zoo.encoders import Encoder, write
from tests.tmc.command import succeeded

UNSEEN_WINDOWS = 8


@dataclass(frozen=True, slots=True)
class Measured:
    """What the compiler said, whether host agrees with the interpreter at every op, and how near the outputs
    are to those of onnxruntime on windows that calibration has not seen.

    same: the share of equal elements, for indices.
    """

    macs: int
    cycles_estimate: int
    bit_exact: bool
    sqnr_db: float
    same: float


def measure(folder: Path, shape: Encoder, seed: int) -> Measured:
    """Write, compile and run an encoder on host; the compiled network is left in `folder / "out"`."""
    model, batch = write(folder, shape, seed), shape.batch or 1
    facts = succeeded("compile", model, "-o", folder / "out")
    inputs = np.concatenate(windows(shape.input_shape, UNSEEN_WINDOWS * batch, seed=100))
    inputs = inputs.reshape(UNSEEN_WINDOWS, batch, *shape.input_shape[1:])
    np.save(folder / "x.npy", inputs)
    files = ("--input", folder / "x.npy", "--output", folder / "y.npy")
    ran = succeeded("run", folder / "out", "--on", "host", *files)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    (port,) = session.get_inputs()
    expected = np.stack([session.run(None, {port.name: window})[0] for window in inputs]).astype(np.float64)
    found = np.load(folder / "y.npy")
    assert found.shape == expected.shape
    noise = float(np.square(found - expected).sum())
    return Measured(
        macs=facts["macs"],
        cycles_estimate=facts["cycles_estimate"],
        bit_exact=ran["bit_exact"],
        sqnr_db=float(10 * np.log10(np.square(expected).sum() / noise)) if noise else np.inf,
        same=float(np.mean(found == expected)),
    )
