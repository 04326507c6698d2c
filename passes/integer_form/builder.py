"""The integer graph in the making, and what is known of its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tmc.ir import attrs as a
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import Array, DType, Quant
from tmc.passes.integer_ops.convert import Stored
from tmc.passes.integer_ops.linear import CodeRange
from tmc.passes.recipe import Recipe
from tmc.passes.scales.choose_scales import Scales

CODES: Mapping[DType, CodeRange] = {
    DType.S8: CodeRange(-128, 127),
    DType.S16: CodeRange(-(2**15), 2**15 - 1),
    DType.S32: CodeRange(-(2**31), 2**31 - 1),
}


@dataclass(slots=True)
class IntegerBuilder:
    """The integer graph so far, and the range that the codes of each value can take."""

    graph: Graph
    scales: Scales
    recipe: Recipe
    weight_scales: Sequence[float]
    result: GraphBuilder
    codes: dict[str, CodeRange]
    rotations: dict[tuple[str, ...], str] = field(default_factory=dict)

    def quant(self, name: str) -> Quant:
        quant = self.result.type_of(name).quant
        assert quant is not None
        return quant

    def stored(self, name: str) -> Stored:
        """Return the type of an int8 or int16 value."""
        return "s8" if self.result.type_of(name).dtype is DType.S8 else "s16"

    def constant(self, name: str, array: Array, quant: Quant | None = None) -> str:
        return self.result.constant(array, name, quant)

    def emit(
        self,
        op: Op,
        kind: OpKind,
        inputs: tuple[str, ...],
        attrs: a.Attrs,
        quant: Quant,
        codes: CodeRange | None = None,
        loc: str | None = None,
    ) -> None:
        """Append the integer form of `op`; its codes fill their type if no tighter range is given."""
        name = self.result.op(kind, inputs, attrs, op.loc if loc is None else loc, op.output, quant)
        self.codes[name] = CODES[self.result.type_of(name).dtype] if codes is None else codes
