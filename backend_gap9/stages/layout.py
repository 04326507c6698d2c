"""How values lie in L2, and how a row stage keeps them in L1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tmc.backend_gap9.kernels.table import form_of
from tmc.backend_gap9.kernels.weight_rows import odd_pitch
from tmc.backend_gap9.program.buffers import value_shape
from tmc.backend_gap9.stages.staged import GraphStage, Rows, Storage
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qclip import QClipAttrs
from tmc.ir.integer.qlinear import QLinearAttrs


def l2_layouts(graph: Graph, roots: Mapping[str, str]) -> dict[str, Rows]:
    """Return how each computed or given value lies in L2; roots: whose bytes a value is.

    Rows are an odd number of words apart, so that in L1 successive rows start in different banks. Graph
    inputs, outputs and everything that is also seen through a reshape are dense; so are the residual sums
    before and behind them, which are made in place.
    """
    dense = {roots[name] for name in (*graph.inputs, *graph.outputs)}
    dense |= {roots[op.output] for op in graph.ops if op.kind is OpKind.RESHAPE}
    sums = [(roots[op.output], roots[name]) for op in graph.ops if (name := residual_operand(op)) is not None]
    for pair in (*sums, *reversed(sums)):
        if not dense.isdisjoint(pair):
            dense.update(pair)
    layouts = {}
    for name, tensor in graph.types.items():
        if name in graph.constants:
            continue
        shape = value_shape(tensor)
        pitch = shape.row_bytes if roots[name] in dense else odd_pitch(shape.row_bytes)
        layouts[name] = Rows(shape.rows, shape.row_bytes, pitch)
    return layouts


def row_storage(stage: GraphStage, readers: Mapping[str, Sequence[Op]]) -> Storage:
    """Decide the storage of every value of a row stage; nothing reads the residual of a sum behind it."""
    home = {name: name for name in stage.inputs}
    streamed: list[str] = []
    per_tile: list[str] = []
    inside = {op.output for op in stage.ops}
    for op in stage.ops:
        inner = [reader for reader in readers.get(op.output, ()) if reader.output in inside]
        residual = residual_operand(op)
        if residual is not None:
            home[op.output] = home[residual]
        elif op.output not in stage.stored and list(map(form_of, inner)) == ["follower"]:
            per_tile.append(op.output)
        elif not inner and form_of(op) in ("channels", "follower"):
            streamed.append(op.output)
        else:
            home[op.output] = op.output
    return Storage(home, tuple(streamed), tuple(per_tile))


def residual_operand(op: Op) -> str | None:
    """Return the int16 value that a linear or a clip adds to, if it does."""
    if isinstance(op.attrs, QLinearAttrs | QClipAttrs) and op.attrs.residual:
        return op.inputs[-1]
    return None
