"""Oracles of the import of quantised models.

A rounding to 8 bits turns the last bit of a float32 sum into a whole step, and a network turns one step into
many. So a graph that rounds is compared piece by piece: between two roundings every value must agree as
closely as in any other network, and each rounding must give the code that onnxruntime gives, but for ties.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from tmc.frontend.node import node_name
from tmc.frontend.oracle.interpret_finite import interpret_finite
from tmc.frontend.oracle.session import open_session, run_session
from tmc.frontend.qoperator import QOPERATORS
from tmc.frontend.read_model import read_model
from tmc.ir.attrs import FakeQuantiseAttrs
from tmc.ir.errors import UnsupportedModel
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array

TOLERANCE = 1e-4
# onnxruntime computes these with integers: their codes may be a step beside those of exact arithmetic.
STEP_BESIDE = frozenset({"QLinearSoftmax"})


def check_piecewise(path: Path, graph: Graph, samples: Sequence[Mapping[str, Array]]) -> float:
    """Compare a float graph that rounds to codes with onnxruntime, between roundings and at each of them.

    Returns the largest difference between roundings, relative to the range of the value.
    Raises: UnsupportedModel naming the first value that differs by more than 1e-4 of its range, or more than
    that beyond half a step from its code.
    """
    session, tensors, beside = _open(path, graph)
    roundings = [op for op in graph.ops if op.output in tensors]
    pieces = _cut(graph, roundings)
    worst = 0.0
    for number, sample in enumerate(samples):
        expected = run_session(session, path, sample)
        codes = {op.output: _signed(expected[tensors[op.output]], op.attrs) for op in roundings}
        forced = {op.output: _real(codes[op.output], op.attrs) for op in roundings}
        found = interpret_finite(pieces, {**sample, **forced})
        for op in roundings:
            steps = 1.5 if op.output in beside else 0.5
            worst = max(worst, _check_rounding(op, found[op.inputs[0]], codes[op.output], number, steps))
        for name in graph.outputs:
            worst = max(worst, _check(f"output {name}", found[name], expected[name], number))
    return worst


def _open(path: Path, graph: Graph) -> tuple[onnxruntime.InferenceSession, dict[str, str], set[str]]:
    """Return a session that also gives the codes of every rounding, and their names by the graph's value.

    Last, the values whose codes may be a step beside.

    Optimisations are off: they would fuse roundings into integer ops with another order of operations.
    """
    model = read_model(path)
    made = {
        node_name(node): node.output[0]
        for node in model.graph.node
        if node.op_type in ("QuantizeLinear", "Round", "Clip") or node.op_type in QOPERATORS
    }
    tensors = {
        op.output: made[op.loc] for op in graph.ops if op.kind is OpKind.FAKE_QUANTISE and op.loc in made
    }
    present = {output.name for output in model.graph.output}
    for name in dict.fromkeys(tensors.values()):
        if name not in present:
            model.graph.output.append(onnx.ValueInfoProto(name=name))
    inexact = {node_name(node) for node in model.graph.node if node.op_type in STEP_BESIDE}
    beside = {op.output for op in graph.ops if op.output in tensors and op.loc in inexact}
    return open_session(path, model), tensors, beside


def _cut(graph: Graph, roundings: list[Op]) -> Graph:
    """Return the graph whose inputs are also the rounded values, and whose outputs also those to round."""
    rounded = {op.output for op in roundings}
    ops = tuple(op for op in graph.ops if op.output not in rounded)
    outputs = dict.fromkeys((*graph.outputs, *(op.inputs[0] for op in roundings)))
    return replace(
        graph, ops=ops, inputs=(*graph.inputs, *(op.output for op in roundings)), outputs=tuple(outputs)
    )


def _signed(codes: Array, attrs: object) -> Array:
    """Return codes as the graph counts them: unsigned ones of n bits less 2^(n - 1)."""
    if codes.dtype.kind == "f":
        assert isinstance(attrs, FakeQuantiseAttrs)
        return np.asarray(codes.astype(np.int32) + attrs.zero_point)
    half = 1 << (8 * codes.dtype.itemsize - 1) if codes.dtype.kind == "u" else 0
    return np.asarray(codes.astype(np.int32) - half)


def _real(codes: Array, attrs: object) -> Array:
    assert isinstance(attrs, FakeQuantiseAttrs)
    return np.asarray((codes - attrs.zero_point).astype(np.float32) * np.float32(attrs.scale))


def _check_rounding(op: Op, found: Array, codes: Array, sample: int, steps: float) -> float:
    """Require every code to be at most so many steps, and the tolerance, from the value it stands for."""
    attrs = op.attrs
    assert isinstance(attrs, FakeQuantiseAttrs)
    exact = found.astype(np.float64) / attrs.scale + attrs.zero_point
    beyond = np.abs(np.clip(exact, attrs.low, attrs.high) - codes).max() - steps
    span = max(float(np.ptp(exact)), 1.0)
    if not beyond <= TOLERANCE * span:
        raise UnsupportedModel(
            op.loc,
            f"found a value {beyond + steps:.3g} steps from the code of onnxruntime in sample {sample}, "
            f"allowed {steps} of a step and {TOLERANCE:.0e} of its range of {span:.3g} steps",
            "this is a defect of tmc: please report it with the file",
        )
    return max(float(beyond) / span, 0.0)


def _check(where: str, found: Array, expected: Array, sample: int) -> float:
    difference = float(np.abs(found - expected).max())
    span = max(float(np.ptp(expected)), float(np.abs(expected).max()), 1e-30)
    if not difference <= TOLERANCE * span:
        raise UnsupportedModel(
            where,
            f"found a difference of {difference:.3g} from onnxruntime in sample {sample}, allowed "
            f"{TOLERANCE:.0e} of its range {span:.3g}",
            "this is a defect of tmc: please report it with the file",
        )
    return difference / span
