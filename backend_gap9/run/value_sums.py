"""Traced values compared by sums, where their images do not fit the target's memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tmc.backend_gap9.emit.names import traced_ops
from tmc.backend_gap9.emit.port_bytes import little_endian
from tmc.backend_gap9.run.result import OpComparison
from tmc.ir.graph import Graph
from tmc.ir.interpret import interpret
from tmc.ir.ports import each_run
from tmc.ir.types import Array

# The same number as in runtime_c/bare_metal/trace.c.
MULTIPLIER = np.uint32(0x9E3779B5)


def value_sum(array: Array) -> int:
    """Return the sum of byte[p] * MULTIPLIER^p over the bytes of a value, modulo 2^32.

    The multiplier is odd: no single wrong byte leaves the sum as it is.
    """
    image = np.frombuffer(little_endian(array), np.uint8)
    weights = np.full(image.size, MULTIPLIER, np.uint32)
    weights[:1] = 1
    # Products and sums of uint32 arrays wrap, as the target's do.
    weighted = image * np.multiply.accumulate(weights, dtype=np.uint32)
    return int(weighted.sum(dtype=np.uint32))


def compare_sums(
    graph: Graph, inputs: Mapping[str, Array], sums: Sequence[Mapping[str, int]]
) -> tuple[OpComparison, ...]:
    """Compare the sums of each run with the interpreter's.

    A sum does not tell which elements are wrong: `mismatches` counts the runs in which the op is, and `first`
    is None. A value whose sum is missing is wrong.
    """
    ops = traced_ops(graph)
    wrong = dict.fromkeys((op.output for op in ops), 0)
    for one_run, found in zip(each_run(inputs), sums, strict=True):
        expected: dict[str, Array] = {}
        interpret(graph, one_run, expected.__setitem__)
        for op in ops:
            wrong[op.output] += found.get(op.output) != value_sum(expected[op.output])
    return tuple(
        OpComparison(
            op.output,
            op.kind.value,
            op.loc,
            graph.types[op.output].elements * len(sums),
            wrong[op.output],
            None,
        )
        for op in ops
    )
