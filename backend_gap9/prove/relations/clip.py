"""A call of a clip: the limits of its rows and all columns."""

from __future__ import annotations

from collections.abc import Mapping

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted, all_lines
from tmc.ir.graph import Graph
from tmc.ir.integer.qclip import QClipAttrs
from tmc.ir.types import DType

# By element type and residual.
_KERNELS: Mapping[tuple[DType, bool], str] = {
    (DType.S8, False): "tmc_clip_s8s8",
    (DType.S16, False): "tmc_clip_s16s16",
    (DType.S32, False): "tmc_clip_s32s32",
    (DType.S16, True): "tmc_clip_add_s16s16",
}


def relate_clip(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    op, attrs, y = call.op, call.op.attrs, call.claim("y")
    assert isinstance(attrs, QClipAttrs)
    x, result = (graph.types[name].dtype for name in (op.inputs[0], op.output))
    if x is not result or call.kernel != _KERNELS.get((x, attrs.residual)):
        raise ValueError(
            f"found kernel {call.kernel}, allowed one from {x.value} to {result.value} with {attrs}"
        )
    rows_total, channels = graph.types[op.output].shape
    group_rows = rows_total // graph.types[op.inputs[1]].shape[0]
    last = (y.row + call.arguments["rows"] - 1) // group_rows
    limits = zip(("low", "high"), op.inputs[1:3], strict=True)
    constants = {field: all_lines(graph.constants[name][: last + 1]) for field, name in limits}
    numbers = {"channels": channels, "row0": y.row, "group_rows": group_rows}
    return Wanted({"x": (op.inputs[0], y.row, 0), "y": (op.output, y.row, 0)}, constants, numbers)
