"""Compare the outputs of an integer graph with outputs that something else computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tmc.ir.graph import Graph
from tmc.ir.interpret import interpret
from tmc.ir.types import Array
from tmc.passes.accuracy.accuracy import ratio_db
from tmc.passes.calibrate.codes import dequantise, quantise_inputs

Outputs = Sequence[Mapping[str, Array]]


def integer_outputs(integer: Graph, samples: Sequence[Mapping[str, Array]]) -> tuple[dict[str, Array], ...]:
    """Return what the outputs of an integer graph stand for, in float32, for each of some real samples."""
    return tuple(
        {
            name: dequantise(integer.types[name], codes).astype(np.float32)
            for name, codes in interpret(integer, quantise_inputs(integer, sample)).items()
        }
        for sample in samples
    )


def output_agreement(expected: Outputs, found: Outputs) -> float:
    """Return in dB the signal of expected outputs to their distance from found ones; 200 for equality."""
    signal = noise = 0.0
    for wanted, outputs in zip(expected, found, strict=True):
        for name, array in wanted.items():
            real = array.astype(np.float64)
            signal += float(np.square(real).sum())
            noise += float(np.square(outputs[name].reshape(real.shape) - real).sum())
    return ratio_db(signal, noise)
