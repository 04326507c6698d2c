"""The verifier, run between all passes."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np

from tmc.ir.errors import VerifyError
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.ops import OPS, arity_allowed
from tmc.ir.types import DType, Quant

# What indices are stored as: themselves.
INDEX = Quant((1.0,))
# Ops whose results have the scales of their operand.
CARRIED = frozenset(
    {OpKind.RESHAPE, OpKind.TRANSPOSE, OpKind.PERMUTE_ROWS, OpKind.MAX_ROWS, OpKind.QINTERPOLATE_ROWS}
)


def verify(graph: Graph) -> None:
    """Check SSA, operand counts, attribute records, shapes, constants, quantisation and outputs.

    Raises: VerifyError naming the op and its ONNX node.
    """
    defined: set[str] = set()
    for name in (*graph.inputs, *graph.constants):
        _define(name, defined, graph.name)
    for name, array in graph.constants.items():
        declared = graph.types.get(name)
        if declared is None:
            raise VerifyError(f"constant %{name}", "found no type")
        if declared.shape != array.shape or declared.dtype.numpy != array.dtype:
            raise VerifyError(
                f"constant %{name}",
                f"found {array.dtype} {array.shape}, allowed {declared.dtype.numpy} {declared.shape}",
            )
        if declared.dtype is DType.F32 and not np.isfinite(array).all():
            raise VerifyError(f"constant %{name}", "found NaN or infinity, allowed finite numbers")
    for name in graph.inputs:
        if name not in graph.types:
            raise VerifyError(f"input %{name}", "found no type")
    for op in graph.ops:
        _verify_op(graph, op, defined)
        _define(op.output, defined, op.loc or graph.name)
    if not graph.outputs:
        raise VerifyError(f"graph @{graph.name}", "found no output, allowed one or more")
    for name in graph.outputs:
        if name not in defined:
            raise VerifyError(f"output %{name}", "found no definition")
    unknown = sorted(set(graph.types) - defined)
    if unknown:
        names = ", ".join(f"%{name}" for name in unknown)
        raise VerifyError(f"graph @{graph.name}", f"found types of values nobody defines: {names}")
    for name, tensor in graph.types.items():
        if tensor.quant is not None:
            _verify_quant(name, tensor.shape, tensor.quant)
            _verify_bits(name, tensor.dtype, tensor.quant.bits)


def _define(name: str, defined: set[str], where: str) -> None:
    if name in defined:
        raise VerifyError(where, f"found value %{name} defined twice, allowed once")
    defined.add(name)


def _verify_quant(name: str, shape: tuple[int, ...], quant: Quant) -> None:
    if not all(math.isfinite(scale) and scale > 0 for scale in quant.scale):
        raise VerifyError(f"%{name}", f"found scales {quant.scale}, allowed positive numbers")
    count = len(quant.scale)
    if count != 1 if quant.per is None else not count or math.prod(shape) % count:
        raise VerifyError(
            f"%{name}",
            f"found {count} scales per {quant.per or 'value'} of {shape}, "
            "allowed one, or a divisor of the elements per channel or head",
        )


def _verify_bits(name: str, dtype: DType, bits: int | None) -> None:
    if bits is None:
        return
    width = 8 * dtype.size_bytes
    if dtype not in (DType.S8, DType.S16, DType.S32) or not 2 <= bits < width:
        raise VerifyError(
            f"%{name}",
            f"found codes of {bits} bits in {dtype.value}, allowed 2 or more in a wider signed type",
        )


def _verify_op(graph: Graph, op: Op, defined: set[str]) -> None:
    where = f"{op.loc or '%' + op.output} ({op.kind.value})"
    row = OPS[op.kind]
    for name in op.inputs:
        if name not in defined:
            raise VerifyError(where, f"found %{name} used before it is defined")
    if not arity_allowed(op.kind, len(op.inputs)):
        raise VerifyError(where, f"found {len(op.inputs)} operands, allowed {' '.join(row.operands)}")
    if type(op.attrs) is not row.attrs:
        raise VerifyError(where, f"found {type(op.attrs).__name__}, allowed {row.attrs.__name__}")
    for field in fields(op.attrs):
        value = getattr(op.attrs, field.name)
        if isinstance(value, float) and not math.isfinite(value):
            raise VerifyError(where, f"found {field.name} {value}, allowed a finite number")
    declared = graph.types.get(op.output)
    if declared is None:
        raise VerifyError(where, f"found no type of %{op.output}")
    try:
        inferred = row.infer([graph.types[name] for name in op.inputs], op.attrs)
    except ValueError as found:
        raise VerifyError(where, str(found)) from found
    if (declared.dtype, declared.shape) != (inferred.dtype, inferred.shape):
        raise VerifyError(
            where,
            f"found {declared.dtype.value} {declared.shape} declared for %{op.output}, "
            f"the rule gives {inferred.dtype.value} {inferred.shape}",
        )
    if op.kind in CARRIED:
        _verify_carried(graph, op, where)
    if op.kind is OpKind.ARGMAX_COLUMNS:
        _verify_index(graph, op, where)


def _verify_carried(graph: Graph, op: Op, where: str) -> None:
    """Check that a result has the scales of its operand, and that these go with the elements that move."""
    given = graph.types[op.inputs[0]]
    quant, found = given.quant, graph.types[op.output].quant
    if found != quant:
        raise VerifyError(where, f"found {found} for %{op.output}, allowed that of %{op.inputs[0]}: {quant}")
    if quant is None or quant.per is None or op.kind is OpKind.RESHAPE:
        return
    # Rows that change places keep the scales of their channels, if every row has all of them.
    by_rows = op.kind in (OpKind.PERMUTE_ROWS, OpKind.MAX_ROWS)
    whole_rows = by_rows and given.shape[-1] % len(quant.scale) == 0
    if quant.per != "channel" or not whole_rows:
        raise VerifyError(
            where,
            f"found {len(quant.scale)} scales per {quant.per} of elements that move, "
            "allowed one scale, or in a permutation of rows one per channel",
        )


def _verify_index(graph: Graph, op: Op, where: str) -> None:
    """Check that codes which are compared have one scale, and that their index is stored as it is."""
    quant, found = graph.types[op.inputs[0]].quant, graph.types[op.output].quant
    if quant is None:
        return
    if quant.per is not None:
        raise VerifyError(
            where,
            f"found {len(quant.scale)} scales per {quant.per} of elements to compare, allowed one scale",
        )
    if found != INDEX:
        raise VerifyError(where, f"found {found} for %{op.output}, an index, allowed {INDEX}")
