"""Any function of single elements, as a small postfix program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tmc.ir.attrs import Attrs, GeluAttrs
from tmc.ir.float_semantics import UNLIMITED
from tmc.ir.graph import OpKind
from tmc.ir.op_def import OpDef
from tmc.ir.pointwise import ACTIVATIONS, PRIMITIVES
from tmc.ir.shapes import Types, need, unary
from tmc.ir.types import Array, TensorType

Program = tuple[str | float, ...]
# The element that a program is of.
X = "x"
_ROWS: Mapping[OpKind, OpDef] = {**PRIMITIVES, **ACTIVATIONS}
# What a step applies to the last results before it: an op, by its name in the text form.
STEPS: Mapping[str, tuple[OpKind, Attrs]] = {
    **{kind.value: (kind, Attrs()) for kind in _ROWS if kind is not OpKind.GELU},
    "gelu": (OpKind.GELU, GeluAttrs("none")),
    "gelu_tanh": (OpKind.GELU, GeluAttrs("tanh")),
}


@dataclass(frozen=True, slots=True)
class FunctionAttrs(Attrs):
    """A postfix program: "x", numbers, and names of STEPS, which take their operands from what came before.

    ("x", "x", 1.702, "mul", "sigmoid", "mul") is x * sigmoid(1.702 x).
    """

    program: Program


def name_of(kind: OpKind, attrs: Attrs) -> str | None:
    """Return the step that is an op of this kind, None if there is none."""
    return next((name for name, step in STEPS.items() if step == (kind, attrs)), None)


def evaluate(x: Array, program: Program) -> Array:
    """Return what a program gives for each element of x, in float32."""
    stack: list[Array] = []
    for step in program:
        if step == X:
            stack.append(x)
        elif isinstance(step, str):
            kind, attrs = STEPS[step]
            count = len(_ROWS[kind].operands)
            operands, stack = stack[-count:], stack[:-count]
            stack.append(_ROWS[kind].evaluate(operands, attrs))
        else:
            stack.append(np.array(step, dtype=np.float32))
    return np.asarray(np.broadcast_to(stack[0], x.shape), dtype=np.float32)


def infer(types: Types, attrs: FunctionAttrs) -> TensorType:
    """Element by element; the program must leave one result."""
    depth = 0
    for step in attrs.program:
        if isinstance(step, float):
            need(abs(step) <= UNLIMITED, f"found {step} in a program, allowed finite numbers")
        elif step != X:
            need(step in STEPS, f"found {step} in a program, allowed x, numbers, {', '.join(STEPS)}")
            count = len(_ROWS[STEPS[step][0]].operands)
            need(depth >= count, f"found {depth} operands for {step} in a program, allowed {count}")
            depth -= count
        depth += 1
    need(depth == 1, f"found a program that leaves {depth} results, allowed one")
    return unary(types, attrs)


def _evaluated(x: Sequence[Array], attrs: FunctionAttrs) -> Array:
    return evaluate(x[0], attrs.program)


OP = OpDef(("x",), FunctionAttrs, infer, _evaluated, "a program of single elements", "pointwise")
