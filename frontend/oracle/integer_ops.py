"""Ops that onnxruntime does not know, for ONNX's reference evaluator: each formula written once more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from tmc.frontend.node import INTEGER_DOMAINS
from tmc.frontend.oracle.session import refused
from tmc.frontend.read_model import read_model
from tmc.ir.graph import Graph, OpKind
from tmc.ir.types import Array


class RequantShift(OpRun):
    """floor((x * mul + add + div / 2) / div), clipped to n_levels from 0 on or around 0; by float64
    division."""

    op_domain = INTEGER_DOMAINS[0]

    def _run(
        self,
        x: Array,
        mul: Array,
        add: Array,
        div: Any = None,
        n_levels: Any = None,
        n_levels_out: Any = None,
        signed: Any = None,
    ) -> tuple[Array]:
        divisor, levels, has_sign = map(
            _number, (div, n_levels if n_levels_out is None else n_levels_out, signed)
        )
        exact = x.astype(np.float64) * mul.astype(np.float64) + add.astype(np.float64)
        codes = np.floor((exact + np.floor(divisor / 2)) / divisor)
        first = -levels / 2 if has_sign else 0.0
        return (np.clip(codes, first, first + levels - 1).astype(np.float32),)


class IntegerGelu(OpRun):
    """x times half of one + erf, where erf is sign(x) (one - (min(|x|, -b) + b)^2), in int64."""

    op_domain = INTEGER_DOMAINS[0]

    def _run(self, x: Array, b: Any = None, one: Any = None) -> tuple[Array]:
        codes, edge, top = x.astype(np.int64), int(_number(b)), int(_number(one))
        error_function = np.sign(codes) * (top - (np.minimum(np.abs(codes), -edge) + edge) ** 2)
        return ((codes * ((top + error_function) >> 1)).astype(np.float32),)


class IntegerHardSwish(OpRun):
    """x * one_over_six * clip(x + three, 0, six), in int64."""

    op_domain = INTEGER_DOMAINS[0]

    def _run(self, x: Array, one_over_six: Any = None, three: Any = None, six: Any = None) -> tuple[Array]:
        codes = x.astype(np.int64)
        clipped = np.clip(codes + int(_number(three)), 0, int(_number(six)))
        return ((codes * clipped * int(_number(one_over_six))).astype(np.float32),)


# By their type in files. The evaluator finds a class by its name.
OPS: Mapping[str, type[OpRun]] = {
    "RequantShift": RequantShift,
    "iGELU": IntegerGelu,
    "iHardswish": IntegerHardSwish,
}


def has_integer_ops(graph: Graph) -> bool:
    """Tell whether a graph holds ops that onnxruntime does not know: a RequantShift is among them."""
    return any(op.kind is OpKind.REQUANT_SHIFT for op in graph.ops)


def run_reference(path: Path, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return the outputs of a file with such ops by name, for one set of inputs."""
    model = read_model(path)
    for node in model.graph.node:
        if node.op_type in OPS and node.domain in INTEGER_DOMAINS:
            node.op_type, node.domain = OPS[node.op_type].__name__, INTEGER_DOMAINS[0]
    if all(entry.domain != INTEGER_DOMAINS[0] for entry in model.opset_import):
        model.opset_import.add(domain=INTEGER_DOMAINS[0], version=1)
    names = [output.name for output in model.graph.output]
    try:
        evaluator = ReferenceEvaluator(model, new_ops=list(OPS.values()))
        return dict(zip(names, evaluator.run(names, dict(inputs)), strict=True))
    except Exception as error:  # the evaluator raises whatever numpy or its own code meets
        raise refused(path, "ONNX's reference evaluator", error) from error


def _number(value: Any) -> float:
    return float(np.asarray(value).reshape(-1)[0])
