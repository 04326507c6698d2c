"""What must hold of an ONNX file before its nodes are read: the checks that onnx's own checker leaves out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from math import prod

import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from tmc.frontend.limits import check_elements
from tmc.frontend.signature import check_signature, node_where
from tmc.ir.errors import UnsupportedModel
from tmc.ir.types import Array

AGAIN = "the file is damaged, or contradicts itself: export it again"


def check_structure(model: onnx.ModelProto) -> None:
    """Check names, operands, attributes and constants of a file whose external data are loaded.

    Raises: UnsupportedModel naming the node, input, output or constant.
    """
    graph = model.graph
    _check_names("input", (value.name for value in graph.input))
    _check_names("output", (value.name for value in graph.output))
    _check_names("constant", (tensor.name for tensor in graph.initializer))
    for tensor in graph.initializer:
        tensor_array(tensor, f"constant {tensor.name}")
    for node in graph.node:
        check_signature(node)
        for attribute in node.attribute:
            for tensor in _tensors(attribute):
                tensor_array(tensor, f"{node_where(node)}: attribute {attribute.name}")


def tensor_array(tensor: onnx.TensorProto, where: str) -> Array:
    """Return the elements of a constant.

    Raises: UnsupportedModel if its type is unknown, or its data are not those of its sizes.
    """
    dims, known = list(tensor.dims), set(TensorProto.DataType.values()) - {TensorProto.UNDEFINED}
    if tensor.data_type not in known:
        raise UnsupportedModel(where, f"found element type {tensor.data_type}, allowed a type of ONNX", AGAIN)
    if any(size < 0 for size in dims):
        raise UnsupportedModel(where, f"found sizes {dims}, allowed 0 or more", AGAIN)
    check_elements(where, dims)
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, OverflowError, OSError) as error:
        raise UnsupportedModel(
            where,
            f"found {_data(tensor)} for {prod(dims)} elements {dims} of {element_name(tensor.data_type)}, "
            "allowed as many as there are elements",
            AGAIN,
        ) from error
    return array


def element_name(code: int) -> str:
    """Return ONNX's name of an element type, or its number if it has none."""
    known: dict[int, str] = {number: name for name, number in TensorProto.DataType.items()}
    return known.get(code, str(code))


def _check_names(what: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise UnsupportedModel(f"{what} {name}", f"found it {count} times, allowed once", AGAIN)
        if not name:
            raise UnsupportedModel(f"a {what} of the network", "found no name, allowed a name", AGAIN)


def _tensors(attribute: onnx.AttributeProto) -> Iterator[onnx.TensorProto]:
    if attribute.type == AttributeProto.TENSOR:
        yield attribute.t
    yield from attribute.tensors


def _data(tensor: onnx.TensorProto) -> str:
    """Say how much data a constant has, and in which form."""
    if tensor.HasField("raw_data"):
        return f"{len(tensor.raw_data)} bytes of data"
    field = helper.tensor_dtype_to_field(tensor.data_type)
    return f"{len(getattr(tensor, field))} numbers"
