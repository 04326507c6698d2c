"""ONNX file to graph: reading, checks, constants; the ops themselves are in `IMPORTERS`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import external_data_helper, inliner

from tmc.frontend.fold import fold_node
from tmc.frontend.importers import quantised
from tmc.frontend.importers.table import FOLDED_ONLY, IMPORTERS, STATIC, Importer
from tmc.frontend.limits import check_elements
from tmc.frontend.node import INTEGER_DOMAINS, ImportState, Node, node_name, op_name
from tmc.frontend.structure import check_structure, element_name, tensor_array
from tmc.ir.build import GraphBuilder
from tmc.ir.errors import UnsupportedModel
from tmc.ir.graph import Graph
from tmc.ir.types import DType, TensorType

OPSETS = range(10, 25)
ALLOWED_OPS = ", ".join(sorted(IMPORTERS))


@dataclass(frozen=True, slots=True)
class Imported:
    """A float graph, and the scales of the weights that the file holds as integers, rising."""

    graph: Graph
    weight_scales: tuple[float, ...]


def load(path: Path, name: str | None = None) -> Graph:
    """Return the graph of an ONNX file; see `load_model`."""
    return load_model(path, name).graph


def load_model(path: Path, name: str | None = None) -> Imported:
    """Return the graph of an ONNX file with static shapes; `name` defaults to the file's stem.

    Nodes whose inputs are known are folded; every other node becomes ops of the IR.
    Raises: UnsupportedModel naming the node, what was found, what is allowed and what to do.
    """
    model = read_model(path)
    opset = _opset(model, path)
    graph = model.graph
    known = {tensor.name: tensor_array(tensor, f"constant {tensor.name}") for tensor in graph.initializer}
    if graph.sparse_initializer:
        raise UnsupportedModel(
            str(path.name), "found sparse initializers, allowed dense ones", "export them dense"
        )
    inputs = {value.name: _input_type(value) for value in graph.input if value.name not in known}
    outputs = [value.name for value in graph.output]
    builder = GraphBuilder(name or identifier(path.stem), inputs, outputs)
    state = ImportState(builder, opset, known, {value: value for value in inputs})
    unsupported = _import_nodes(graph, state)
    if unsupported:
        raise UnsupportedModel(
            path.name,
            f"found {len(unsupported)} unsupported nodes: {'; '.join(unsupported)}; allowed {ALLOWED_OPS}",
            *_remedies(graph),
            "ops whose inputs are all constant may be any that ONNX defines",
        )
    for output in outputs:
        if output not in state.values:
            what = "a constant" if output in known else "nothing"
            raise UnsupportedModel(
                f"output {output}",
                f"found {what}, allowed a value computed from the inputs",
                "export the network, not its constants",
            )
        builder.forward(output, state.values[output])
    return Imported(builder.graph(), tuple(sorted(state.weight_scales)))


def _remedies(graph: onnx.GraphProto) -> list[str]:
    """Return what to do about the ops of other quantised formats, each remedy with the ops it is for."""
    found: dict[str, list[str]] = {}
    for node in graph.node:
        if node.op_type in quantised.REFUSED:
            ops = found.setdefault(quantised.REFUSED[node.op_type], [])
            if node.op_type not in ops:
                ops.append(str(node.op_type))
    return [f"{', '.join(ops)}: {remedy}" for remedy, ops in found.items()]


def identifier(text: str) -> str:
    """Return a text with everything that a C identifier may not hold replaced by `_`."""
    clean = re.sub(r"\W", "_", text, flags=re.ASCII)
    return clean if clean and not clean[0].isdigit() else f"n_{clean}"


def read_model(path: Path) -> onnx.ModelProto:
    """Read and check an ONNX file with its external data; functions of the file are inlined.

    Raises: UnsupportedModel if it cannot be read, is truncated or breaks the ONNX specification.
    """
    try:
        model = onnx.load(path, load_external_data=False)
        external_data_helper.load_external_data_for_model(model, str(path.parent))
        _name_domains(model)
        onnx.checker.check_model(model)
        model = inliner.inline_local_functions(model) if model.functions else model
    except (OSError, DecodeError, ValueError, RuntimeError, onnx.checker.ValidationError) as error:
        reason = next(
            (line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__
        )
        raise UnsupportedModel(
            path.name,
            f"found {reason}, allowed a readable ONNX file",
            "the file may be truncated, or its external data missing: export it again",
        ) from error
    check_structure(model)
    return model


def _name_domains(model: onnx.ModelProto) -> None:
    """Move ops of quantisers that claim to be ONNX's own to a domain of theirs, or no checker would pass
    them."""
    moved = False
    for node in model.graph.node:
        foreign = node.op_type == "RequantShift" or node.op_type in quantised.REFUSED
        if foreign and node.domain == "" and not onnx.defs.has(node.op_type):
            node.domain = INTEGER_DOMAINS[0]
            moved = True
    if moved and all(entry.domain != INTEGER_DOMAINS[0] for entry in model.opset_import):
        model.opset_import.add(domain=INTEGER_DOMAINS[0], version=1)


def _opset(model: onnx.ModelProto, path: Path) -> int:
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            if entry.version not in OPSETS:
                raise UnsupportedModel(
                    path.name,
                    f"found opset {entry.version}, allowed {OPSETS[0]} to {OPSETS[-1]}",
                    "export with another opset",
                )
            return int(entry.version)
    raise UnsupportedModel(path.name, "found no opset of ONNX's own domain, allowed one", "export it again")


def _input_type(value: onnx.ValueInfoProto) -> TensorType:
    where = f"input {value.name}"
    tensor = value.type.tensor_type
    found = [d.dim_value if d.HasField("dim_value") else (d.dim_param or "?") for d in tensor.shape.dim]
    static = [size for size in found if isinstance(size, int) and size > 0]
    if not tensor.HasField("shape") or len(static) != len(found):
        raise UnsupportedModel(
            where,
            f"found shape [{', '.join(str(size) for size in found)}], allowed static sizes, 1 or more",
            "export with static shapes, without dynamic axes",
        )
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        kind = element_name(tensor.elem_type)
        raise UnsupportedModel(
            where, f"found element type {kind}, allowed FLOAT", "export the float32 network: model.float()"
        )
    check_elements(where, static)
    return TensorType(DType.F32, tuple(static))


def _import_nodes(graph: onnx.GraphProto, state: ImportState) -> list[str]:
    """Import all nodes; return those that are not supported, in file order."""
    unsupported: list[str] = []
    out_of_reach: set[str] = set()
    for proto in graph.node:
        kind = op_name(proto)
        inputs = [name for name in proto.input if name]
        foldable = proto.domain in ("", "ai.onnx") and all(name in state.known for name in inputs)
        subgraph = any(a.HasField("g") or a.graphs for a in proto.attribute)
        if foldable and not subgraph:
            if kind == "DequantizeLinear":
                state.known[proto.output[0]], scales = quantised.dequantised(Node(proto, state))
                state.weight_scales.update(float(scale) for scale in scales)
            elif kind == "QuantizeLinear":
                state.known[proto.output[0]] = quantised.quantised_constant(Node(proto, state))
            else:
                state.known.update(fold_node(proto, state.known, state.opset))
            continue
        if out_of_reach.intersection(inputs):
            # Its operands could not be imported; it is listed only if its own type is unknown too.
            out_of_reach.update(proto.output)
            if kind not in IMPORTERS and kind not in STATIC and kind not in FOLDED_ONLY:
                unsupported.append(f"{node_name(proto)} ({kind})")
            continue
        node = Node(proto, state)
        if kind in STATIC:
            state.known[proto.output[0]] = STATIC[kind](node)
        elif kind in IMPORTERS or (_reads_codes(inputs, state) and proto.op_type not in quantised.REFUSED):
            results = _importer(node, kind)(node)
            for name in proto.output[len(results) :]:
                node.refuse(
                    bool(name),
                    f"optional output {name}",
                    "outputs " + ", ".join(proto.output[: len(results)]),
                )
            state.values.update(zip(proto.output, results, strict=False))
            if kind in quantised.KEEP_CODES and inputs[0] in state.codes:
                state.codes.update(dict.fromkeys(proto.output, state.codes[proto.input[0]]))
        else:
            unsupported.append(f"{node_name(proto)} ({kind})")
            out_of_reach.update(proto.output)
    return unsupported


def _reads_codes(inputs: list[str], state: ImportState) -> bool:
    return bool(inputs) and inputs[0] in state.codes


def _importer(node: Node, kind: str) -> Importer:
    """Return the importer of a node. Codes may be rearranged and clipped; to compute, they become real.

    Raises: UnsupportedModel for arithmetic on codes.
    """
    reads_codes = bool(node.proto.input) and node.codes(0) is not None
    if reads_codes and kind not in (*quantised.KEEP_CODES, "DequantizeLinear"):
        node.refuse(
            kind != "Clip",
            "arithmetic on the codes of a QuantizeLinear",
            "a DequantizeLinear first",
            "quantise with quant_format=QuantFormat.QDQ",
        )
        return quantised.clip_codes
    return IMPORTERS[kind]
