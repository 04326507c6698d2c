"""Shape and type rules: one function per kind of op, from operand types and attributes to the result type.

A rule raises ValueError with what it found and what it allows; the verifier adds the place.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tmc.ir import attrs as a
from tmc.ir.types import DType, TensorType

Types = Sequence[TensorType]


def need(condition: bool, found: str) -> None:
    """Raise ValueError with `found` unless the condition holds."""
    if not condition:
        raise ValueError(found)


def operand_shape(name: str, operand: TensorType, rank: int, *allowed: DType) -> tuple[int, ...]:
    """Return the shape of an operand of the right rank and element type."""
    need(len(operand.shape) == rank, f"found {name} {operand.shape}, allowed rank {rank}")
    need(
        operand.dtype in allowed,
        f"found {name} of {operand.dtype.value}, allowed {' or '.join(dtype.value for dtype in allowed)}",
    )
    return operand.shape


def shift_fits(shift: int) -> None:
    """Refuse a right shift that int32 does not have."""
    need(0 <= shift <= 31, f"found shift {shift}, allowed 0 to 31")


def is_int32(*numbers: int) -> bool:
    """Tell whether int32 has all of some numbers."""
    return -(2**31) <= min(numbers) and max(numbers) < 2**31


def sums_fit(*ends: int) -> None:
    """Refuse sums on the way to a result that int32 does not have; ends: of their ranges."""
    largest = max(map(abs, ends))
    need(is_int32(*ends), f"found sums of up to {largest}, allowed those of 32 bits")


def divides(part: int, whole: int, what: str) -> None:
    """Require `part` to divide `whole`."""
    need(part >= 1 and whole % part == 0, f"found {part} {what}, allowed a divisor of {whole}")


def matrix_product(x: tuple[int, ...], weight: tuple[int, ...], bias: tuple[int, ...]) -> None:
    """Require [M, K], [N, K] and [G, N] with G a divisor of M."""
    need(x[1] == weight[1], f"found x {x} and weight {weight}, allowed (M, K) and (N, K)")
    need(bias[1] == weight[0], f"found bias {bias}, allowed (G, {weight[0]})")
    divides(bias[0], x[0], "rows of bias")


def depthwise_taps(columns: int, weight: tuple[int, ...]) -> None:
    """Require an odd number of taps for each column: as many rows before as after."""
    need(
        weight[0] == columns and weight[1] % 2 == 1,
        f"found weight {weight}, allowed ({columns}, taps) with an odd number of taps",
    )


def stretched(rows: int, out_rows: int) -> None:
    """Require two rows to interpolate between, and one row or more of the result."""
    need(rows >= 2, f"found {rows} rows to interpolate between, allowed 2 or more")
    need(out_rows >= 1, f"found {out_rows} rows of the result, allowed 1 or more")


def _f32(shape: Sequence[int], operands: Types) -> TensorType:
    """Return a float type; every operand has to be float too."""
    wrong = [operand.dtype.value for operand in operands if operand.dtype is not DType.F32]
    need(not wrong, f"found an operand of {', '.join(wrong)}, allowed f32")
    return TensorType(DType.F32, tuple(int(size) for size in shape))


def _broadcast(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    """Return numpy's broadcast of two shapes."""
    pairs = zip(reversed(left), reversed(right), strict=False)
    need(
        all(m == n or 1 in (m, n) for m, n in pairs),
        f"found shapes {left} and {right}, allowed sizes that are equal or 1",
    )
    return tuple(int(size) for size in np.broadcast_shapes(left, right))


def reshape(types: Types, attrs: a.ReshapeAttrs) -> TensorType:
    """Same elements, new shape."""
    wanted = prod(attrs.shape)
    need(
        types[0].elements == wanted and min(attrs.shape, default=0) >= 0,
        f"found {types[0].elements} elements for shape {attrs.shape}, allowed {wanted}",
    )
    return TensorType(types[0].dtype, attrs.shape)


def transpose(types: Types, attrs: a.TransposeAttrs) -> TensorType:
    """Axes in a new order."""
    rank = len(types[0].shape)
    need(
        sorted(attrs.permutation) == list(range(rank)),
        f"found permutation {attrs.permutation}, allowed each axis of rank {rank} once",
    )
    return TensorType(types[0].dtype, tuple(types[0].shape[axis] for axis in attrs.permutation))


