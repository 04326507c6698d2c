"""Shape and type rules of the integer ops; the form of the rules is that of shapes.py."""

from __future__ import annotations

from collections.abc import Sequence

from tmc.ir import attrs as a
from tmc.ir.shapes import depthwise_taps, divides, matrix_product, need, operand_shape, stretched
from tmc.ir.types import DType, TensorType

Types = Sequence[TensorType]


def _shift(shift: int) -> None:
    need(0 <= shift <= 31, f"found shift {shift}, allowed 0 to 31")


def qlinear(types: Types, attrs: a.QLinearAttrs) -> TensorType:
    """x s8 or s16 [M, K], weight s8 [N, K], multiplier s32 [N], bias s32 [G, N], then table, residual."""
    x = operand_shape("x", types[0], 2, DType.S8, DType.S16)
    weight = operand_shape("weight", types[1], 2, DType.S8)
    multiplier = operand_shape("multiplier", types[2], 1, DType.S32)
    matrix_product(x, weight, operand_shape("bias", types[3], 2, DType.S32))
    rows, channels = x[0], weight[0]
    need(multiplier == (channels,), f"found multiplier {multiplier}, allowed ({channels},)")
    extra = attrs.table + attrs.residual
    need(len(types) == 4 + extra, f"found {len(types)} operands, allowed {4 + extra}")
    if attrs.table:
        table = operand_shape("table", types[4], 1, DType.S8)
        need(table == (256,), f"found table {table}, allowed (256,)")
        need(attrs.dtype == "s8", f"found a table on a result of {attrs.dtype}, allowed s8")
    if attrs.residual:
        residual = operand_shape("residual", types[-1], 2, DType.S16)
        need(residual == (rows, channels), f"found residual {residual}, allowed {(rows, channels)}")
        need(attrs.dtype == "s16", f"found a residual on a result of {attrs.dtype}, allowed s16")
    divides(attrs.heads, channels, "heads")
    _shift(attrs.shift)
    shapes = {
        "rows": (rows, channels),
        "transposed": (channels, rows),
        "heads": (attrs.heads, rows, channels // attrs.heads),
    }
    return TensorType(DType(attrs.dtype), shapes[attrs.layout])


def qrequantise(types: Types, attrs: a.QRequantiseAttrs) -> TensorType:
    """x s8 or s32 [M, N], factors s32 [N, 4], table s8 [256]; result s8 [M, N]."""
    rows, channels = operand_shape("x", types[0], 2, DType.S8, DType.S32)
    factors = operand_shape("factors", types[1], 2, DType.S32)
    need(factors == (channels, 4), f"found factors {factors}, allowed ({channels}, 4)")
    table = operand_shape("table", types[2], 1, DType.S8)
    need(table == (256,), f"found table {table}, allowed (256,)")
    need(-128 <= attrs.zero_point <= 127, f"found zero point {attrs.zero_point}, allowed -128 to 127")
    return TensorType(DType.S8, (rows, channels))


def qclip(types: Types, attrs: a.QClipAttrs) -> TensorType:
    """x s8, s16 or s32 [M, N], low and high of its type [G, N], residual s16 [M, N] for x s16."""
    rows, channels = operand_shape("x", types[0], 2, DType.S8, DType.S16, DType.S32)
    need(len(types) == 3 + attrs.residual, f"found {len(types)} operands, allowed {3 + attrs.residual}")
    groups, _ = operand_shape("low", types[1], 2, types[0].dtype)
    divides(groups, rows, "lines of limits")
    for name, operand in zip(("low", "high"), types[1:3], strict=True):
        shape = operand_shape(name, operand, 2, types[0].dtype)
        need(shape == (groups, channels), f"found {name} {shape}, allowed {(groups, channels)}")
    if attrs.residual:
        need(types[0].dtype is DType.S16, f"found a residual on x of {types[0].dtype.value}, allowed s16")
        residual = operand_shape("residual", types[3], 2, DType.S16)
        need(residual == (rows, channels), f"found residual {residual}, allowed {(rows, channels)}")
    return TensorType(types[0].dtype, (rows, channels))


def qadd(types: Types, attrs: a.QAddAttrs) -> TensorType:
    """x and z s8 [M, N]; result s8 [M, N]. No code of x and z may leave int32 on the way."""
    shape = operand_shape("x", types[0], 2, DType.S8)
    other = operand_shape("z", types[1], 2, DType.S8)
    need(other == shape, f"found z {other}, allowed {shape}")
    need(0 <= attrs.shift <= 31, f"found shift {attrs.shift}, allowed 0 to 31")
    multipliers = (attrs.x_multiplier, attrs.z_multiplier)
    need(min(multipliers) >= 0, f"found multipliers {multipliers}, allowed none below 0")
    largest = 128 * sum(multipliers) + abs(attrs.bias)
    need(largest < 2**31, f"found sums of up to {largest}, allowed those of 32 bits")
    return TensorType(DType.S8, shape)


def qlayernorm(types: Types, attrs: a.QLayerNormAttrs) -> TensorType:
    """x s16 [M, C], gamma s16 [C], beta s32 [C]; the attributes keep every step inside 32 bits."""
    rows, channels = operand_shape("x", types[0], 2, DType.S16)
    for name, operand, dtype in (("gamma", types[1], DType.S16), ("beta", types[2], DType.S32)):
        shape = operand_shape(name, operand, 1, dtype)
        need(shape == (channels,), f"found {name} {shape}, allowed ({channels},)")
    # the largest |C x - sum x| of int16 decides how far rows are ever shifted
    largest_shift = max(0, ((channels - 1) * 65535).bit_length() - attrs.center_bits)
    need(
        len(attrs.epsilon_by_shift) > largest_shift,
        f"found {len(attrs.epsilon_by_shift)} epsilons, allowed {largest_shift + 1} or more",
    )
    squares = channels * 4**attrs.center_bits + max(attrs.epsilon_by_shift)
    need(
        min(attrs.epsilon_by_shift) >= 0 and squares < 2**31,
        f"found a sum of squares up to {squares} with {attrs.center_bits} bits, allowed below 2^31",
    )
    need(0 <= attrs.norm_bits <= 11, f"found norm_bits {attrs.norm_bits}, allowed 0 to 11")
    need(0 < attrs.root < 2**16, f"found root {attrs.root}, allowed 1 to {2**16 - 1}")
    _shift(attrs.gamma_shift)
    need(attrs.dtype in ("s8", "s16"), f"found a result of {attrs.dtype}, allowed s8 or s16")
    return TensorType(DType(attrs.dtype), (rows, channels))


def qrope(types: Types, attrs: a.QRopeAttrs) -> TensorType:
    """x s16 [M, H * d], table s16 [P, d] of (cos, sin) pairs; result s8 [H, M, d]."""
    rows, columns = operand_shape("x", types[0], 2, DType.S16)
    positions, pairs = operand_shape("table", types[1], 2, DType.S16)
    divides(attrs.heads, columns, "heads")
    width = columns // attrs.heads
    need(
        pairs == width and width % 2 == 0,
        f"found table {types[1].shape}, allowed an even head width of {width} columns",
    )
    divides(positions, rows, "positions")
    _shift(attrs.shift)
    return TensorType(DType.S8, (attrs.heads, rows, width))


def qattention(types: Types, attrs: a.QAttentionAttrs) -> TensorType:
    """q s8 [H, M, d], k s8 [H, N, d], vt s8 [H * d, N], exp_table u8 [H, 1024]; result s8 [M, H * d]."""
    heads, rows, width = operand_shape("q", types[0], 3, DType.S8)
    k = operand_shape("k", types[1], 3, DType.S8)
    need(
        heads == attrs.heads == len(attrs.score_shift),
        f"found q of {heads} heads and {len(attrs.score_shift)} score shifts, allowed {attrs.heads}",
    )
    need(k == (heads, k[1], width), f"found k {k}, allowed ({heads}, N, {width})")
    vt = operand_shape("vt", types[2], 2, DType.S8)
    need(vt == (heads * width, k[1]), f"found vt {vt}, allowed {(heads * width, k[1])}")
    table = operand_shape("exp_table", types[3], 2, DType.U8)
    need(table == (heads, 1024), f"found exp_table {table}, allowed ({heads}, 1024)")
    for shift in attrs.score_shift:
        _shift(shift)
    need(
        0 <= attrs.out_multiplier < 2**15, f"found out_multiplier {attrs.out_multiplier}, allowed 0 to 32767"
    )
    need(-7 <= attrs.out_shift <= 24, f"found out_shift {attrs.out_shift}, allowed -7 to 24")
    return TensorType(DType.S8, (rows, heads * width))


def qmean_rows(types: Types, attrs: a.QMeanRowsAttrs) -> TensorType:
    """s8 [M, C] to s16 [M / g, C]."""
    rows, columns = operand_shape("x", types[0], 2, DType.S8)
    divides(attrs.group_rows, rows, "rows in a group")
    _shift(attrs.shift)
    return TensorType(DType.S16, (rows // attrs.group_rows, columns))


def qdepthwise_rows(types: Types, attrs: a.QDepthwiseRowsAttrs) -> TensorType:
    """x s8 [M, C], weight s8 [C, taps], multiplier s32 [C], bias s32 [C], then table; result s8 [M, C]."""
    rows, columns = operand_shape("x", types[0], 2, DType.S8)
    depthwise_taps(columns, operand_shape("weight", types[1], 2, DType.S8))
    for name, operand in (("multiplier", types[2]), ("bias", types[3])):
        shape = operand_shape(name, operand, 1, DType.S32)
        need(shape == (columns,), f"found {name} {shape}, allowed ({columns},)")
    need(len(types) == 4 + attrs.table, f"found {len(types)} operands, allowed {4 + attrs.table}")
    if attrs.table:
        table = operand_shape("table", types[4], 1, DType.S8)
        need(table == (256,), f"found table {table}, allowed (256,)")
    need(-128 <= attrs.zero_point <= 127, f"found zero_point {attrs.zero_point}, allowed -128 to 127")
    _shift(attrs.shift)
    return TensorType(DType.S8, (rows, columns))


def qinterpolate_rows(types: Types, attrs: a.QInterpolateRowsAttrs) -> TensorType:
    """x s16 [M, C], table s16 [rows, 2] of (row before, weight of the next); s16 [rows, C] or [C, rows]."""
    rows, columns = operand_shape("x", types[0], 2, DType.S16)
    stretched(rows, attrs.rows)
    table = operand_shape("table", types[1], 2, DType.S16)
    need(table == (attrs.rows, 2), f"found table {table}, allowed ({attrs.rows}, 2)")
    shapes = {"rows": (attrs.rows, columns), "transposed": (columns, attrs.rows)}
    return TensorType(DType.S16, shapes[attrs.layout])
