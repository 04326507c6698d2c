"""What the text form prints, it parses; and what it says about text that is wrong."""

from __future__ import annotations

from dataclasses import fields, replace
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmc.ir.attrs import Attrs
from tmc.ir.errors import ParseError
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.ops import OPS
from tmc.ir.text import content_hash, parse_graph, print_graph
from tmc.ir.types import Array, DType, Quant, TensorType

EXAMPLE = """graph @net(%x: s8[2x8] q(scale=(0.0123,), zero_point=-3)) {
  %w = constant f32[4x8] sha256:acf0da7d4019637d
  %"n::Add_7" = constant f32[1x4] sha256:b5724487725b9661
  %x.f: f32[2x8] = reshape(%x) {shape=(2, 8)}
  %y: f32[2x4] q(scale=(0.5, 1e-05), zero_point=0, per="head") = linear(%x.f, %w, %"n::Add_7") loc("/fc/Gemm")
  return %y
}
"""
ARRAYS: dict[str, Array] = {
    "w": np.arange(32, dtype=np.float32).reshape(4, 8),
    "n::Add_7": np.ones((1, 4), np.float32),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for values of an annotated type."""
    if hint is bool:
        return st.booleans()
    if hint is str:
        return st.text(max_size=8)
    if hint is int:
        return st.integers(-(2**63), 2**63)
    if hint is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_origin(hint) in (Union, UnionType):
        return st.one_of([st.none() if part is type(None) else values(part) for part in get_args(hint)])
    assert get_origin(hint) is tuple
    first, *rest = get_args(hint)
    if rest == [...]:
        return st.lists(values(first), max_size=4).map(tuple)
    return st.tuples(values(first), *map(values, rest))


def records(record: type[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for records of a class."""
    hints = get_type_hints(record)
    return st.builds(record, **{field.name: values(hints[field.name]) for field in fields(record)})


TYPES = st.builds(
    TensorType,
    st.sampled_from(DType),
    st.lists(st.integers(0, 5), max_size=4).map(tuple),
    st.none() | records(Quant),
)
NAMES = st.from_regex(r"[A-Za-z0-9_./$-]+", fullmatch=True) | st.text()


def array_of(draw: st.DrawFn, tensor: TensorType) -> Array:
    content = draw(st.binary(min_size=tensor.size_bytes, max_size=tensor.size_bytes))
    return np.frombuffer(content, tensor.dtype.numpy).reshape(tensor.shape)


@st.composite
def graphs(draw: st.DrawFn, kinds: st.SearchStrategy[OpKind]) -> Graph:
    """Draw a graph of any ops over any types: the text form asks for no more sense than that."""
    names = draw(st.lists(NAMES, unique=True, min_size=3, max_size=9))
    types = {name: draw(TYPES) for name in names}
    inputs, constants, computed = np.split(
        np.array(names, object),
        sorted(draw(st.tuples(st.integers(0, len(names)), st.integers(0, len(names))))),
    )
    ops = [
        Op(
            kind := draw(kinds),
            tuple(draw(st.lists(st.sampled_from(names), max_size=6))),
            name,
            draw(records(OPS[kind].attrs)),
            draw(st.text()),
        )
        for name in computed
    ]
    outputs = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
    return Graph(
        draw(NAMES),
        tuple(inputs),
        tuple(outputs),
        tuple(ops),
        types,
        {name: array_of(draw, types[name]) for name in constants},
    )


@settings(max_examples=200, deadline=None)
@given(graphs(st.sampled_from(OpKind)))
def test_parsing_inverts_printing(graph: Graph) -> None:
    text = print_graph(graph)
    parsed = parse_graph(text, graph.constants)
    assert parsed == graph
    assert print_graph(parsed) == text
    bare = parse_graph(print_graph(graph, locations=False), graph.constants)
    assert bare == replace(graph, ops=tuple(replace(op, loc="") for op in graph.ops))


@pytest.mark.parametrize("kind", OpKind)
def test_every_kind_round_trips(kind: OpKind) -> None:
    @settings(max_examples=10, deadline=None)
    @given(records(OPS[kind].attrs))
    def round_trips(attrs: Attrs) -> None:
        tensor = TensorType(DType.F32, (2,))
        op = Op(kind, ("x",), "y", attrs, "node")
        graph = Graph("g", ("x",), ("y",), (op,), {"x": tensor, "y": tensor}, {})
        assert parse_graph(print_graph(graph), {}) == graph

    round_trips()


def test_example_prints_as_it_reads() -> None:
    assert print_graph(parse_graph(EXAMPLE, ARRAYS)) == EXAMPLE


def test_locations_may_be_left_out() -> None:
    text = print_graph(parse_graph(EXAMPLE, ARRAYS), locations=False)
    assert text == EXAMPLE.replace(' loc("/fc/Gemm")', "")


def test_hashes_and_defaults_may_be_left_out() -> None:
    text = EXAMPLE.replace(" sha256:acf0da7d4019637d", "").replace(", zero_point=0", "")
    assert parse_graph(text, ARRAYS) == parse_graph(EXAMPLE, ARRAYS)


def test_order_of_constants_does_not_matter() -> None:
    graph = parse_graph(EXAMPLE, ARRAYS)
    turned = replace(graph, constants=dict(reversed(list(graph.constants.items()))))
    assert turned == graph
    assert print_graph(turned) == EXAMPLE


def test_hash_covers_type_shape_and_bytes() -> None:
    zeros = np.zeros((2, 3), np.float32)
    others = [zeros, zeros.astype(np.int32), zeros.T, np.copysign(zeros, -1), np.zeros((2, 3, 1), np.float32)]
    assert len({content_hash(array) for array in others}) == len(others)
    assert content_hash(np.asfortranarray(ARRAYS["w"])) == content_hash(ARRAYS["w"])
    assert content_hash(ARRAYS["w"].astype(">f4")) == content_hash(ARRAYS["w"])


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("graph @net", "graf @net", (1, 1), "found graf, allowed graph"),
        ("@net", "%net", (1, 7), "found %net, allowed a name that starts with @"),
        ("s8[2x8]", "s9[2x8]", (1, 16), "found s9[2x8], allowed a type such as f32[1x8]"),
        ("s8[2x8]", "s8[2xa]", (1, 16), "found s8[2xa], allowed a type such as f32[1x8]"),
        ("zero_point=-3", "zero_point=-3.0", (1, 54), "found zero_point=-3.0, allowed int"),
        ("zero_point=-3", "zero=-3", (1, 43), "found attribute zero, allowed scale, zero_point, per"),
        ("zero_point=-3", "scale=(1.0,)", (1, 43), "found attribute scale twice"),
        ("scale=(0.0123,), ", "", (1, 25), "found no scale"),
        ('per="head"', 'per="row"', (5, 56), 'allowed "channel" or "output_channel" or "head"'),
        ("s8[2x8]", "(", (1, 16), "found (, allowed a type such as f32[1x8]"),
        ("= constant f32[4x8]", "= variable f32[4x8]", (2, 8), "found variable, allowed constant"),
        ("constant f32[4x8]", "constant f32[8x4]", (2, 26), "found an array of float32 (4, 8) for %w"),
        ("sha256:acf0da7d4019637d", "sha256:acf0da7d40196370", (2, 26), "for %w, allowed acf0da7d40196370"),
        ("%w = constant", "%v = constant", (2, 26), "found no array for %v"),
        ('%"n::Add_7" = ', r'%"onnx\qAdd_7" = ', (3, 4), "allowed a JSON string"),
        ('%"n::Add_7" = ', "%w = ", (3, 3), "found %w defined twice, allowed once"),
        ("= reshape(", "= reshapes(", (4, 20), "found op reshapes, allowed reshape, transpose"),
        ("= reshape(", "= (", (4, 20), "found (, allowed an op"),
        ("(2, 8)}", "(2, 8.0)}", (4, 39), "found shape=(2, 8.0), allowed tuple[int, ...]"),
        ("(2, 8)}", "()", (5, 3), "found %y, allowed ,"),
        ("(2, 8)}", "wide}", (4, 39), "found wide, allowed a number, a string, True, False or a tuple"),
        (" {shape=(2, 8)}", "", (5, 3), "found no shape"),
        ("{shape=(2, 8)}", "{(2, 8)}", (4, 33), "found (, allowed the name of an attribute"),
        ('loc("/fc/Gemm")', "loc(fc)", (5, 100), "found fc, allowed a string"),
        ('loc("/fc/Gemm")', 'loc("\\x")', (5, 100), "allowed a JSON string"),
        ("return %y", "return", (7, 1), "found }, allowed a name that starts with %"),
        ("}\n", "", (7, 1), "found the end of the text, allowed }"),
        ("}\n", "}\n.", (8, 1), "found '.', allowed a name"),
        ("}\n", "}\ngraph", (8, 1), "found graph, allowed nothing more"),
    ],
)
def test_errors_name_the_place(old: str, new: str, place: tuple[int, int], message: str) -> None:
    assert old in EXAMPLE
    head, _, tail = EXAMPLE.rpartition(old) if old == "}\n" else EXAMPLE.partition(old)
    with pytest.raises(ParseError) as found:
        parse_graph(head + new + tail, ARRAYS)
    assert found.value.where == f"line {place[0]}, column {place[1]}"
    assert message in found.value.what


def test_choices_are_named() -> None:
    text = 'graph @g(%x: f32[2]) { %y: f32[2] = gelu(%x) {approximate="maybe"} return %y }'
    with pytest.raises(ParseError, match='found approximate="maybe", allowed "none" or "tanh"'):
        parse_graph(text, {})
    assert parse_graph(text.replace("maybe", "tanh"), {}).ops[0].kind is OpKind.GELU


def test_booleans_are_read() -> None:
    text = "graph @g(%x: f32[2x2]) { %y: f32[2] = reduce_mean(%x) {axes=(1,), keepdims=False} return %y }"
    assert "keepdims=False" in print_graph(parse_graph(text, {}))
    assert "keepdims=True" in print_graph(parse_graph(text.replace("False", "True"), {}))
