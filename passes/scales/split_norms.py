"""Compute a LayerNorm twice where its result is needed in two stored forms.

Post-norm networks add the result of a LayerNorm to the next branch, for which it has to be int16, and
multiply it by weights, for which it is int8. Two LayerNorms of the same input give each reader its own form,
and leave one form per value. The second one costs a few cycles per element.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, follow, uses, values_through
from tmc.passes.scales.value_roles import WIDE_READERS

_SEEN_THROUGH = frozenset({OpKind.RESHAPE, OpKind.CLIP})


def split_norms(graph: Graph) -> Graph:
    """Return a graph in which no LayerNorm has both a wide and a narrow reader.

    Wide are sums, LayerNorms and the caller; narrow is every other op; reshapes and clips between are seen
    through. The wide copy keeps the name, the narrow one is called `<name>.narrow`, as are copies of these.
    Exact.
    """
    readers = uses(graph)
    made = {op.output: op for op in graph.ops}
    builder = GraphBuilder.like(graph)
    narrow: dict[str, str] = {}  # value with both kinds of readers -> its narrow copy
    for op in graph.ops:
        if (
            _is_form(op, made)
            and has_reader(graph, readers, op.output, wide=True)
            and has_reader(graph, readers, op.output, wide=False)
        ):
            builder.keep(op)
            copy = builder.fresh(f"{op.output}.narrow")
            builder.keep(replace(op, inputs=_narrow_inputs(op, narrow), output=copy))
            narrow[op.output] = copy
        elif _is_wide(graph, readers, op):
            builder.keep(op)
        else:
            builder.keep(replace(op, inputs=_narrow_inputs(op, narrow)))
    return builder.graph()


def _is_wide(graph: Graph, readers: Mapping[str, tuple[Op, ...]], op: Op) -> bool:
    """Tell whether an op reads the wide copies: such an op, or a view that leads to one or to the caller."""
    to_wide = op.kind in _SEEN_THROUGH and has_reader(graph, readers, op.output, wide=True)
    return to_wide or op.kind in WIDE_READERS


def _is_form(op: Op, made: dict[str, Op]) -> bool:
    """Tell whether a value is a LayerNorm's, or a view or clip of one's."""

    def before(name: str) -> str | None:
        of = made[name].inputs[0]
        return of if made[name].kind in _SEEN_THROUGH and of in made else None

    return made[follow(op.output, before)[-1]].kind is OpKind.LAYERNORM


def has_reader(
    graph: Graph, readers: Mapping[str, tuple[Op, ...]], name: str, wide: bool, outputs: bool = True
) -> bool:
    """Tell whether a value has a reader of one kind, directly or through reshapes and clips.

    outputs: whether the caller counts as a wide one.
    """
    values = values_through(readers, name, _SEEN_THROUGH)
    ends = (op for value in values for op in readers.get(value, ()) if op.kind not in _SEEN_THROUGH)
    given = wide and outputs and any(value in graph.outputs for value in values)
    return given or any((op.kind in WIDE_READERS) is wide for op in ends)


def _narrow_inputs(op: Op, narrow: dict[str, str]) -> tuple[str, ...]:
    return tuple(narrow.get(name, name) for name in op.inputs)
