"""Clip values of a canonical float graph to the ranges that a quantised model declares about them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from math import prod

import numpy as np

from tmc.ir.attrs import Attrs
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind, producers
from tmc.passes.canonical.value_bounds import value_bounds
from tmc.passes.declared.adopt_scales import Declared
from tmc.passes.scales.value_roles import Role, roles_and_gaps

Limits = tuple[float, float]
WIDEST_ROW = 512
_WITHIN = frozenset({Role.BRANCH, Role.ATTENDED})


def place_clips(
    graph: Graph,
    adopted: Mapping[str, tuple[Declared, ...]],
    cutting: Collection[str] = (),
    narrow: Collection[str] = (),
) -> tuple[Graph, frozenset[str]]:
    """Return the graph with a clip behind every value of `adopted`, and the roundings whose range it keeps.

    A value keeps its name clipped; before the clip it is `<name>.unclipped`. A clipped input is
    `<name>.clipped`. No clip stands where the graph keeps the range by itself, whatever its inputs.
    Ranges of Q, K and V become symmetric, as their codes are; but those that no rotation gives keep the ends
    of the roundings in `cutting`, which take something away. Rotated Q and K that end at 0, what a rotation
    reads, and inputs of an odd number of elements have no integer form of a clip. narrow: the inputs that
    are int8.
    """
    limits: dict[str, Limits] = {}
    kept: set[str] = set()
    (roles, _), made_by = roles_and_gaps(graph, narrow), producers(graph)
    for name, entries in adopted.items():
        exact = any(entry.name in cutting for entry in entries)
        found = _limits(graph, made_by.get(name), name, roles[name], entries, exact)
        if found is not None:
            limits[name] = found
            kept |= {entry.name for entry in entries}
    clipped, before = _clipped(graph, limits, roles)
    bounds = value_bounds(clipped)
    steps = {name: max(entry.attrs.scale for entry in adopted[name]) for name in limits}
    needed = {
        name: found
        for name, found in limits.items()
        if _exceeds(bounds[before[name]], found, steps[name] / 2)
    }
    return _clipped(graph, needed, roles)[0], frozenset(kept)


def costly(graph: Graph, names: Collection[str], narrow: Collection[str] = ()) -> frozenset[str]:
    """Return those values whose clip comes between ops that are one otherwise, at the price of room in L1.

    A linear and the sum that takes it in; an attention, which divides and rounds in one step.
    """
    roles, _ = roles_and_gaps(graph, narrow)
    return frozenset(name for name in names if roles[name] in _WITHIN)


def _limits(
    graph: Graph, op: Op | None, name: str, role: Role, entries: tuple[Declared, ...], exact: bool
) -> Limits | None:
    """Return the limits of a value, None where no integer form keeps them."""
    low, high = -np.inf, np.inf
    for entry in entries:
        low, high = (min(max(end, entry.attrs.limits[0]), entry.attrs.limits[1]) for end in (low, high))
    if op is None:
        return (low, high) if _columns(graph.types[name].shape, role) else None
    if role is Role.UNROTATED:
        return None
    if role in (Role.QUERY_KEY, Role.VALUE):
        tabled = op.kind is OpKind.LINEAR
        if low < 0 < high and not (tabled and exact):
            reach = max(-low, high)
            return -reach, reach
        return (low, high) if tabled else None
    return low, high


def _exceeds(bounds: Limits, limits: Limits, slack: float) -> bool:
    return bounds[0] < limits[0] - slack or bounds[1] > limits[1] + slack


def _clipped(
    graph: Graph, limits: Mapping[str, Limits], roles: Mapping[str, Role]
) -> tuple[Graph, dict[str, str]]:
    """Return the graph with clips, and by clipped value the name of what goes into its clip."""
    builder = GraphBuilder.like(graph)
    before: dict[str, str] = {}
    for name in graph.inputs:
        if name in limits:
            columns = _columns(graph.types[name].shape, roles[name])
            assert columns, "an input without rows of words is not clipped"
            rows = (prod(graph.types[name].shape) // columns, columns)
            flat = builder.reshape(name, rows, f"input {name}")
            result = builder.fresh(f"{name}.clipped")
            clipped = _clip(builder, flat, limits[name], f"input {name}", result)
            builder.forward(name, builder.reshape(clipped, graph.types[name].shape, f"input {name}"))
            before[name] = name
    for op in graph.ops:
        if op.output in limits:
            unclipped = builder.fresh(f"{op.output}.unclipped")
            builder.keep(replace(op, output=unclipped))
            _clip(builder, unclipped, limits[op.output], op.loc, op.output)
            before[op.output] = unclipped
        else:
            builder.keep(op)
    return builder.graph(), before


def _clip(builder: GraphBuilder, value: str, limits: Limits, loc: str, name: str) -> str:
    ends = [
        builder.constant(np.array(end, np.float32), f"{name}.{which}")
        for end, which in zip(limits, ("low", "high"), strict=True)
    ]
    return builder.op(OpKind.CLIP, [value, *ends], Attrs(), loc, name)


def _columns(shape: tuple[int, ...], role: Role) -> int:
    """Return the columns of rows of whole words that hold an input, 0 where there are none."""
    elements, step = prod(shape), 2 if role is Role.INPUT else 4
    if shape[-1] % step == 0 and shape[-1] <= WIDEST_ROW:
        return shape[-1]
    return next((columns for columns in range(WIDEST_ROW, 0, -step) if elements % columns == 0), 0)
