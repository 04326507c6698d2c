"""From the imported float graph to the integer graph, by one of two ways.

A model that declares every value, between linear ops and functions of single elements, is taken code by code
(`lower_declared`). Every other model is calibrated and quantised by the recipe; what a
quantised model declares about it, scales of int8 values and integer weights, is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from tmc.calibration import Calibration
from tmc.frontend.onnx_import import Imported
from tmc.integer_input import UNSIGNED, Limits
from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.types import Quant
from tmc.passes.calibrate.calibrate import Ranges, calibrate
from tmc.passes.declared.keep_ranges import keep_ranges
from tmc.passes.declared.kept import Kept
from tmc.passes.declared.lower_declared import lower_declared, prepare_declared
from tmc.passes.declared.ranges import declared_ranges
from tmc.passes.integer_ops.declared_weights import declared_weights
from tmc.passes.outline import outline
from tmc.passes.pipeline import NamedPass, Pass, run_passes
from tmc.passes.quantise import quantise
from tmc.passes.recipe import Recipe
from tmc.passes.scales.choose_scales import Scales, choose_scales
from tmc.passes.scales.equalise import equalise


@dataclass(frozen=True, slots=True)
class Quantised:
    """The integer graph, the float graph that it was made of with its ranges; kept: of a quantised model."""

    graph: Graph
    real: Graph
    ranges: Ranges
    kept: Kept | None = None


@dataclass(frozen=True, slots=True)
class Steps:
    """How to quantise, and who looks on: `stage` before each stage, `done` with what it made.

    fits: refuses integer graphs for their shapes, and is asked before any sample is looked at.
    """

    canonicalise: tuple[Pass | NamedPass, ...]
    recipe: Recipe
    stage: Callable[[str], None]
    done: Callable[[str, Graph | Ranges | Scales], None]
    fits: Callable[[Graph], None] = lambda graph: None


def quantise_model(
    imported: Imported, calibration: Calibration, steps: Steps, port: Limits | None = None
) -> Quantised:
    """Return the integer graph of an imported model. port: of a network of integers, what its input holds.

    Raises: TmcError naming the ONNX node that has no integer form.
    """
    graph, rounds = imported.graph, _count(imported.graph, OpKind.FAKE_QUANTISE)
    shifts = _count(graph, OpKind.REQUANT_SHIFT)
    reason = ""
    if rounds or shifts:
        steps.stage("take the codes that the model declares")
        try:
            plain = prepare_declared(graph)
            lower = partial(
                lower_declared,
                weight_scales=imported.weight_scales,
                unsigned_input=port == UNSIGNED,
            )
            integer = run_passes(plain, (NamedPass("lower_declared", lower),))
        except QuantisationError as error:
            if shifts:
                raise
            reason = f"{error.where}: {error.what}"
        else:
            steps.done("lower_declared", integer)
            steps.fits(integer)
            ranges = calibrate(plain, calibration.used)
            linears = _count(plain, OpKind.LINEAR)
            declared_codes = rounds + shifts
            exact = Kept(True, declared_codes, declared_codes, linears, linears, inputs=port)
            return Quantised(integer, plain, ranges, exact)
    steps.stage("bring to canonical form")
    kept_ranges = keep_ranges(
        graph,
        lambda stripped: run_passes(
            stripped, steps.canonicalise, lambda name, made, _: steps.done(name, made)
        ),
        calibration.each_used(),
        calibration.meaningful,
    )
    canonical = kept_ranges.graph
    found = {name: entries[-1].attrs for name, entries in kept_ranges.adopted.items()}
    stated = {name: Quant((attrs.scale,), attrs.zero_point) for name, attrs in found.items()}
    recipe = steps.recipe
    if imported.weight_scales or found:  # declared scales are of the values and weights as they are
        recipe = replace(recipe, migrate_outliers="never", balance_query_key=False)

    shapes = outline(canonical, recipe)
    if shapes is not None:
        steps.fits(shapes)
    used = min(len(array) for array in calibration.used.values())
    steps.stage(f"calibrate on {used} of {calibration.count} samples ({calibration.source})")
    ranges = calibrate(canonical, calibration.used)
    if not calibration.meaningful:
        ranges = declared_ranges(ranges, found)
    steps.done("calibrate", ranges)
    equal, ranges = equalise(canonical, ranges, recipe, steps.done)
    steps.stage("quantise")
    scales = choose_scales(equal, ranges, recipe, stated)
    steps.done("choose_scales", scales)
    last = NamedPass(
        "quantise", partial(quantise, scales=scales, recipe=recipe, weight_scales=imported.weight_scales)
    )
    integer = run_passes(equal, (last,), lambda name, made, _: steps.done(name, made))
    kept = None
    if kept_ranges.declared or imported.weight_scales:
        weights = [equal.constants[op.inputs[1]] for op in equal.ops if op.kind is OpKind.LINEAR]
        kept = Kept(
            exact=False,
            scales=sum(scales.quants.get(name) == quant for name, quant in stated.items()),
            of_scales=kept_ranges.declared,
            weights=sum(declared_weights(weight, imported.weight_scales) is not None for weight in weights),
            of_weights=len(weights),
            ranges=0 if calibration.meaningful else len(found),
            reason=reason,
            clips=kept_ranges.clips,
            cutting=kept_ranges.cutting,
            lost=kept_ranges.lost,
        )
    return Quantised(integer, equal, ranges, kept)


def _count(graph: Graph, kind: OpKind) -> int:
    return sum(op.kind is kind for op in graph.ops)
