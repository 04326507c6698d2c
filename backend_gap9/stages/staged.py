"""The staged graph: which ops share a loop, how values lie in L2 and in L1, how constants are packed.

Found out once by `stage_graph`, then carried: plan and schedule ask this value, nothing asks the graph again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tmc.backend_gap9.stages.order import Order
from tmc.ir.graph import Graph, Op

StageForm = Literal["rows", "attention", "columns", "moves"]


@dataclass(frozen=True, slots=True)
class GraphStage:
    """Ops that share one loop: row-wise ops over the same rows; or an attention, whole columns, or moves.

    rows: those that the loop runs over, of the first op's input, or of the result of moves. inputs come from
    L2 (as they are read: perhaps views), `stored` values go there.
    """

    number: int
    form: StageForm
    ops: tuple[Op, ...]
    rows: int
    inputs: tuple[str, ...]
    stored: tuple[str, ...]

    @property
    def op(self) -> Op:
        """Return the first op: the only one of a stage that is not row-wise."""
        return self.ops[0]

    @property
    def where(self) -> str:
        """Return the ONNX nodes of the stage, for errors."""
        return ", ".join(op.loc for op in self.ops)


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


@dataclass(frozen=True, slots=True)
class ConstantBlock:
    """A packed run of constant bytes for one stage: the rows of one weight, or all small tables."""

    name: str
    stage: int
    rows: int
    row_bytes: int

    @property
    def size_bytes(self) -> int:
        """Return rows * row_bytes."""
        return self.rows * self.row_bytes


@dataclass(frozen=True, slots=True)
class PackedStage:
    """The constants of one stage: blocks with their bytes, and where each small table lies in `tables`.

    table_block: the name of the block of small tables, whether there are any or not.
    offsets_bytes: (op output, field of the kernel's arguments) -> offset in the table block.
    """

    blocks: tuple[ConstantBlock, ...]
    contents: Mapping[str, bytes]
    table_block: str
    offsets_bytes: Mapping[tuple[str, str], int]

    @property
    def tables_bytes(self) -> int:
        """Return the size of the block of small tables, 0 without any."""
        return len(self.contents.get(self.table_block, b""))


@dataclass(frozen=True, slots=True)
class Staged:
    """An integer graph in stages.

    storage and packed: of each stage. layouts: of every computed or given value in L2. roots: for each value
    the value whose bytes it is: itself, or what a chain of reshapes starts from. order: of the stages, in
    numbers of the order that the graph gives, with what is proved about it; None if there is no other one.
    """

    graph: Graph
    stages: tuple[GraphStage, ...]
    storage: tuple[Storage, ...]
    packed: tuple[PackedStage, ...]
    layouts: Mapping[str, Rows]
    roots: Mapping[str, str]
    order: Order | None = None

    @property
    def blocks(self) -> tuple[ConstantBlock, ...]:
        """Return the constant blocks in the order in which stages need them."""
        return tuple(block for pack in self.packed for block in pack.blocks)

    @property
    def contents(self) -> dict[str, bytes]:
        """Return the bytes of every constant block by name."""
        return {name: data for pack in self.packed for name, data in pack.contents.items()}

    @property
    def external(self) -> frozenset[str]:
        """Return the values that lie in buffers of the caller: roots of graph inputs and outputs."""
        return frozenset(self.roots[name] for name in (*self.graph.inputs, *self.graph.outputs))
