"""ONNX's own tests of its operators: models of one node with inputs and the outputs that ONNX expects."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases
from onnx.backend.test.case.test_case import TestCase

from tmc.frontend import load
from tmc.frontend.node import op_name
from tmc.ir.errors import UnsupportedModel
from tmc.ir.interpret import interpret
from tmc.ir.types import Array


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case came to: the reason of a refusal, or the largest error beyond what the case allows."""

    name: str
    refused: str | None
    excess: float = 0.0


@cache
def _cases() -> dict[str, list[TestCase]]:
    """Return the cases of one node by the operator."""
    found: dict[str, list[TestCase]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some expected outputs divide by 0 on purpose
        for case in collect_testcases(None):
            inputs = [_array(value) for value in case.data_sets[0][0] if not isinstance(value, list)]
            if len(case.model.graph.node) == 1 and any(map(_is_float, inputs)):
                found.setdefault(op_name(case.model.graph.node[0]), []).append(case)
    return found


def outcomes(kind: str, folder: Path) -> Iterator[Outcome]:
    """Yield what becomes of every case of an operator."""
    for case in _cases().get(kind, []):
        yield _outcome(case, folder)


def _outcome(case: TestCase, folder: Path) -> Outcome:
    """Import with all floats computed; where that is refused, with the first operand computed alone.

    Last, with the first result alone.
    """
    refused = ""
    for computed, results in ((None, None), (1, None), (1, 1)):
        try:
            return Outcome(case.name, None, _excess(case, folder, computed, results))
        except UnsupportedModel as error:
            refused = error.what
    return Outcome(case.name, refused)


def _excess(case: TestCase, folder: Path, computed: int | None, results: int | None) -> float:
    """Return the largest error of the imported graph beyond what the case allows; negative if all is well."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    names = [output.name for output in model.graph.output][:results]
    if results is not None:
        del model.graph.output[results:], model.graph.node[0].output[results:]
    worst = -np.inf
    for inputs, expected in case.data_sets:
        given = dict(zip((value.name for value in model.graph.input), map(_array, inputs), strict=False))
        floats = [name for name, array in given.items() if _is_float(array)][:computed]
        constants = [
            numpy_helper.from_array(array, name) for name, array in given.items() if name not in floats
        ]
        model.graph.initializer.extend(constants)
        path = folder / "case.onnx"
        path.write_bytes(model.SerializeToString())
        graph = load(path)
        sample = {name: given[name].astype(np.float32) for name in graph.inputs}
        with np.errstate(all="ignore"):
            found = interpret(graph, sample)
        for name, wanted in zip(names, expected[:results], strict=True):
            worst = max(worst, _beyond(found[name], _array(wanted), case))
    return float(worst)


def _array(value: object) -> Array:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def _is_float(array: Array) -> bool:
    return array.dtype in (np.float16, np.float32, np.float64)


def _beyond(found: Array, wanted: Array, case: TestCase) -> float:
    assert found.shape == wanted.shape
    real = wanted.astype(np.float64)
    finite = np.isfinite(real)
    relative = max(case.rtol, 1e-4 if wanted.dtype.itemsize > 2 else 1e-2)
    allowed = max(case.atol, 1e-5) + relative * np.abs(np.where(finite, real, 0))
    error = np.where(finite, np.abs(found - np.where(finite, real, 0)), 0) - allowed
    return float(error.max(initial=-np.inf))
