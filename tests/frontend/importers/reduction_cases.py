"""Models of reductions, softmaxes and normalisations."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from tests.frontend.importers.case import Case, ints, normal
from tests.networks.onnx_files import node

_INT64 = TensorProto.INT64
_REDUCED = ("L1", "L2", "LogSumExp", "Max", "Min", "Sum", "SumSquare")


def _learned(kind: str, x: tuple[int, ...], width: int, opset: int = 17, **attributes: Any) -> Case:
    """Return a normalisation with a learned scale and bias of `width` elements."""
    constants = {"g": normal(width), "b": normal(width) + 1}
    name = f"{kind} {opset} {x} {sorted(attributes.items())}"
    return Case(name, [node(kind, "x g b", "y", **attributes)], x, constants, opset)


REDUCTIONS = (
    *(
        Case(f"Reduce{kind}", [node(f"Reduce{kind}", "x a", "y")], (2, 3, 4), {"a": ints(1)}, 18)
        for kind in _REDUCED
    ),
    *(
        Case(f"Reduce{kind} all", [node(f"Reduce{kind}", "x", "y", keepdims=0)], (2, 3), opset=18)
        for kind in _REDUCED
    ),
    Case("ReduceMax 12", [node("ReduceMax", "x", "y", axes=[-1], keepdims=0)], (2, 3, 4), opset=12),
    Case(
        "ReduceLogSumExp unkept",
        [node("ReduceLogSumExp", "x a", "y", keepdims=0)],
        (2, 3, 4),
        {"a": ints(0, 2)},
        18,
    ),
    Case(
        "ReduceLogSum", [node("Exp", "x", "e"), node("ReduceLogSum", "e a", "y")], (2, 3), {"a": ints(1)}, 18
    ),
    Case("ReduceSum of 1", [node("ReduceSum", "x a", "y", keepdims=0)], (1, 3), {"a": ints(0)}),
    Case("ReduceSum none", [node("ReduceSum", "x", "y", noop_with_empty_axes=1)], (2, 3)),
    Case("ArgMax", [node("ArgMax", "x", "y", axis=-1, keepdims=0)], (2, 3, 4), result=_INT64),
    Case(
        "ArgMax as int32",
        [node("ArgMax", "x", "i", axis=1), node("Cast", "i", "y", to=TensorProto.INT32)],
        (2, 3, 4),
        result=TensorProto.INT32,
    ),
    Case("ArgMin", [node("ArgMin", "x", "y")], (5, 4), result=_INT64),
    Case("Softmax 11 over two axes", [node("Softmax", "x", "y", axis=1)], (2, 3, 4), opset=11),
    Case("LogSoftmax", [node("LogSoftmax", "x", "y")], (2, 3, 4)),
    Case("LogSoftmax axis", [node("LogSoftmax", "x", "y", axis=1)], (2, 3, 4)),
    Case("LogSoftmax 11", [node("LogSoftmax", "x", "y", axis=1)], (2, 3, 4), opset=11),
    Case("LpNormalization", [node("LpNormalization", "x", "y")], (2, 3)),
    Case("LpNormalization 1", [node("LpNormalization", "x", "y", p=1, axis=0)], (2, 3)),
    Case(
        "BatchNormalization",
        [node("BatchNormalization", "x g b m v", "y", epsilon=1e-3)],
        (2, 3, 4),
        {"g": normal(3), "b": normal(3) + 1, "m": normal(3), "v": np.abs(normal(3)) + np.float32(0.1)},
    ),
    Case(
        "BatchNormalization 8",
        [node("BatchNormalization", "x g b m v", "y")],
        (2, 3),
        {"g": normal(3), "b": normal(3) + 1, "m": normal(3), "v": np.abs(normal(3)) + np.float32(0.1)},
        8,
    ),
    _learned("InstanceNormalization", (2, 3, 5), 3),
    _learned("InstanceNormalization", (1, 3, 4, 5), 3, epsilon=1e-2),
    _learned("GroupNormalization", (1, 4, 5), 4, 21, num_groups=2),
    _learned("GroupNormalization", (2, 4, 3, 2), 4, 21, num_groups=2, epsilon=1e-2),
    Case("RMSNormalization", [node("RMSNormalization", "x g", "y")], (2, 3, 4), {"g": normal(4)}, 23),
    Case(
        "RMSNormalization axes",
        [node("RMSNormalization", "x g", "y", axis=1, epsilon=1e-2)],
        (2, 3, 4),
        {"g": normal(3, 4)},
        23,
    ),
    Case(
        "SimplifiedLayerNormalization",
        [node("SimplifiedLayerNormalization", "x g", "y")],
        (2, 4),
        {"g": normal(4)},
    ),
    Case(
        "com.microsoft.SkipSimplifiedLayerNormalization",
        [
            node("com.microsoft.SkipSimplifiedLayerNormalization", "x z g", "n _ _ s", epsilon=1e-5),
            node("Add", "n s", "y"),
        ],
        (1, 3, 4),
        {"g": normal(4)},
        z=(1, 3, 4),
    ),
)
