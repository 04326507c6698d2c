"""Where the noise comes from: one kind of value at a time rounded to its codes, all the rest in float.

What the network makes of a kind's rounding is in these rows, so they say which kind would gain by more bits,
and what no change of the int8 kinds can reach: the row of all int16 values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from bench.accuracy.graphs import integer_graph
from bench.accuracy.subject import Subject
from bench.accuracy.tables import Row, Study
from bench.accuracy.workers import Workers, interpreted
from tmc.ir.graph import Graph, OpKind
from tmc.ir.ops import OPS
from tmc.ir.types import Array, Quant
from tmc.passes.calibrate.codes import dequantise
from tmc.passes.quantise_calibrated import quantise_calibrated
from tmc.passes.recipe import DEFAULT
from tmc.passes.scales.choose_scales import Scales
from tmc.passes.scales.value_roles import Role

# Scales and zero point, and the integers that hold the codes.
Grid: TypeAlias = tuple[Quant, np.dtype[np.generic]]
# A summand of the residual stream is rounded to its grid, and the sum is on it then.
WIDE: Mapping[Role, str] = {
    Role.INPUT: "network input, int16",
    Role.RESIDUAL: "residual stream, int16",
    Role.BRANCH: "residual stream, int16",
    Role.WIDE_QUERY_KEY: "Q and K, int16",
    Role.UNROTATED: "Q and K before rotation, int16",
    Role.POOLED: "mean, int16",
}
NARROW: Mapping[Role, str] = {
    Role.QUERY_KEY: "Q and K, int8",
    Role.VALUE: "V, int8",
    Role.ATTENDED: "attention outputs, int8",
    Role.TABLE_INPUT: "GELU inputs, int8",
    Role.ACTIVATION: "GELU outputs, int8",
}
NORMS = "LayerNorm outputs, int8"
WEIGHTS = "weights, int8"
ALL_WIDE, ALL_NARROW, ALL = "all int16 values", "all int8 values", "the integer network"


@dataclass(frozen=True, slots=True)
class Rounded:
    """A float graph, and the grids and integer types to which some of its values are rounded."""

    graph: Graph
    grids: Mapping[str, Grid]


def sources(workers: Workers, subjects: tuple[Subject, ...]) -> Iterator[Row]:
    """Yield the kinds of the networks, which are of one architecture; then all together, in integers."""
    variants = [_variants(tested) for tested in subjects]
    for name in variants[0]:
        found = [
            tested.figures(*_rounded_results(workers, each[name], tested.test.windows))
            for tested, each in zip(subjects, variants, strict=True)
        ]
        yield Row(name, tuple(found))
    integers = [integer_graph(tested.network, DEFAULT) for tested in subjects]
    yield Row(
        ALL,
        tuple(
            tested.figures(*interpreted(workers, graph, tested.test.windows))
            for tested, graph in zip(subjects, integers, strict=True)
        ),
    )


def _variants(tested: Subject) -> dict[str, Rounded]:
    made = quantise_calibrated(tested.network.graph, tested.network.ranges)
    graph, scales = made.real, made.scales
    kinds = _kinds(graph, scales)
    found = {
        kind: Rounded(graph, _grids(scales, [name for name, other in kinds.items() if other == kind]))
        for kind in (*dict.fromkeys(WIDE.values()), NORMS, *NARROW.values())
        if kind in kinds.values()
    }
    found[WEIGHTS] = Rounded(_with_integer_weights(graph, made.graph), {})
    wide = [name for name, kind in kinds.items() if kind in WIDE.values()]
    found[ALL_WIDE] = Rounded(graph, _grids(scales, wide))
    found[ALL_NARROW] = Rounded(graph, _grids(scales, [name for name in kinds if name not in wide]))
    return found


def _kinds(graph: Graph, scales: Scales) -> dict[str, str]:
    """Return the kind of every value that has a scale."""
    norms = {op.output for op in graph.ops if op.kind is OpKind.LAYERNORM}
    kinds = {**WIDE, **NARROW}
    return {
        name: NORMS if name in norms and scales.roles[name] is Role.ACTIVATION else kinds[scales.roles[name]]
        for name in scales.quants
    }


def _grids(scales: Scales, names: list[str]) -> dict[str, Grid]:
    return {
        name: (scales.quants[name], np.dtype(np.int16 if scales.roles[name] in WIDE else np.int8))
        for name in names
    }


def _with_integer_weights(graph: Graph, integer: Graph) -> Graph:
    """Return the float graph with the weights that the integer one has; its linear ops are the same."""
    pairs = zip(
        (op for op in graph.ops if op.kind is OpKind.LINEAR),
        (op for op in integer.ops if op.kind is OpKind.QLINEAR),
        strict=True,
    )
    weights = {
        op.inputs[1]: dequantise(integer.types[other.inputs[1]], integer.constants[other.inputs[1]])
        for op, other in pairs
    }
    reals = {name: value.astype(np.float32) for name, value in weights.items()}
    return replace(graph, constants={**graph.constants, **reals})


def _rounded_results(workers: Workers, rounded: Rounded, windows: Array) -> tuple[Array, Array]:
    parts = workers.map(partial(_run, rounded), windows, 50)
    return np.concatenate([logits for logits, _ in parts]), np.concatenate([tokens for _, tokens in parts])


def _run(rounded: Rounded, windows: Array) -> tuple[Array, Array]:
    """Return logits [windows, classes] and tokens [windows, tokens, channels]."""
    graph, grids = rounded.graph, rounded.grids
    (name,), (output,) = graph.inputs, graph.outputs
    norm = [op.output for op in graph.ops if op.kind is OpKind.LAYERNORM][-1]
    logits, tokens = [], []
    for window in windows:
        values = {**graph.constants, name: _on_grid(grids, name, window.reshape(graph.types[name].shape))}
        for op in graph.ops:
            result = np.asarray(OPS[op.kind].evaluate([values[each] for each in op.inputs], op.attrs))
            values[op.output] = _on_grid(grids, op.output, result)
        logits.append(values[output].reshape(-1))
        tokens.append(values[norm])
    return np.stack(logits), np.stack(tokens)


def _on_grid(grids: Mapping[str, Grid], name: str, value: Array) -> Array:
    """Round a value to its codes. Several scales share out the columns: one for each head, or each column."""
    if name not in grids:
        return value
    quant, integer = grids[name]
    limits = np.iinfo(integer)
    scale = (
        np.repeat(np.array(quant.scale), value.shape[-1] // len(quant.scale))
        if len(quant.scale) > 1
        else np.array(quant.scale)
    )
    codes = np.clip(np.rint(value / scale) + quant.zero_point, limits.min, limits.max)
    return np.asarray((codes - quant.zero_point) * scale, dtype=np.float32)


SOURCES = Study("sources", 16, ("sharp2", "sharp5"), sources)
