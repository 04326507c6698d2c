"""ONNX file to graph: inputs, constants, outputs; the nodes are in `import_nodes`, the ops in `IMPORTERS`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tmc.frontend.import_nodes import import_nodes
from tmc.frontend.input_types import NO_SHAPES, Shapes, input_types
from tmc.frontend.node import ImportState, refuse_rounded
from tmc.frontend.qoperator import expand_qoperators
from tmc.frontend.read_model import opset_of, read_model
from tmc.frontend.structure import tensor_array
from tmc.frontend.unsupported import unsupported_nodes
from tmc.ir.build import GraphBuilder
from tmc.ir.errors import UnsupportedModel
from tmc.ir.graph import Graph


@dataclass(frozen=True, slots=True)
class Imported:
    """A float graph; the scales of the weights that the file holds as integers, rising; what was assumed.

    truths: the inputs of truth values: 1 for true, 0 for false.
    """

    graph: Graph
    weight_scales: tuple[float, ...]
    notes: tuple[str, ...] = ()
    truths: frozenset[str] = frozenset()


def load(path: Path, name: str | None = None) -> Graph:
    """Return the graph of an ONNX file; see `load_model`."""
    return load_model(path, name).graph


def load_model(path: Path, name: str | None = None, shapes: Shapes = NO_SHAPES) -> Imported:
    """Return the graph of an ONNX file; `name` defaults to the file's stem.

    shapes: those of inputs whose sizes the file leaves open. Nodes whose inputs are known are folded; every
    other node becomes ops of the IR.
    Raises: UnsupportedModel naming the node, what was found, what is allowed and what to do.
    """
    model = read_model(path)
    expand_qoperators(model)
    opset = opset_of(model, path)
    graph = model.graph
    known = {tensor.name: tensor_array(tensor, f"constant {tensor.name}") for tensor in graph.initializer}
    if graph.sparse_initializer:
        raise UnsupportedModel(
            str(path.name), "found sparse initializers, allowed dense ones", "export them dense"
        )
    inputs = input_types(graph, known, shapes)
    outputs = [value.name for value in graph.output]
    builder = GraphBuilder(name or identifier(path.stem), inputs.types, outputs)
    values = {value: value for value in inputs.types}
    state = ImportState(builder, opset, known, values, truths=set(inputs.truths))
    import_nodes(graph, state)
    if state.unsupported:
        raise unsupported_nodes(state.unsupported)
    refuse_rounded(state, outputs)
    for output in outputs:
        if output not in state.values:
            what = "a constant" if output in known else "nothing"
            raise UnsupportedModel(
                f"output {output}",
                f"found {what}, allowed a value computed from the inputs",
                "export the network, not its constants",
            )
        if output in state.codes:
            raise UnsupportedModel(
                f"output {output}",
                "found codes of a QuantizeLinear, allowed real numbers",
                "let the network end in a DequantizeLinear: the output port holds codes all the same",
            )
        builder.forward(output, state.values[output])
    return Imported(builder.graph(), tuple(sorted(state.weight_scales)), inputs.notes, inputs.truths)


def identifier(text: str) -> str:
    """Return a text with everything that a C identifier may not hold replaced by `_`."""
    clean = re.sub(r"\W", "_", text, flags=re.ASCII)
    return clean if clean and not clean[0].isdigit() else f"n_{clean}"
