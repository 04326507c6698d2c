"""onnxruntime as the oracle of the import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from tmc.frontend.reference_quantised import check_piecewise, has_requant_shift, run_reference
from tmc.ir.errors import UnsupportedModel
from tmc.ir.graph import Graph, OpKind
from tmc.ir.interpret import interpret
from tmc.ir.types import Array

TOLERANCE = 1e-4
_LEVELS = onnxruntime.GraphOptimizationLevel


def run_onnxruntime(path: Path, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return the outputs of an ONNX file by name, for one set of inputs.

    Raises: UnsupportedModel if onnxruntime cannot run the file.
    """
    return _run(_session(path), path, inputs)


def run_unfused(
    path: Path, graph: Graph, samples: Sequence[Mapping[str, Array]]
) -> tuple[dict[str, Array], ...]:
    """Return the outputs of a quantised file by name, for each set of inputs, op by op as ONNX says.

    onnxruntime's own fusions of quantised files have other roundings.
    """
    if has_requant_shift(graph):
        return tuple(run_reference(path, sample) for sample in samples)
    session = _session(path, _LEVELS.ORT_DISABLE_ALL)
    return tuple(_run(session, path, sample) for sample in samples)


def oracle_of(graph: Graph) -> str:
    """Return what the import of a graph is compared with."""
    return "ONNX's reference evaluator" if has_requant_shift(graph) else "onnxruntime"


def check_against_onnxruntime(path: Path, graph: Graph, samples: Sequence[Mapping[str, Array]]) -> float:
    """Compare a float graph with onnxruntime; return the largest difference, relative to the output's range.

    Each sample maps the graph's inputs to arrays of their declared shapes.
    Raises: UnsupportedModel naming the first output that differs by more than 1e-4 of its range.
    """
    if has_requant_shift(graph):
        evaluate = partial(run_reference, path)
    elif any(op.kind is OpKind.FAKE_QUANTISE for op in graph.ops):
        return check_piecewise(path, graph, samples)
    else:
        evaluate = partial(_run, _session(path, _level(path)), path)
    worst = 0.0
    for number, sample in enumerate(samples):
        expected = evaluate(sample)
        with np.errstate(over="ignore", invalid="ignore"):  # the comparison notices
            found = interpret(graph, sample)
        for name in graph.outputs:
            difference = float(np.abs(found[name] - expected[name]).max())
            # The range of a single logit is 0: its magnitude counts too.
            span = max(float(np.ptp(expected[name])), float(np.abs(expected[name]).max()), 1e-30)
            # Written so that a NaN fails too.
            if not difference <= TOLERANCE * span:
                raise UnsupportedModel(
                    f"output {name}",
                    f"found a difference of {difference:.3g} from onnxruntime in sample {number}, "
                    f"allowed {TOLERANCE:.0e} of its range {span:.3g}",
                    "float16 or float64 arithmetic inside the network is computed in float32 here",
                    "otherwise this is a defect of tmc: please report it with the file",
                )
            worst = max(worst, difference / span)
    return worst


def _level(path: Path) -> onnxruntime.GraphOptimizationLevel:
    """Return how far onnxruntime may optimise a file: not at all where weights are integers.

    It would round activations too, in order to multiply integers.
    """
    nodes = onnx.load(path, load_external_data=False).graph.node
    integers = any(node.op_type == "DequantizeLinear" for node in nodes)
    return _LEVELS.ORT_DISABLE_ALL if integers else _LEVELS.ORT_ENABLE_ALL


def _session(
    path: Path, level: onnxruntime.GraphOptimizationLevel = _LEVELS.ORT_ENABLE_ALL
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = level
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exception types share no base but this
        raise _refused(path, error) from error


def _run(session: onnxruntime.InferenceSession, path: Path, inputs: Mapping[str, Array]) -> dict[str, Array]:
    names = [output.name for output in session.get_outputs()]
    try:
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))
    except Exception as error:  # as above
        raise _refused(path, error) from error


def _refused(path: Path, error: Exception) -> UnsupportedModel:
    return UnsupportedModel(
        path.name,
        f"found that onnxruntime cannot run it: {str(error).splitlines()[0]}",
        "the import is checked against onnxruntime: install a version that knows these ops",
    )
