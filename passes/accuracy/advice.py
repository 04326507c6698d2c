"""Say what would help an op that adds much noise, from what was observed of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmc.ir.graph import Graph, OpKind, producers, uses, values_through
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.ops import MOVES
from tmc.ir.types import DType
from tmc.passes.calibrate.calibrate import Ranges
from tmc.passes.integer_ops.linear import takes_int16
from tmc.passes.recipe import DEFAULT, Recipe

# Ops that write int16 as well as int8.
_WRITE_INT16 = frozenset({OpKind.QLAYERNORM, OpKind.QADD, OpKind.QATTENTION})
# Shares and ratios from which on a cause is named.
CLIPPED_NOISE = 0.2
BEYOND_CALIBRATION = 1.1
OUTLIERS = 4.0
# Rounding to a step makes noise of step / sqrt(12); more than twice that amplitude comes from elsewhere.
ROUNDING = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One value over the windows.

    added_noise: mean square of the noise that its op adds. clipped: share of elements beyond the codes;
    clipped_noise: their share of all noise. low, high: the float extremes. silent: all zero.
    """

    name: str
    added_noise: float
    clipped: float
    clipped_noise: float
    low: float
    high: float
    silent: bool


def accuracy_advice(integer: Graph, ranges: Ranges, recipe: Recipe, finding: Finding) -> str:
    """Return what would make one value of the integer graph more exact: the remedy of its likeliest cause."""
    found = ranges.values[finding.name]
    kind = integer.types[finding.name]
    reach = max(finding.high, -finding.low)
    if finding.silent:
        return "it is zero in every window: use windows that excite it, or remove it"
    changed = _recipe_advice(integer, recipe, finding.name)
    if changed is not None:
        return changed
    if found.magnitude > 0 and reach > BEYOND_CALIBRATION * found.magnitude:
        return (
            f"it reaches {reach:.3g} here and {found.magnitude:.3g} in calibration: calibrate on more "
            "windows, the loudest among them"
        )
    if finding.clipped_noise > CLIPPED_NOISE:
        return (
            f"{100 * finding.clipped:.2g} % of it is clipped, which makes "
            f"{100 * finding.clipped_noise:.0f} % of its noise: calibrate on more windows, or limit its "
            "rare large values in training"
        )
    columns = found.column_magnitude
    ratio = float(columns.max() / max(float(np.median(columns)), 1e-30))
    if kind.dtype is DType.S8 and ratio > OUTLIERS:
        return (
            f"its largest column is {ratio:.1f} times the median and sets the step of all "
            f"{len(columns)}: {remedy_for(integer, finding.name)}"
        )
    return _source_advice(integer, finding)


def _recipe_advice(integer: Graph, recipe: Recipe, name: str) -> str | None:
    """Return the first step of the recipe that was switched and touches this value."""
    kind = producers(integer)[name].kind if name not in integer.inputs else None
    wide = integer.types[name].dtype is DType.S16
    touched = {
        "input_bits": kind is None,
        "loudness": kind is None,
        "residual_bits": wide and kind is OpKind.QLINEAR,
        "residual_headroom": wide and kind is OpKind.QLINEAR,
        "pooled_bits": kind is OpKind.QMEAN_ROWS,
        "softmax_division": kind is OpKind.QATTENTION,
        "exp_table": kind is OpKind.QATTENTION,
        "score_steps": kind is OpKind.QATTENTION,
        "query_key_range": _is_query_or_key(integer, name),
        "norm_range": kind is OpKind.QLAYERNORM,
        "migrate_outliers": kind is OpKind.QLAYERNORM,
        "zero_points": not wide,
        "range_search": not wide,
        "per_channel_weights": kind is OpKind.QLINEAR,
        "snap_weight_scales": kind is OpKind.QLINEAR,
        "multiplier_bits": kind is OpKind.QLINEAR,
    }
    changed = recipe.changed()
    for step, touches in touched.items():
        if touches and step in changed:
            return f"the recipe has {step}={changed[step]}: compile with {step}={DEFAULT.settings()[step]}"
    return None


def _is_query_or_key(integer: Graph, name: str) -> bool:
    return any(op.kind is OpKind.QATTENTION and name in op.inputs[:2] for op in integer.ops)


def remedy_for(integer: Graph, name: str) -> str:
    """Return what makes steps of a value finer: 16 bits, where its op writes and all readers take them."""
    op, readers = producers(integer).get(name), uses(integer)
    if op is not None and integer.types[name].dtype is DType.S8:
        if _is_query_or_key(integer, name) and integer.types[name].shape[2] % 2 == 0:
            return f"--bits {op.loc}=16 stores Q and K in int16"
        plain = isinstance(op.attrs, QLinearAttrs) and op.attrs.layout == "rows" and not op.attrs.table
        values = values_through(readers, name, MOVES)
        found = [each for value in values for each in readers.get(value, ()) if each.kind not in MOVES]
        taken = [
            isinstance(each.attrs, QLinearAttrs)
            and each.attrs.layout == "rows"
            and not each.attrs.residual  # outside of its linear the sum costs what 16 bits gain
            and takes_int16(integer.constants[each.inputs[1]])
            for each in found
        ]
        if (plain or op.kind in _WRITE_INT16) and taken and all(taken):
            return f"--bits {op.loc}=16 stores it in int16"
    return "only quantisation-aware fine-tuning helps"


def _source_advice(integer: Graph, finding: Finding) -> str:
    """Tell rounding of the result from noise of what it is made of."""
    op = producers(integer).get(finding.name)
    kind = integer.types[finding.name]
    assert kind.quant is not None
    rounding = float(np.square(kind.quant.scale).mean()) / 12
    if op is None:
        bits = kind.quant.bits or 8 * kind.dtype.size_bytes
        return (
            f"its {bits}-bit steps are the limit where windows are quiet: bring all windows to one "
            "loudness before the network"
        )
    if finding.added_noise <= ROUNDING**2 * rounding:
        return (
            f"its {8 * kind.dtype.size_bytes}-bit steps are the limit, its range fits: "
            f"{remedy_for(integer, finding.name)}"
        )
    if op.kind is OpKind.QATTENTION:
        return "8-bit weights of the softmax: only quantisation-aware fine-tuning helps"
    return (
        "its 8-bit weights add more than the steps of its result: only quantisation-aware fine-tuning helps"
    )
