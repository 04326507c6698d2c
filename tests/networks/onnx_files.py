"""Small ONNX files for tests, written node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Arrays = Mapping[str, NDArray[Any]]


def node(kind: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """Return a node named after its first output; a domain may stand before the op type."""
    domain, _, op_type = kind.rpartition(".")
    names = [name if name != "_" else "" for name in inputs.split()]
    return helper.make_node(
        op_type, names, outputs.split(), name=f"node_{outputs.split()[0]}", domain=domain, **attributes
    )


def write(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Sequence[str] = ("y",),
    constants: Arrays | None = None,
    opset: int = 17,
    element: int = TensorProto.FLOAT,
    result: int = TensorProto.FLOAT,
) -> Path:
    """Write a model with these inputs, outputs of any shape, and initializers; return its path."""
    graph = helper.make_graph(
        nodes,
        "main_graph",
        [helper.make_tensor_value_info(name, element, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, result, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()],
    )
    domains = sorted({n.domain for n in nodes if n.domain})
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=10)
    path.write_bytes(_with_output_shapes(model).SerializeToString())
    return path


def _with_output_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Declare the outputs' shapes: as ONNX infers them, else that of the first input.

    Where none are wanted ONNX is not asked: on some wrong models its inference ends the process.
    """
    if not model.graph.output:
        return model
    inferred = {value.name: value for value in onnx.shape_inference.infer_shapes(model).graph.output}
    for output in model.graph.output:
        found = inferred[output.name].type.tensor_type
        shape = found if found.HasField("shape") else model.graph.input[0].type.tensor_type
        output.type.tensor_type.shape.CopyFrom(shape.shape)
    return model


def samples(inputs: Mapping[str, Sequence[int]], count: int = 2) -> list[dict[str, NDArray[np.float32]]]:
    """Return seeded normal samples for the inputs."""
    noise = np.random.default_rng(0)
    return [
        {name: noise.standard_normal(tuple(shape)).astype(np.float32) for name, shape in inputs.items()}
        for _ in range(count)
    ]
