"""What the integer graph will be as far as shapes decide it, before any sample is looked at."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from tmc.ir.errors import NoIntegerForm, QuantisationError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.ops import WEIGHTED
from tmc.ir.types import Array, Quant
from tmc.passes.calibrate.calibrate import Range, Ranges
from tmc.passes.integer_form.pad_rows import pad_rows
from tmc.passes.pipeline import NamedPass, run_passes
from tmc.passes.quantise import quantise
from tmc.passes.quantise_clip import uniform_limits
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.choose_scales import NOTHING, choose_scales

# What every value is taken to reach: numbers with which nothing overflows and no epsilon is too large.
REACH = 64.0


def outline(
    graph: Graph,
    recipe: Recipe = DEFAULT,
    rounded: Mapping[str, Quant] = NOTHING,
    wide: Collection[str] = (),
) -> Graph | None:
    """Return an integer graph of the shapes, element types and layouts that a canonical graph will get.

    Its numbers mean nothing. Constants are as few and as small as they can be: what does not fit a memory
    here does not fit it with the real ones. None where these numbers allow no integer graph: then only the
    real ones tell.
    rounded: the inputs that the model rounds to codes (rounded_inputs). wide: computed values of 16 bits.
    Raises: NoIntegerForm naming an op that has no integer form, whatever its numbers are.
    """
    plain = replace(graph, constants=_plain(graph))
    names = (*graph.inputs, *(op.output for op in graph.ops))
    positive = {op.output for op in graph.ops if op.kind is OpKind.RELU}
    ranges = {name: _range(graph.types[name].shape, name in positive) for name in names}
    try:
        scales = choose_scales(plain, Ranges(ranges, 1), recipe, rounded, wide)
        last = NamedPass("quantise", partial(quantise, scales=scales, recipe=recipe))
        return run_passes(plain, (last, pad_rows))
    except NoIntegerForm:
        raise
    except QuantisationError:
        return None


def _plain(graph: Graph) -> Mapping[str, Array]:
    """Return constants of the same shapes with which no clip takes a table, and no value leaves its range."""
    constants = dict(graph.constants)
    for op in graph.ops:
        operands = [graph.types[name].shape for name in op.inputs]
        if op.kind in WEIGHTED:
            weight, bias = operands[1:]
            plain = np.zeros(weight, np.float32), np.zeros(bias, np.float32)
            plain[0][:, :1] = 1  # one product each, so that sums leave room whatever the codes
        elif op.kind is OpKind.LAYERNORM:
            plain = np.ones(operands[1], np.float32), np.zeros(operands[2], np.float32)
        elif op.kind is OpKind.CLIP:
            low, high = operands[1:]
            plain = np.full(low, -2 * REACH, np.float32), np.full(high, 2 * REACH, np.float32)
            if uniform_limits(graph, op) is None:  # then it is a clip of its own, here too
                for end in plain:
                    end.reshape(-1, end.shape[-1] if end.ndim else 1)[:, 0] *= 2
        else:
            continue
        constants.update(zip(op.inputs[1:], plain, strict=True))
    return constants


def _range(shape: tuple[int, ...], positive: bool) -> Range:
    columns = shape[-1] if shape else 1
    ends = np.zeros(columns) if positive else np.full(columns, -REACH), np.full(columns, REACH)
    low, high = (end.astype(np.float32) for end in ends)
    return Range(low, high, high, np.arange(columns))
