"""The interpreter on a network whose numbers may leave float32: the node where they do is named."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.ir.errors import UnsupportedModel
from tmc.ir.graph import Graph, OpKind, producers
from tmc.ir.interpret import interpret
from tmc.ir.types import Array

INT32 = 2.0**31


def interpret_finite(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return the outputs of a float graph by name, for one set of inputs.

    Raises: UnsupportedModel naming the first node whose result is NaN or beyond float32, or the first
    RequantShift whose operand is beyond int32.
    """
    made = producers(graph)
    shifted = {op.inputs[0]: op for op in graph.ops if op.kind is OpKind.REQUANT_SHIFT}

    def observe(name: str, array: Array) -> None:
        wrong = int(np.count_nonzero(~np.isfinite(array)))
        if wrong:
            raise UnsupportedModel(
                made[name].loc,
                f"found {wrong} of {array.size} elements of its result NaN or beyond float32, allowed finite "
                "numbers for ordinary inputs",
                "a constant before it is too large, or it divides by 0: look at the weights of the network",
            )
        if name in shifted and np.abs(array).max() >= INT32:
            raise UnsupportedModel(
                shifted[name].loc,
                f"found sums of up to {np.abs(array).max():.3g} to requantise, allowed int32",
                "the weights before a RequantShift are integers of 8 bits: export the integer network",
            )

    with np.errstate(all="ignore"):
        return interpret(graph, inputs, observe)
