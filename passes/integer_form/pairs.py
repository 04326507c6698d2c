"""The integer form of ops on two values: sums, differences, products, of elements or of matrices."""

from __future__ import annotations

import numpy as np

from tmc.ir.attrs import MatmulRowsAttrs
from tmc.ir.graph import Op, OpKind
from tmc.ir.types import DType, Quant
from tmc.passes.integer_form.builder import IntegerBuilder
from tmc.passes.integer_ops.add import quantise_add
from tmc.passes.integer_ops.convert import Stored
from tmc.passes.integer_ops.matmul import quantise_matmul
from tmc.passes.integer_ops.mul import quantise_mul
from tmc.passes.scales.value_roles import Role


def emit_sum(builder: IntegerBuilder, op: Op) -> None:
    """Emit the sum or difference of two values, each of its own scale, computed or constant."""
    quant = builder.scales.quants[op.output]
    dtype: Stored = "s8" if builder.scales.roles[op.output] is Role.ACTIVATION else "s16"
    first, second = op.inputs
    if op.kind is OpKind.ADD and first in builder.graph.constants:
        first, second = second, first  # kernels take a constant as the second operand
    inputs = tuple(_operand(builder, op, name, dtype) for name in (first, second))
    x, z = (builder.quant(name) for name in inputs)
    types = builder.stored(inputs[0]), builder.stored(inputs[1]), dtype
    attrs = quantise_add(op.loc, x, z, quant, types, (1, -1 if op.kind is OpKind.SUB else 1))
    builder.emit(op, OpKind.QADD, inputs, attrs, quant)


def emit_product(builder: IntegerBuilder, op: Op) -> None:
    """Emit the product of two values, each of its own scale, computed or constant."""
    quant = builder.scales.quants[op.output]
    # Constants have int16: what each of them is off stands in every result.
    inputs = tuple(_operand(builder, op, name, "s16") for name in op.inputs)
    x, z = (builder.quant(name) for name in inputs)
    attrs = quantise_mul(op.loc, x, z, quant, (builder.stored(inputs[0]), builder.stored(inputs[1]), "s8"))
    builder.emit(op, OpKind.QMUL, inputs, attrs, quant)


def emit_matmul(builder: IntegerBuilder, op: Op) -> None:
    """Emit the product of two computed matrices, group by group."""
    assert isinstance(op.attrs, MatmulRowsAttrs)
    quant = builder.scales.quants[op.output]
    dtype: Stored = "s8" if builder.scales.roles[op.output] is Role.ACTIVATION else "s16"
    x, z = (builder.quant(name) for name in op.inputs)
    depth = builder.graph.types[op.inputs[0]].shape[1]
    attrs = quantise_matmul(op.loc, x, z, quant, depth, op.attrs.groups, dtype)
    builder.emit(op, OpKind.QMATMUL, op.inputs, attrs, quant)


def _operand(builder: IntegerBuilder, op: Op, name: str, dtype: Stored) -> str:
    """Return an operand: the value of this name, or a constant in codes that its numbers fill."""
    if name not in builder.graph.constants:
        return name
    array = builder.graph.constants[name]
    ends = np.iinfo(DType(dtype).numpy)
    scale = float(np.abs(array).max()) / ends.max or 1.0
    codes = np.clip(np.rint(array / scale), ends.min, ends.max).astype(DType(dtype).numpy)
    return builder.constant(f"{op.output}.constant", codes, Quant((scale,)))
