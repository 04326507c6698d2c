"""An integer graph of products of computed matrices, built by hand."""

from __future__ import annotations

import numpy as np

from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, OpKind
from tmc.ir.types import DType, Quant, TensorType
from tmc.ir.verify import verify
from tmc.passes.integer_form.pad_rows import pad_rows
from tmc.passes.integer_ops.convert import quantise_convert
from tmc.passes.integer_ops.matmul import quantise_matmul


def matrix_network(groups: int, group_rows: int, z_rows: int, depth: int) -> Graph:
    """Return a verified graph of two inputs of `groups` matrices, and their products in int8 and int16."""
    given = Quant((0.001,))
    inputs = {
        "x": TensorType(DType.S16, (groups * group_rows, depth), given),
        "z": TensorType(DType.S16, (groups * z_rows, depth), given),
    }
    builder = GraphBuilder("matrices", inputs, ("narrow", "wide"))
    quants = {"x": Quant((0.06,), -7), "z": Quant((0.05,), 12)}
    for name, quant in quants.items():
        attrs = quantise_convert(f"/{name}", given, "s16", quant, "s8")
        builder.op(OpKind.QCONVERT, [name], attrs, f"/{name}", f"{name}8", quant=quant)
    reach = float(np.sqrt(depth)) * 12
    for output, dtype, quant in (
        ("narrow", "s8", Quant((reach / 127,), 5)),
        ("wide", "s16", Quant((reach / 32767,))),
    ):
        product = quantise_matmul("/MatMul", quants["x"], quants["z"], quant, depth, groups, dtype)
        builder.op(OpKind.QMATMUL, ["x8", "z8"], product, "/MatMul", output, quant=quant)
    graph = pad_rows(builder.graph())
    verify(graph)
    return graph
