"""The rows of the op table whose ops compute each element from one element of each operand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.ir import attrs as a
from tmc.ir import float_semantics as f
from tmc.ir import shapes as s
from tmc.ir.graph import OpKind
from tmc.ir.op_def import OpDef

XY = ("x", "y")
# As the frontend finds them.
PRIMITIVES: Mapping[OpKind, OpDef] = {
    OpKind.ADD: OpDef(XY, a.Attrs, s.binary, lambda x, _: x[0] + x[1], "x + y", "pointwise"),
    OpKind.SUB: OpDef(XY, a.Attrs, s.binary, lambda x, _: x[0] - x[1], "x - y", "pointwise"),
    OpKind.MUL: OpDef(XY, a.Attrs, s.binary, lambda x, _: x[0] * x[1], "x * y", "pointwise"),
    OpKind.DIV: OpDef(XY, a.Attrs, s.binary, lambda x, _: x[0] / x[1], "x / y", "pointwise"),
    OpKind.POW: OpDef(XY, a.Attrs, s.binary, lambda x, _: np.power(x[0], x[1]), "x to the y", "pointwise"),
    OpKind.NEG: OpDef(("x",), a.Attrs, s.unary, lambda x, _: -x[0], "-x", "pointwise"),
    OpKind.SQRT: OpDef(("x",), a.Attrs, s.unary, lambda x, _: np.sqrt(x[0]), "square root", "pointwise"),
    OpKind.EXP: OpDef(("x",), a.Attrs, s.unary, lambda x, _: np.exp(x[0]), "e to the x", "pointwise"),
    OpKind.LOG: OpDef(("x",), a.Attrs, s.unary, lambda x, _: np.log(x[0]), "natural logarithm", "pointwise"),
    OpKind.ABS: OpDef(("x",), a.Attrs, s.unary, lambda x, _: np.abs(x[0]), "magnitude", "pointwise"),
    OpKind.STEP: OpDef(
        ("x",),
        a.Attrs,
        s.unary,
        lambda x, _: (x[0] > 0).astype(np.float32),
        "1 where x > 0, else 0",
        "pointwise",
    ),
    OpKind.FLOOR: OpDef(
        ("x",), a.Attrs, s.unary, lambda x, _: np.floor(x[0]), "the integer at or below", "pointwise"
    ),
    OpKind.MINIMUM: OpDef(
        XY, a.Attrs, s.binary, lambda x, _: np.minimum(x[0], x[1]), "the smaller", "pointwise"
    ),
    OpKind.MAXIMUM: OpDef(
        XY, a.Attrs, s.binary, lambda x, _: np.maximum(x[0], x[1]), "the larger", "pointwise"
    ),
    OpKind.ERF: OpDef(("x",), a.Attrs, s.unary, lambda x, _: f.erf(x[0]), "error function", "pointwise"),
    OpKind.TANH: OpDef(
        ("x",), a.Attrs, s.unary, lambda x, _: np.tanh(x[0]), "hyperbolic tangent", "pointwise"
    ),
    OpKind.SIGMOID: OpDef(
        ("x",), a.Attrs, s.unary, lambda x, _: f.sigmoid(x[0]), "1 / (1 + exp(-x))", "pointwise"
    ),
}
# Of the canonical form.
ACTIVATIONS: Mapping[OpKind, OpDef] = {
    OpKind.GELU: OpDef(
        ("x",), a.GeluAttrs, s.unary, lambda x, at: f.gelu(x[0], at.approximate), "GELU", "pointwise"
    ),
    OpKind.SILU: OpDef(
        ("x",), a.Attrs, s.unary, lambda x, _: x[0] * f.sigmoid(x[0]), "x sigmoid(x)", "pointwise"
    ),
    OpKind.RELU: OpDef(
        ("x",), a.Attrs, s.unary, lambda x, _: np.maximum(x[0], np.float32(0)), "max(x, 0)", "pointwise"
    ),
    OpKind.CLIP: OpDef(
        ("x", "low", "high"),
        a.Attrs,
        s.clip,
        lambda x, _: f.clip(x[0], x[1], x[2]),
        "x between low and high",
        "pointwise",
    ),
}
