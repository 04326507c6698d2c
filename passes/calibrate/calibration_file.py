"""Calibration samples: read from an npz file, or seeded noise where there is none.

Samples are a mapping from graph input to a float32 array [S, *input shape].
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from tmc.ir.errors import CalibrationError
from tmc.ir.graph import Graph
from tmc.ir.types import Array

SHAPE_NOTE = (
    "the first axis counts the samples, the rest is the input's shape; its batch axis of 1 may be left out"
)


def read_calibration(path: Path, graph: Graph, truths: Collection[str] = ()) -> dict[str, Array]:
    """Return the samples of an npz file that holds one array per graph input.

    Each array is [S, *input shape], S the same for all inputs; an input's leading axis of 1 may be missing.
    truths: inputs of ones and zeros alone.
    Raises: CalibrationError if the file is unreadable, or names, shapes or numbers do not fit.
    """
    try:
        found = _load(path)
    except Exception as error:  # a damaged archive raises whatever its member provokes in zipfile or numpy
        raise CalibrationError(
            str(path),
            f"found no readable npz file ({error})",
            "write it with numpy.savez, one array per graph input",
        ) from error
    if set(found) != set(graph.inputs):
        raise CalibrationError(
            str(path),
            f"found arrays {_names(found)}, allowed {_names(graph.inputs)}",
            "name each array after a graph input",
        )
    samples = {name: _fit(path, graph, name, found[name]) for name in graph.inputs}
    for name in truths:
        if not np.isin(samples[name], (0, 1)).all():
            raise CalibrationError(
                f"{path}: array {name}",
                "found other numbers than 0 and 1, allowed truth values",
                "give booleans, as the input of the model is",
            )
    counts = {len(array) for array in samples.values()}
    if len(counts) > 1:
        raise CalibrationError(
            str(path),
            f"found {_names(map(str, counts))} samples of different inputs, allowed one count for all",
        )
    return samples


def noise_calibration(
    graph: Graph, samples: int, seed: int, truths: Collection[str] = ()
) -> dict[str, Array]:
    """Return `samples` arrays of standard normal noise per graph input, for want of better samples.

    truths: inputs that get 1 where it is above 0, and 0 elsewhere.
    """
    generator = np.random.default_rng(seed)
    noise = {
        name: generator.standard_normal((samples, *graph.types[name].shape), dtype=np.float32)
        for name in graph.inputs
    }
    return noise | {name: (noise[name] > 0).astype(np.float32) for name in truths}


def _load(path: Path) -> dict[str, Array]:
    with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
        return {name: np.asarray(archive[name]) for name in archive.files}


def _names(names: Mapping[str, Array] | tuple[str, ...] | map[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _fit(path: Path, graph: Graph, name: str, array: Array) -> Array:
    where = f"{path}: array {name}"
    shape = graph.types[name].shape
    shorter = shape[1:] if shape[:1] == (1,) else shape
    if array.ndim == 0 or array.shape[1:] not in (shape, shorter) or len(array) == 0:
        forms = dict.fromkeys((shape, shorter))
        allowed = " or ".join(f"(samples, {', '.join(map(str, form))})" for form in forms)
        raise CalibrationError(where, f"found shape {array.shape}, allowed {allowed}", SHAPE_NOTE)
    if array.dtype.kind not in "fiub":
        raise CalibrationError(where, f"found elements of type {array.dtype}, allowed real numbers")
    with np.errstate(over="ignore"):
        fitted = array.astype(np.float32)
    if not np.isfinite(fitted).all():
        raise CalibrationError(where, "found NaN or infinity, allowed finite float32 numbers")
    return fitted.reshape(len(array), *shape)
