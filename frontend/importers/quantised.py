"""Importers of what quantised models declare: codes of activations, codes of weights, RequantShift.

A QuantizeLinear becomes one op that rounds to the codes and back to real numbers; the graph stays a float
one.
The DequantizeLinear behind it adds nothing, nor do reshapes of the codes between the two.
Sources: the ONNX operator specification, opsets 10 to 24; RequantShift as QuantLib exports it and Deeploy
reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tmc.frontend.node import Node
from tmc.ir.attrs import FakeQuantiseAttrs, RequantShiftAttrs
from tmc.ir.graph import OpKind
from tmc.ir.types import Array

_QDQ = "quantise with quant_format=QuantFormat.QDQ, which this compiler takes"
_INTEGER = "export this op in floating point, quantised around it (QDQ)"
# Ops of quantised models that are refused, by type in any domain, and what to do about each.
REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("QAttention", "QOrderedMatMul"), _QDQ),
    **dict.fromkeys(
        (
            "MatMulInteger",
            "ConvInteger",
            "DynamicQuantizeLinear",
            "DynamicQuantizeMatMul",
            "DynamicQuantizeLSTM",
            "MatMulIntegerToFloat",
        ),
        "quantise statically: " + _QDQ,
    ),
    **dict.fromkeys(
        (
            "iSoftmax",
            "ITAMax",
            "ITAPartialMax",
            "IntegerSoftmax",
            "iLayerNorm",
            "IntegerLayerNorm",
            "iRMSNorm",
            "iNoNorm",
            "IntegerGELU",
            "RequantizediGELU",
            "RequantizediHardswish",
            "IntegerMean",
            "IntegerDiv",
            "TrueIntegerDiv",
            "IntegerAdd",
            "RequantizedAdd",
            "RequantizedConv",
            "RequantizedGemm",
        ),
        _INTEGER,
    ),
}
_EIGHT_BITS = ("quantise with activation_type=QuantType.QInt8 or QUInt8",)
_CODES = ("int8", "uint8", "int16", "uint16")
_ALLOWED = "integers of 8 or 16 bits"
_SHIFT = "div, n_levels or n_levels_out, and signed"
# What an output_dtype names, by its number in ONNX.
_OUTPUT_TYPES: Mapping[int, str] = {
    0: "uint8",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
}
# Ops that rearrange codes, or choose some of them, and leave them what they are.
KEEP_CODES = frozenset(
    {
        "Identity",
        "Reshape",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Transpose",
        "Slice",
        "Split",
        "Gather",
        "Expand",
        "Tile",
        "MaxPool",
        "GlobalMaxPool",
    }
)


def quantize_linear(node: Node) -> Sequence[str]:
    """Round to codes; the result is the real number that each code stands for."""
    scale, zero_point = _parameters(node)
    node.refuse(
        scale.size != 1,
        f"{scale.size} scales for an activation",
        "one for the whole tensor",
        "quantise activations per tensor; weights may be per channel",
    )
    if node.has(2):
        kind = zero_point.dtype.name
    else:
        target = node.attribute("output_dtype", 0)
        node.refuse(target not in _OUTPUT_TYPES, f"output_dtype {target}", _ALLOWED, *_EIGHT_BITS)
        kind = _OUTPUT_TYPES[target]
    node.refuse(kind not in _CODES, f"codes of {kind}", _ALLOWED, *_EIGHT_BITS)
    half = 2 ** (int(kind.removeprefix("u").removeprefix("int")) - 1)
    shift = half if kind.startswith("u") else 0
    zero = int(zero_point.reshape(-1)[0]) - shift
    attrs = FakeQuantiseAttrs(float(scale.reshape(-1)[0]), zero, -half, half - 1)
    result = node.emit(OpKind.FAKE_QUANTISE, [node.value(0)], attrs)
    node.declare_codes(node.proto.output[0], attrs, shift)
    return [result]


def dequantize_linear(node: Node) -> Sequence[str]:
    """Give back the real numbers of codes, which the graph holds already."""
    declared = node.codes(0)
    if declared is None:
        raise node.error(
            "found codes that no QuantizeLinear made, allowed a constant or its result",
            "let the network begin with float32 values and a QuantizeLinear",
        )
    attrs, shift = declared
    scale, zero_point = _parameters(node)
    same = scale.size == 1 and float(scale.reshape(-1)[0]) == attrs.scale
    same = same and int(zero_point.reshape(-1)[0]) - shift == attrs.zero_point
    node.refuse(
        not same,
        f"scale {scale.reshape(-1)[0]:g} for codes of scale {attrs.scale:g}",
        "the scale and zero point of the QuantizeLinear before it",
    )
    return [node.value(0)]


def clip_codes(node: Node) -> Sequence[str]:
    """Narrow the codes of the QuantizeLinear before (7-bit codes of torch)."""
    declared = node.codes(0)
    assert declared is not None, "only codes come here"
    attrs, shift = declared
    for index in (1, 2):
        limit = node.known(index, "limit") if node.has(index) else np.zeros(1, np.int8)
        node.refuse(
            limit.size != 1 or limit.dtype.kind not in "iu", "no single integer as limit", "one integer"
        )
    ends = [
        (int(node.known(index, "limit").reshape(-1)[0]) - shift if node.has(index) else end)
        for index, end in ((1, attrs.low), (2, attrs.high))
    ]
    narrowed = replace(attrs, low=max(ends[0], attrs.low), high=min(ends[1], attrs.high))
    node.refuse(narrowed.low > narrowed.high, f"codes from {ends[0]} to {ends[1]}", "low <= high")
    node.declare_codes(node.proto.output[0], narrowed, shift)
    return [node.emit(OpKind.FAKE_QUANTISE, [node.value(0)], narrowed)]


def dequantised(node: Node) -> tuple[Array, Array]:
    """Return (code - zero point) * scale of constant codes in float32, and the scales as one row."""
    codes = node.known(0, "codes")
    scale, zero_point = _along_axis(node, codes)
    node.refuse(
        codes.dtype.name not in (*_CODES, "int4", "uint4", "int32"),
        f"codes of {codes.dtype}",
        "integers of 4, 8, 16 or 32 bits",
        "quantise weights with weight_type=QuantType.QInt8",
    )
    steps = codes.astype(np.int64) - zero_point.astype(np.int64)
    return np.asarray(steps.astype(np.float32) * scale), scale.reshape(-1)


def quantised_constant(node: Node) -> Array:
    """Return the codes of a constant, as int32 ones if they have a type of their own."""
    real = node.known(0, "constant").astype(np.float32)
    scale, zero_point = _along_axis(node, real)
    node.refuse(zero_point.dtype.kind not in "iu", f"codes of {zero_point.dtype}", _ALLOWED, *_EIGHT_BITS)
    limits = np.iinfo(zero_point.dtype)
    codes = np.rint(real / scale) + zero_point
    return np.asarray(np.clip(codes, limits.min, limits.max).astype(zero_point.dtype))


def _along_axis(node: Node, array: Array) -> tuple[Array, Array]:
    """Return scale and zero point in the shape in which they apply to an array."""
    scale, zero_point = _parameters(node)
    if scale.size == 1:
        return scale.reshape(()), zero_point.reshape(-1)[0].reshape(())
    axis = node.axis(node.attribute("axis", 1), array.ndim)
    node.refuse(
        scale.size != array.shape[axis],
        f"{scale.size} scales for axis {axis} of {array.shape}",
        f"1 or {array.shape[axis]}",
    )
    shape = [-1 if each == axis else 1 for each in range(array.ndim)]
    return scale.reshape(shape), np.broadcast_to(zero_point, scale.shape).reshape(shape)


def requant_shift(node: Node) -> Sequence[str]:
    """clip(floor((x * mul + add + div / 2) / div)); attributes are numbers or lists of one."""
    mul, add = _integers(node, 1, "mul"), _integers(node, 2, "add")
    what = "n_levels" if node.attribute("n_levels_out", None) is None else "n_levels_out"
    div, levels, signed = (number(node, name, _SHIFT) for name in ("div", what, "signed"))
    shift = int(div).bit_length() - 1
    node.refuse(div < 1 or div != 2**shift or shift > 31, f"div {div:g}", "a power of two from 1 to 2^31")
    node.refuse(
        levels != int(levels) or not 2 <= levels <= 256,
        f"{levels:g} levels",
        "2 to 256",
        "quantise activations to at most 8 bits",
    )
    node.refuse(
        bool(signed) and levels % 2 == 1,
        f"{levels:g} levels around 0",
        "an even number",
        "half of the levels lie below 0: with an odd number of them the limits are no integers",
    )
    low = -int(levels) // 2 if signed else 0
    attrs = RequantShiftAttrs(shift, low, low + int(levels) - 1)
    operands = [
        node.value(0),
        node.integer_constant(mul, node.proto.input[1]),
        node.integer_constant(add, node.proto.input[2]),
    ]
    node.declare_shift()
    return [node.emit(OpKind.REQUANT_SHIFT, operands, attrs)]


def _parameters(node: Node) -> tuple[Array, Array]:
    """Return scale and zero point, which is 0 of uint8 where there is none."""
    node.refuse(bool(node.attribute("block_size", 0)), "block-wise scales", "one scale, or one per channel")
    scale = np.asarray(node.known(1, "scale"), dtype=np.float32)
    usable = bool(np.isfinite(scale).all() and (scale > 0).all())
    node.refuse(not usable, "a scale that is not positive", "positive, finite scales")
    known = node.codes(0)
    absent = np.zeros(1, dtype=np.int8 if known is not None and known[1] == 0 else np.uint8)
    zero_point = node.known(2, "zero point") if node.has(2) else absent
    integers = zero_point.dtype.kind in "iu" or zero_point.dtype.name in ("int4", "uint4")
    node.refuse(not integers, f"codes of {zero_point.dtype}", _ALLOWED, *_EIGHT_BITS)
    for array, what in ((scale, "scales"), (zero_point, "zero points")):
        node.refuse(
            array.ndim > 1, f"{what} of shape {array.shape}", "one number, or a row of one per channel"
        )
    node.refuse(
        zero_point.size not in (1, scale.size) or scale.size == 0,
        f"{zero_point.size} zero points for {scale.size} scales",
        "one, or as many as scales",
    )
    return scale, zero_point


def _integers(node: Node, index: int, what: str) -> Array:
    array = node.known(index, what)
    whole = np.rint(array.astype(np.float64))
    node.refuse(
        bool((whole != array).any() or (np.abs(whole) >= 2**31).any()),
        f"{what} that is no int32",
        "integers of 32 bits",
    )
    return whole.astype(np.int32)


def number(node: Node, name: str, allowed: str) -> float:
    """Return an attribute that has to be there, a number, a list of one, or a tensor of one.

    allowed: the attributes of the op, for the error.
    """
    if node.attribute(name, None) is None:
        raise node.error(f"found no attribute {name}, allowed {allowed}")
    array = np.asarray(node.attribute_array(name), dtype=np.float64).reshape(-1)
    node.refuse(array.size != 1, f"{array.size} numbers as {name}", "one")
    node.refuse(not np.isfinite(array).all(), f"{name} {array[0]}", "a finite number")
    return float(array[0])
