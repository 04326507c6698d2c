"""From ops to the steps that they are gathered in: who waits for whom, and what lives in between."""

from __future__ import annotations

from collections.abc import Mapping

import networkx

from tmc.backend_gap9.stages.order import LiveValue
from tmc.backend_gap9.stages.value_graph import maker


def step_graph(
    values: networkx.DiGraph[str], step_of: Mapping[int, int], size_bytes: Mapping[str, int]
) -> tuple[networkx.DiGraph[int], tuple[LiveValue, ...]]:
    """Return the steps with an edge to each that reads what an earlier one made, and the values in between.

    values: what `value_graph` gives. step_of: the step, from 0, of each op by index; an op without one is a
    view, whose result is its operand. size_bytes: of each value that takes room, under the name that its op
    gave it; what only the op's own step reads takes none.
    """
    steps: networkx.DiGraph[int] = networkx.DiGraph()
    steps.add_nodes_from(range(max(step_of.values(), default=-1) + 1))
    root: dict[str, str] = {}
    reading: dict[str, dict[int, None]] = {}
    for name in values:
        step = step_of.get(maker(values, name))
        operands = [root[operand] for operand in values.predecessors(name)]
        root[name] = name if step is not None or not operands else operands[0]
        if step is None:
            continue
        reading[name] = {}
        for operand in operands:
            made_in = step_of.get(maker(values, operand))
            if made_in is not None and made_in != step:
                steps.add_edge(made_in, step)
                reading[operand][step] = None
    lives = tuple(
        LiveValue(name, size_bytes[name], step_of[maker(values, name)], tuple(sorted(found)))
        for name, found in reading.items()
        if found and name in size_bytes
    )
    return steps, lives
