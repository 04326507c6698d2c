"""The text form of a graph: what it prints, it parses.

    graph @net(%x: f32[1x8]) {
      %w = constant f32[4x8] sha256:0123456789abcdef
      %b = constant f32[1x4] sha256:fedcba9876543210
      %y: f32[1x4] = linear(%x, %w, %b) loc("/fc/Gemm")
      return %y
    }

A constant is named by the hash of its content; its array travels beside the text. A name that holds more
than letters, digits and _ . / $ - is written as a JSON string: %"onnx::MatMul_7". In text written by hand
the hash of a constant, and attributes that have a default, may be left out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tmc.ir.attrs import Attrs
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.ops import OPS
from tmc.ir.tokens import BARE_NAME, Tokens
from tmc.ir.types import Array, DType, Quant, TensorType

Record = TypeVar("Record", bound=Attrs | Quant)

_TYPE = re.compile(rf"({'|'.join(dtype.value for dtype in DType)})\[((?:\d+(?:x\d+)*)?)\]", re.ASCII)


def content_hash(array: Array) -> str:
    """Return 16 hexadecimal digits over element type, shape and bytes (little-endian, row by row)."""
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    header = f"{array.dtype.name} {array.shape} ".encode()
    return hashlib.sha256(header + little.tobytes()).hexdigest()[:16]


def print_graph(graph: Graph, *, locations: bool = True) -> str:
    """Return the text of a graph, without the `loc(...)` of its ops if locations is False.

    Constants come in the order of their first use, so that equal graphs have equal texts.
    """
    used = dict.fromkeys(name for op in graph.ops for name in op.inputs if name in graph.constants)
    constants = [*used, *sorted(set(graph.constants) - set(used))]
    inputs = ", ".join(f"{_name('%', name)}: {print_type(graph.types[name])}" for name in graph.inputs)
    lines = [f"graph {_name('@', graph.name)}({inputs}) {{"]
    for name in constants:
        digest = content_hash(graph.constants[name])
        lines.append(f"  {_name('%', name)} = constant {print_type(graph.types[name])} sha256:{digest}")
    for op in graph.ops:
        operands = ", ".join(_name("%", name) for name in op.inputs)
        record = _fields(op.attrs)
        lines.append(
            f"  {_name('%', op.output)}: {print_type(graph.types[op.output])} = "
            f"{op.kind.value}({operands})"
            + (f" {{{record}}}" if record else "")
            + (f" loc({json.dumps(op.loc)})" if locations and op.loc else "")
        )
    outputs = ", ".join(_name("%", name) for name in graph.outputs)
    return "\n".join([*lines, f"  return {outputs}", "}", ""])


def print_type(tensor: TensorType) -> str:
    """Return, for example, `s8[400x192] q(scale=(0.0123,), zero_point=-3)`."""
    text = f"{tensor.dtype.value}[{'x'.join(map(str, tensor.shape))}]"
    return text if tensor.quant is None else f"{text} q({_fields(tensor.quant)})"


def _name(sigil: str, name: str) -> str:
    return sigil + (name if BARE_NAME.fullmatch(name) else json.dumps(name))


def _fields(record: Attrs | Quant) -> str:
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return ", ".join(f"{name}={_value(value)}" for name, value in values.items() if value is not None)


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_value, value))}{',' if len(value) == 1 else ''})"
    return json.dumps(value) if isinstance(value, str) else repr(value)


def parse_graph(text: str, constants: Mapping[str, Array]) -> Graph:
    """Return the graph that a text describes, with arrays from `constants` (by name; more is no error).

    Checks the text and the constants; `verify` checks what the graph means.
    Raises: ParseError naming line and column.
    """
    tokens = Tokens(text)
    types: dict[str, TensorType] = {}
    arrays: dict[str, Array] = {}
    ops: list[Op] = []

    def define(name: str, offset: int) -> str:
        if name in types:
            tokens.fail(f"found %{name} defined twice, allowed once", offset)
        types[name] = _parse_type(tokens)
        return name

    def parameter() -> str:
        offset, name = tokens.offset, tokens.name("%")
        tokens.expect(":")
        return define(name, offset)

    tokens.expect("graph")
    graph_name = tokens.name("@")
    inputs = tokens.items("(", ")", parameter)
    tokens.expect("{")
    while not tokens.skip("return"):
        offset, name = tokens.offset, tokens.name("%")
        if tokens.skip("="):
            tokens.expect("constant")
            define(name, offset)
            arrays[name] = _parse_constant(tokens, name, types[name], constants)
        else:
            tokens.expect(":")
            define(name, offset)
            tokens.expect("=")
            ops.append(_parse_op(tokens, name))
    outputs = [tokens.name("%")]
    while tokens.skip(","):
        outputs.append(tokens.name("%"))
    tokens.expect("}")
    tokens.take("end", "nothing more")
    return Graph(graph_name, tuple(inputs), tuple(outputs), tuple(ops), types, arrays)


def _parse_type(tokens: Tokens) -> TensorType:
    offset, allowed = tokens.offset, "a type such as f32[1x8]"
    text = tokens.take("type", allowed)
    match = _TYPE.fullmatch(text)
    if match is None:
        tokens.fail(f"found {text}, allowed {allowed}", offset)
    shape = tuple(int(size) for size in match[2].split("x")) if match[2] else ()
    quant = _parse_record(tokens, Quant, "(", ")") if tokens.skip("q") else None
    return TensorType(DType(match[1]), shape, quant)


def _parse_constant(tokens: Tokens, name: str, tensor: TensorType, constants: Mapping[str, Array]) -> Array:
    offset = tokens.offset
    given = tokens.take("hash", "a hash") if tokens.kind == "hash" else None
    if name not in constants:
        tokens.fail(f"found no array for %{name}", offset)
    array = constants[name]
    if (array.dtype, array.shape) != (tensor.dtype.numpy, tensor.shape):
        tokens.fail(
            f"found an array of {array.dtype} {array.shape} for %{name}, "
            f"allowed {tensor.dtype.numpy} {tensor.shape}",
            offset,
        )
    if given is not None and given != content_hash(array):
        tokens.fail(f"found an array of hash {content_hash(array)} for %{name}, allowed {given}", offset)
    return array


def _parse_op(tokens: Tokens, output: str) -> Op:
    offset = tokens.offset
    word = tokens.take("word", "an op")
    kinds = {kind.value: kind for kind in OpKind}
    if word not in kinds:
        tokens.fail(f"found op {word}, allowed {', '.join(kinds)}", offset)
    operands = tokens.items("(", ")", lambda: tokens.name("%"))
    attrs = _parse_record(tokens, OPS[kinds[word]].attrs, "{", "}")
    loc = ""
    if tokens.skip("loc"):
        tokens.expect("(")
        loc = tokens.string()
        tokens.expect(")")
    return Op(kinds[word], tuple(operands), output, attrs, loc)


def _parse_record(tokens: Tokens, record: type[Record], opening: str, closing: str) -> Record:
    start = tokens.offset
    hints = get_type_hints(record)
    values: dict[str, Any] = {}

    def pair() -> None:
        offset = tokens.offset
        field = tokens.take("word", "the name of an attribute")
        if field not in hints or field in values:
            twice = " twice" if field in values else ""
            tokens.fail(f"found attribute {field}{twice}, allowed {', '.join(hints) or 'none'}", offset)
        tokens.expect("=")
        offset = tokens.offset
        values[field] = _parse_value(tokens)
        if not _fits(values[field], hints[field]):
            tokens.fail(f"found {field}={_value(values[field])}, allowed {_describe(hints[field])}", offset)

    if tokens.at(opening):
        tokens.items(opening, closing, pair)
    required = [field.name for field in fields(record) if field.default is MISSING]
    missing = [field for field in required if field not in values]
    if missing:
        tokens.fail(f"found no {', '.join(missing)}", start)
    return record(**values)


def _parse_value(tokens: Tokens) -> Any:
    if tokens.kind == "string":
        return tokens.string()
    if tokens.at("("):
        return tuple(tokens.items("(", ")", lambda: _parse_value(tokens)))
    if tokens.skip("True"):
        return True
    if tokens.skip("False"):
        return False
    number = tokens.take("number", "a number, a string, True, False or a tuple")
    return float(number) if "." in number or "e" in number else int(number)


def _fits(value: object, hint: Any) -> bool:
    """Tell whether a parsed value is of the annotated type of an attribute."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in parts
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is tuple:
        wanted = parts[:1] * len(value) if isinstance(value, tuple) and parts[1:] == (...,) else parts
        return isinstance(value, tuple) and len(value) == len(wanted) and all(map(_fits, value, wanted))
    return type(value) is hint


def _describe(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(_value(choice) for choice in get_args(hint))
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_describe(part) for part in get_args(hint) if part is not type(None))
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
