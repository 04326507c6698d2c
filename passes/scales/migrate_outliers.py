"""Move channel outliers of a LayerNorm output into the weights that read it, where that gains."""

from __future__ import annotations

import numpy as np

from tmc.ir.graph import Graph, Op, OpKind, uses
from tmc.ir.types import Array
from tmc.passes.calibrate.calibrate import Range, Ranges
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.rescaled import Rescaled, divided
from tmc.passes.scales.search_range import search_range

# How much of a channel's size moves: with half, activations and weights end equally uneven; with all of it,
# every channel of the activation is as large as the others.
STRENGTHS = (0.5, 0.75, 1.0)
# A migration must lower the noise behind it by this factor, which is beyond what chance does.
GAIN = 0.95
SMALLEST = 1e-5
# Rows on which noise is measured.
ROWS = 256


def migrate_outliers(graph: Graph, ranges: Ranges, recipe: Recipe = DEFAULT) -> tuple[Graph, Ranges]:
    """Return an equal float graph, and its ranges, in which LayerNorm outputs hand large channels on.

    For a LayerNorm that only linear ops read, or copies of it in another stored form, gamma and beta are
    divided, and the columns of the weights multiplied, by f_i = range_i^a / weight_range_i^(1 - a), scaled
    to a geometric mean of 1, with the a of STRENGTHS that leaves the least quantisation noise in the linear
    results, measured on the rows that the calibration kept. This is done where it lowers that noise by GAIN,
    or always, or never, as the recipe says. The ranges follow exactly, without another calibration.
    Source: Xiao et al., "SmoothQuant", ICML 2023, equation 4.
    """
    if recipe.migrate_outliers == "never":
        return graph, ranges
    readers = uses(graph)
    rescaled = Rescaled(graph, ranges)
    for norm in graph.ops:
        if norm.kind is not OpKind.LAYERNORM or norm.output in graph.outputs:
            continue
        copies = [op.output for op in readers.get(norm.output, ()) if op.kind is OpKind.CONVERT]
        linears = [
            op for name in (norm.output, *copies) for op in readers.get(name, ()) if op.output not in copies
        ]
        if not _movable(graph, norm, linears, copies):
            continue
        found = ranges.values[norm.output]
        weights = [graph.constants[op.inputs[1]] for op in linears]
        factor = _best_factor(found, weights, recipe)
        if factor is None:
            continue
        rescaled.set(norm, 1, rescaled.constant(norm, 1) / factor, f"{norm.output}.gamma_migrated")
        rescaled.set(norm, 2, rescaled.constant(norm, 2) / factor, f"{norm.output}.beta_migrated")
        for op in linears:
            rescaled.set(op, 1, rescaled.constant(op, 1) * factor, f"{op.output}.weight_migrated")
        for name in (norm.output, *copies):
            rescaled.divide(name, factor)
    return rescaled.result()


def _movable(graph: Graph, norm: Op, linears: list[Op], copies: list[str]) -> bool:
    constant = all(name in graph.constants for op in (norm, *linears) for name in op.inputs[1:])
    given = any(name in graph.outputs for name in copies)
    return bool(linears) and all(op.kind is OpKind.LINEAR for op in linears) and constant and not given


def _best_factor(found: Range, weights: list[Array], recipe: Recipe) -> Array | None:
    """Return the factors that leave the linear results behind a LayerNorm least noisy; None: as it is."""
    best, least = None, np.inf
    if recipe.migrate_outliers == "where_it_gains":
        least = GAIN * _noise(found, weights, recipe)
    for strength in STRENGTHS:
        factor = _factors(found.column_magnitude.astype(np.float64), weights, strength)
        noise = _noise(divided(found, factor), [weight * factor for weight in weights], recipe)
        if noise < least:
            best, least = factor, noise
    return best


def _factors(magnitude: Array, weights: list[Array], strength: float) -> Array:
    weight = np.max([np.abs(array).max(axis=0) for array in weights], axis=0).astype(np.float64)
    factor = np.maximum(magnitude, SMALLEST) ** strength / np.maximum(weight, SMALLEST) ** (1 - strength)
    return np.asarray(factor / np.exp(np.log(factor).mean()))


def _noise(found: Range, weights: list[Array], recipe: Recipe) -> float:
    """Return the quantisation noise of the products with all weights, each in parts of its signal, summed."""
    scale, zero_point = search_range(found, not recipe.zero_points, recipe.norm_range, recipe.unseen_margin)
    x = found.rows[:: max(1, len(found.rows) // ROWS)].astype(np.float64)
    rounded = (np.clip(np.rint(x / scale), -128 - zero_point, 127 - zero_point)) * scale
    total = 0.0
    for weight in weights:
        limit = np.abs(weight).max(axis=1, keepdims=True).astype(np.float64)
        limit = limit if recipe.per_channel_weights else np.full_like(limit, limit.max())
        step = np.where(limit > 0, limit / 127, 1.0)
        exact = x @ weight.T
        error = rounded @ (np.rint(weight / step) * step).T - exact
        total += float(np.square(error).sum() / max(np.square(exact).sum(), SMALLEST))
    return total
