"""Move channel outliers of a LayerNorm output into the weights that read it (SmoothQuant, strength 0.5)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tmc.ir.graph import Graph, Op, OpKind, uses
from tmc.ir.types import Array
from tmc.passes.calibrate import Range, Ranges
from tmc.passes.recipe import DEFAULT, Recipe

# Below this ratio of largest to median channel range the migration costs about as much as it gains.
OUTLIER_RATIO = 4.0
SMALLEST = 1e-5


def migrate_outliers(graph: Graph, ranges: Ranges, recipe: Recipe = DEFAULT) -> tuple[Graph, Ranges]:
    """Return an equal float graph, and its ranges, in which no LayerNorm output has outlier channels.

    For each LayerNorm that only linear ops read and whose channel ranges differ by more than OUTLIER_RATIO
    (largest to median): gamma and beta are divided, and the columns of the weights multiplied, by
    f_i = sqrt(range_i / weight_range_i), scaled to a geometric mean of 1. The ranges follow exactly, without
    another calibration. Source: Xiao et al., "SmoothQuant", ICML 2023, equation 4 with alpha = 0.5.
    """
    if recipe.migrate_outliers == "never":
        return graph, ranges
    readers = uses(graph)
    constants = dict(graph.constants)
    types = dict(graph.types)
    values = dict(ranges.values)
    inputs: dict[str, tuple[str, ...]] = {}
    for norm in graph.ops:
        linears = readers.get(norm.output, ())
        if norm.kind is not OpKind.LAYERNORM or not _movable(graph, norm, linears):
            continue
        magnitude = values[norm.output].column_magnitude.astype(np.float64)
        few = magnitude.max() <= OUTLIER_RATIO * np.median(magnitude)
        if few and recipe.migrate_outliers == "where_it_gains":
            continue
        factor = _factors(magnitude, [constants[op.inputs[1]] for op in linears])

        def define(op: Op, operand: int, array: Array, name: str) -> None:
            constants[name] = array.astype(np.float32)
            types[name] = graph.types[op.inputs[operand]]
            operands = list(inputs.get(op.output, op.inputs))
            operands[operand] = name
            inputs[op.output] = tuple(operands)

        define(norm, 1, constants[norm.inputs[1]] / factor, f"{norm.output}.gamma_migrated")
        define(norm, 2, constants[norm.inputs[2]] / factor, f"{norm.output}.beta_migrated")
        for op in linears:
            define(op, 1, constants[op.inputs[1]] * factor, f"{op.output}.weight_migrated")
        values[norm.output] = _divide(values[norm.output], factor)
    ops = tuple(replace(op, inputs=inputs.get(op.output, op.inputs)) for op in graph.ops)
    used = {name for op in ops for name in op.inputs} | set(graph.outputs)
    for name in [name for name in constants if name not in used]:
        del constants[name], types[name]
    return replace(graph, ops=ops, constants=constants, types=types), Ranges(values, ranges.samples)


def _movable(graph: Graph, norm: Op, readers: tuple[Op, ...]) -> bool:
    constant = all(name in graph.constants for op in (norm, *readers) for name in op.inputs[1:])
    linear = all(op.kind is OpKind.LINEAR and op.inputs[0] == norm.output for op in readers)
    return bool(readers) and linear and constant and norm.output not in graph.outputs


def _factors(magnitude: Array, weights: list[Array]) -> Array:
    weight = np.max([np.abs(array).max(axis=0) for array in weights], axis=0).astype(np.float64)
    factor = np.sqrt(np.maximum(magnitude, SMALLEST) / np.maximum(weight, SMALLEST))
    return np.asarray(factor / np.exp(np.log(factor).mean()))


def _divide(found: Range, factor: Array) -> Range:
    low = (found.column_low / factor).astype(np.float32)
    high = (found.column_high / factor).astype(np.float32)
    sample = (found.sample / factor[found.sample_columns]).astype(np.float32)
    return Range(low, high, sample, found.sample_columns)
