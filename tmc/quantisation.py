"""From the imported float graph to the integer graph, by one of two ways.

A model that declares every value, between linear ops and functions of single elements, is taken code by code
(`lower_declared`). Every other model is calibrated and quantised by the recipe; what a
quantised model declares about it, scales of int8 values and integer weights, is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from tmc.calibration import Calibration
from tmc.frontend.onnx_import import Imported
from tmc.ir.attrs import FakeQuantiseAttrs
from tmc.ir.errors import CalibrationError, QuantisationError
from tmc.ir.graph import Graph, OpKind
from tmc.ir.kept import Kept
from tmc.ir.types import Quant
from tmc.passes.adopt_scales import adopt_scales, strip_quantisers
from tmc.passes.calibrate import Ranges, calibrate
from tmc.passes.choose_scales import Scales, choose_scales
from tmc.passes.declared_ranges import declared_ranges
from tmc.passes.declared_weights import declared_weights
from tmc.passes.equalise import equalise
from tmc.passes.lower_declared import lower_declared, prepare_declared
from tmc.passes.pipeline import NamedPass, Pass, run_passes
from tmc.passes.quantise import quantise
from tmc.passes.recipe import Recipe

# Where integers have to come from noise: three deviations of it span int8.
NOISE_STEPS = 42


@dataclass(frozen=True, slots=True)
class Quantised:
    """The integer graph, the float graph that it was made of with its ranges; kept: of a quantised model."""

    graph: Graph
    real: Graph
    ranges: Ranges
    kept: Kept | None = None


@dataclass(frozen=True, slots=True)
class Steps:
    """How to quantise, and who looks on: `stage` before each stage, `done` with what it made."""

    canonicalise: tuple[Pass | NamedPass, ...]
    recipe: Recipe
    stage: Callable[[str], None]
    done: Callable[[str, Graph | Ranges | Scales], None]


def quantise_model(imported: Imported, calibration: Calibration, steps: Steps) -> Quantised:
    """Return the integer graph of an imported model.

    Raises: TmcError naming the ONNX node that has no integer form.
    """
    graph, rounds = imported.graph, _count(imported.graph, OpKind.FAKE_QUANTISE)
    shifts = _count(graph, OpKind.REQUANT_SHIFT)
    reason = ""
    if rounds or shifts:
        steps.stage("take the codes that the model declares")
        try:
            plain = prepare_declared(graph)
            integer = lower_declared(plain, imported.weight_scales, takes_unsigned(calibration))
        except QuantisationError as error:
            if shifts:
                raise
            reason = f"{error.where}: {error.what}"
        else:
            steps.done("lower_declared", integer)
            ranges = calibrate(plain, calibration.used)
            linears = _count(plain, OpKind.LINEAR)
            declared_codes = rounds + shifts
            return Quantised(
                integer, plain, ranges, Kept(True, declared_codes, declared_codes, linears, linears)
            )
    steps.stage("bring to canonical form")
    stripped, declared = strip_quantisers(graph)
    canonical = run_passes(stripped, steps.canonicalise, lambda name, made, _: steps.done(name, made))
    found: Mapping[str, FakeQuantiseAttrs] = {}
    if declared:
        found = adopt_scales(stripped, canonical, declared, calibration.first(1)[0])
    stated = {name: Quant((attrs.scale,), attrs.zero_point) for name, attrs in found.items()}
    recipe = steps.recipe
    if imported.weight_scales or found:  # declared scales are of the values and weights as they are
        recipe = replace(recipe, migrate_outliers="never", balance_query_key=False)

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
    if declared or imported.weight_scales:
        weights = [equal.constants[op.inputs[1]] for op in equal.ops if op.kind is OpKind.LINEAR]
        kept = Kept(
            exact=False,
            scales=sum(scales.quants.get(name) == quant for name, quant in stated.items()),
            of_scales=len(declared),
            weights=sum(declared_weights(weight, imported.weight_scales) is not None for weight in weights),
            of_weights=len(weights),
            ranges=0 if calibration.meaningful else len(found),
            reason=reason,
        )
    return Quantised(integer, equal, ranges, kept)


def integer_samples(graph: Graph, calibration: Calibration) -> Calibration:
    """Return samples that fit an integer network, whose input holds integers: noise becomes integers.

    Raises: CalibrationError for given samples that hold anything but int8 or uint8 integers.
    """
    if not _count(graph, OpKind.REQUANT_SHIFT) or _count(graph, OpKind.FAKE_QUANTISE):
        return calibration
    if not calibration.meaningful:
        integers = {
            name: np.clip(np.rint(array * NOISE_STEPS), -128, 127).astype(np.float32)
            for name, array in calibration.samples.items()
        }
        return replace(calibration, samples=integers)
    for name, array in calibration.samples.items():
        low, high = float(array.min()), float(array.max())
        if (array != np.rint(array)).any() or not (
            (-128 <= low and high <= 127) or (0 <= low and high <= 255)
        ):
            raise CalibrationError(
                f"input %{name}",
                f"found numbers from {low:g} to {high:g}, allowed integers from -128 to 127 or from 0 to 255",
                "the network is one of integers (RequantShift): give integers",
            )
    return calibration


def takes_unsigned(calibration: Calibration) -> bool:
    """Tell whether samples hold integers beyond int8, so that the input of an integer network is uint8."""
    return calibration.meaningful and any(float(array.max()) > 127 for array in calibration.samples.values())


def _count(graph: Graph, kind: OpKind) -> int:
    return sum(op.kind is kind for op in graph.ops)