def slice_(types: Types, attrs: a.SliceAttrs) -> TensorType:
    """A regular part of every axis."""
    shape = types[0].shape
    need(
        len(attrs.starts) == len(attrs.ends) == len(attrs.steps) == len(shape),
        f"found {len(attrs.starts)} starts, allowed one start, end and step for each of {len(shape)} axes",
    )
    for size, start, end, step in zip(shape, attrs.starts, attrs.ends, attrs.steps, strict=True):
        need(
            0 <= start <= end <= size and step >= 1,
            f"found slice {start}:{end}:{step}, allowed 0 <= start <= end <= {size} and step >= 1",
        )
    bounds = zip(attrs.starts, attrs.ends, attrs.steps, strict=True)
    return TensorType(types[0].dtype, tuple(len(range(*part)) for part in bounds))


def concat(types: Types, attrs: a.ConcatAttrs) -> TensorType:
    """Operands one after the other along an axis."""
    shape = list(types[0].shape)
    need(0 <= attrs.axis < len(shape), f"found axis {attrs.axis}, allowed 0 to {len(shape) - 1}")
    for other in types[1:]:
        same = list(other.shape)
        same[attrs.axis : attrs.axis + 1] = shape[attrs.axis : attrs.axis + 1]
        need(
            len(other.shape) == len(shape) and same == shape,
            f"found {other.shape} to join to {types[0].shape} on axis {attrs.axis}, "
            "allowed equal sizes on the other axes",
        )
        need(
            other.dtype is types[0].dtype,
            f"found {other.dtype.value} to join to {types[0].dtype.value}, allowed one element type",
        )
    shape[attrs.axis] = sum(operand.shape[attrs.axis] for operand in types)
    return TensorType(types[0].dtype, tuple(shape))


def gather(types: Types, attrs: a.GatherAttrs) -> TensorType:
    """Constant indices along one axis."""
    shape = types[0].shape
    need(0 <= attrs.axis < len(shape), f"found axis {attrs.axis}, allowed 0 to {len(shape) - 1}")
    size = shape[attrs.axis]
    outside = [index for index in attrs.indices if not 0 <= index < size]
    need(not outside, f"found indices {outside}, allowed 0 to {size - 1}")
    need(
        prod(attrs.shape) == len(attrs.indices),
        f"found {len(attrs.indices)} indices, allowed {prod(attrs.shape)} for shape {attrs.shape}",
    )
    return TensorType(types[0].dtype, (*shape[: attrs.axis], *attrs.shape, *shape[attrs.axis + 1 :]))


def expand(types: Types, attrs: a.ExpandAttrs) -> TensorType:
    """Broadcast to a larger shape."""
    need(
        _broadcast(types[0].shape, attrs.shape) == attrs.shape,
        f"found {types[0].shape} to expand to {attrs.shape}, allowed sizes equal to it or 1",
    )
    return TensorType(types[0].dtype, attrs.shape)


def unary(types: Types, attrs: a.Attrs) -> TensorType:
    """Element by element."""
    return _f32(types[0].shape, types)


def binary(types: Types, attrs: a.Attrs) -> TensorType:
    """Element by element, with numpy's broadcasting."""
    return _f32(_broadcast(types[0].shape, types[1].shape), types)


def clip(types: Types, attrs: a.Attrs) -> TensorType:
    """Element by element; low and high broadcast to x."""
    for name, operand in zip(("low", "high"), types[1:], strict=True):
        need(
            _broadcast(types[0].shape, operand.shape) == types[0].shape,
            f"found {name} {operand.shape} for x {types[0].shape}, allowed sizes equal to it or 1",
        )
    return _f32(types[0].shape, types)


def fake_quantise(types: Types, attrs: a.FakeQuantiseAttrs) -> TensorType:
    """Element by element, to int8 or int16 codes and back."""
    need(attrs.scale > 0, f"found scale {attrs.scale}, allowed positive numbers")
    need(
        -(2**15) <= attrs.low <= attrs.high < 2**15,
        f"found codes from {attrs.low} to {attrs.high}, allowed int16",
    )
    return _f32(types[0].shape, types)


def requant_shift(types: Types, attrs: a.RequantShiftAttrs) -> TensorType:
    """Element by element; mul and add, s32, broadcast to x."""
    need(0 <= attrs.shift <= 31, f"found shift {attrs.shift}, allowed 0 to 31")
    need(attrs.low <= attrs.high, f"found results from {attrs.low} to {attrs.high}, allowed low <= high")
    for name, operand in zip(("mul", "add"), types[1:], strict=True):
        need(operand.dtype is DType.S32, f"found {name} of {operand.dtype.value}, allowed s32")
        need(
            _broadcast(types[0].shape, operand.shape) == types[0].shape,
            f"found {name} {operand.shape} for x {types[0].shape}, allowed sizes equal to it or 1",
        )
    return _f32(types[0].shape, types[:1])


