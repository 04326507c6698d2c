"""A call of a requantisation: factors of all columns, the table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted, one_line
from tmc.ir.graph import Graph
from tmc.ir.integer.qrequantise import QRequantiseAttrs
from tmc.ir.types import DType

_KERNELS: Mapping[DType, str] = {DType.S32: "tmc_requantise_s32s8", DType.S8: "tmc_requantise_s8s8"}


def relate_requantise(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    op, attrs = call.op, call.op.attrs
    assert isinstance(attrs, QRequantiseAttrs)
    x = graph.types[op.inputs[0]].dtype
    if call.kernel != _KERNELS.get(x):
        raise ValueError(f"found kernel {call.kernel}, allowed one from {x.value}")
    constants = {
        "factors": one_line(graph.constants[op.inputs[1]].astype(np.int32)),
        "table": one_line(graph.constants[op.inputs[2]]),
    }
    numbers = {
        "channels": graph.types[op.output].shape[1],
        "zero_point": attrs.zero_point,
        "ties_to_even": int(attrs.ties == "even"),
    }
    row = call.claim("y").row
    return Wanted({"x": (op.inputs[0], row, 0), "y": (op.output, row, 0)}, constants, numbers)
