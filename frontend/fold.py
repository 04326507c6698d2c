"""Fold a node whose inputs are all known, by ONNX's own reference evaluator."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tmc.frontend.limits import check_elements
from tmc.frontend.node import node_name, op_name
from tmc.ir.errors import UnsupportedModel
from tmc.ir.types import Array

SHAPE_ELEMENTS = 64  # constants of so few integers may be sizes, from which shapes follow


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
    graph.initializer.extend(
        numpy_helper.from_array(known[name], name)
        for name in dict.fromkeys(inputs)
        if known[name].size <= SHAPE_ELEMENTS and known[name].dtype.kind in "iu"
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    where = f"{node_name(node)} ({op_name(node)})"
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise _cannot_fold(where, error) from error
    for output in inferred.graph.output:
        dims = output.type.tensor_type.shape.dim
        if all(dim.HasField("dim_value") for dim in dims):
            check_elements(where, (dim.dim_value for dim in dims))
    try:
        results = ReferenceEvaluator(model).run(None, {name: known[name] for name in inputs})
    except Exception as error:  # the evaluator raises whatever numpy or its own code meets
        raise _cannot_fold(where, error) from error
    return {name: np.asarray(array) for name, array in zip(outputs, results, strict=True)}


def _cannot_fold(where: str, error: Exception) -> UnsupportedModel:
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return UnsupportedModel(
        where,
        f"found constants that ONNX's reference evaluator cannot fold: {lines[-1]}",
        "fold constants when exporting",
    )


def _declare(name: str, array: Array) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
