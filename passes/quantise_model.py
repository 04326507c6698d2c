"""From the imported float graph to the integer graph, by one of two ways.

A model that declares every value, between linear ops and functions of single elements, is taken code by code
(`lower_declared`). Every other model is calibrated and quantised by the recipe; what a quantised model
declares about it, scales of int8 values and integer weights, is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.types import Quant
from tmc.passes.calibrate.calibrate import Ranges, calibrate
from tmc.passes.calibrate.calibration import Calibration
from tmc.passes.canonical.canonicalise import CANONICALISE
from tmc.passes.declared.fold_steps import fold_steps
from tmc.passes.declared.keep_ranges import KeptRanges, keep_ranges
from tmc.passes.declared.kept_declarations import KeptDeclarations
from tmc.passes.declared.lower_declared import lower_declared, prepare_declared
from tmc.passes.declared.ranges import declared_ranges
from tmc.passes.declared.rounded_inputs import rounded_inputs
from tmc.passes.integer_form.pad_rows import pad_rows
from tmc.passes.integer_ops.declared_weights import declared_weights
from tmc.passes.outline import outline
from tmc.passes.pipeline import NamedPass, Pass, run_passes
from tmc.passes.quantise_calibrated import IntegerForm, quantise_calibrated
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.choose_forms import choose_forms
from tmc.passes.scales.wide_attention import wide_attention
from tmc.passes.scales.wide_values import wide_values
from tmc.passes.watch import Watch

NO_INTEGERS: Mapping[str, tuple[int, int]] = {}


@dataclass(frozen=True, slots=True)
class Quantised:
    """The integer graph, the float graph that it was made of with its ranges; kept: of a quantised model.

    loudness: windows so many times as loud as those of the calibration fit input and residual stream.
    """

    graph: Graph
    real: Graph
    ranges: Ranges
    kept: KeptDeclarations | None = None
    loudness: float = 1.0


@dataclass(frozen=True, slots=True)
class How:
    """How to quantise: the passes to canonical form, the recipe, and what judges shapes before numbers.

    fits: refuses an integer graph for its shapes; asked before any sample is looked at. wide: names of
    computed values, or of their nodes, that are int16 where the recipe takes int8.
    """

    canonicalise: tuple[Pass | NamedPass, ...] = CANONICALISE
    recipe: Recipe = DEFAULT
    fits: Callable[[Graph], None] = lambda graph: None
    wide: frozenset[str] = frozenset()


def quantise_model(
    graph: Graph,
    calibration: Calibration,
    how: How | None = None,
    weight_scales: tuple[float, ...] = (),
    integers: Mapping[str, tuple[int, int]] = NO_INTEGERS,
    watch: Watch | None = None,
) -> Quantised:
    """Return the integer graph of an imported model.

    weight_scales: those of the integer weights that the file holds, rising. integers: of a network of
    integers, the smallest and the largest that each input holds.
    Raises: TmcError naming the ONNX node that has no integer form.
    """
    how, watch = how or How(), watch or Watch()
    rounds, shifts = _count(graph, OpKind.FAKE_QUANTISE), _count(graph, OpKind.REQUANT_SHIFT)
    if not (rounds or shifts):
        return _by_recipe(graph, calibration, how, weight_scales, "", watch)
    watch.stage("take the codes that the model declares")
    unsigned = {name for name, (low, _) in integers.items() if low == 0}
    lower = partial(lower_declared, weight_scales=weight_scales, unsigned_inputs=unsigned)
    try:
        plain = prepare_declared(graph)
        integer = run_passes(plain, (NamedPass("lower_declared", lower), pad_rows))
    except QuantisationError as error:
        if shifts:
            raise
        return _by_recipe(graph, calibration, how, weight_scales, f"{error.where}: {error.what}", watch)
    watch.done("lower_declared", integer)
    if how.wide:
        raise QuantisationError(
            "--bits",
            "found 16 bits for a value of a model that declares all its codes, allowed for networks in float",
            "leave it out, or give the network before its quantisation",
        )
    how.fits(integer)
    kept = KeptDeclarations.every_code(rounds + shifts, _count(plain, OpKind.LINEAR), integers)
    return Quantised(integer, plain, calibrate(plain, calibration.used), kept)


def _by_recipe(
    graph: Graph,
    calibration: Calibration,
    how: How,
    weight_scales: tuple[float, ...],
    reason: str,
    watch: Watch,
) -> Quantised:
    watch.stage("bring to canonical form")
    graph = fold_steps(graph)
    declared = keep_ranges(
        graph,
        lambda stripped: run_passes(stripped, how.canonicalise, watch.done),
        calibration.each_used(),
        calibration.meaningful,
        how.recipe,
    )
    canonical, wide = wide_attention(declared.graph, wide_values(declared.graph, how.wide))
    if wide:  # readers of 8 bits alone get a copy
        forms = NamedPass("choose_forms", partial(choose_forms, wide=wide))
        canonical = run_passes(canonical, (forms,))
    rounded = rounded_inputs(graph)
    found = {name: entries[-1].attrs for name, entries in declared.adopted.items()}
    recipe = how.recipe
    if weight_scales or found:  # declared scales are of the values and weights as they are; ranges cut
        recipe = replace(recipe, migrate_outliers="never", balance_query_key=False, loudness=1.0)
    shapes = outline(canonical, recipe, rounded, wide)
    if shapes is not None:
        how.fits(shapes)
    used = min(len(array) for array in calibration.used.values())
    watch.stage(f"calibrate on {used} of {calibration.count} samples ({calibration.source})")
    ranges = calibrate(canonical, calibration.used)
    if not calibration.meaningful:
        ranges = declared_ranges(ranges, found)
    watch.done("calibrate", ranges)
    stated = {
        name: Quant((attrs.scale,), attrs.zero_point)
        for name, attrs in found.items()
        if name not in graph.inputs and not attrs.wide
    } | rounded
    made = quantise_calibrated(canonical, ranges, recipe, stated, weight_scales, watch, wide)
    kept = None
    if declared.declared or weight_scales:
        kept = _kept(declared, made, stated, weight_scales, calibration.meaningful, reason)
    return Quantised(made.graph, made.real, made.ranges, kept, made.scales.loudness)


def _kept(
    declared: KeptRanges,
    made: IntegerForm,
    stated: dict[str, Quant],
    weight_scales: tuple[float, ...],
    meaningful: bool,
    reason: str,
) -> KeptDeclarations:
    weights = [made.real.constants[op.inputs[1]] for op in made.real.ops if op.kind is OpKind.LINEAR]
    return KeptDeclarations(
        exact=False,
        scales=sum(made.scales.quants.get(name) == quant for name, quant in stated.items()),
        of_scales=declared.declared,
        weights=sum(declared_weights(weight, weight_scales) is not None for weight in weights),
        of_weights=len(weights),
        ranges=0 if meaningful else len(stated),
        reason=reason,
        clips=declared.clips,
        cutting=declared.cutting,
        lost=declared.lost,
    )


def _count(graph: Graph, kind: OpKind) -> int:
    return sum(op.kind is kind for op in graph.ops)
