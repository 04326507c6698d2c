"""From a canonical float graph and its ranges to the integer graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tmc.ir.graph import Graph
from tmc.ir.types import Quant
from tmc.passes.calibrate.calibrate import Ranges
from tmc.passes.integer_form.pad_rows import pad_rows
from tmc.passes.pipeline import NamedPass, run_passes
from tmc.passes.quantise import quantise
from tmc.passes.recipe import DEFAULT, Recipe
from tmc.passes.scales.choose_scales import Scales, choose_scales
from tmc.passes.scales.equalise import equalise
from tmc.passes.watch import Watch


@dataclass(frozen=True, slots=True)
class IntegerForm:
    """The integer graph, and what it was made of: an equal float graph, its ranges and scales."""

    graph: Graph
    real: Graph
    ranges: Ranges
    scales: Scales


def quantise_calibrated(
    canonical: Graph,
    ranges: Ranges,
    recipe: Recipe = DEFAULT,
    stated: Mapping[str, Quant] | None = None,
    weight_scales: Sequence[float] = (),
    watch: Watch | None = None,
    wide: Collection[str] = (),
) -> IntegerForm:
    """Return the integer graph that a recipe makes of a canonical float graph.

    stated: scales of int8 values that a quantised model gives. weight_scales: those of its integer weights,
    rising. wide: computed values that are int16 whoever reads them.
    Raises: QuantisationError naming the op that has no integer form, or whose numbers do not fit it.
    """
    watch = watch or Watch()
    equal, ranges = equalise(canonical, ranges, recipe, watch.done)
    watch.stage("quantise")
    scales = choose_scales(equal, ranges, recipe, stated or {}, wide)
    watch.done("choose_scales", scales)
    last = NamedPass("quantise", partial(quantise, scales=scales, recipe=recipe, weight_scales=weight_scales))
    return IntegerForm(run_passes(equal, (last, pad_rows), watch.done), equal, ranges, scales)
