"""Linears of int16 values with an activation: int32 sums and a requantisation."""

from __future__ import annotations

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder
from tests.passes.integer_ops.test_heads import both, noise_db, quantised
from tmc.ir import attrs as a
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import OpKind
from tmc.ir.types import DType, Quant
from tmc.passes.integer_ops.declared_weights import DeclaredWeights
from tmc.passes.integer_ops.linear import CodeRange, LinearTask
from tmc.passes.integer_ops.wide import quantise_wide


@pytest.mark.parametrize("activation", [OpKind.RELU, OpKind.SILU, OpKind.SIGMOID, OpKind.TANH, OpKind.GELU])
def test_perceptron_on_the_input(activation: OpKind) -> None:
    b = GraphBuilder.seeded(1)
    attrs = a.GeluAttrs("none") if activation is OpKind.GELU else a.Attrs()
    active = b.op(activation, "active", b.linear("hidden", b.input("x", 5, 12), 16, groups=5), attrs=attrs)
    b.linear("y", active, 3)
    graph = b.graph(("x",), ("y",))
    _, integer = quantised(graph)
    assert [(op.output, op.kind.value) for op in integer.ops] == [
        ("hidden", "qlinear"),
        ("active", "qrequantise"),
        ("y", "qlinear"),
    ]
    assert integer.types["hidden"].dtype is DType.S32
    table = integer.constants["active.table"]
    identity = np.arange(-128, 128)
    assert np.array_equal(table, identity) is (activation is OpKind.RELU)
    real, found = both(graph, integer)
    assert noise_db(real["hidden"], found["hidden"]) > 40
    assert noise_db(real["active"], found["active"]) > 32
    assert noise_db(real["y"], found["y"]) > 28


def test_weights_that_the_model_gives_are_kept() -> None:
    codes = np.array([[3, -128, 5], [0, 7, 127]], dtype=np.int8)
    declared = DeclaredWeights(codes, np.array([0.02, 0.5]))
    task = LinearTask(
        *("/fc", codes * declared.scale[:, None], np.zeros((1, 2)), Quant((0.01,)), CodeRange(-4096, 4095)),
        *(np.full(2, 0.1), 0, False, declared),
    )
    found = quantise_wide(task)
    assert np.array_equal(found.linear.weight, codes)
    assert found.sums.scale == pytest.approx((0.0002, 0.005)) and found.sums.per == "channel"
    slope = found.factors[:, 0] / 2.0 ** found.factors[:, 1]
    assert slope == pytest.approx([0.002, 0.05], rel=1e-8)


def test_sums_that_do_not_fit_are_refused() -> None:
    weight, bias = np.ones((2, 3)), np.array([[0.0, 1e12]])
    task = LinearTask("/fc", weight, bias, Quant((0.001,)), CodeRange(-4096, 4095), np.ones(2), 0, False)
    with pytest.raises(QuantisationError, match=r"^/fc: found a bias of channel 1 .* allowed int32"):
        quantise_wide(task)


def test_results_beyond_32_bits_are_refused() -> None:
    task = LinearTask(
        "/fc",
        np.ones((2, 3)),
        np.zeros((1, 2)),
        Quant((1.0,)),
        CodeRange(-4096, 4095),
        np.full(2, 1e-9),
        0,
        False,
    )
    with pytest.raises(QuantisationError, match=r"^/fc: found results up to .* steps in channel 0"):
        quantise_wide(task)
