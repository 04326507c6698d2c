"""onnxruntime as the oracle of the import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from tmc.frontend.oracle.indices import shortfall, with_largest
from tmc.frontend.oracle.integer_ops import has_integer_ops, run_reference
from tmc.frontend.oracle.interpret_finite import interpret_finite
from tmc.frontend.oracle.quantised import check_piecewise
from tmc.frontend.oracle.session import open_session, run_session
from tmc.ir.errors import UnsupportedModel
from tmc.ir.graph import Graph, OpKind
from tmc.ir.types import Array

TOLERANCE = 1e-4
HALF_TOLERANCE = 1e-2  # float16 has 11 bits, and a network adds up what they lose
LAST_BITS = 2.0**-22


def run_unfused(
    path: Path, graph: Graph, samples: Sequence[Mapping[str, Array]]
) -> tuple[dict[str, Array], ...]:
    """Return the outputs of a quantised file by name, for each set of inputs, op by op as ONNX says.

    onnxruntime's own fusions of quantised files have other roundings.
    """
    if has_integer_ops(graph):
        return tuple(run_reference(path, sample) for sample in samples)
    session = open_session(path)
    return tuple(run_session(session, path, sample) for sample in samples)


def oracle_of(graph: Graph) -> str:
    """Return what the import of a graph is compared with."""
    return "ONNX's reference evaluator" if has_integer_ops(graph) else "onnxruntime"


def check_against_onnxruntime(path: Path, graph: Graph, samples: Sequence[Mapping[str, Array]]) -> float:
    """Compare a float graph with onnxruntime; return the largest difference, relative to the output's range.

    Each sample maps the graph's inputs to arrays of their declared shapes.
    Raises: UnsupportedModel naming the first output that differs by more than 1e-4 of its range, or more than
    1e-2 where the file computes in float16.
    """
    tolerance = TOLERANCE
    if has_integer_ops(graph):
        evaluate = partial(run_reference, path)
    elif any(op.kind is OpKind.FAKE_QUANTISE for op in graph.ops):
        return check_piecewise(path, graph, samples)
    else:
        session, tolerance = _session(path)
        evaluate = partial(run_session, session, path)
    extended, chosen = with_largest(graph)
    worst = 0.0
    for number, sample in enumerate(samples):
        expected = evaluate(sample)
        found = interpret_finite(extended, sample)
        for name in graph.outputs:
            if expected[name].shape != found[name].shape or not np.isfinite(expected[name]).all():
                raise UnsupportedModel(
                    f"output {name}",
                    f"found shape {expected[name].shape} of {expected[name].dtype} in {oracle_of(graph)}, "
                    f"allowed finite float32 numbers of shape {found[name].shape}",
                    "the network was not trained to the end, or the file contradicts itself: export it again",
                )
            if name in chosen:
                compared = found[chosen[name].inputs[0]]
                difference = shortfall(chosen[name], compared, expected[name])
            else:
                compared = expected[name]
                difference = float(np.abs(found[name] - compared).max())
            # The range of a single logit is 0: its magnitude counts too.
            span = max(float(np.ptp(compared)), float(np.abs(compared).max()), 1e-30)
            # Written so that a NaN fails too.
            if not difference <= tolerance * span:
                _check_condition(graph, sample, found, name, tolerance * span)
                raise UnsupportedModel(
                    f"output {name}",
                    f"found a difference of {difference:.3g} from {oracle_of(graph)} in sample {number}, "
                    f"allowed {tolerance:.0e} of its range {span:.3g}",
                    "float16 or float64 arithmetic inside the network is computed in float32 here",
                    "otherwise this is a defect of tmc: please report it with the file",
                )
            worst = max(worst, difference / span)
    return worst


def _check_condition(
    graph: Graph, sample: Mapping[str, Array], found: Mapping[str, Array], name: str, allowed: float
) -> None:
    """Raise: UnsupportedModel if the last bits of inputs and constants change an output by more than allowed.

    Then no two programs agree about it, and none is wrong. Integers before a RequantShift have no last bits.
    """
    random = np.random.default_rng(0)

    def nearby(arrays: Mapping[str, Array]) -> dict[str, Array]:
        signs = {key: random.choice([-1.0, 1.0], array.shape) for key, array in arrays.items()}
        return {
            key: (array * (1 + LAST_BITS * signs[key])).astype(np.float32) for key, array in arrays.items()
        }

    if has_integer_ops(graph):
        return
    moved = replace(graph, constants=nearby(graph.constants))
    change = float(np.abs(interpret_finite(moved, nearby(sample))[name] - found[name]).max())
    if change > allowed:
        raise UnsupportedModel(
            f"output {name}",
            f"found a change of {change:.3g} from {LAST_BITS:.0e} of inputs and constants, allowed "
            f"{allowed:.0e}: float32 does not determine the result",
            "it normalises, or takes the difference of, numbers that are almost the same: look for constants "
            "that are far too large, and channels that hold the same",
        )


def _session(path: Path) -> tuple[onnxruntime.InferenceSession, float]:
    """Return a session that computes as the file says, and the tolerance of its numbers.

    It is optimised, but for files whose weights are integers: with those it would round activations too, in
    order to multiply integers.

    Operands that are left out at the end of a node's list are taken off it: they say nothing, and onnxruntime
    1.22 reads past them.
    """
    model = onnx.load(path, load_external_data=False)
    integers = any(node.op_type == "DequantizeLinear" for node in model.graph.node)
    trimmed = False
    for node in model.graph.node:
        while node.input and not node.input[-1]:
            del node.input[-1]
            trimmed = True
    tolerance = HALF_TOLERANCE if _is_half(model.graph) else TOLERANCE
    if trimmed:
        model = onnx.load(path)
        for node in model.graph.node:
            while node.input and not node.input[-1]:
                del node.input[-1]
    return open_session(path, model if trimmed else None, optimised=not integers), tolerance


def _is_half(graph: onnx.GraphProto) -> bool:
    """Tell whether values of a file are float16: its inputs, its constants, or what it casts to."""
    types = {value.type.tensor_type.elem_type for value in graph.input}
    types.update(tensor.data_type for tensor in graph.initializer)
    for node in graph.node:
        types.update(each.t.data_type for each in node.attribute if each.type == onnx.AttributeProto.TENSOR)
        types.update(each.i for each in node.attribute if node.op_type == "Cast" and each.name == "to")
    return onnx.TensorProto.FLOAT16 in types
