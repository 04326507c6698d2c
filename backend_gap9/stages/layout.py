"""How values lie in L2, and how a row stage keeps them in L1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmc.backend_gap9.kernels.table import form_of
from tmc.backend_gap9.kernels.weight_rows import odd_pitch
from tmc.backend_gap9.program.buffers import value_shape
from tmc.backend_gap9.stages.stages import RowStage, view_roots
from tmc.ir.attrs import QClipAttrs, QLinearAttrs
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, Op, OpKind, uses


@dataclass(frozen=True, slots=True)
class Rows:
    """A value in memory: rows of row_bytes, pitch_bytes apart."""

    rows: int
    row_bytes: int
    pitch_bytes: int

    @property
    def size_bytes(self) -> int:
        """Return the size with the padding of every row."""
        return self.rows * self.pitch_bytes


def l2_layouts(graph: Graph) -> dict[str, Rows]:
    """Return how each computed or given value lies in L2.

    Rows are an odd number of words apart, so that in L1 successive rows start in different banks. Graph
    inputs, outputs and everything that is also seen through a reshape are dense; so are the residual sums
    before and behind them, which are made in place.
    """
    roots = view_roots(graph)
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


@dataclass(frozen=True, slots=True)
class Storage:
    """How the values of a row stage live in L1.

    home: for each value kept as a whole row tile, the value whose buffer it uses (residual sums are made in
    place). streamed: values stored to L2 channel tile by channel tile as they appear. per_tile: values that
    live only between two calls of one channel tile (int16 Q and K before their rotation).
    """

    home: Mapping[str, str]
    streamed: tuple[str, ...]
    per_tile: tuple[str, ...]


def row_storage(graph: Graph, stage: RowStage) -> Storage:
    """Decide the storage of every value of a row stage.

    Raises: PlanError where a residual sum cannot be made in place because its operand is needed later.
    """
    home = {name: name for name in stage.inputs}
    streamed: list[str] = []
    per_tile: list[str] = []
    inside = {op.output for op in stage.ops}
    for index, op in enumerate(stage.ops):
        readers = [reader for reader in uses(graph).get(op.output, ()) if reader.output in inside]
        residual = residual_operand(op)
        if residual is not None:
            later = [other for other in stage.ops[index + 1 :] if residual in other.inputs]
            if later or (residual in stage.stored and residual in inside):
                raise PlanError(
                    op.loc,
                    f"found %{residual} needed after the sum made in its place",
                    "keep one reader of the residual stream after each sum",
                )
            home[op.output] = home[residual]
        elif op.output not in stage.stored and list(map(form_of, readers)) == ["follower"]:
            per_tile.append(op.output)
        elif not readers and form_of(op) in ("channels", "follower"):
            streamed.append(op.output)
        else:
            home[op.output] = op.output
    return Storage(home, tuple(streamed), tuple(per_tile))


def residual_operand(op: Op) -> str | None:
    """Return the int16 value that a linear or a clip adds to, if it does."""
    if isinstance(op.attrs, QLinearAttrs | QClipAttrs) and op.attrs.residual:
        return op.inputs[-1]
    return None