def matmul(types: Types, attrs: a.Attrs) -> TensorType:
    """Matrix product over the last two axes, leading axes broadcast."""
    left, right = types[0].shape, types[1].shape
    need(
        len(left) >= 2 and len(right) >= 2 and left[-1] == right[-2],
        f"found shapes {left} and {right}, allowed (..., M, K) and (..., K, N)",
    )
    return _f32((*_broadcast(left[:-2], right[:-2]), left[-2], right[-1]), types)


def softmax(types: Types, attrs: a.AxisAttrs) -> TensorType:
    """Same shape, one axis summing to 1."""
    rank = len(types[0].shape)
    need(0 <= attrs.axis < rank, f"found axis {attrs.axis}, allowed 0 to {rank - 1}")
    return _f32(types[0].shape, types)


def reduce(types: Types, attrs: a.ReduceAttrs) -> TensorType:
    """One number for what lies along some axes."""
    rank = len(types[0].shape)
    need(
        list(attrs.axes) == sorted(set(attrs.axes) & set(range(rank))),
        f"found axes {attrs.axes}, allowed increasing axes from 0 to {rank - 1}",
    )
    kept = [1 if axis in attrs.axes else size for axis, size in enumerate(types[0].shape)]
    return _f32([size for axis, size in enumerate(kept) if attrs.keepdims or axis not in attrs.axes], types)


def argmax(types: Types, attrs: a.AxisAttrs) -> TensorType:
    """Without the axis, whose indices the elements are: s32."""
    shape = softmax(types, attrs).shape
    return TensorType(DType.S32, (*shape[: attrs.axis], *shape[attrs.axis + 1 :]))


