"""Divisions before and products behind a rounding of scale 1 become its scale and zero point.

A model that writes its roundings out computes Clip(Round(x / s + z), low, high), and (q - z) * s behind.
Where ops are recognised without roundings, both go into the one op, as a QuantizeLinear has them; what reads
the integers q themselves reads value / s + z.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tmc.ir.attrs import Attrs, FakeQuantiseAttrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, producers

_ARITHMETIC = frozenset({OpKind.ADD, OpKind.SUB, OpKind.MUL, OpKind.DIV})


def fold_steps(graph: Graph) -> Graph:
    """Return the float graph in which roundings of scale 1 have the scale of what they round."""
    builder = GraphBuilder.like(graph)
    made_by = producers(graph)
    # Results of roundings less so much, which times a number are the reals of another rounding.
    reals: dict[str, tuple[str, float, float]] = {}
    for op in graph.ops:
        found = _steps(graph, made_by, op)
        if found is not None:
            value, attrs, zero = found
            real = builder.op(OpKind.FAKE_QUANTISE, [value], attrs, op.loc)
            reals[op.output] = (real, attrs.scale, zero)
            scale, added = (
                builder.constant(np.array(number, np.float32), f"{op.output}.{name}")
                for name, number in (("scale", attrs.scale), ("zero", zero))
            )
            steps = builder.op(OpKind.DIV, [real, scale], Attrs(), op.loc)
            builder.op(OpKind.ADD, [steps, added], Attrs(), op.loc, op.output)
            continue
        builder.keep(op)
        operand, number = _with_number(graph, op) or ("", 0.0)
        if operand not in reals:
            continue
        real, step, zero = reals[operand]
        if op.kind in (OpKind.SUB, OpKind.ADD):
            reals[op.output] = (real, step, zero - number if op.kind is OpKind.SUB else zero + number)
        elif op.kind is OpKind.MUL and zero == 0 and number == step:
            builder.forward(op.output, real)
    return builder.graph()


def _steps(graph: Graph, made_by: Mapping[str, Op], op: Op) -> tuple[str, FakeQuantiseAttrs, float] | None:
    """Return what a rounding of scale 1 rounds before its division, with which codes, and the zero point."""
    attrs = op.attrs
    if not isinstance(attrs, FakeQuantiseAttrs) or attrs.scale != 1.0:
        return None
    before, zero = made_by.get(op.inputs[0]), 0.0
    added = _with_number(graph, before)
    if before is not None and added is not None and before.kind is OpKind.ADD and added[1] == round(added[1]):
        before, zero = made_by.get(added[0]), added[1]
    scaled = _with_number(graph, before)
    if before is None or scaled is None or before.kind not in (OpKind.DIV, OpKind.MUL) or scaled[1] <= 0:
        return None
    value, number = scaled
    scale = number if before.kind is OpKind.DIV else float(np.float32(1) / np.float32(number))
    moved = replace(attrs, scale=scale, zero_point=attrs.zero_point + int(zero))
    return (value, moved, zero) if moved.wide == attrs.wide else None


def _with_number(graph: Graph, op: Op | None) -> tuple[str, float] | None:
    """Return the computed operand of a sum, difference, product or quotient with one number, and that."""
    if op is None or op.kind not in _ARITHMETIC:
        return None
    first, second = op.inputs
    if first in graph.constants and op.kind in (OpKind.ADD, OpKind.MUL):
        first, second = second, first
    constant = graph.constants.get(second)
    if constant is None or constant.size != 1 or first in graph.constants:
        return None
    return first, float(constant.reshape(-1)[0])
