from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import log10

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder, Size, transformer, windows
from tmc.ir import attrs as a
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, OpKind, producers
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.interpret import interpret
from tmc.ir.types import Array, DType, Quant
from tmc.ir.verify import verify
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.calibrate.codes import dequantise, quantise_inputs
from tmc.passes.quantise import quantise
from tmc.passes.scales.choose_scales import Scales, choose_scales
from tmc.passes.scales.migrate_outliers import migrate_outliers
from tmc.passes.scales.value_roles import Role


def scales_of(graph: Graph, count: int = 16) -> Scales:
    return choose_scales(graph, calibrate(graph, {"emg": windows(graph, count)}))


def noise_ratios(
    graph: Graph, integer: Graph, count: int = 6, like: Callable[[Graph, int, int], Array] = windows
) -> dict[str, float]:
    """Signal-to-noise ratio in dB of every value of the integer graph, over windows nobody calibrated on."""
    signal: dict[str, float] = {}
    noise: dict[str, float] = {}
    for window in like(graph, count, 99):
        real: dict[str, np.ndarray] = {}
        codes: dict[str, np.ndarray] = {}
        interpret(graph, {"emg": window}, real.__setitem__)
        interpret(integer, quantise_inputs(integer, {"emg": window}), codes.__setitem__)
        for name, array in codes.items():
            got = rows(integer, name, dequantise(integer.types[name], array))
            signal[name] = signal.get(name, 0.0) + float((real[name].astype(float) ** 2).sum())
            noise[name] = noise.get(name, 0.0) + float(((real[name] - got) ** 2).sum())
    return {name: 10 * log10(signal[name] / noise[name]) for name in signal}


def rows(graph: Graph, name: str, array: np.ndarray) -> np.ndarray:
    """Undo the layout in which a value is stored."""
    op = producers(graph)[name]
    layout = op.attrs.layout if isinstance(op.attrs, QLinearAttrs) else "rows"
    if layout == "heads" or op.kind is OpKind.QROPE:
        return array.transpose(1, 0, 2).reshape(array.shape[1], -1)
    return array.T if layout == "transposed" else array


@pytest.mark.parametrize(
    "size",
    [
        Size(),
        Size(rotary=False),
        Size(gelu="tanh"),
        Size(channels=2, patches=10, width=64, heads=2, layers=3),
    ],
    ids=["rotary", "without positions", "tanh", "wide"],
)
def test_integer_network_is_close_to_float(size: Size) -> None:
    graph = transformer(size)
    integer = quantise(graph, scales_of(graph))
    verify(integer)
    ratios = noise_ratios(graph, integer)
    assert ratios["tokens"] > 26
    assert ratios["logits"] > 27
    assert ratios["embedded"] > 40
    assert min(ratios.values()) > 22


def coarser(scales: Scales, roles: set[Role], factor: float) -> Scales:
    quants = dict(scales.quants)
    for name, role in scales.roles.items():
        if role in roles:
            quants[name] = replace(quants[name], scale=tuple(scale * factor for scale in quants[name].scale))
    return Scales(scales.roles, quants)


@pytest.mark.parametrize(
    ("roles", "factor"),
    [({Role.INPUT}, 64.0), ({Role.RESIDUAL, Role.BRANCH}, 256.0)],
    ids=["8-bit input", "8-bit residual stream"],
)
def test_naive_scales_lose(roles: set[Role], factor: float) -> None:
    graph = transformer(Size())
    scales = scales_of(graph)
    good = noise_ratios(graph, quantise(graph, scales))
    naive = noise_ratios(graph, quantise(graph, coarser(scales, roles, factor)))
    assert naive["tokens"] < good["tokens"] - 3
    assert naive["logits"] < good["logits"] - 3


def test_planted_outliers_cost_little_once_migrated() -> None:
    graph = transformer(Size(), outlier=20.0)
    ranges = calibrate(graph, {"emg": windows(graph, 16)})
    migrated, moved = migrate_outliers(graph, ranges)
    kept = noise_ratios(graph, quantise(graph, choose_scales(graph, ranges)))
    better = noise_ratios(migrated, quantise(migrated, choose_scales(migrated, moved)))
    assert better["tokens"] > 26
    assert better["logits"] > 27
    assert kept["tokens"] < 16


def test_only_integer_ops_and_every_value_has_a_scale() -> None:
    graph = transformer(Size(layers=1))
    integer = quantise(graph, scales_of(graph))
    allowed = {
        OpKind.RESHAPE,
        OpKind.QLINEAR,
        OpKind.QLAYERNORM,
        OpKind.QROPE,
        OpKind.QATTENTION,
        OpKind.QMEAN_ROWS,
    }
    assert {op.kind for op in integer.ops} == allowed
    assert all(kind.dtype.is_integer for kind in integer.types.values())
    for name in (*integer.inputs, *(op.output for op in integer.ops)):
        assert integer.types[name].quant is not None
    assert integer.types["emg"].dtype is DType.S16
    assert integer.types["logits"].dtype is DType.S32
    assert (integer.inputs, integer.outputs) == (graph.inputs, graph.outputs)


