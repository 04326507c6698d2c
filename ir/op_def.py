"""One row of the op table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tmc.ir.attrs import Attrs
from tmc.ir.types import Array, TensorType

Trait = Literal["view", "move", "pointwise", "weighted"]


@dataclass(frozen=True, slots=True)
class OpDef:
    """One row of the table.

    operands: names, outermost first; "*" after the last means one or more of it, "?" an optional one.
    attrs: the record type. infer(types, attrs) -> result type. evaluate(arrays, attrs) -> result.
    trait: a view has elements of its operand and no code of its own; a move has them in other places; what is
    pointwise is a function of one element of each operand; weighted is a sum of elements times constant
    weights of each channel, plus its bias.
    Rules and meanings are checked against their record type by the verifier, hence Any.
    """

    operands: tuple[str, ...]
    attrs: type[Attrs]
    infer: Callable[[Sequence[TensorType], Any], TensorType]
    evaluate: Callable[[Sequence[Array], Any], Array]
    summary: str
    trait: Trait | None = None
