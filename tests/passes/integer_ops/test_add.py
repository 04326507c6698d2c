"""Sums of two values: which adds are sums of int8, the constants of all of them, their noise."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.ir import integer_oracle as oracle
from tests.networks.small_transformer import GraphBuilder
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.integer.qadd import qadd
from tmc.ir.interpret import interpret
from tmc.ir.ops import OPS
from tmc.ir.types import DType, Quant, TensorType
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.calibrate.codes import quantise_inputs
from tmc.passes.integer_ops.add import quantise_add
from tmc.passes.integer_ops.convert import Stored
from tmc.passes.quantise import quantise
from tmc.passes.scales.choose_scales import choose_scales
from tmc.passes.scales.value_roles import Role, value_roles

SCALES = st.floats(1e-6, 1e6)
CODES = st.integers(-128, 127)


@given(SCALES, SCALES, SCALES, st.tuples(CODES, CODES, CODES), st.integers(0, 2**32 - 1))
def test_sums_are_rounded_once_and_stay_in_32_bits(
    x: float, z: float, y: float, zero_points: tuple[int, int, int], seed: int
) -> None:
    quants = [Quant((scale,), zero) for scale, zero in zip((x, z, y), zero_points, strict=True)]
    try:
        attrs = quantise_add("/Add", *quants)
    except QuantisationError:
        assert max(x, z) / y > 2**20
        return
    kind = TensorType(DType.S8, (2, 8))
    assert OPS[OpKind.QADD].infer([kind, kind], attrs) == kind
    codes = np.random.default_rng(seed).integers(-128, 128, (2, 2, 8)).astype(np.int8)
    codes[:, 0, :2] = -128, 127
    found = qadd(*codes, attrs)
    assert found.tolist() == oracle.qadd(*codes.tolist(), attrs)
    codes_and_quants = zip(codes.astype(float), quants, strict=False)
    reals = sum((code - quant.zero_point) * quant.scale[0] for code, quant in codes_and_quants)
    exact = np.clip(reals / y + zero_points[2], -128, 127)
    # Half a step by rounding, and what multipliers of 21 bits, or steps of 2^-23, leave of 255 codes.
    assert np.all(np.abs(found - exact) <= 0.5 + 512 * max(2.0**-21 * max(x, z) / y, 2.0**-23) + 1e-6)


RATIOS = st.floats(-9, 9).map(lambda power: 2.0**power)
TYPES: st.SearchStrategy[Stored] = st.sampled_from(["s8", "s16"])
SIGNS = st.sampled_from([(1, 1), (1, -1), (-1, 1)])


@given(RATIOS, RATIOS, st.tuples(TYPES, TYPES, TYPES), SIGNS, CODES, st.integers(0, 2**32 - 1))
@example(1.0, 1.0, ("s16", "s16", "s16"), (1, -1), 0, 0)
@example(255.0, 0.99, ("s8", "s16", "s16"), (1, 1), -128, 0)
def test_sums_and_differences_of_all_types(
    x: float,
    z: float,
    types: tuple[Stored, Stored, Stored],
    signs: tuple[Literal[1, -1], Literal[1, -1]],
    zero_point: int,
    seed: int,
) -> None:
    zeros = [zero_point if dtype == "s8" else 0 for dtype in types]
    quants = [Quant((scale,), zero) for scale, zero in zip((x, z, 1.0), zeros, strict=True)]
    attrs = quantise_add("/Sub", quants[0], quants[1], quants[2], types, signs=signs)
    kinds = [TensorType(DType(dtype), (2, 8)) for dtype in types]
    assert OPS[OpKind.QADD].infer(kinds[:2], attrs) == kinds[2]
    random, codes = np.random.default_rng(seed), []
    for kind in kinds[:2]:
        low, high = kind.code_limits
        codes.append(random.integers(low, high + 1, (2, 8)).astype(kind.dtype.numpy))
        codes[-1][0, :2] = low, high
    found = qadd(codes[0], codes[1], attrs)
    assert found.tolist() == oracle.qadd(codes[0].tolist(), codes[1].tolist(), attrs)
    reals = [each.astype(float) - zero for each, zero in zip(codes, zeros, strict=False)]
    exact = signs[0] * reals[0] * x + signs[1] * reals[1] * z + zeros[2]
    # Half a step by rounding, and half a unit of each multiplier.
    steps = 0.5 + (np.abs(reals[0]) + np.abs(reals[1])) * 2.0 ** -(attrs.shift + 1)
    assert np.all(np.abs(found - np.clip(exact, *kinds[2].code_limits)) <= steps)
    if "s16" in types[:2] and max(x, z) <= 1 and types[2] == "s16":
        assert attrs.shift >= 15  # a unit of a multiplier is 2^-15 of a step of the result at most


def test_scales_that_no_multiplier_spans() -> None:
    with pytest.raises(
        QuantisationError, match="/Add: found a sum with a step of 1e-09 of values with"
    ) as error:
        quantise_add("/Add", Quant((1.0,)), Quant((0.5,)), Quant((1e-9,)))
    assert "allowed steps up to 2,097,152 and 2,097,152 times as large" in str(error.value)
    assert error.value.notes == ("the summands cancel in calibration; give samples in which they do not",)


def summed(kind: str) -> Graph:
    """Return a network in which an add has operands of a kind."""
    b = GraphBuilder.seeded(0)
    x = b.input("x", 6, 8)
    gelu = b.gelu("gelu", b.linear("first", x, 8))
    match kind:
        case "activations":
            other = b.gelu("other", b.linear("second", x, 8))
        case "linear":
            other = b.linear("other", x, 8)
        case "itself":
            other = gelu
        case "stream":
            other = b.add("other", x, b.linear("second", x, 8))
        case _:
            raise ValueError(kind)
    b.linear("y", b.add("sum", gelu, other), 4)
    return b.graph(("x",), ("y",))


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        ("activations", Role.ACTIVATION),
        ("linear", Role.ACTIVATION),
        ("itself", Role.ACTIVATION),
        ("stream", Role.RESIDUAL),
    ],
)
def test_values_are_added_as_they_are_stored(kind: str, role: Role) -> None:
    graph = summed(kind)
    assert value_roles(graph)["sum"] is role
    samples = {"x": np.random.default_rng(1).standard_normal((16, 6, 8)).astype(np.float32)}
    integer = quantise(graph, choose_scales(graph, calibrate(graph, samples)))
    assert [op.kind for op in integer.ops if op.output == "sum"] == [OpKind.QADD]
    sample = {"x": samples["x"][0]}
    quant = integer.types["y"].quant
    assert quant is not None
    found = interpret(integer, quantise_inputs(integer, sample))["y"] * np.array(quant.scale)
    expected = interpret(graph, sample)["y"]
    assert 10 * np.log10(np.mean(expected**2) / np.mean((found - expected) ** 2)) > 30


@pytest.mark.parametrize(("norm", "role"), [(True, Role.BRANCH), (False, Role.RESIDUAL)])
def test_a_linear_takes_in_the_sum_where_it_reads_int8(norm: bool, role: Role) -> None:
    b = GraphBuilder.seeded(0)
    x = b.input("x", 6, 8)
    branch = b.linear("first", b.layernorm("m", x) if norm else x, 8)
    b.linear("y", b.layernorm("n", b.add("sum", x, branch)), 4)
    roles = value_roles(b.graph(("x",), ("y",)))
    assert (roles["first"], roles["sum"]) == (role, Role.RESIDUAL)
