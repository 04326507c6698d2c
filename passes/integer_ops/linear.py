"""Integer weights, multipliers and bias of a linear op, with the proof that it stays in int32."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tmc.ir.errors import QuantisationError
from tmc.ir.types import Array, Quant
from tmc.passes.integer_ops.declared_weights import DeclaredWeights
from tmc.passes.integer_ops.round_weights import round_weights
from tmc.passes.recipe import DEFAULT, Recipe

Int = NDArray[np.int64]
Float = NDArray[np.float64]

WEIGHT_LIMIT = 127
MAX_SHIFT = 24
# From this shift on the weight steps are so far below the output step that coarse multipliers cost nothing.
FINE_SHIFT = 12
# Below this largest multiplier the weight steps grow by more than a quarter: refused rather than hidden.
MIN_MULTIPLIER = 4
# The power of a mean, to that of the rest, from which on weights are rounded by the rest alone.
LARGE_MEAN = 16.0
INT32 = 2**31


@dataclass(frozen=True, slots=True)
class CodeRange:
    """The smallest and largest integer a value can hold."""

    low: int
    high: int


@dataclass(frozen=True, slots=True, eq=False)
class LinearCodes:
    """The constants of a qlinear: y = (sum_k x w * multiplier[n] + bias[g][n]) >> shift.

    weight s8 [N, K], weight_scale f64 [N], multiplier s32 [N], bias s32 [G, N].
    """

    weight: Array
    weight_scale: Float
    multiplier: Array
    bias: Array
    shift: int


@dataclass(frozen=True, slots=True, eq=False)
class LinearTask:
    """A float linear op and the codes around it.

    weight [N, K], bias [G, N]; x and x_codes: scale, zero point and range of the operand; y_scale: [N];
    residual: whether the result is added to an int16 value. declared: the integer weights of a model that
    gives them. rows: what x held in calibration, [R, K], to round weights by, if that is known. `where` names
    the ONNX node.
    """

    where: str
    weight: Array
    bias: Array
    x: Quant
    x_codes: CodeRange
    y_scale: Float
    y_zero_point: int
    residual: bool
    declared: DeclaredWeights | None = None
    rows: Array | None = None


def quantise_linear(task: LinearTask, recipe: Recipe = DEFAULT) -> LinearCodes:
    """Return the constants of a requantised linear op.

    Weight scales are snapped: with the largest common shift s for which every m[n] = ceil(r[n] 2^s) is at
    most 255, r[n] = s_x max_k|w[n]| / 127 / s_y[n], channel n gets s_w[n] = m[n] s_y[n] / (2^s s_x). So the
    multiplier is exact and no weight clips. s is lowered until acc, acc * m and acc * m + b are proved to fit
    int32. The recipe may ask for smaller multipliers, for one range of all channels instead of max_k|w[n]|,
    or for weight scales max_k|w[n]| / 127 with the multiplier rounded to r[n] 2^s.
    Raises: QuantisationError if that would leave multipliers below MIN_MULTIPLIER.
    """
    if task.declared is not None:
        return _kept(task, task.declared)
    weight = task.weight.astype(np.float64)
    x_scale = task.x.scale[0]
    limit = np.abs(weight).max(axis=1)
    limit = limit if recipe.per_channel_weights else np.full_like(limit, limit.max())
    ratio = x_scale * limit / WEIGHT_LIMIT / task.y_scale
    largest = float(ratio.max())
    most = 2**recipe.multiplier_bits - 1
    shift = MAX_SHIFT
    while shift > 0 and _multipliers(ratio, shift, recipe).max() > most:
        shift -= 1
    while True:
        multiplier = _multipliers(ratio, shift, recipe)
        if multiplier.max() > most:
            raise QuantisationError(
                task.where,
                f"found a scale ratio of {largest:.4g} from products to results, allowed at most {most}",
                "calibrate on samples of the size that the network was trained on",
            )
        exact = multiplier / 2.0**shift * task.y_scale / x_scale
        scale = exact if recipe.snap_weight_scales else np.where(limit > 0, limit / WEIGHT_LIMIT, exact)
        codes = _rounded(task, weight, scale, multiplier, shift)
        broken = overflow(task, codes)
        if broken is None:
            return _stored(codes)
        shift -= 1
        if shift < 0 or (shift < FINE_SHIFT and _multipliers(ratio, shift, recipe).max() < MIN_MULTIPLIER):
            raise QuantisationError(
                task.where,
                f"found {broken}, allowed int32",
                "its weights are too large for its calibrated range; "
                "calibrate on samples of the size that the network was trained on",
            )


def takes_int16(weight: Array, last: bool = False) -> bool:
    """Tell whether the sums of int16 codes leave room in int32 for multipliers that are not refused.

    last: for a bias alone, as large as they are; the sums are the result.
    """
    magnitude = np.abs(weight).astype(np.float64)
    largest = np.maximum(magnitude.max(axis=1), np.finfo(np.float32).tiny)
    products = float((magnitude.sum(axis=1) / largest).max()) * WEIGHT_LIMIT
    # A shift halves multipliers, so that the largest is below 2 MIN_MULTIPLIER before it is too small.
    return products * 2**15 * (2 if last else 2 * MIN_MULTIPLIER - 1) < INT32


def quantise_logits(task: LinearTask) -> LinearCodes:
    """Return the constants of a linear op with int32 results: one weight scale, multipliers 1, shift 0.

    Argmax over the integers is argmax over the real values. The task's y_scale and y_zero_point are not used.
    Raises: QuantisationError if a sum does not provably fit int32.
    """
    if task.declared is not None:
        return _kept_logits(task, task.declared)
    weight = task.weight.astype(np.float64)
    step = float(np.abs(weight).max()) / WEIGHT_LIMIT or 1.0
    scale = np.full(len(weight), step)
    integers, real = _rounded_about_the_mean(task, weight, scale)
    bias = np.rint(real / (task.x.scale[0] * step))
    bias = np.clip(bias, -float(INT32), float(INT32)).astype(np.int64)
    bias = bias - task.x.zero_point * integers.sum(axis=1)
    return _proved(task, LinearCodes(integers, scale, np.ones(len(weight), dtype=np.int64), bias, 0))


def _proved(task: LinearTask, codes: LinearCodes) -> LinearCodes:
    broken = overflow(task, codes)
    if broken is not None:
        raise QuantisationError(
            task.where,
            f"found {broken}, allowed int32",
            "the result is kept at the scale of the products: fewer inputs would fit",
        )
    return _stored(codes)


def _kept(task: LinearTask, declared: DeclaredWeights) -> LinearCodes:
    """Return the constants of a linear op whose integer weights the model gives.

    The multiplier is r[n] 2^s rounded, r[n] = s_x s_w[n] / s_y[n], with the largest s that provably fits.
    """
    ratio = task.x.scale[0] * declared.scale / task.y_scale
    for shift in range(MAX_SHIFT, -1, -1):
        scaled = np.rint(ratio * 2.0**shift)
        if scaled.max() >= INT32:
            continue
        multiplier = np.maximum(scaled, 1).astype(np.int64)
        codes = _constants(task, declared.codes.astype(np.int64), declared.scale, multiplier, shift)
        if overflow(task, codes) is None:
            break
    else:
        shift, multiplier = 0, np.ones(1, dtype=np.int64)
    if shift < FINE_SHIFT and multiplier.max() < MIN_MULTIPLIER:
        raise QuantisationError(
            task.where,
            f"found a scale ratio of {float(ratio.max()):.4g} from products to results, which "
            "leaves no room in int32, allowed multipliers of 2 bits or more",
            "its declared scales do not fit its calibrated range: quantise the network again",
        )
    return _stored(codes)


def _kept_logits(task: LinearTask, declared: DeclaredWeights) -> LinearCodes:
    """Return the constants of a linear op with int32 results and integer weights that the model gives."""
    integers = declared.codes.astype(np.int64)
    bias = np.rint(task.bias.astype(np.float64) / (task.x.scale[0] * declared.scale))
    bias = np.clip(bias, -float(INT32), float(INT32)).astype(np.int64)
    bias = bias - task.x.zero_point * integers.sum(axis=1)
    ones = np.ones(len(integers), dtype=np.int64)
    return _proved(task, LinearCodes(integers, declared.scale, ones, bias, 0))


def overflow(task: LinearTask, codes: LinearCodes) -> str | None:
    """Return what may leave int32, with its channel and bound, or None: proved from the actual weights.

    Over all x in x_codes the sum of a channel is extreme where every x is at one end, so bounds are exact.
    """
    weight = codes.weight.astype(np.int64)
    positive, negative = np.maximum(weight, 0).sum(axis=1), np.minimum(weight, 0).sum(axis=1)
    low = task.x_codes.low * positive + task.x_codes.high * negative
    high = task.x_codes.high * positive + task.x_codes.low * negative
    multiplier, bias = codes.multiplier.astype(np.int64), codes.bias.astype(np.int64)
    added = 2**15 if task.residual else 0
    steps = (
        ("a sum", low, high),
        ("a bias", bias.min(axis=0), bias.max(axis=0)),
        ("a scaled sum", low * multiplier, high * multiplier),
        ("a scaled sum with bias", low * multiplier + bias.min(axis=0), high * multiplier + bias.max(axis=0)),
        (
            "a result with residual",
            ((low * multiplier + bias.min(axis=0)) >> codes.shift) - added,
            ((high * multiplier + bias.max(axis=0)) >> codes.shift) + added,
        ),
    )
    for name, least, most in steps:
        channel = int(np.argmax(np.maximum(-least - 1, most)))
        if least[channel] < -INT32 or most[channel] >= INT32:
            return f"{name} of channel {channel} between {least[channel]} and {most[channel]}"
    return None


def sum_ranges(task: LinearTask, codes: LinearCodes) -> list[CodeRange]:
    """Return the range of the sum with its bias, for each channel of codes without multipliers."""
    weight, bias = codes.weight.astype(np.int64), codes.bias.astype(np.int64)
    positive, negative = np.maximum(weight, 0).sum(axis=1), np.minimum(weight, 0).sum(axis=1)
    low = task.x_codes.low * positive + task.x_codes.high * negative + bias.min(axis=0)
    high = task.x_codes.high * positive + task.x_codes.low * negative + bias.max(axis=0)
    return [CodeRange(int(least), int(most)) for least, most in zip(low, high, strict=True)]


def _multipliers(ratio: Float, shift: int, recipe: Recipe) -> Int:
    # The slack keeps a ratio that is a multiple of 2^-shift from being rounded up to the next one.
    exact = ratio * 2.0**shift
    scaled = np.ceil(exact * (1 - 1e-12)) if recipe.snap_weight_scales else np.rint(exact)
    return np.clip(scaled, 1, 2**recipe.multiplier_bits).astype(np.int64)


def _rounded(task: LinearTask, weight: Float, scale: Float, multiplier: Int, shift: int) -> LinearCodes:
    integers, bias = _rounded_about_the_mean(task, weight, scale)
    return _constants(replace(task, bias=bias), integers, scale, multiplier, shift)


def _rounded_about_the_mean(task: LinearTask, weight: Float, scale: Float) -> tuple[Int, Float]:
    """Return integer weights, and the bias [G, N] that goes with them.

    Where the mean of the operand is most of it, as in counts of a converter, weights are rounded by what rows
    are beyond their mean, and what the errors of the weights make of the mean is taken off the bias.
    """
    bias, steps = task.bias.astype(np.float64), weight / scale[:, None]
    mean = large_mean(task.rows)
    if task.rows is None or mean is None:
        return round_weights(steps, task.rows, WEIGHT_LIMIT), bias
    integers = round_weights(steps, task.rows - mean, WEIGHT_LIMIT)
    return integers, bias + (weight - integers * scale[:, None]) @ mean


def large_mean(rows: Array | None) -> Float | None:
    """Return the mean row if it holds far more power than what rows differ from it by."""
    if rows is None:
        return None
    mean = rows.mean(axis=0, dtype=np.float64)
    return mean if np.square(mean).sum() > LARGE_MEAN * np.square(rows - mean).mean(axis=0).sum() else None


def _constants(task: LinearTask, integers: Int, scale: Float, multiplier: Int, shift: int) -> LinearCodes:
    offset = np.rint((task.bias.astype(np.float64) / task.y_scale + task.y_zero_point) * 2.0**shift)
    rounding = 2 ** (shift - 1) if shift > 0 else 0
    # Beyond int32 the exact value does not matter: the proof refuses it, and int64 must not wrap.
    offset = np.clip(offset, -float(INT32) * 2, float(INT32) * 2).astype(np.int64)
    bias = offset - task.x.zero_point * integers.sum(axis=1) * multiplier + rounding
    return LinearCodes(integers, scale, multiplier, bias, shift)


def _stored(codes: LinearCodes) -> LinearCodes:
    return LinearCodes(
        codes.weight.astype(np.int8),
        codes.weight_scale,
        codes.multiplier.astype(np.int32),
        codes.bias.astype(np.int32),
        codes.shift,
    )
