"""The nodes of a file, one by one: what is known is folded, the others become ops of the IR."""

from __future__ import annotations

import onnx

from tmc.frontend.fold import fold_node
from tmc.frontend.importers import quantised
from tmc.frontend.importers.table import FOLDED_ONLY, IMPORTERS, STATIC, Importer
from tmc.frontend.node import ImportState, Node, op_name
from tmc.frontend.structure import tensor_array

# Ops that give truth values, and those that give the truth values of their first operand.
_TRUTHS = frozenset({"Not", "And", "Or", "Xor", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"})
_KEEP_TRUTHS = frozenset(
    {"Cast", "Expand", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}
)
# Ops behind a Round of constants whose results are integers too.
_KEEP_INTEGERS = frozenset({"Clip", "Add", "Sub", "Transpose", "Reshape", "Cast", "Identity"})


def import_nodes(graph: onnx.GraphProto, state: ImportState) -> None:
    """Import all nodes; those without an importer are noted in `state.unsupported`, in file order."""
    for proto in graph.node:
        kind = op_name(proto)
        inputs = [name for name in proto.input if name]
        if kind == "If" and proto.input[0] in state.known:
            _import_branch(proto, state)
        elif _is_foldable(proto, inputs, state):
            _fold(proto, state)
        elif state.out_of_reach.intersection(inputs):
            # Its operands could not be imported; it is listed only if its own type is unknown too.
            state.out_of_reach.update(proto.output)
            if kind not in IMPORTERS and kind not in STATIC and kind not in FOLDED_ONLY:
                state.unsupported.append(proto)
        elif kind in STATIC:
            state.known[proto.output[0]] = STATIC[kind](Node(proto, state))
        elif kind in IMPORTERS or (_reads_codes(inputs, state) and proto.op_type not in quantised.REFUSED):
            _import_node(proto, kind, state)
        else:
            state.unsupported.append(proto)
            state.out_of_reach.update(proto.output)


def _is_foldable(proto: onnx.NodeProto, inputs: list[str], state: ImportState) -> bool:
    subgraph = any(a.HasField("g") or a.graphs for a in proto.attribute)
    plain = proto.domain in ("", "ai.onnx") and not subgraph
    return plain and all(name in state.known for name in inputs)


def _fold(proto: onnx.NodeProto, state: ImportState) -> None:
    if proto.op_type == "DequantizeLinear":
        state.known[proto.output[0]], scales = quantised.dequantised(Node(proto, state))
        state.weight_scales.update(float(scale) for scale in scales)
    elif proto.op_type == "QuantizeLinear":
        state.known[proto.output[0]] = quantised.quantised_constant(Node(proto, state))
    else:
        state.known.update(fold_node(proto, state.known, state.opset))
        _note_integers(proto, state)


def _note_integers(proto: onnx.NodeProto, state: ImportState) -> None:
    """Note constants that were rounded to integers, and the scales by which they become real weights."""
    found = [name for name in proto.input if name in state.integers]
    if proto.op_type == "Round" or (found and proto.op_type in _KEEP_INTEGERS):
        state.integers.update(proto.output)
    elif found and proto.op_type == "Mul":
        scales = (state.known[name] for name in proto.input if name not in state.integers)
        state.weight_scales.update(float(each) for scale in scales for each in scale.reshape(-1) if each > 0)


def _import_branch(proto: onnx.NodeProto, state: ImportState) -> None:
    """Import the branch that a known condition chooses: its names are those of the file around it."""
    node = Node(proto, state)
    condition = node.known(0, "condition")
    node.refuse(condition.size != 1, f"{condition.size} conditions", "one")
    chosen = "then_branch" if condition.reshape(-1)[0] else "else_branch"
    branch = node.attribute(chosen, None)
    for tensor in branch.initializer:
        state.known[tensor.name] = tensor_array(tensor, f"{node.loc}: constant {tensor.name}")
    import_nodes(branch, state)
    for inner, outer in zip(branch.output, proto.output, strict=False):
        if inner.name in state.known:
            state.known[outer] = state.known[inner.name]
        elif inner.name in state.values:
            state.values[outer] = state.values[inner.name]
        else:
            state.out_of_reach.add(outer)


def _import_node(proto: onnx.NodeProto, kind: str, state: ImportState) -> None:
    node = Node(proto, state)
    results = _importer(node, kind)(node)
    for name in proto.output[len(results) :]:
        node.refuse(
            bool(name),
            f"optional output {name}",
            "outputs " + ", ".join(proto.output[: len(results)]),
        )
    state.values.update(zip(proto.output, results, strict=False))
    if kind in _TRUTHS or (kind in _KEEP_TRUTHS and node.is_truth(0)):
        state.truths.update(proto.output)
    if kind in quantised.KEEP_CODES and proto.input[0] in state.codes:
        state.codes.update(dict.fromkeys(proto.output, state.codes[proto.input[0]]))


def _reads_codes(inputs: list[str], state: ImportState) -> bool:
    return bool(inputs) and inputs[0] in state.codes


def _importer(node: Node, kind: str) -> Importer:
    """Return the importer of a node. Codes may be rearranged and clipped; to compute, they become real.

    Raises: UnsupportedModel for arithmetic on codes.
    """
    node.refuse_rounded()
    reads_codes = bool(node.proto.input) and node.codes(0) is not None
    if reads_codes and kind not in (*quantised.KEEP_CODES, "DequantizeLinear"):
        node.refuse(
            kind != "Clip",
            "arithmetic on the codes of a QuantizeLinear",
            "a DequantizeLinear first",
            "quantise with quant_format=QuantFormat.QDQ",
        )
        return quantised.clip_codes
    return IMPORTERS[kind].importer
