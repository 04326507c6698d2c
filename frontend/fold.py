"""Fold a node whose inputs are all known, by ONNX's own reference evaluator."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from tmc.frontend.node import node_name, op_name
from tmc.ir.errors import UnsupportedModel
from tmc.ir.types import Array


def fold_node(node: onnx.NodeProto, known: Mapping[str, Array], opset: int) -> dict[str, Array]:
    """Return the outputs of a node of ONNX's own domain.

    Raises: UnsupportedModel if the evaluator fails.
    """
    inputs = [name for name in node.input if name]
    outputs = [name for name in node.output if name]
    graph = helper.make_graph(
        [node],
        "fold",
        [_declare(name, known[name]) for name in dict.fromkeys(inputs)],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    try:
        results = ReferenceEvaluator(model).run(None, {name: known[name] for name in inputs})
    except Exception as error:  # the evaluator raises whatever numpy or its own code meets
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UnsupportedModel(
            f"{node_name(node)} ({op_name(node)})",
            f"found constants that ONNX's reference evaluator cannot fold: {reason}",
            "fold constants when exporting",
        ) from error
    return {name: np.asarray(array) for name, array in zip(outputs, results, strict=True)}


def _declare(name: str, array: Array) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
