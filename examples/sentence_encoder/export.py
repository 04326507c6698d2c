"""Write an encoder as ONNX, with the calibration file that `tmc compile` takes."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from examples.sentence_encoder.model import Encoder

INPUT, OUTPUT = "embeddings", "embedding"
# From here on torch's default exporter writes; below, the one before it.
FIRST_DYNAMO_OPSET = 18


def export(
    encoder: Encoder, inputs: NDArray[np.float32], path: Path, opset: int = FIRST_DYNAMO_OPSET
) -> None:
    """Write `path` and its calibration file from inputs [samples, 1, tokens, dim]; all shapes are static."""
    example = torch.from_numpy(inputs[0])
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            encoder.eval(),
            (example,),
            str(path),
            dynamo=opset >= FIRST_DYNAMO_OPSET,
            opset_version=opset,
            input_names=[INPUT],
            output_names=[OUTPUT],
            **({"external_data": False} if opset >= FIRST_DYNAMO_OPSET else {}),
        )
    np.savez(path.with_suffix(".calibration.npz"), **{INPUT: inputs})
