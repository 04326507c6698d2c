"""Sessions of onnxruntime, whose every failure is an error about the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from tmc.ir.errors import UnsupportedModel
from tmc.ir.types import Array

# What onnxruntime calls element types.
_ELEMENTS: Mapping[str, np.dtype[Any]] = {
    "tensor(float16)": np.dtype(np.float16),
    "tensor(double)": np.dtype(np.float64),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(bool)": np.dtype(np.bool_),
}
LEVELS = onnxruntime.GraphOptimizationLevel


def open_session(
    path: Path, model: onnx.ModelProto | None = None, optimised: bool = False
) -> onnxruntime.InferenceSession:
    """Return a session for an ONNX file, or for a model made from it.

    Raises: UnsupportedModel if onnxruntime does not take it.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = LEVELS.ORT_ENABLE_ALL if optimised else LEVELS.ORT_DISABLE_ALL
    source = str(path) if model is None else model.SerializeToString()
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exception types share no base but this
        raise refused(path, "onnxruntime", error) from error


def run_session(
    session: onnxruntime.InferenceSession, path: Path, inputs: Mapping[str, Array]
) -> dict[str, Array]:
    """Return the outputs of a session by name, for one set of inputs; those that nothing reads may be absent.

    Inputs become what the file declares; results of other floats become float32.
    Raises: UnsupportedModel if the run fails.
    """
    names = [output.name for output in session.get_outputs()]
    given = {value.name: _declared(inputs.get(value.name), value) for value in session.get_inputs()}
    try:
        results = session.run(names, given)
    except Exception as error:  # as above
        raise refused(path, "onnxruntime", error) from error
    return {name: _single(np.asarray(result)) for name, result in zip(names, results, strict=True)}


def _single(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _declared(array: Array | None, value: onnxruntime.NodeArg) -> Array:
    """Return the array of an input in its declared type; zeros where there is none."""
    dtype = _ELEMENTS.get(value.type, np.dtype(np.float32))
    if array is None:
        return np.zeros([size if isinstance(size, int) else 1 for size in value.shape], dtype=dtype)
    return array.astype(dtype)


def refused(path: Path, oracle: str, error: Exception) -> UnsupportedModel:
    """Return the error that what the import is compared with cannot run a file."""
    reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return UnsupportedModel(
        path.name,
        f"found that {oracle} cannot run it: {reason}",
        f"the import is checked against {oracle}: the file contradicts itself, or takes a version of it that "
        "knows these ops",
    )
