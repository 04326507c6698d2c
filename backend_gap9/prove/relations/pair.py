"""A call on two values: the same rows of both, computed or constant, or a constant row for all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import ConstantLines, Wanted, all_lines, row_bytes
from tmc.ir.graph import Graph


def relate_pair(call: CheckedCall, graph: Graph, name: str, constants: Mapping[str, int]) -> Wanted:
    """Return what a call of tmc_<name>_<types> must be given; constants: of its quantisation, by argument.

    Raises: ValueError for a kernel of other types.
    """
    op, row = call.op, call.claim("y").row
    types = "".join(graph.types[value].dtype.value for value in (*op.inputs, op.output))
    if call.kernel != f"tmc_{name}_{types}":
        raise ValueError(f"found kernel {call.kernel}, allowed the one of {types}")
    numbers = {"channels": graph.types[op.output].shape[1], **constants}
    values = {"x": (op.inputs[0], row, 0), "y": (op.output, row, 0)}
    constant = graph.constants.get(op.inputs[1])
    if constant is None:
        return Wanted({**values, "z": (op.inputs[1], row, 0)}, {}, numbers)
    if constant.shape[0] == 1:
        return Wanted(values, {"z": all_lines(constant)}, {**numbers, "z_pitch": 0})
    lines = np.arange(call.arguments["rows"])
    return Wanted(values, {"z": ConstantLines(lines, row_bytes(constant)[row : row + lines.size])}, numbers)
