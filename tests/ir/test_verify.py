"""Each rule of the verifier, broken once; and equality of graphs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tmc.ir.attrs import Attrs, GeluAttrs, LayerNormAttrs
from tmc.ir.errors import VerifyError
from tmc.ir.graph import Graph, Op, OpKind, producers, uses
from tmc.ir.text import parse_graph
from tmc.ir.types import DType, Per, Quant, TensorType
from tmc.ir.verify import verify

F32 = TensorType(DType.F32, (2, 4))
GRAPH = parse_graph(
    """
graph @net(%x: f32[2x4]) {
  %gamma = constant f32[4]
  %n: f32[2x4] = layernorm(%x, %gamma, %gamma) {epsilon=1e-05} loc("/norm")
  %y: f32[2x4] = add(%n, %x) loc("/add")
  return %y
}""",
    {"gamma": np.ones(4, np.float32)},
)
NORM, ADD = GRAPH.ops


def typed(**types: TensorType) -> dict[str, TensorType]:
    return {**GRAPH.types, **types}


def quantised(scale: tuple[float, ...], per: Per | None = None) -> dict[str, TensorType]:
    return typed(x=replace(F32, quant=Quant(scale, per=per)))


def untyped(name: str) -> dict[str, TensorType]:
    return {key: value for key, value in GRAPH.types.items() if key != name}


def test_a_right_graph_passes() -> None:
    verify(GRAPH)
    verify(replace(GRAPH, types=typed(y=replace(F32, quant=Quant((0.5, 0.25), per="channel")))))


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"inputs": ("x", "gamma")}, "net: found value %gamma defined twice, allowed once"),
    ({"ops": (NORM, replace(NORM, loc="/twin"), ADD)}, "/twin: found value %n defined twice"),
    ({"ops": (NORM, replace(NORM, loc=""), ADD)}, "net: found value %n defined twice"),
    ({"types": untyped("gamma")}, "constant %gamma: found no type"),
    (
        {"constants": {"gamma": np.ones(5, np.float32)}},
        "constant %gamma: found float32 (5,), allowed float32 (4,)",
    ),
    (
        {"constants": {"gamma": np.ones(4, np.float64)}},
        "constant %gamma: found float64 (4,), allowed float32 (4,)",
    ),
    ({"constants": {"gamma": np.array([1, np.nan, 1, 1], np.float32)}}, "constant %gamma: found NaN"),
    ({"constants": {"gamma": np.array([1, -np.inf, 1, 1], np.float32)}}, "constant %gamma: found NaN or inf"),
    ({"types": untyped("x")}, "input %x: found no type"),
    ({"types": untyped("y")}, "/add (add): found no type of %y"),
    ({"outputs": ()}, "graph @net: found no output"),
    ({"outputs": ("y", "z")}, "output %z: found no definition"),
    ({"types": typed(b=F32, a=F32)}, "graph @net: found types of values nobody defines: %a, %b"),
    ({"ops": (ADD, NORM)}, "/add (add): found %n used before it is defined"),
    ({"ops": (NORM, replace(ADD, inputs=("n",)))}, "/add (add): found 1 operands, allowed x y"),
    ({"ops": (NORM, replace(ADD, loc="", inputs=("n",)))}, "%y (add): found 1 operands"),
    ({"ops": (NORM, replace(ADD, attrs=GeluAttrs("none")))}, "/add (add): found GeluAttrs, allowed Attrs"),
    (
        {"ops": (replace(NORM, attrs=LayerNormAttrs(float("inf"))), ADD)},
        "/norm (layernorm): found epsilon inf, allowed a finite number",
    ),
    (
        {"types": typed(n=TensorType(DType.F32, (4, 2)))},
        "/norm (layernorm): found f32 (4, 2) declared for %n, the rule gives f32 (2, 4)",
    ),
    ({"types": typed(y=TensorType(DType.S8, (2, 4)))}, "/add (add): found s8 (2, 4) declared for %y"),
    (
        {"types": typed(x=TensorType(DType.F32, (2, 5)), n=TensorType(DType.F32, (2, 5)))},
        "/norm (layernorm): found gamma (4,), allowed (5,)",
    ),
    ({"types": quantised((0.0,))}, "%x: found scales (0.0,), allowed positive numbers"),
    ({"types": quantised((float("nan"),))}, "%x: found scales (nan,)"),
    ({"types": quantised(())}, "%x: found 0 scales per value of (2, 4), allowed one, or a divisor"),
    ({"types": quantised((0.5, 0.5))}, "%x: found 2 scales per value of (2, 4)"),
    ({"types": quantised((), "channel")}, "%x: found 0 scales per channel of (2, 4)"),
    ({"types": quantised((0.5,) * 3, "head")}, "%x: found 3 scales per head of (2, 4)"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_a_broken_graph_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(VerifyError) as found:
        verify(replace(GRAPH, **change))
    assert str(found.value).startswith(message)


VIEWS = """
graph @net(%x: s32[6x4] q(scale=(0.5, 0.25), zero_point=0, per="{per}")) {{
  %y: s32[{shape}] q(scale=({scales}), zero_point=0, per="{per}") = {view} loc("/view")
  return %y
}}"""
RESHAPE, PERMUTE = "reshape(%x) {{shape={}}}", "permute_rows(%x) {groups=2}"


@pytest.mark.parametrize(
    ("per", "shape", "view"),
    [
        *(
            ("channel", shape, RESHAPE.format(found))
            for shape, found in (
                ("1x6x4", "(1, 6, 4)"),
                ("24", "(24,)"),
                ("3x8", "(3, 8)"),
                ("8x3", "(8, 3)"),
            )
        ),
        ("channel", "6x4", PERMUTE),
        ("head", "2x3x4", RESHAPE.format("(2, 3, 4)")),
    ],
)
def test_views_carry_the_scales(per: str, shape: str, view: str) -> None:
    verify(parse_graph(VIEWS.format(per=per, shape=shape, scales="0.5, 0.25", view=view), {}))
    with pytest.raises(VerifyError) as found:
        verify(parse_graph(VIEWS.format(per=per, shape=shape, scales="0.25, 0.5", view=view), {}))
    assert found.value.where.startswith("/view (") and "allowed that of %x: Quant(" in found.value.what


@pytest.mark.parametrize(
    ("per", "scales", "view", "shape"),
    [
        ("head", "0.5, 0.25", PERMUTE, "6x4"),
        # Two rows of 4 share 8 scales.
        ("channel", "0.5, 0.25, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0", PERMUTE, "6x4"),
    ],
)
def test_scales_that_do_not_move_with_their_elements(per: str, scales: str, view: str, shape: str) -> None:
    text = VIEWS.format(per=per, shape=shape, scales=scales, view=view)
    text = text.replace("(0.5, 0.25)", f"({scales})")
    with pytest.raises(VerifyError) as found:
        verify(parse_graph(text, {}))
    assert f"found {scales.count(',') + 1} scales per {per} of elements that move" in found.value.what
    assert found.value.where == "/view (permute_rows)"


def test_an_interpolation_has_one_scale() -> None:
    text = """
