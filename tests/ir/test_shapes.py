"""Every shape rule, right and wrong."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from tests.ir.types_in_short import tensor
from tmc.ir import attrs as a
from tmc.ir.function import FunctionAttrs
from tmc.ir.graph import OpKind as K
from tmc.ir.integer.qadd import QAddAttrs
from tmc.ir.integer.qattention import QAttentionAttrs
from tmc.ir.integer.qclip import QClipAttrs
from tmc.ir.integer.qconvert import TO_UNSIGNED, QConvertAttrs
from tmc.ir.integer.qdepthwise_rows import QDepthwiseRowsAttrs
from tmc.ir.integer.qinterpolate_rows import QInterpolateRowsAttrs
from tmc.ir.integer.qlayernorm import QLayerNormAttrs
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.integer.qmatmul import QMatmulAttrs
from tmc.ir.integer.qmean_rows import QMeanRowsAttrs
from tmc.ir.integer.qmul import QMulAttrs
from tmc.ir.integer.qrequantise import QRequantiseAttrs
from tmc.ir.integer.qrope import QRopeAttrs
from tmc.ir.integer.qsoftmax import QSoftmaxAttrs
from tmc.ir.ops import OPS, arity_allowed

NONE = a.Attrs()
CONV = a.ConvAttrs((2, 3), (1, 0, 1, 2), 2)
LAYERNORM = QLayerNormAttrs((3,) * 16, 11, 11, 28378, 14)
ATTENTION = QAttentionAttrs(2, (7, 8), 20000, 14)
LINEAR = ("s8[6x8]", "s8[4x8]", "s32[4]", "s32[3x4]")
DEPTHWISE = ("s8[6x8]", "s8[8x3]", "s32[8]", "s32[8]")
SHIFT = a.RequantShiftAttrs(10, -128, 127)
QKV_FLOAT = ("f32[5x8]", "f32[7x8]", "f32[7x8]")
QKV = ("s8[2x5x4]", "s8[2x7x4]", "s8[8x7]", "u8[2x1024]")

RIGHT: list[tuple[K, tuple[str, ...], a.Attrs, str]] = [
    (K.RESHAPE, ("s8[2x6]",), a.ReshapeAttrs((3, 4)), "s8[3x4]"),
    (K.RESHAPE, ("f32[1]",), a.ReshapeAttrs(()), "f32[]"),
    (K.TRANSPOSE, ("s16[2x3x4]",), a.TransposeAttrs((2, 0, 1)), "s16[4x2x3]"),
    (K.SLICE, ("f32[2x9]",), a.SliceAttrs((0, 1), (2, 8), (1, 3)), "f32[2x3]"),
    (K.CONCAT, ("s8[2x3]", "s8[2x1]", "s8[2x4]"), a.ConcatAttrs(1), "s8[2x8]"),
    (K.GATHER, ("f32[5x3]",), a.GatherAttrs(0, (4, 0, 1, 1), (2, 2)), "f32[2x2x3]"),
    (K.GATHER, ("f32[5x3]",), a.GatherAttrs(1, (2,), ()), "f32[5]"),
    (K.EXPAND, ("f32[1x3]",), a.ExpandAttrs((4, 2, 3)), "f32[4x2x3]"),
    (K.ADD, ("f32[2x1x3]", "f32[4x1]"), NONE, "f32[2x4x3]"),
    (K.NEG, ("f32[2x3]",), NONE, "f32[2x3]"),
    (K.MATMUL, ("f32[5x1x2x3]", "f32[4x3x7]"), NONE, "f32[5x4x2x7]"),
    (K.SOFTMAX, ("f32[2x3]",), a.AxisAttrs(1), "f32[2x3]"),
    (K.REDUCE_MEAN, ("f32[2x3x4]",), a.ReduceAttrs((0, 2), False), "f32[3]"),
    (K.REDUCE_MEAN, ("f32[2x3x4]",), a.ReduceAttrs((0, 2), True), "f32[1x3x1]"),
    (K.REDUCE_MAX, ("f32[2x3x4]",), a.ReduceAttrs((1,), False), "f32[2x4]"),
    (K.ARGMAX, ("f32[2x3x4]",), a.AxisAttrs(1), "s32[2x4]"),
    (K.ARGMAX, ("f32[5]",), a.AxisAttrs(0), "s32[]"),
    (K.CONV, ("f32[1x4x5x9]", "f32[6x2x3x4]", "f32[6]"), CONV, "f32[1x6x3x3]"),
    (K.LINEAR, ("f32[6x8]", "f32[4x8]", "f32[3x4]"), NONE, "f32[6x4]"),
    (K.LAYERNORM, ("f32[2x3x4]", "f32[4]", "f32[4]"), a.LayerNormAttrs(1e-5), "f32[2x3x4]"),
    (K.GELU, ("f32[2x3]",), a.GeluAttrs("none"), "f32[2x3]"),
    (K.FUNCTION, ("f32[2x3]",), FunctionAttrs(("x", 3.0, "add", "exp")), "f32[2x3]"),
    (K.ROPE, ("f32[6x12]", "f32[3x2]", "f32[3x2]"), a.RopeAttrs(3), "f32[6x12]"),
    (K.ATTENTION, ("f32[5x8]", "f32[7x8]", "f32[7x8]"), a.AttentionAttrs(2, 0.5), "f32[5x8]"),
    (K.ATTENTION, (*QKV_FLOAT, "f32[2x5x7]"), a.AttentionAttrs(2, 0.5), "f32[5x8]"),
    (K.ATTENTION, (*QKV_FLOAT, "f32[1x1x7]"), a.AttentionAttrs(2, 0.5), "f32[5x8]"),
    (K.ATTENTION, (*QKV_FLOAT, "f32[1x7]"), a.AttentionAttrs(2, 0.5, 9.0, -9.0), "f32[5x8]"),
    (K.MEAN_ROWS, ("f32[6x8]",), a.MeanRowsAttrs(3), "f32[2x8]"),
    (K.DEPTHWISE_ROWS, ("f32[6x8]", "f32[8x3]", "f32[8]"), NONE, "f32[6x8]"),
    (K.INTERPOLATE_ROWS, ("f32[6x8]",), a.InterpolateRowsAttrs(50), "f32[50x8]"),
    (K.PERMUTE_ROWS, ("s8[6x8]",), a.PermuteRowsAttrs(3), "s8[6x8]"),
    (K.QLINEAR, LINEAR, QLinearAttrs(7), "s8[6x4]"),
    (K.QLINEAR, LINEAR, QLinearAttrs(7, layout="transposed"), "s8[4x6]"),
    (K.QLINEAR, LINEAR, QLinearAttrs(7, layout="heads", heads=2), "s8[2x6x2]"),
    (K.QLINEAR, (*LINEAR, "s8[256]"), QLinearAttrs(7, table=True), "s8[6x4]"),
    (K.QLINEAR, (*LINEAR, "u8[256]"), QLinearAttrs(7, "u8", table=True), "u8[6x4]"),
    (K.QLINEAR, ("s16[6x8]", *LINEAR[1:], "s16[6x4]"), QLinearAttrs(7, "s16", residual=True), "s16[6x4]"),
    (K.QLINEAR, LINEAR, QLinearAttrs(0, "s32"), "s32[6x4]"),
    (K.FAKE_QUANTISE, ("f32[2x3]",), a.FakeQuantiseAttrs(0.5, 3), "f32[2x3]"),
    (K.REQUANT_SHIFT, ("f32[1x4x3x3]", "s32[4x1x1]", "s32[]"), SHIFT, "f32[1x4x3x3]"),
    (K.QREQUANTISE, ("s32[6x8]", "s32[8x4]", "s8[256]"), QRequantiseAttrs(), "s8[6x8]"),
    (K.QREQUANTISE, ("s8[6x8]", "s32[8x4]", "s8[256]"), QRequantiseAttrs(3, "up"), "s8[6x8]"),
    (K.CLIP, ("f32[2x3]", "f32[]", "f32[2x1]"), a.Attrs(), "f32[2x3]"),
    (K.QCLIP, ("s8[6x8]", "s8[1x8]", "s8[1x8]"), QClipAttrs(), "s8[6x8]"),
    (K.QCONVERT, ("s8[6x8]",), QConvertAttrs(-(2**23), 2**30 - 1, 20, "s16"), "s16[6x8]"),
    (K.QCONVERT, ("s16[6x8]",), QConvertAttrs(2**15, 2**30, 23), "s8[6x8]"),
    (K.QCONVERT, ("s8[6x8]",), TO_UNSIGNED, "u8[6x8]"),
    (K.QADD, ("s8[6x8]", "s8[6x8]"), QAddAttrs(2**21, 2**21, 2**29, 20), "s8[6x8]"),
    (K.QADD, ("s16[6x8]", "s16[1x8]"), QAddAttrs(2**15, -(2**15), 2**15 - 1, 16, "s16"), "s16[6x8]"),
    (K.QMUL, ("s8[6x8]", "s8[6x8]"), QMulAttrs(33025, 2**15, 22, 127, 127), "s8[6x8]"),
    (K.QMUL, ("s8[6x8]", "s16[1x8]"), QMulAttrs(2**15, 0, 16, -128, 0, "s16"), "s16[6x8]"),
    (K.QCLIP, ("s32[6x8]", "s32[3x8]", "s32[3x8]"), QClipAttrs(), "s32[6x8]"),
    (K.QCLIP, ("s16[6x8]", "s16[1x8]", "s16[1x8]", "s16[6x8]"), QClipAttrs(True), "s16[6x8]"),
    (K.QLAYERNORM, ("s16[6x192]", "s16[192]", "s32[192]"), LAYERNORM, "s8[6x192]"),
    (
        K.QLAYERNORM,
        ("s16[6x192]", "s16[192]", "s32[192]"),
        replace(LAYERNORM, dtype="s16", centred=False, epsilon_shift=20, epsilon_by_shift=(2**29,) * 6),
        "s16[6x192]",
    ),
    (K.QLAYERNORM, ("s16[6x192]", "s16[192]", "s32[192]"), replace(LAYERNORM, dtype="s16"), "s16[6x192]"),
    (K.QLAYERNORM, ("s16[6x192]", "s16[192]", "s32[192]"), replace(LAYERNORM, dtype="u8"), "u8[6x192]"),
    (K.QROPE, ("s16[6x12]", "s16[3x4]"), QRopeAttrs(3, 20), "s8[3x6x4]"),
    (K.QROPE, ("s16[6x12]", "s16[3x4]"), QRopeAttrs(3, 20, unsigned=True), "u8[3x6x4]"),
    (K.QATTENTION, QKV, ATTENTION, "s8[5x8]"),
    (K.QATTENTION, ("u8[2x5x4]", *QKV[1:]), ATTENTION, "s8[5x8]"),
    (K.QATTENTION, (*QKV, "s16[2x1x7]"), ATTENTION, "s8[5x8]"),
    (K.QATTENTION, (*QKV, "s16[1x5x7]"), ATTENTION, "s8[5x8]"),
    (K.MAX_ROWS, ("f32[6x8]",), a.MaxRowsAttrs(3), "f32[2x8]"),
    (K.MAX_ROWS, ("s8[6x8]",), a.MaxRowsAttrs(6), "s8[1x8]"),
    (K.MAX_ROWS, ("s16[6x8]",), a.MaxRowsAttrs(1), "s16[6x8]"),
    (K.MAX_ROWS, ("s32[6x8]",), a.MaxRowsAttrs(2), "s32[3x8]"),
    (K.ARGMAX_COLUMNS, ("f32[6x8]",), a.Attrs(), "s32[6x1]"),
    (K.ARGMAX_COLUMNS, ("s8[6x8]",), a.Attrs(), "s32[6x1]"),
    (K.ARGMAX_COLUMNS, ("s16[1x8]",), a.Attrs(), "s32[1x1]"),
    (K.MATMUL_ROWS, ("f32[6x8]", "f32[9x8]"), a.MatmulRowsAttrs(3), "f32[6x3]"),
    (K.QMATMUL, ("s8[6x8]", "s8[9x8]"), QMatmulAttrs(3, 0, 4000, 2**30, 8), "s8[6x3]"),
    (K.QMATMUL, ("s8[6x8]", "s8[4x8]"), QMatmulAttrs(1, 5, 1, 0, 31, -128, 127, "s16"), "s16[6x4]"),
    (K.QSOFTMAX, ("s16[6x8]",), QSoftmaxAttrs(65535, 32767, 16), "s16[6x8]"),
    (K.QMEAN_ROWS, ("s8[6x8]",), QMeanRowsAttrs(3, 100, 0, 10), "s16[2x8]"),
    (K.QDEPTHWISE_ROWS, DEPTHWISE, QDepthwiseRowsAttrs(7, -3), "s8[6x8]"),
    (K.QDEPTHWISE_ROWS, (*DEPTHWISE, "s8[256]"), QDepthwiseRowsAttrs(7, -3, table=True), "s8[6x8]"),
    (K.QINTERPOLATE_ROWS, ("s16[6x8]", "s16[50x2]"), QInterpolateRowsAttrs(50), "s16[50x8]"),
    (K.QINTERPOLATE_ROWS, ("s16[6x8]", "s16[4x2]"), QInterpolateRowsAttrs(4, "transposed"), "s16[8x4]"),
]

WRONG: list[tuple[K, tuple[str, ...], a.Attrs, str]] = [
    (K.RESHAPE, ("s8[2x6]",), a.ReshapeAttrs((3, 5)), "found 12 elements for shape (3, 5), allowed 15"),
    (K.RESHAPE, ("s8[2x6]",), a.ReshapeAttrs((-3, -4)), "found 12 elements for shape (-3, -4)"),
    (K.TRANSPOSE, ("s8[2x6]",), a.TransposeAttrs((0, 0)), "found permutation (0, 0)"),
    (K.SLICE, ("s8[2x6]",), a.SliceAttrs((0,), (2,), (1,)), "found 1 starts"),
    (K.SLICE, ("s8[6]",), a.SliceAttrs((0,), (7,), (1,)), "found slice 0:7:1"),
    (K.SLICE, ("s8[6]",), a.SliceAttrs((3,), (2,), (1,)), "found slice 3:2:1"),
    (K.SLICE, ("s8[6]",), a.SliceAttrs((0,), (2,), (0,)), "found slice 0:2:0"),
    (K.CONCAT, ("s8[2x6]", "s8[3x6]"), a.ConcatAttrs(1), "found (3, 6) to join to (2, 6) on axis 1"),
    (K.CONCAT, ("s8[2x6x3]", "s8[2x6]"), a.ConcatAttrs(2), "found (2, 6) to join to (2, 6, 3) on axis 2"),
    (K.CONCAT, ("s8[2x6]", "s16[2x6]"), a.ConcatAttrs(1), "found s16 to join to s8"),
    (K.CONCAT, ("s8[2x6]",), a.ConcatAttrs(2), "found axis 2, allowed 0 to 1"),
    (K.GATHER, ("s8[2x6]",), a.GatherAttrs(2, (), (0,)), "found axis 2, allowed 0 to 1"),
    (K.GATHER, ("s8[2x6]",), a.GatherAttrs(1, (6, 0), (2,)), "found indices [6], allowed 0 to 5"),
    (K.GATHER, ("s8[2x6]",), a.GatherAttrs(1, (5, 0), (3,)), "found 2 indices, allowed 3"),
    (K.EXPAND, ("s8[2x6]",), a.ExpandAttrs((2, 1)), "found (2, 6) to expand to (2, 1)"),
    (K.EXPAND, ("s8[2x6]",), a.ExpandAttrs((2, 7)), "found shapes (2, 6) and (2, 7)"),
    (K.TANH, ("s8[2x6]",), NONE, "found an operand of s8, allowed f32"),
    (
        K.MUL,
        ("f32[2x6]", "f32[2x5]"),
        NONE,
        "found shapes (2, 6) and (2, 5), allowed sizes that are equal or 1",
    ),
    (K.SUB, ("f32[2x6]", "s32[2x6]"), NONE, "found an operand of s32"),
    (K.MATMUL, ("f32[2x6]", "f32[5x2]"), NONE, "found shapes (2, 6) and (5, 2)"),
    (K.MATMUL, ("f32[6]", "f32[6x2]"), NONE, "found shapes (6,) and (6, 2)"),
    (K.SOFTMAX, ("f32[2x6]",), a.AxisAttrs(2), "found axis 2, allowed 0 to 1"),
    (K.REDUCE_MEAN, ("f32[2x6]",), a.ReduceAttrs((1, 0), True), "found axes (1, 0)"),
    (K.REDUCE_MEAN, ("f32[2x6]",), a.ReduceAttrs((2,), True), "found axes (2,)"),
    (K.ARGMAX, ("f32[2x6]",), a.AxisAttrs(2), "found axis 2, allowed 0 to 1"),
    (K.ARGMAX, ("s8[2x6]",), a.AxisAttrs(1), "found an operand of s8, allowed f32"),
    (K.CONV, ("f32[4x5x9]", "f32[6x2x3x4]", "f32[6]"), CONV, "found x (4, 5, 9), allowed rank 4"),
    (K.CONV, ("f32[1x4x5x9]", "f32[6x3x3x4]", "f32[6]"), CONV, "allowed 4 input channels in all"),
    (K.CONV, ("f32[1x4x5x9]", "f32[5x2x3x4]", "f32[5]"), CONV, "found 2 groups, allowed a divisor of 5"),
    (K.CONV, ("f32[1x4x5x9]", "f32[6x2x3x4]", "f32[5]"), CONV, "found bias (5,), allowed (6,)"),
    (K.CONV, ("f32[1x4x5x9]", "f32[6x2x3x12]", "f32[6]"), CONV, "found a window of 3 x 12"),
    (
        K.CONV,
        ("f32[1x4x5x9]", "f32[6x2x3x4]", "f32[6]"),
        replace(CONV, strides=(0, 1)),
        "found strides (0, 1)",
    ),
    (K.LINEAR, ("f32[6x8]", "f32[4x7]", "f32[3x4]"), NONE, "found x (6, 8) and weight (4, 7)"),
    (K.LINEAR, ("f32[6x8]", "f32[4x8]", "f32[3x5]"), NONE, "found bias (3, 5), allowed (G, 4)"),
    (K.LINEAR, ("f32[6x8]", "f32[4x8]", "f32[4x4]"), NONE, "found 4 rows of bias, allowed a divisor of 6"),
    (K.LAYERNORM, ("f32[2x4]", "f32[4]", "f32[3]"), a.LayerNormAttrs(0.1), "found beta (3,), allowed (4,)"),
    (K.LAYERNORM, ("f32[]", "f32[]", "f32[]"), a.LayerNormAttrs(0.1), "found a scalar"),
    (K.ROPE, ("f32[6x12]", "f32[3x2]", "f32[3x3]"), a.RopeAttrs(3), "found tables (3, 2) and (3, 3)"),
    (K.ROPE, ("f32[6x9]", "f32[3x1]", "f32[3x1]"), a.RopeAttrs(3), "found tables"),
    (K.ROPE, ("f32[6x12]", "f32[3x2]", "f32[3x2]"), a.RopeAttrs(5), "found 5 heads, allowed a divisor of 12"),
    (K.ROPE, ("f32[6x12]", "f32[4x2]", "f32[4x2]"), a.RopeAttrs(3), "found 4 positions"),
    (K.ATTENTION, ("f32[5x8]", "f32[7x8]", "f32[6x8]"), a.AttentionAttrs(2, 0.5), "found q (5, 8), k (7, 8)"),
    (K.ATTENTION, ("f32[5x8]", "f32[7x8]", "f32[7x8]"), a.AttentionAttrs(3, 0.5), "found 3 heads"),
    (
        K.ATTENTION,
        (*QKV_FLOAT, "f32[2x7x7]"),
        a.AttentionAttrs(2, 0.5),
        "found bias (2, 7, 7), allowed (2 or 1, 5",
    ),
    (
        K.ATTENTION,
        (*QKV_FLOAT, "f32[1x5]"),
        a.AttentionAttrs(2, 0.5, 9.0, -9.0),
        "found mask (1, 5), allowed (1, 7)",
    ),
    (K.ATTENTION, QKV_FLOAT, a.AttentionAttrs(2, 0.5, 9.0, -9.0), "found mask None, allowed (1, 7)"),
    (K.MEAN_ROWS, ("f32[6x8]",), a.MeanRowsAttrs(4), "found 4 rows in a group, allowed a divisor of 6"),
    (K.MEAN_ROWS, ("f32[6x8]",), a.MeanRowsAttrs(0), "found 0 rows in a group"),
    (K.DEPTHWISE_ROWS, ("f32[6x8]", "f32[8x4]", "f32[8]"), NONE, "found weight (8, 4), allowed (8, taps)"),
    (K.DEPTHWISE_ROWS, ("f32[6x8]", "f32[7x3]", "f32[8]"), NONE, "found weight (7, 3), allowed (8, taps)"),
    (K.DEPTHWISE_ROWS, ("f32[6x8]", "f32[8x3]", "f32[7]"), NONE, "found bias (7,), allowed (8,)"),
    (K.INTERPOLATE_ROWS, ("f32[1x8]",), a.InterpolateRowsAttrs(50), "found 1 rows to interpolate between"),
    (K.INTERPOLATE_ROWS, ("f32[6x8]",), a.InterpolateRowsAttrs(0), "found 0 rows of the result"),
    (K.PERMUTE_ROWS, ("s8[6x8]",), a.PermuteRowsAttrs(4), "found 4 groups, allowed a divisor of 6"),
    (K.QLINEAR, ("f32[6x8]", *LINEAR[1:]), QLinearAttrs(7), "found x of f32, allowed s8 or u8 or s16"),
    (K.QLINEAR, (*LINEAR[:2], "s32[5]", LINEAR[3]), QLinearAttrs(7), "found multiplier (5,), allowed (4,)"),
    (K.QLINEAR, (*LINEAR[:2], "s8[4]", LINEAR[3]), QLinearAttrs(7), "found multiplier of s8, allowed s32"),
    (K.QLINEAR, LINEAR, QLinearAttrs(7, table=True), "found 4 operands, allowed 5"),
    (K.QLINEAR, (*LINEAR, "s8[255]"), QLinearAttrs(7, table=True), "found table (255,)"),
    (K.QLINEAR, (*LINEAR, "s8[256]"), QLinearAttrs(7, "s16", table=True), "a table on a result of s16"),
    (K.QLINEAR, (*LINEAR, "s8[256]"), QLinearAttrs(7, "u8", table=True), "found table of s8, allowed u8"),
    (K.QLINEAR, LINEAR, QLinearAttrs(7, "u8"), "found a result of u8 without a table"),
    (K.QLINEAR, (*LINEAR, "s16[6x5]"), QLinearAttrs(7, "s16", residual=True), "found residual (6, 5)"),
    (K.QLINEAR, (*LINEAR, "s16[6x4]"), QLinearAttrs(7, residual=True), "a residual on a result of s8"),
    (K.QLINEAR, LINEAR, QLinearAttrs(7, layout="heads", heads=3), "found 3 heads"),
    (K.QLINEAR, LINEAR, QLinearAttrs(32), "found shift 32, allowed 0 to 31"),
    (K.REQUANT_SHIFT, ("f32[2x3]", "s32[2]", "s32[]"), SHIFT, "sizes that are equal or 1"),
    (K.REQUANT_SHIFT, ("f32[2x1]", "s32[]", "s32[3]"), SHIFT, "found add (3,) for x (2, 1)"),
    (K.REQUANT_SHIFT, ("f32[2x3]", "f32[]", "s32[]"), SHIFT, "found mul of f32, allowed s32"),
    (K.REQUANT_SHIFT, ("f32[2x3]", "s32[]", "s32[]"), replace(SHIFT, shift=32), "found shift 32"),
    (K.REQUANT_SHIFT, ("f32[2x3]", "s32[]", "s32[]"), replace(SHIFT, low=128), "results from 128 to 127"),
    (K.FAKE_QUANTISE, ("f32[2x3]",), a.FakeQuantiseAttrs(0.0, 3), "found scale 0.0"),
    (K.FAKE_QUANTISE, ("f32[2x3]",), a.FakeQuantiseAttrs(1.0, 3, -32769), "found codes from -32769 to 127"),
    (K.QREQUANTISE, ("s16[6x8]", "s32[8x4]", "s8[256]"), QRequantiseAttrs(), "found x of s16"),
    (K.QREQUANTISE, ("s8[6x8]", "s32[8x3]", "s8[256]"), QRequantiseAttrs(), "found factors (8, 3)"),
    (K.QREQUANTISE, ("s8[6x8]", "s32[8x4]", "s8[255]"), QRequantiseAttrs(), "found table (255,)"),
    (K.QREQUANTISE, ("s8[6x8]", "s32[8x4]", "s8[256]"), QRequantiseAttrs(128), "found zero point 128"),
    (K.FUNCTION, ("f32[2x3]",), FunctionAttrs(("x", "add")), "found 1 operands for add in a program"),
    (K.CLIP, ("f32[2x1]", "f32[2x3]", "f32[]"), a.Attrs(), "found low (2, 3) for x (2, 1)"),
    (K.QCONVERT, ("s32[6x8]",), QConvertAttrs(1, 0, 0), "found x of s32, allowed s8 or s16"),
    (
        K.QCONVERT,
        ("s8[6x8]",),
        QConvertAttrs(1, 127, 0, "u8"),
        "found u8 as QConvertAttrs(multiplier=1, bias=127",
    ),
    (K.QCONVERT, ("s16[6x8]",), TO_UNSIGNED, "found x of s16, allowed s8"),
    (K.QCONVERT, ("s8[6x8]",), QConvertAttrs(1, 0, 32), "found shift 32, allowed 0 to 31"),
    (K.QCONVERT, ("s8[6x8]",), QConvertAttrs(-(2**24), 0, 0), "found sums of up to 2147483648"),
    (K.QCONVERT, ("s16[6x8]",), QConvertAttrs(2**15, -(2**30) - 1, 0), "found sums of up to 2147483649"),
    (K.QADD, ("s8[6x8]", "s8[6x7]"), QAddAttrs(1, 1, 0, 0), "found z (6, 7), allowed (6, 8) or (1, 8)"),
    (K.QADD, ("s8[6x8]", "s32[6x8]"), QAddAttrs(1, 1, 0, 0), "found z of s32"),
    (K.QADD, ("s8[6x8]", "s8[6x8]"), QAddAttrs(1, 1, 0, 32), "found shift 32, allowed 0 to 31"),
    (K.QADD, ("s8[6x8]", "s8[6x8]"), QAddAttrs(2**23, 2**23, -1, 0), "found sums of up to 2147483649"),
    (K.QADD, ("s16[6x8]", "s8[6x8]"), QAddAttrs(2**16 + 1, 0, 0, 0), "found sums of up to 2147516416"),
    (K.QADD, ("s8[6x8]", "s16[6x8]"), QAddAttrs(0, 2**15, 2**31 - 1, 0), "found sums of up to 3221192703"),
    (K.QMUL, ("s8[6x8]", "s8[6x7]"), QMulAttrs(1, 0, 0), "found z (6, 7), allowed (6, 8) or (1, 8)"),
    (K.QMUL, ("s32[6x8]", "s8[6x8]"), QMulAttrs(1, 0, 0), "found x of s32"),
    (
        K.QMUL,
        ("s8[6x8]", "s8[6x8]"),
        QMulAttrs(1, 0, 0, 128),
        "found zero point 128 of s8, allowed -128 to 127",
    ),
    (K.QMUL, ("s8[6x8]", "s16[6x8]"), QMulAttrs(1, 0, 0, 0, 1), "found zero point 1 of s16, allowed 0"),
    (K.QMUL, ("s8[6x8]", "s8[6x8]"), QMulAttrs(1, 0, 32), "found shift 32, allowed 0 to 31"),
    (K.QMUL, ("s8[6x8]", "s8[6x8]"), QMulAttrs(33026, 0, 0, 127, 127), "found sums of up to 2147515650"),
    (K.QMUL, ("s16[6x8]", "s16[6x8]"), QMulAttrs(2**15, 2**30, 0), "found sums of up to 2147483648"),
    (K.QCLIP, ("f32[6x8]", "s8[1x8]", "s8[1x8]"), QClipAttrs(), "found x of f32"),
    (K.QCLIP, ("s8[6x8]", "s8[4x8]", "s8[4x8]"), QClipAttrs(), "found 4 lines of limits"),
    (K.QCLIP, ("s8[6x8]", "s8[2x8]", "s8[1x8]"), QClipAttrs(), "found high (1, 8), allowed (2, 8)"),
    (K.QCLIP, ("s8[6x8]", "s16[2x8]", "s8[2x8]"), QClipAttrs(), "found low of s16"),
    (K.QCLIP, ("s8[6x8]", "s8[1x8]", "s8[1x8]"), QClipAttrs(True), "found 3 operands, allowed 4"),
    (K.QCLIP, ("s8[6x8]", "s8[1x8]", "s8[1x8]", "s16[6x8]"), QClipAttrs(True), "a residual on x of s8"),
    (K.QCLIP, ("s16[6x8]", "s16[1x8]", "s16[1x8]", "s16[6x7]"), QClipAttrs(True), "found residual (6, 7)"),
    (K.QLAYERNORM, ("s16[6x192]", "s16[192]", "s32[191]"), LAYERNORM, "found beta (191,), allowed (192,)"),
    (K.QLAYERNORM, ("s16[6x192]", "s16[192]", "s16[192]"), LAYERNORM, "found beta of s16, allowed s32"),
    (
        K.QLAYERNORM,
        ("s16[6x192]", "s16[192]", "s32[192]"),
        replace(LAYERNORM, epsilon_by_shift=(3,) * 13),
        "found 13 epsilons, allowed 14 or more",
    ),
    # C 4^B = 2^31 exactly, which a square wave of full scale reaches
    (K.QLAYERNORM, ("s16[6x512]", "s16[512]", "s32[512]"), LAYERNORM, "a sum of squares up to 2147483651"),
    (
        K.QLAYERNORM,
        ("s16[6x192]", "s16[192]", "s32[192]"),
        replace(LAYERNORM, norm_bits=13),
        "found norm_bits 13, allowed 0 to 12",
    ),
    (
        K.QLAYERNORM,
        ("s16[6x192]", "s16[192]", "s32[192]"),
        replace(LAYERNORM, epsilon_shift=-1),
        "found epsilon_shift -1, allowed 0 or more",
    ),
    (
        K.QLAYERNORM,
        ("s16[1x32768]", "s16[32768]", "s32[32768]"),
        LAYERNORM,
        "found 32768 channels, allowed at most 32512",
    ),
    (
        K.QLAYERNORM,
        ("s16[6x192]", "s16[192]", "s32[192]"),
        replace(LAYERNORM, root=2**16),
        "found root 65536",
    ),
    (
        K.QLAYERNORM,
        ("s16[6x192]", "s16[192]", "s32[192]"),
        replace(LAYERNORM, dtype="s32"),
        "found a result of s32, allowed s8, u8 or s16",
    ),
    (K.QROPE, ("s16[6x12]", "s16[3x6]"), QRopeAttrs(3, 20), "found table (3, 6)"),
    (K.QROPE, ("s16[6x12]", "s16[3x4]"), QRopeAttrs(3, 20, 9, unsigned=True), "found 9 bits unsigned"),
    (K.QROPE, ("s16[6x12]", "s16[4x4]"), QRopeAttrs(3, 20), "found 4 positions"),
    (K.QATTENTION, (*QKV, "s8[2x1x7]"), ATTENTION, "found bias of s8, allowed s16"),
    (K.QATTENTION, (*QKV, "s16[2x3x7]"), ATTENTION, "found bias (2, 3, 7), allowed (2 or 1, 5 or 1, 7)"),
    (K.QATTENTION, QKV, replace(ATTENTION, score_shift=(7,)), "found q of 2 heads and 1 score shifts"),
    (K.QATTENTION, ("u8[2x5x4]", "s16[2x7x4]", *QKV[2:]), ATTENTION, "found k of s16, allowed s8"),
    (K.QATTENTION, (QKV[0], "s8[2x7x5]", *QKV[2:]), ATTENTION, "found k (2, 7, 5), allowed (2, N, 4)"),
    (K.QATTENTION, (*QKV[:2], "s8[7x8]", QKV[3]), ATTENTION, "found vt (7, 8), allowed (8, 7)"),
    (K.QATTENTION, (*QKV[:3], "u8[2x256]"), ATTENTION, "found exp_table (2, 256), allowed (2, 1024)"),
    (K.QATTENTION, QKV, replace(ATTENTION, score_shift=(7, -1)), "found shift -1"),
    (K.QATTENTION, QKV, replace(ATTENTION, out_multiplier=2**15), "found out_multiplier 32768"),
    (K.QATTENTION, QKV, replace(ATTENTION, out_shift=25), "found out_shift 25"),
    (K.MAX_ROWS, ("s8[6x8]",), a.MaxRowsAttrs(4), "found 4 rows in a group, allowed a divisor of 6"),
    (
        K.MATMUL_ROWS,
        ("f32[6x8]", "f32[9x7]"),
        a.MatmulRowsAttrs(3),
        "found x (6, 8) and z (9, 7), allowed rows",
    ),
    (K.MATMUL_ROWS, ("f32[6x8]", "f32[9x8]"), a.MatmulRowsAttrs(4), "found 4 groups, allowed a divisor of 6"),
    (K.MATMUL_ROWS, ("f32[6x8]", "f32[4x8]"), a.MatmulRowsAttrs(3), "found 3 groups, allowed a divisor of 4"),
    (K.MATMUL_ROWS, ("s8[6x8]", "f32[4x8]"), a.MatmulRowsAttrs(2), "found x of s8, allowed f32"),
    (K.QMATMUL, ("s8[6x8]", "s16[9x8]"), QMatmulAttrs(3, 0, 1, 0, 0), "found z of s16, allowed s8"),
    (K.QMATMUL, ("s8[1x16385]",) * 2, QMatmulAttrs(1, 9, 0, 0, 0), "found 16385 columns, allowed 16384 at"),
    (K.QMATMUL, ("s8[6x8]",) * 2, QMatmulAttrs(1, 0, 1, 0, 0, 128), "found zero point 128, allowed -128"),
    (K.QMATMUL, ("s8[6x8]",) * 2, QMatmulAttrs(1, 32, 1, 0, 0), "found shift 32, allowed 0 to 31"),
    (K.QMATMUL, ("s8[6x8]",) * 2, QMatmulAttrs(1, 0, 1, 0, 32), "found shift 32, allowed 0 to 31"),
    (K.QMATMUL, ("s8[6x8]",) * 2, QMatmulAttrs(1, 0, 2**14, 0, 0), "found sums of up to 2147483648"),
    (K.QSOFTMAX, ("s8[6x8]",), QSoftmaxAttrs(1, 1, 0), "found x of s8, allowed s16"),
    (K.QSOFTMAX, ("s16[1x32769]",), QSoftmaxAttrs(1, 1, 0), "found 32769 columns, allowed 32768 at most"),
    (K.QSOFTMAX, ("s16[6x8]",), QSoftmaxAttrs(1, 1, 32), "found shift 32, allowed 0 to 31"),
    (K.QSOFTMAX, ("s16[6x8]",), QSoftmaxAttrs(0, 1, 0), "found limit 0, allowed 1 to 65535"),
    (K.QSOFTMAX, ("s16[6x8]",), QSoftmaxAttrs(1, -1, 0), "found multiplier -1, allowed 0 and more"),
    (K.QSOFTMAX, ("s16[6x8]",), QSoftmaxAttrs(2, 2**30, 0), "found exponents of up to 2147483648 before"),
    (K.ARGMAX_COLUMNS, ("s32[6x8]",), a.Attrs(), "found x of s32, allowed f32 or s8 or s16"),
    (K.ARGMAX_COLUMNS, ("s8[2x6x8]",), a.Attrs(), "found x (2, 6, 8), allowed rank 2"),
    (K.MAX_ROWS, ("u8[6x8]",), a.MaxRowsAttrs(3), "found x of u8, allowed f32 or s8 or s16 or s32"),
    (K.QMEAN_ROWS, ("s8[6x8]",), QMeanRowsAttrs(4, 1, 0, 0), "found 4 rows in a group"),
    (K.QMEAN_ROWS, ("s16[6x8]",), QMeanRowsAttrs(3, 1, 0, 0), "found x of s16, allowed s8"),
    (
        K.QDEPTHWISE_ROWS,
        (DEPTHWISE[0], "s8[8x2]", *DEPTHWISE[2:]),
        QDepthwiseRowsAttrs(7, 0),
        "found weight (8, 2)",
    ),
    (K.QDEPTHWISE_ROWS, (*DEPTHWISE[:3], "s32[1]"), QDepthwiseRowsAttrs(7, 0), "found bias (1,), allowed"),
    (K.QDEPTHWISE_ROWS, DEPTHWISE, QDepthwiseRowsAttrs(7, 0, table=True), "found 4 operands, allowed 5"),
    (K.QDEPTHWISE_ROWS, (*DEPTHWISE, "s8[255]"), QDepthwiseRowsAttrs(7, 0, True), "found table (255,)"),
    (K.QDEPTHWISE_ROWS, DEPTHWISE, QDepthwiseRowsAttrs(7, 128), "found zero_point 128, allowed -128"),
    (K.QDEPTHWISE_ROWS, DEPTHWISE, QDepthwiseRowsAttrs(-1, 0), "found shift -1"),
    (K.QINTERPOLATE_ROWS, ("s16[1x8]", "s16[50x2]"), QInterpolateRowsAttrs(50), "found 1 rows to"),
    (K.QINTERPOLATE_ROWS, ("s16[6x8]", "s16[49x2]"), QInterpolateRowsAttrs(50), "found table (49, 2)"),
]


def test_table_has_a_row_for_every_kind() -> None:
    assert set(OPS) == set(K)


@pytest.mark.parametrize(("kind", "operands", "attrs", "result"), RIGHT)
def test_rule_gives_the_type(kind: K, operands: tuple[str, ...], attrs: a.Attrs, result: str) -> None:
    assert type(attrs) is OPS[kind].attrs
    assert OPS[kind].infer([tensor(text) for text in operands], attrs) == tensor(result)


@pytest.mark.parametrize(("kind", "operands", "attrs", "message"), WRONG)
def test_rule_rejects(kind: K, operands: tuple[str, ...], attrs: a.Attrs, message: str) -> None:
    assert type(attrs) is OPS[kind].attrs
    with pytest.raises(ValueError) as found:
        OPS[kind].infer([tensor(text) for text in operands], attrs)
    assert message in str(found.value)


def test_every_rule_is_tested_both_ways() -> None:
    rules = {row.infer for row in OPS.values()}
    assert {OPS[kind].infer for kind, *_ in RIGHT} == rules
    assert {OPS[kind].infer for kind, *_ in WRONG} == rules


@pytest.mark.parametrize(
    ("kind", "counts"),
    [(K.RESHAPE, {1}), (K.ADD, {2}), (K.CONCAT, {1, 2, 3, 4, 5, 6, 7}), (K.QLINEAR, {4, 5, 6})],
)
def test_operand_counts(kind: K, counts: set[int]) -> None:
    assert {count for count in range(8) if arity_allowed(kind, count)} == counts


@pytest.mark.parametrize("row", RIGHT, ids=lambda row: row[0].value)
def test_operands_of_any_rank_are_judged(row: tuple[K, tuple[str, ...], a.Attrs, str]) -> None:
    """No shape of one operand, of fewer or more axes, ends a rule otherwise than by its own words."""
    kind, operands, attrs, _ = row
    for number in range(len(operands)):
        types = [tensor(operand) for operand in operands]
        for shape in ((), (1,), (4,), (2, 3), (1, 2, 4), (1, 2, 4, 4), (1, 1, 2, 3, 4)):
            types[number] = replace(types[number], shape=shape)
            with contextlib.suppress(ValueError):
                OPS[kind].infer(types, attrs)
