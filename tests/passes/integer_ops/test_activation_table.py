"""Activations as tables: every code of every function, and a network that uses them."""

from __future__ import annotations

from collections.abc import Callable
from math import erf, exp, tanh

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder
from tmc.ir import attrs as a
from tmc.ir.function import FunctionAttrs
from tmc.ir.graph import Op, producers
from tmc.ir.graph import OpKind as K
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.interpret import interpret
from tmc.ir.ops import OPS
from tmc.ir.types import Quant
from tmc.ir.verify import verify
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.calibrate.codes import dequantise, quantise_inputs
from tmc.passes.integer_ops.activation_table import ACTIVATIONS, activation_table
from tmc.passes.quantise import quantise
from tmc.passes.scales.choose_scales import choose_scales
from tmc.passes.scales.value_roles import Role

FUNCTIONS: list[tuple[K, a.Attrs, Callable[[float], float]]] = [
    (K.GELU, a.GeluAttrs("none"), lambda x: x / 2 * (1 + erf(x / 2**0.5))),
    (K.GELU, a.GeluAttrs("tanh"), lambda x: x / 2 * (1 + tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))),
    (K.SILU, a.Attrs(), lambda x: x / (1 + exp(-x))),
    (K.RELU, a.Attrs(), lambda x: x if x > 0 else 0.0),
    (K.SIGMOID, a.Attrs(), lambda x: 1 / (1 + exp(-x))),
    (K.TANH, a.Attrs(), tanh),
    (
        K.FUNCTION,
        FunctionAttrs(("x", "x", 1.702, "mul", "sigmoid", "mul")),
        lambda x: x / (1 + exp(-1.702 * x)),
    ),
    (K.FUNCTION, FunctionAttrs(("x", "abs", 0.5, "pow")), lambda x: abs(x) ** 0.5),
]
NAMES = [f"{kind.value} {getattr(attrs, 'approximate', '')}".strip() for kind, attrs, _ in FUNCTIONS]


def test_every_activation_is_tested() -> None:
    assert {kind for kind, *_ in FUNCTIONS} == set(ACTIVATIONS)


@pytest.mark.parametrize(("kind", "attrs", "function"), FUNCTIONS, ids=NAMES)
@pytest.mark.parametrize("x", [Quant((0.05,), 30), Quant((0.9,), -128)])
def test_table_holds_every_code(
    kind: K, attrs: a.Attrs, function: Callable[[float], float], x: Quant
) -> None:
    y = Quant((0.021,), -100)
    table = activation_table(Op(kind, ("x",), "y", attrs, ""), x, y)
    assert table.dtype == np.int8 and table.shape == (256,)
    for code, entry in zip(range(-128, 128), table.tolist(), strict=True):
        wanted = function((code - x.zero_point) * x.scale[0]) / 0.021 - 100
        assert entry == max(-128, min(127, round(wanted)))


def test_codes_beyond_what_a_function_is_of_take_the_nearest_that_is() -> None:
    root = Op(K.FUNCTION, ("x",), "y", FunctionAttrs(("x", "sqrt")), "")
    table = activation_table(root, Quant((0.1,), -120), Quant((0.02,), -100))
    assert (table[:9] == -100).all() and table[9] == round(0.1**0.5 / 0.02) - 100
    pole = Op(K.FUNCTION, ("x",), "y", FunctionAttrs((1.0, "x", "div")), "")
    assert activation_table(pole, Quant((0.1,)), Quant((0.1,)))[128] == 127
    nowhere = Op(K.FUNCTION, ("x",), "y", FunctionAttrs(("x", "x", "mul", -1.0, "sub", "neg", "sqrt")), "")
    assert (activation_table(nowhere, Quant((10.0,), 200), Quant((0.1,))) == 0).all()


def test_no_power_overflows() -> None:
    """A sigmoid of -1e5 is 0, and a SiLU too."""
    for kind in (K.SIGMOID, K.SILU):
        table = activation_table(Op(kind, ("x",), "y", a.Attrs(), ""), Quant((1e3,)), Quant((1.0,)))
        assert table[0] == 0


@pytest.mark.parametrize(("kind", "attrs"), [(kind, attrs) for kind, attrs, _ in FUNCTIONS], ids=NAMES)
def test_linear_takes_its_activation_in(kind: K, attrs: a.Attrs) -> None:
    b = GraphBuilder.seeded(3)
    norm = b.layernorm("norm", b.linear("stream", b.input("x", 12, 8), 8))
    hidden = b.linear("hidden", norm, 16, 2.0)
    b.linear("out", b.op(kind, "active", hidden, attrs=attrs), 5)
    graph = b.graph(("x",), ("out",))
    x = np.random.default_rng(4).standard_normal((100, 12, 8)).astype(np.float32)
    scales = choose_scales(graph, calibrate(graph, {"x": x}))
    assert (scales.roles["hidden"], scales.roles["active"]) == (Role.TABLE_INPUT, Role.ACTIVATION)
    integer = quantise(graph, scales)
    verify(integer)
    assert [op.output for op in integer.ops] == ["stream", "norm", "active", "out"]
    fused = producers(integer)["active"]
    assert fused.loc == "/hidden" and isinstance(fused.attrs, QLinearAttrs)
    # Codes saturate at the zero point of a ReLU's result: no table.
    assert fused.attrs.table is (kind is not K.RELU)
    real: dict[str, np.ndarray] = {}
    codes: dict[str, np.ndarray] = {}
    interpret(graph, {"x": x[0]}, real.__setitem__)
    interpret(integer, quantise_inputs(integer, {"x": x[0]}), codes.__setitem__)
    error = dequantise(integer.types["active"], codes["active"]) - real["active"]
    assert np.abs(error).mean() < 0.01 * np.abs(real["active"]).max()
    assert OPS[kind].evaluate([real["hidden"]], attrs).tolist() == real["active"].tolist()
