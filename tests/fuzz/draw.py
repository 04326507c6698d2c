"""What changes draw from: a part of a message, the name of a value."""

from __future__ import annotations

from random import Random
from typing import Any

import onnx


def any_of(random: Random, parts: Any) -> Any:
    """Return one of the parts, or None if there are none."""
    return parts[random.randrange(len(parts))] if len(parts) else None


def value_name(random: Random, model: onnx.ModelProto) -> str:
    """Return the name of any value: of a later node too, so that cycles arise."""
    graph = model.graph
    names = [each.name for each in (*graph.input, *graph.initializer, *graph.output)]
    names += [name for node in graph.node for name in node.output]
    return random.choice([*names, "missing"])
