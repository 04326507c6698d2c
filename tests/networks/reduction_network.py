"""An integer graph of ops that make one element of many, built by hand: every form of each of them."""

from __future__ import annotations

import numpy as np

from tmc.ir.attrs import Attrs, MaxRowsAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, OpKind
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.integer.qsoftmax import SHARE_SCALE
from tmc.ir.types import DType, Quant, TensorType
from tmc.ir.verify import INDEX, verify
from tmc.passes.integer_ops.convert import quantise_convert
from tmc.passes.integer_ops.softmax import quantise_softmax

CLASSES = 5
RESULTS = ("highest", "narrow_highest", "widest_highest", "column", "narrow_column", "shares")


def reduction_network(groups: int, group_rows: int, columns: int) -> Graph:
    """Return a verified graph with an int16 input of `groups` runs of rows and a multiple of 2 columns."""
    x = TensorType(DType.S16, (groups * group_rows, columns), Quant((0.001,)))
    builder = GraphBuilder("reductions", {"x": x}, RESULTS)
    random, quant = np.random.default_rng(0), Quant((0.2,), -7)
    convert = quantise_convert("/narrow", Quant((0.001,)), "s16", quant, "s8")
    builder.op(OpKind.QCONVERT, ["x"], convert, "/narrow", "narrow", quant=quant)
    runs = MaxRowsAttrs(group_rows)
    builder.op(OpKind.MAX_ROWS, ["x"], runs, "/ReduceMax", "highest", quant=Quant((0.001,)))
    builder.op(OpKind.MAX_ROWS, ["narrow"], runs, "/ReduceMax_1", "narrow_highest", quant=quant)
    operands = [
        "x",
        builder.constant(random.integers(-127, 128, (CLASSES, columns)).astype(np.int8), "weight"),
        builder.constant(np.ones(CLASSES, dtype=np.int32), "multiplier"),
        builder.constant(random.integers(-(2**20), 2**20, (1, CLASSES)).astype(np.int32), "bias"),
    ]
    wide = Quant((1e-6,))
    builder.op(OpKind.QLINEAR, operands, QLinearAttrs(0, "s32"), "/MatMul", "logits", quant=wide)
    builder.op(OpKind.MAX_ROWS, ["logits"], runs, "/ReduceMax_2", "widest_highest", quant=wide)
    builder.op(OpKind.ARGMAX_COLUMNS, ["x"], Attrs(), "/ArgMax", "column", quant=INDEX)
    builder.op(OpKind.ARGMAX_COLUMNS, ["narrow"], Attrs(), "/ArgMax_1", "narrow_column", quant=INDEX)
    attrs = quantise_softmax("/Softmax", Quant((0.001,)), columns)
    builder.op(OpKind.QSOFTMAX, ["x"], attrs, "/Softmax", "shares", quant=Quant((SHARE_SCALE,)))
    graph = builder.graph()
    verify(graph)
    return graph
