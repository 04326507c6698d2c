"""The inputs of a file: which of them the network reads, their shapes, what stands for symbolic sizes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import onnx
from onnx import TensorProto

from tmc.frontend.limits import check_elements
from tmc.frontend.structure import element_name
from tmc.ir.errors import TmcError, UnsupportedModel
from tmc.ir.types import DType, TensorType

# The network computes in float32 whatever the file says.
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
Shapes = Mapping[str, tuple[int, ...]]
NO_SHAPES: Shapes = {}


@dataclass(frozen=True, slots=True)
class Inputs:
    """The types of the inputs that the network reads, in file order, and what was assumed, in words.

    truths: those of truth values, which are 1 for true and 0 for false.
    """

    types: Mapping[str, TensorType]
    notes: tuple[str, ...]
    truths: frozenset[str] = frozenset()


def input_types(graph: onnx.GraphProto, known: Collection[str], given: Shapes = NO_SHAPES) -> Inputs:
    """Return the inputs that are no constants and that a node or an output reads.

    given: shapes by the name of the input, each of which has to fit what the file declares. A symbol that has
    a size in one of them has it everywhere; a first axis whose size is open is 1.
    Raises: UnsupportedModel for a size that stays open and for other types than floats and truth values;
    TmcError for a shape that does not fit.
    """
    declared = {value.name: value for value in graph.input if value.name not in known}
    sizes = {name: _sizes(value) for name, value in declared.items()}
    symbols: dict[str, int] = {}
    for name, shape in given.items():
        if name not in declared:
            raise TmcError(
                "--shape",
                f"found input {name}, allowed {', '.join(declared)}",
                "name an input of the network",
            )
        _check_fits(name, sizes[name], shape)
        named = zip(sizes[name], shape, strict=True)
        symbols.update({symbol: size for symbol, size in named if isinstance(symbol, str)})
    read = _names_read(graph)
    notes = [f"input {name}: nothing reads it, so it is left out" for name in declared if name not in read]
    for name in (name for name in declared if name in read and name not in given):
        first = next(iter(sizes[name]), 1)
        if isinstance(first, str) and first not in symbols:
            notes.append(
                f"input {name}: its first axis, {first}, is taken as 1; --shape {name}=... sets another"
            )
            symbols[first] = 1
    types = {}
    for name in (name for name in declared if name in read):
        chosen = given.get(name) or _chosen(sizes[name], symbols)
        types[name] = _type(declared[name], chosen, _readers(graph, name))
    truths = (name for name in types if _element(declared[name]) == TensorProto.BOOL)
    return Inputs(types, tuple(notes), frozenset(truths))


def _chosen(sizes: tuple[int | str, ...], symbols: Mapping[str, int]) -> tuple[int | str, ...]:
    return tuple(symbols.get(size, size) if isinstance(size, str) else size for size in sizes)


def _sizes(value: onnx.ValueInfoProto) -> tuple[int | str, ...]:
    """Return the declared sizes: a number, a symbol, or for an axis without either a symbol of its own."""
    tensor = value.type.tensor_type
    return tuple(
        int(axis.dim_value) if axis.HasField("dim_value") else (axis.dim_param or f"?{value.name}.{index}")
        for index, axis in enumerate(tensor.shape.dim)
    )


def _check_fits(name: str, declared: tuple[int | str, ...], shape: tuple[int, ...]) -> None:
    """Raise: TmcError if a shape given for an input is not one that the file allows."""
    if len(shape) != len(declared) or any(
        isinstance(size, int) and size != wanted for size, wanted in zip(declared, shape, strict=True)
    ):
        raise TmcError(
            "--shape",
            f"found {'x'.join(map(str, shape))} for input {name}, allowed {_text(declared)}",
            "only sizes that the file leaves open can be chosen",
        )


def _text(sizes: Sequence[int | str]) -> str:
    words = ("?" if isinstance(size, str) and size.startswith("?") else str(size) for size in sizes)
    return f"[{', '.join(words)}]"


def _names_read(graph: onnx.GraphProto) -> set[str]:
    """Return all names that a node reads, in subgraphs too, or that are results."""
    names = {value.name for value in graph.output}
    for node in graph.node:
        names.update(node.input)
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                names |= _names_read(inner)
    return names


def _readers(graph: onnx.GraphProto, name: str) -> str:
    return ", ".join(dict.fromkeys(str(node.op_type) for node in graph.node if name in node.input))


def _element(value: onnx.ValueInfoProto) -> int:
    return int(value.type.tensor_type.elem_type)


def _type(value: onnx.ValueInfoProto, shape: Sequence[int | str], readers: str) -> TensorType:
    """Return the type of an input.

    Raises: UnsupportedModel for an open size, or elements that are neither floats nor truth values.
    """
    where = f"input {value.name}"
    static = [size for size in shape if isinstance(size, int) and size > 0]
    if len(static) != len(shape):
        wanted = "x".join(str(size) if isinstance(size, int) and size > 0 else "N" for size in shape)
        raise UnsupportedModel(
            where,
            f"found shape {_text(shape)}, allowed known sizes, 1 or more",
            f"give it as --shape {value.name}={wanted}, a number for each N, or export with static shapes",
        )
    element = _element(value)
    if element not in (*FLOATS, TensorProto.BOOL):
        remedy = "export the float32 network: model.float()"
        if element in (TensorProto.INT64, TensorProto.INT32):
            remedy = (
                f"{readers or 'a result'} reads it: cut the network behind its embedding "
                "(onnx.utils.extract_model), and give the embedded rows as the input; a mask is an input of "
                "floats or truth values, or a constant where it is always the same"
            )
        found = f"found element type {element_name(element)}, allowed FLOAT or BOOL"
        raise UnsupportedModel(where, found, remedy)
    check_elements(where, static)
    return TensorType(DType.F32, tuple(static))
