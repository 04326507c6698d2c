"""Float ops against numpy in double precision, the math module, and onnxruntime."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from tmc.ir import attrs as a
from tmc.ir import float_semantics as f
from tmc.ir.graph import OpKind as K
from tmc.ir.ops import OPS
from tmc.ir.types import Array, DType, TensorType


def normal(*shape: int) -> Array:
    return np.random.default_rng(list(shape)).standard_normal(shape).astype(np.float32)


def evaluate(kind: K, operands: list[Array], attrs: a.Attrs) -> Array:
    """Return what the op table computes, once its type is seen to be what the shape rule says."""
    result = np.asarray(OPS[kind].evaluate(operands, attrs))
    types = [TensorType(DType.of(operand), operand.shape) for operand in operands]
    assert OPS[kind].infer(types, attrs) == TensorType(DType.of(result), result.shape)
    return result


def onnx_result(name: str, operands: list[Array], opset: int = 17, **attributes: Any) -> Array:
    """Return what onnxruntime computes for one node."""
    names = [f"x{index}" for index in range(len(operands))]
    node = helper.make_node(name, names, ["y"], **attributes)
    feed = dict(zip(names, operands, strict=True))
    inputs = [
        helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for key, array in feed.items()
    ]
    element = onnx.TensorProto.INT64 if name == "ArgMax" else onnx.TensorProto.FLOAT
    output = helper.make_tensor_value_info("y", element, None)
    model = helper.make_model(
        helper.make_graph([node], "g", inputs, [output]),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, feed)[0])


def assert_close(found: Array, expected: Array, tolerance: float = 2e-6) -> None:
    """Compare with a tolerance relative to the largest value."""
    assert found.dtype == np.float32 and found.shape == expected.shape
    largest = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * largest)


def test_erf_is_the_nearest_float32_or_its_neighbour() -> None:
    x = np.concatenate([np.linspace(-6, 6, 240_001), [0.46875, -0.46875, 4, -4, 1e-30, 1e30, 0.0]])
    x = x.astype(np.float32)
    exact = np.array([math.erf(value) for value in x.tolist()])
    found = f.erf(x)
    assert found.dtype == np.float32
    unit = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    # half a unit is the best that rounding can do
    assert float((np.abs(found.astype(np.float64) - exact) / unit).max()) < 0.5001


def test_erf_keeps_the_sign_of_zero_and_has_its_limits() -> None:
    assert np.signbit(f.erf(np.array([-0.0], np.float32)))[0]
    limits = f.erf(np.array([np.inf, -np.inf, 9.0], np.float32))
    assert limits.tolist() == [1, -1, 1]


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu(approximate: str) -> None:
    x = np.linspace(-8, 8, 4001, dtype=np.float32)
    expected = onnx_result("Gelu", [x], opset=20, approximate=approximate)
    assert_close(f.gelu(x, approximate), expected, 1e-6)
    exact = np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()])
    assert float(np.abs(f.gelu(x, approximate) - exact).max()) < (1e-6 if approximate == "none" else 1e-3)


ELEMENTWISE: list[tuple[K, str, Callable[[Array], Array]]] = [
    (K.NEG, "Neg", lambda x: x),
    (K.SQRT, "Sqrt", np.abs),
    (K.TANH, "Tanh", lambda x: x),
    (K.ERF, "Erf", lambda x: x),
    (K.EXP, "Exp", lambda x: x),
    (K.LOG, "Log", lambda x: np.abs(x) + np.float32(1e-3)),
    (K.ABS, "Abs", lambda x: x),
    (K.SIGMOID, "Sigmoid", lambda x: x),
    (K.RELU, "Relu", lambda x: x),
]


@pytest.mark.parametrize(("kind", "name", "prepare"), ELEMENTWISE)
def test_unary_ops(kind: K, name: str, prepare: Callable[[Array], Array]) -> None:
    x = prepare(3 * normal(5, 7))
    assert_close(evaluate(kind, [x], a.Attrs()), onnx_result(name, [x]))


BINARY = [
    (K.ADD, "Add"),
    (K.SUB, "Sub"),
    (K.MUL, "Mul"),
    (K.DIV, "Div"),
    (K.POW, "Pow"),
    (K.MINIMUM, "Min"),
    (K.MAXIMUM, "Max"),
]


@pytest.mark.parametrize(("kind", "name"), BINARY)
def test_binary_ops_broadcast(kind: K, name: str) -> None:
    x, y = np.abs(normal(2, 1, 5)) + np.float32(0.5), normal(3, 1)
    assert_close(evaluate(kind, [x, y], a.Attrs()), onnx_result(name, [x, y]))


def test_views() -> None:
    x = normal(2, 5, 6)
    assert np.array_equal(
        evaluate(K.RESHAPE, [x], a.ReshapeAttrs((10, 6))), onnx_result("Reshape", [x, np.array([10, 6])])
    )
    assert np.array_equal(
        evaluate(K.TRANSPOSE, [x], a.TransposeAttrs((2, 0, 1))), onnx_result("Transpose", [x], perm=[2, 0, 1])
    )
    parts = [np.array(part) for part in ([0, 1, 1], [2, 5, 6], [0, 1, 2], [1, 2, 3])]
    assert np.array_equal(
        evaluate(K.SLICE, [x], a.SliceAttrs((0, 1, 1), (2, 5, 6), (1, 2, 3))),
        onnx_result("Slice", [x, *parts]),
    )
    y = normal(2, 1, 6)
    assert np.array_equal(
        evaluate(K.CONCAT, [x, y, x], a.ConcatAttrs(1)), onnx_result("Concat", [x, y, x], axis=1)
    )
    assert np.array_equal(
        evaluate(K.GATHER, [x], a.GatherAttrs(1, (4, 0, 0, 2), (2, 2))),
        onnx_result("Gather", [x, np.array([[4, 0], [0, 2]])], axis=1),
    )
    assert np.array_equal(
        evaluate(K.EXPAND, [y], a.ExpandAttrs((3, 2, 5, 6))),
        onnx_result("Expand", [y, np.array([3, 2, 5, 6])]),
    )


def test_matmul_broadcasts() -> None:
    x, y = normal(2, 1, 4, 9), normal(3, 9, 5)
    assert_close(evaluate(K.MATMUL, [x, y], a.Attrs()), onnx_result("MatMul", [x, y]))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_softmax(axis: int) -> None:
    x = 50 * normal(4, 5, 6)
    assert_close(evaluate(K.SOFTMAX, [x], a.AxisAttrs(axis)), onnx_result("Softmax", [x], axis=axis))


@pytest.mark.parametrize(("axes", "keepdims"), [((0,), True), ((1, 2), False), ((0, 1, 2), True)])
def test_reductions(axes: tuple[int, ...], keepdims: bool) -> None:
    x = normal(4, 5, 6) + np.float32(3)
    expected = onnx_result("ReduceMean", [x], axes=list(axes), keepdims=int(keepdims))
    assert_close(evaluate(K.REDUCE_MEAN, [x], a.ReduceAttrs(axes, keepdims)), expected)
    largest = onnx_result("ReduceMax", [x], axes=list(axes), keepdims=int(keepdims))
    assert np.array_equal(evaluate(K.REDUCE_MAX, [x], a.ReduceAttrs(axes, keepdims)), largest)


def test_step_is_1_above_0_alone() -> None:
    x = np.array([-1, -1e-45, -0.0, 0, 1e-45, 3], dtype=np.float32)
    assert evaluate(K.STEP, [x], a.Attrs()).tolist() == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_argmax_takes_the_first_of_equal_ones(axis: int) -> None:
    x = np.round(normal(4, 5, 6))
    assert len(np.unique(x)) < 10
    found = evaluate(K.ARGMAX, [x], a.AxisAttrs(axis))
    assert np.array_equal(found, onnx_result("ArgMax", [x], axis=axis, keepdims=0))


@pytest.mark.parametrize(
    ("groups", "strides", "pads"),
    [(1, (1, 1), (0, 0, 0, 0)), (2, (2, 3), (1, 0, 2, 3)), (4, (1, 20), (0, 0, 0, 0))],
)
def test_conv(groups: int, strides: tuple[int, int], pads: tuple[int, int, int, int]) -> None:
    x, weight, bias = normal(1, 4, 6, 40), normal(8, 4 // groups, 3, 20), normal(8)
    expected = onnx_result("Conv", [x, weight, bias], group=groups, strides=list(strides), pads=list(pads))
    assert_close(evaluate(K.CONV, [x, weight, bias], a.ConvAttrs(strides, pads, groups)), expected)


def test_linear_takes_one_row_of_bias_for_a_run_of_rows() -> None:
    x, weight, bias = normal(6, 9), normal(4, 9), normal(3, 4)
    exact = x.astype(np.float64), weight.T.astype(np.float64)
    expected = np.stack([exact[0][row] @ exact[1] + bias[row // 2] for row in range(6)])
    assert_close(evaluate(K.LINEAR, [x, weight, bias], a.Attrs()), expected)


def test_layernorm() -> None:
    x, gamma, beta = 4 * normal(2, 6, 24) + np.float32(2), normal(24), normal(1, 24)[0]
    expected = onnx_result("LayerNormalization", [x, gamma, beta], axis=-1, epsilon=1e-3)
    assert_close(evaluate(K.LAYERNORM, [x, gamma, beta], a.LayerNormAttrs(1e-3)), expected)


def test_rope_is_a_complex_product() -> None:
    x, angle = normal(6, 16), normal(3, 4)
    pairs = x[:, 0::2] + 1j * x[:, 1::2].astype(np.float64)
    # two heads of four pairs; rows 0 to 5 take table lines 0 1 2 0 1 2
    turned = pairs * np.exp(1j * np.tile(angle.astype(np.float64), (2, 2)))
    expected = np.stack([turned.real, turned.imag], axis=-1).reshape(6, 16)
    assert_close(evaluate(K.ROPE, [x, np.cos(angle), np.sin(angle)], a.RopeAttrs(2)), expected)


@pytest.mark.parametrize("shape", [None, (3, 5, 7), (1, 5, 7), (3, 1, 7), (1, 1, 7)])
def test_attention_head_by_head(shape: tuple[int, ...] | None) -> None:
    q, k, v = normal(5, 12), normal(7, 12), normal(12, 7).T
    bias = [] if shape is None else [normal(*shape)]
    added = np.broadcast_to(bias[0] if bias else np.float32(0), (3, 5, 7))
    expected = np.empty((5, 12))
    for head in range(3):
        for row in range(5):
            part = slice(4 * head, 4 * head + 4)
            products = [sum(map(float, q[row, part] * k[key, part])) for key in range(7)]
            weights = [math.exp(0.5 * s + float(b)) for s, b in zip(products, added[head, row], strict=True)]
            expected[row, part] = sum(w * v[key, part] for key, w in enumerate(weights)) / sum(weights)
    assert_close(evaluate(K.ATTENTION, [q, k, v, *bias], a.AttentionAttrs(3, 0.5)), expected)


def test_attention_with_a_mask_is_one_with_its_bias() -> None:
    q, k, v, mask = normal(5, 12), normal(7, 12), normal(12, 7).T, normal(1, 7)
    plain = evaluate(K.ATTENTION, [q, k, v, (3 * mask - 2)[None]], a.AttentionAttrs(3, 0.5))
    assert_close(evaluate(K.ATTENTION, [q, k, v, mask], a.AttentionAttrs(3, 0.5, 3.0, -2.0)), plain)


def test_mean_rows() -> None:
    x = normal(6, 4)
    expected = np.stack([x[0:3].astype(np.float64).mean(axis=0), x[3:6].astype(np.float64).mean(axis=0)])
    assert_close(evaluate(K.MEAN_ROWS, [x], a.MeanRowsAttrs(3)), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.int16, np.int32])
def test_max_rows(dtype: Any) -> None:
    x = np.array([[1, -7], [-3, -5], [4, -9], [2, 0]], dtype=dtype)
    found = evaluate(K.MAX_ROWS, [x], a.MaxRowsAttrs(2))
    assert found.dtype == dtype and found.tolist() == [[1, -5], [4, 0]]


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.int16])
def test_argmax_columns_takes_the_first_of_equal_ones(dtype: Any) -> None:
    x = np.array([[1, -7, 1], [-3, -5, -2], [4, 9, 9], [0, 0, 0]], dtype=dtype)
    found = evaluate(K.ARGMAX_COLUMNS, [x], a.Attrs())
    assert found.dtype == np.int32 and found.tolist() == [[0], [2], [1], [0]]


def test_matmul_rows_multiplies_group_by_group() -> None:
    x, z = normal(6, 4), normal(9, 4)
    expected = [x[2 * group : 2 * group + 2] @ z[3 * group : 3 * group + 3].T for group in range(3)]
    assert_close(evaluate(K.MATMUL_ROWS, [x, z], a.MatmulRowsAttrs(3)), np.concatenate(expected))


def test_fake_quantise() -> None:
    x = np.array([-100, -0.75, -0.25, 0, 0.25, 0.75, 1.25, 30, 100], dtype=np.float32)
    found = evaluate(K.FAKE_QUANTISE, [x], a.FakeQuantiseAttrs(0.5, -3, -128, 60))
    assert found.dtype == np.float32
    assert found.tolist() == [-62.5, -1, 0, 0, 0, 1, 1, 30, 31.5]


def test_requant_shift() -> None:
    x = np.arange(-3, 4, dtype=np.float32)[None] * 1000
    mul, add = np.array([[3], [-(2**20)]], dtype=np.int32), np.array([[500], [0]], dtype=np.int32)
    attrs = a.RequantShiftAttrs(10, -8, 7)
    found = evaluate(K.REQUANT_SHIFT, [np.repeat(x, 2, axis=0), mul, add], attrs)
    exact = [
        [min(7, max(-8, (value * m + b + 512) // 1024)) for value in range(-3000, 4000, 1000)]
        for m, b in ((3, 500), (-(2**20), 0))
    ]
    assert found.tolist() == exact


def test_sigmoid_far_from_zero() -> None:
    with np.errstate(all="raise", under="ignore"):
        found = f.sigmoid(np.array([-1e4, -90, 0, 90, 1e4], np.float32))
    assert found.dtype == np.float32
    assert found.tolist() == [0, np.exp(np.float32(-90)), 0.5, 1, 1]


def test_silu() -> None:
    x = np.linspace(-20, 20, 4001, dtype=np.float32)
    exact = np.array([value / (1 + math.exp(-value)) for value in x.tolist()])
    assert_close(evaluate(K.SILU, [x], a.Attrs()), exact, 1e-6)


@pytest.mark.parametrize("taps", [1, 3, 5])
def test_depthwise_rows(taps: int) -> None:
    x, weight, bias = normal(7, 6), normal(6, taps), normal(6)
    expected = onnx_result("Conv", [x.T[None], weight[:, None], bias], group=6, pads=[taps // 2] * 2)
    assert_close(evaluate(K.DEPTHWISE_ROWS, [x, weight, bias], a.Attrs()), expected[0].T)


@pytest.mark.parametrize(
    ("rows", "out_rows"), [(50, 500), (50, 1000), (7, 16), (9, 4), (5, 5), (2, 3), (50, 1)]
)
def test_interpolate_rows(rows: int, out_rows: int) -> None:
    x = normal(rows, 3)
    nothing = np.zeros(0, np.float32)
    sizes = [nothing, nothing, np.array([1, 3, out_rows])]
    expected = onnx_result(
        "Resize", [x.T[None], *sizes], opset=11, mode="linear", coordinate_transformation_mode="half_pixel"
    )
    assert_close(evaluate(K.INTERPOLATE_ROWS, [x], a.InterpolateRowsAttrs(out_rows)), expected[0].T, 1e-5)


def test_permute_rows() -> None:
    x = normal(6, 4)
    found = evaluate(K.PERMUTE_ROWS, [x], a.PermuteRowsAttrs(2))
    assert np.array_equal(found, x[[0, 3, 1, 4, 2, 5]])
    assert found.flags.c_contiguous
