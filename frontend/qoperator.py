"""Ops on codes (the operator format of onnxruntime's quantiser) as ops on real numbers between roundings.

A QLinearConv is a DequantizeLinear of each operand, a Conv, and a QuantizeLinear of the result: after that a
file in operator format takes the way of one with QuantizeLinear and DequantizeLinear. Sources: the ONNX
operator specification; onnxruntime's ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx
from onnx import helper

from tmc.frontend.node import INTEGER_DOMAINS, node_name


@dataclass(frozen=True, slots=True)
class _Form:
    """How an op on codes lists its operands.

    op: that on real numbers. codes: the place of each operand that is codes; its scale and its zero point
    stand behind it. result: the place of the result's scale, with its zero point behind. axis: of the second
    operand, along which it may have several scales. bias: the place of an int32 operand whose scale is the
    product of those of the first two. kept: places of operands that are taken as they are, first of all.
    """

    op: str
    codes: tuple[int, ...]
    result: int
    axis: int = 0
    bias: int | None = None
    kept: tuple[int, ...] = ()


_FORMS: Mapping[str, _Form] = {
    "QLinearConv": _Form("Conv", (0, 3), 6, bias=8),
    "QLinearMatMul": _Form("MatMul", (0, 3), 6, axis=-1),
    "QGemm": _Form("Gemm", (0, 3), 7, axis=1, bias=6),
    "QLinearAdd": _Form("Add", (0, 3), 6),
    "QLinearMul": _Form("Mul", (0, 3), 6),
    "QLinearWhere": _Form("Where", (1, 4), 7, kept=(0,)),
    "QLinearSigmoid": _Form("Sigmoid", (0,), 3),
    "QLinearLeakyRelu": _Form("LeakyRelu", (0,), 3),
    "QLinearSoftmax": _Form("Softmax", (0,), 3),
    "QLinearReduceMean": _Form("ReduceMean", (0,), 3),
    "QLinearAveragePool": _Form("AveragePool", (0,), 3),
    "QLinearGlobalAveragePool": _Form("GlobalAveragePool", (0,), 3),
}
QOPERATORS = frozenset({*_FORMS, "QLinearConcat"})
_DOMAINS = frozenset({"", "ai.onnx", "com.microsoft", *INTEGER_DOMAINS})


def expand_qoperators(model: onnx.ModelProto) -> None:
    """Replace the ops on codes of a file, in place; results keep their names, new nodes have that of the old.

    Roundings in onnxruntime's own domain become those of ONNX. What is not as onnxruntime writes it stays.
    """
    graph = model.graph
    expansion = _Expansion({name for node in graph.node for name in (*node.input, *node.output)})
    nodes = [new for node in graph.node for new in expansion.of(node)]
    del graph.node[:]
    graph.node.extend(nodes)


class _Expansion:
    """Make nodes whose values have names that the file does not have."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken

    def of(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        """Yield what a node becomes."""
        node.name = node_name(node)
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.domain == "com.microsoft":
            node.domain = ""
        attributes = {each.name: each for each in node.attribute}
        last = attributes.get("channels_last")
        if node.domain not in _DOMAINS or (last is not None and last.i):
            yield node
        elif node.op_type == "QLinearConcat" and len(node.input) % 3 == 2 and len(node.input) > 2:
            yield from self._concat(node)
        elif node.op_type in _FORMS:
            yield from self._expanded(node, _FORMS[node.op_type])
        else:
            yield node

    def _concat(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        form = _Form("Concat", tuple(range(2, len(node.input), 3)), 0)
        yield from self._expanded(node, form)

    def _expanded(self, node: onnx.NodeProto, form: _Form) -> Iterator[onnx.NodeProto]:
        operands = [*node.input, *[""] * 9]
        real = [operands[place] for place in form.kept]
        axis = 0 if node.op_type == "QGemm" and _integer(node, "transB") else form.axis
        for number, place in enumerate(form.codes):
            real.append(self._name(node, f"operand_{number}"))
            codes, scale, zero = operands[place : place + 3]
            yield _dequantize(node, codes, scale, zero, real[-1], axis if number else 0)
        if form.bias is not None and operands[form.bias]:
            yield from self._bias(node, form, operands, real)
        result = node.output[0]
        rounded = bool(operands[form.result])
        plain = self._name(node, "real") if rounded else result
        kept = [each for each in node.attribute if each.name not in ("channels_last", "opset")]
        made = helper.make_node(form.op, real, [plain], name=node.name)
        made.attribute.extend(kept)
        yield made
        if rounded:
            scale, zero = operands[form.result : form.result + 2]
            yield helper.make_node("QuantizeLinear", _trimmed(plain, scale, zero), [result], name=node.name)

    def _bias(
        self, node: onnx.NodeProto, form: _Form, operands: Sequence[str], real: list[str]
    ) -> Iterator[onnx.NodeProto]:
        """Yield the product of scales and the bias in it; the real bias becomes the last operand."""
        assert form.bias is not None
        scale = self._name(node, "scale")
        first, second = (operands[place + 1] for place in form.codes)
        yield helper.make_node("Mul", [first, second], [scale], name=node.name)
        alpha = [each.f for each in node.attribute if each.name == "alpha"]
        if alpha:
            factor, product = self._name(node, "alpha"), self._name(node, "scale")
            yield helper.make_node("Constant", [], [factor], name=node.name, value_float=alpha[0])
            yield helper.make_node("Mul", [scale, factor], [product], name=node.name)
            scale = product
        real.append(self._name(node, "bias"))
        yield _dequantize(node, operands[form.bias], scale, "", real[-1], 0)

    def _name(self, node: onnx.NodeProto, stem: str) -> str:
        name = f"{node.output[0]}.{stem}"
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def _dequantize(
    node: onnx.NodeProto, codes: str, scale: str, zero: str, result: str, axis: int
) -> onnx.NodeProto:
    operands = _trimmed(codes, scale, zero)
    return helper.make_node("DequantizeLinear", operands, [result], name=node.name, axis=axis)


def _trimmed(*names: str) -> list[str]:
    return [name for name in names if name] if not names[-1] else list(names)


def _integer(node: onnx.NodeProto, name: str) -> int:
    return next((int(each.i) for each in node.attribute if each.name == name), 0)