def test_fusions_and_layouts() -> None:
    graph = transformer(Size(layers=1))
    ops = producers(quantise(graph, scales_of(graph)))
    found = {
        name: (op.attrs.dtype, op.attrs.layout, op.attrs.heads, op.attrs.table, op.attrs.residual)
        for name, op in ops.items()
        if isinstance(op.attrs, QLinearAttrs)
    }
    assert found == {
        "embedded": ("s16", "rows", 1, False, False),
        "0.q": ("s16", "rows", 1, False, False),
        "0.k": ("s16", "rows", 1, False, False),
        "0.v": ("s8", "transposed", 1, False, False),
        "0.after_attention": ("s16", "rows", 1, False, True),
        "0.gelu": ("s8", "rows", 1, True, False),
        "0.after_mlp": ("s16", "rows", 1, False, True),
        "logits": ("s32", "rows", 1, False, False),
    }
    assert ops["0.after_mlp"].inputs[-1] == "0.after_attention"
    assert ops["0.gelu"].loc == "/0.wide" and ops["0.after_mlp"].loc == "/0.narrow"
    assert ops["0.q_turned"].inputs[1] == ops["0.k_turned"].inputs[1]  # one rotation table for both


def test_without_rotation_queries_are_stored_by_head() -> None:
    graph = transformer(Size(layers=1, rotary=False))
    integer = quantise(graph, scales_of(graph))
    attrs = producers(integer)["0.q"].attrs
    assert isinstance(attrs, QLinearAttrs)
    assert (attrs.dtype, attrs.layout, attrs.heads) == ("s8", "heads", 3)
    assert integer.types["0.q"].shape == (3, 40, 16)


def test_classifier_has_one_scale_and_plain_sums() -> None:
    graph = transformer(Size(layers=1))
    integer = quantise(graph, scales_of(graph))
    assert (integer.constants["logits.multiplier"] == 1).all()
    assert producers(integer)["logits"].attrs == QLinearAttrs(0, "s32")
    weight = integer.types["logits.weight"].quant
    assert weight is not None and len(weight.scale) == 1 and weight.per is None
    features = integer.types["features"].quant
    assert features is not None
    assert integer.types["logits"].quant == Quant((features.scale[0] * weight.scale[0],))


def test_twice_the_same() -> None:
    graph = transformer(Size(layers=1))
    first, again = quantise(graph, scales_of(graph)), quantise(graph, scales_of(graph))
    assert first.ops == again.ops and first.types == again.types
    assert list(first.constants) == list(again.constants)
    assert all(np.array_equal(array, again.constants[name]) for name, array in first.constants.items())


def test_every_extreme_input_stays_in_int32() -> None:
    graph = transformer(Size(layers=1))
    integer = quantise(graph, scales_of(graph, 4))
    shape = integer.types["emg"].shape
    patterns: Mapping[str, np.ndarray] = {
        "low": np.full(shape, -4096),
        "high": np.full(shape, 4095),
        "zero": np.zeros(shape),
        "square": np.where(np.arange(shape[-1]) % 2, 4095, -4096) * np.ones(shape),
        "random": np.random.default_rng(0).choice([-4096, 4095], shape),
    }
    for pattern in patterns.values():
        interpret(integer, {"emg": pattern.astype(np.int16)})  # the interpreter asserts int32 at every step


def test_proof_knows_the_range_of_the_input() -> None:
    # Calibrated on windows whose sums cancel, then run on the input for which every product has one sign.
    b = GraphBuilder.seeded(0)
    x = b.op(OpKind.RESHAPE, "rows", b.input("emg", 1, 1, 80), attrs=a.ReshapeAttrs((4, 20)))
    b.layernorm("n", b.linear("stream", x, 16))
    b.constants["stream.w"][:] = 0.1
    b.constants["stream.w"][0, 0] = 0.11
    graph = b.graph(("emg",), ("n",))
    window = np.tile(np.array([1.0, -1.0], dtype=np.float32), 40).reshape(1, 1, 1, 80)
    integer = quantise(graph, choose_scales(graph, calibrate(graph, {"emg": window})))
    assert integer.constants["stream.multiplier"].max() < 255
    for code in (-4096, 4095):
        interpret(integer, {"emg": np.full((1, 1, 80), code, dtype=np.int16)})


def test_error_names_the_op() -> None:
    b = GraphBuilder.seeded(0)
    x = b.input("emg", 1, 1, 80)
    x = b.op(OpKind.RESHAPE, "rows", x, attrs=a.ReshapeAttrs((4, 20)))
    b.linear("sums", b.layernorm("n", b.linear("stream", x, 16)), 4)
    b.constants["sums.b"][:] = 1e30
    graph = b.graph(("emg",), ("sums",))
    with pytest.raises(QuantisationError, match=r"^/sums: found a bias of channel"):
        quantise(graph, scales_of(graph, 2))