graph @net(%x: s16[6x2] q(scale=({0}), zero_point=0{1})) {{
  %t = constant s16[3x2]
  %y: s16[2x3] q(scale=({0}), zero_point=0{1}) =
    qinterpolate_rows(%x, %t) {{rows=3, layout="transposed"}} loc("/up")
  return %y
}}"""
    constants = {"t": np.zeros((3, 2), np.int16)}
    verify(parse_graph(text.format("0.5,", ""), constants))
    with pytest.raises(VerifyError, match=r"/up \(qinterpolate_rows\): found 2 scales per channel of"):
        verify(parse_graph(text.format("0.5, 0.25", ', per="channel"'), constants))


def test_an_index_is_of_elements_of_one_scale_and_has_scale_1() -> None:
    text = """
graph @net(%x: s16[6x2] q(scale=({0}), zero_point=0{1})) {{
  %y: s32[6x1] q(scale=({2},), zero_point=0) = argmax_columns(%x) loc("/top")
  return %y
}}"""
    verify(parse_graph(text.format("0.5,", "", 1.0), {}))
    with pytest.raises(
        VerifyError, match=r"/top \(argmax_columns\): found 2 scales per channel of elements to"
    ):
        verify(parse_graph(text.format("0.5, 0.25", ', per="channel"', 1.0), {}))
    with pytest.raises(VerifyError, match=r"found Quant\(scale=\(0.5,\).* for %y, an index, allowed Quant"):
        verify(parse_graph(text.format("0.5,", "", 0.5), {}))


def of_bits(dtype: DType, bits: int) -> Graph:
    return Graph("net", ("x",), ("x",), (), {"x": TensorType(dtype, (4,), Quant((0.5,), bits=bits))}, {})


def test_codes_of_fewer_bits_than_their_type() -> None:
    for bits in (2, 13, 15):
        verify(of_bits(DType.S16, bits))


@pytest.mark.parametrize(("dtype", "bits"), [(DType.S16, 16), (DType.S16, 1), (DType.U8, 4), (DType.F32, 8)])
def test_codes_that_do_not_fit_their_type(dtype: DType, bits: int) -> None:
    with pytest.raises(VerifyError) as found:
        verify(of_bits(dtype, bits))
    assert str(found.value) == (
        f"%x: found codes of {bits} bits in {dtype.value}, allowed 2 or more in a wider signed type"
    )


def test_equality_is_bit_for_bit() -> None:
    zeros = replace(GRAPH, constants={"gamma": np.zeros(4, np.float32)})
    assert zeros == replace(GRAPH, constants={"gamma": np.zeros(4, np.float32)})
    assert zeros != replace(GRAPH, constants={"gamma": -np.zeros(4, np.float32)})
    assert zeros != replace(GRAPH, constants={"gamma": np.zeros(4, np.int32)})
    assert zeros != replace(GRAPH, constants={"gamma": np.zeros((4, 1), np.float32)})
    assert zeros != replace(GRAPH, constants={"beta": np.zeros(4, np.float32)})
    assert GRAPH != replace(GRAPH, name="other")
    assert GRAPH != "net"


def test_producers_and_uses() -> None:
    assert producers(GRAPH) == {"n": NORM, "y": ADD}
    assert uses(GRAPH) == {"x": (NORM, ADD), "gamma": (NORM,), "n": (ADD,)}
    twice = Op(OpKind.MUL, ("x", "x"), "y", Attrs(), "")
    assert uses(replace(GRAPH, ops=(twice,))) == {"x": (twice,)}
