"""Models of pointwise ops and activations."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from tests.frontend.importers.case import Case, normal
from tests.networks.onnx_files import node


def _one(kind: str, opset: int = 17, name: str = "", **attributes: Any) -> Case:
    return Case(f"{kind} {name}".strip(), [node(kind, "x", "y", **attributes)], (3, 40), opset=opset)


def _choice(kind: str) -> Case:
    """Return a model that chooses between two values by a comparison of others."""
    nodes = [node("Mul", "x k", "a"), node(kind, "a z", "c"), node("Where", "c x z", "y")]
    return Case(f"{kind} and Where", nodes, (3, 4), {"k": np.float32(2.0)}, z=(3, 4))


def _equal_ones() -> list[onnx.NodeProto]:
    """Return nodes whose comparisons meet equal operands: relu(x) with itself clipped."""
    return [
        *(node("Relu", "x", "a"), node("Clip", "a _ h", "b"), node("GreaterOrEqual", "b a", "p")),
        *(node("Equal", "a b", "q"), node("Greater", "a b", "r"), node("Not", "r", "s")),
        *(node("And", "p q", "t"), node("Or", "t s", "u"), node("Where", "u x k", "y")),
    ]


POINTWISE = (
    *(Case(kind, [node(kind, "x z", "y")], (2, 3, 4), z=(3, 1)) for kind in ("Max", "Min", "Sum", "Mean")),
    Case("Max of three", [node("Max", "x k z", "y")], (2, 3), {"k": np.float32(0.2)}, z=(3,)),
    Case("Sum of one", [node("Sum", "x", "y")], (2, 3)),
    Case("Log", [node("Exp", "x", "e"), node("Add", "e e", "s"), node("Log", "s", "y")], (2, 3)),
    *(
        _one(kind)
        for kind in ("Abs", "Ceil", "Floor", "Exp", "Sign", "Elu", "LeakyRelu", "Selu", "Celu", "HardSigmoid")
    ),
    *(_one(kind) for kind in ("Softplus", "Softsign", "ThresholdedRelu", "HardSwish")),
    _one("Mish", 18),
    _one("Elu", name="steep", alpha=0.3),
    _one("LeakyRelu", name="steep", alpha=0.3),
    _one("Celu", name="steep", alpha=0.3),
    _one("Selu", name="other", alpha=1.5, gamma=0.5),
    _one("HardSigmoid", name="other", alpha=0.3, beta=0.4),
    _one("ThresholdedRelu", name="low", alpha=-0.2),
    _one("com.microsoft.QuickGelu"),
    _one("com.microsoft.QuickGelu", name="steep", alpha=1.2),
    Case("PRelu", [node("PRelu", "x s", "y")], (2, 3, 4), {"s": np.abs(normal(3, 1))}),
    _choice("Less"),
    _choice("LessOrEqual"),
    Case("comparisons", _equal_ones(), (6, 7), {"h": np.float32(0.5), "k": np.float32(-3.0)}),
    Case(
        "Where minus infinity",
        [node("Where", "c x k", "s"), node("Softmax", "s", "y", axis=-1)],
        (3, 3),
        {"c": np.tril(np.ones((3, 3), dtype=bool)), "k": np.float32(-np.inf)},
    ),
    Case(
        "Add minus infinity",
        [node("Add", "x m", "s"), node("Softmax", "s", "y", axis=-1)],
        (3, 3),
        {"m": np.triu(np.full((3, 3), -np.inf, dtype=np.float32), 1)},
    ),
)