def conv(types: Types, attrs: a.ConvAttrs) -> TensorType:
    """2-D convolution without dilation."""
    batch, channels, height, width = operand_shape("x", types[0], 4, DType.F32)
    filters, per_group, rows, columns = operand_shape("weight", types[1], 4, DType.F32)
    divides(attrs.groups, filters, "groups")
    need(
        per_group * attrs.groups == channels,
        f"found weight {types[1].shape} in {attrs.groups} groups, allowed {channels} input channels in all",
    )
    bias = operand_shape("bias", types[2], 1, DType.F32)
    need(bias == (filters,), f"found bias {bias}, allowed ({filters},)")
    top, left, bottom, right = attrs.pads
    need(
        min(attrs.pads) >= 0 and min(attrs.strides) >= 1,
        f"found strides {attrs.strides} and pads {attrs.pads}, allowed strides of 1 and pads of 0 or more",
    )
    room = (height + top + bottom - rows, width + left + right - columns)
    need(min(room) >= 0, f"found a window of {rows} x {columns}, allowed the padded input's size")
    return _f32((batch, filters, room[0] // attrs.strides[0] + 1, room[1] // attrs.strides[1] + 1), types)


def linear(types: Types, attrs: a.Attrs) -> TensorType:
    """[M, K] by [N, K] plus bias [G, N]."""
    x = operand_shape("x", types[0], 2, DType.F32)
    weight = operand_shape("weight", types[1], 2, DType.F32)
    matrix_product(x, weight, operand_shape("bias", types[2], 2, DType.F32))
    return _f32((x[0], weight[0]), types)


def layernorm(types: Types, attrs: a.LayerNormAttrs) -> TensorType:
    """Last axis normalised; gamma and beta have its size."""
    width = types[0].shape[-1:]
    need(len(width) == 1, "found a scalar, allowed rank 1 or more")
    for name, operand in zip(("gamma", "beta"), types[1:], strict=True):
        need(operand.shape == width, f"found {name} {operand.shape}, allowed {width}")
    return _f32(types[0].shape, types)


def rope(types: Types, attrs: a.RopeAttrs) -> TensorType:
    """[M, H * d] rotated by two tables [P, d / 2]."""
    rows, columns = operand_shape("x", types[0], 2, DType.F32)
    tables = operand_shape("cosine", types[1], 2, DType.F32), operand_shape("sine", types[2], 2, DType.F32)
    divides(attrs.heads, columns, "heads")
    half = columns // attrs.heads // 2
    need(
        2 * half * attrs.heads == columns and tables[0] == tables[1] and tables[0][1] == half,
        f"found tables {tables[0]} and {tables[1]} for {columns} columns in {attrs.heads} heads, "
        "allowed two of half a head's columns",
    )
    divides(tables[0][0], rows, "positions")
    return _f32((rows, columns), types)


def attention(types: Types, attrs: a.AttentionAttrs) -> TensorType:
    """q [M, H * d]; k and v [N, H * d]; bias [H or 1, M or 1, N], or a mask [1, N]."""
    q, k, v = (
        operand_shape(name, operand, 2, DType.F32) for name, operand in zip("qkv", types, strict=False)
    )
    need(k == v and q[1] == k[1], f"found q {q}, k {k}, v {v}, allowed (M, C), (N, C), (N, C)")
    divides(attrs.heads, q[1], "heads")
    if attrs.mask_factor is not None:
        mask = operand_shape("mask", types[3], 2, DType.F32) if len(types) == 4 else None
        need(mask == (1, k[0]), f"found mask {mask}, allowed (1, {k[0]})")
    elif len(types) == 4:
        attention_bias(operand_shape("bias", types[3], 3, DType.F32), attrs.heads, q[0], k[0])
    return _f32(q, types)


def attention_bias(bias: tuple[int, ...], heads: int, rows: int, keys: int) -> None:
    """Require [H, M, N], or 1 for H or for M where all heads or all rows have the same."""
    need(
        bias[0] in (1, heads) and bias[1] in (1, rows) and bias[2] == keys,
        f"found bias {bias}, allowed ({heads} or 1, {rows} or 1, {keys})",
    )


def mean_rows(types: Types, attrs: a.MeanRowsAttrs) -> TensorType:
    """[M, C] to [M / g, C]."""
    rows, columns = operand_shape("x", types[0], 2, DType.F32)
    divides(attrs.group_rows, rows, "rows in a group")
    return _f32((rows // attrs.group_rows, columns), types)


def max_rows(types: Types, attrs: a.MaxRowsAttrs) -> TensorType:
    """[M, C] to [M / g, C] of f32, s8, s16 or s32."""
    rows, columns = operand_shape("x", types[0], 2, DType.F32, DType.S8, DType.S16, DType.S32)
    divides(attrs.group_rows, rows, "rows in a group")
    return TensorType(types[0].dtype, (rows // attrs.group_rows, columns))


def argmax_columns(types: Types, attrs: a.Attrs) -> TensorType:
    """[M, C] of f32, s8 or s16 to [M, 1] of s32."""
    rows, _ = operand_shape("x", types[0], 2, DType.F32, DType.S8, DType.S16)
    return TensorType(DType.S32, (rows, 1))


def matmul_rows(types: Types, attrs: a.MatmulRowsAttrs) -> TensorType:
    """[G M, K] and [G N, K] to [G M, N]."""
    x, z = (operand_shape(name, kind, 2, DType.F32) for name, kind in zip("xz", types, strict=True))
    return _f32(matmul_rows_shape(x, z, attrs.groups), types)


def matmul_rows_shape(x: tuple[int, ...], z: tuple[int, ...], groups: int) -> tuple[int, int]:
    """Return the shape of the products of the groups of x and z."""
    need(x[1] == z[1], f"found x {x} and z {z}, allowed rows of one length")
    divides(groups, x[0], "groups")
    divides(groups, z[0], "groups")
    return x[0], z[0] // groups


def depthwise_rows(types: Types, attrs: a.Attrs) -> TensorType:
    """[M, C] with an odd number of taps for each column."""
    rows, columns = operand_shape("x", types[0], 2, DType.F32)
    depthwise_taps(columns, operand_shape("weight", types[1], 2, DType.F32))
    bias = operand_shape("bias", types[2], 1, DType.F32)
    need(bias == (columns,), f"found bias {bias}, allowed ({columns},)")
    return _f32((rows, columns), types)


def interpolate_rows(types: Types, attrs: a.InterpolateRowsAttrs) -> TensorType:
    """[M, C] to [rows, C]."""
    x = operand_shape("x", types[0], 2, DType.F32)
    stretched(x[0], attrs.rows)
    return _f32((attrs.rows, x[1]), types)


def permute_rows(types: Types, attrs: a.PermuteRowsAttrs) -> TensorType:
    """[M, C] of any element type, rows in another order."""
    rows, columns = operand_shape("x", types[0], 2, *DType)
    divides(attrs.groups, rows, "groups")
    return TensorType(types[0].dtype, (rows, columns))
