"""Choose the scale and zero point of every stored value: the recipe of docs/numerics.md, section 4."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import frexp

import numpy as np

from tmc.ir.attrs import AttentionAttrs, MeanRowsAttrs, RopeAttrs
from tmc.ir.errors import NoIntegerForm
from tmc.ir.graph import Graph, Op, OpKind, producers, uses
from tmc.ir.integer.qsoftmax import SHARE_SCALE
from tmc.ir.types import Array, Quant
from tmc.ir.verify import INDEX
from tmc.passes.calibrate.calibrate import Range, Ranges
from tmc.passes.integer_ops.attention import query_key_bits, rotation_bits
from tmc.passes.integer_ops.mean import mean_scale
from tmc.passes.recipe import DEFAULT, RangeSearch, Recipe
from tmc.passes.scales.choose_loudness import choose_loudness
from tmc.passes.scales.clip_scales import clip_scales
from tmc.passes.scales.linear_room import fits_int32, readers_through_views
from tmc.passes.scales.narrow_inputs import narrow_inputs
from tmc.passes.scales.residual_scales import residual_scales
from tmc.passes.scales.search_range import search_range
from tmc.passes.scales.value_roles import SAME_AS_OPERAND, Role, is_masked, value_roles

# Steps per int8 code of a mean of so many bits, as a power of two.
POOLED_BITS = {16: 7, 8: 0}
# The multiplier that a mean leaves room for in a linear op with int8 or int16 results.
POOLED_MULTIPLIER = 15


NOTHING: Mapping[str, Quant] = {}


@dataclass(frozen=True, slots=True)
class Scales:
    """The role of every value, and the quantisation of every value that the integer graph stores.

    A linear output that lives only inside its op (a table index, a summand) has an entry too: the scale of
    its int8 index, or of the residual stream. LOGITS have none: their scale follows from the weights.
    rows: what operands of linear ops and norms held in calibration, where weights are to be rounded by that.
    loudness: windows so many times as loud as those of the calibration fit input and residual stream; 1 where
    nothing was chosen.
    """

    roles: Mapping[str, Role]
    quants: Mapping[str, Quant]
    rows: Mapping[str, Array] = field(default_factory=dict)
    loudness: float = 1.0


def choose_scales(
    graph: Graph,
    ranges: Ranges,
    recipe: Recipe = DEFAULT,
    declared: Mapping[str, Quant] = NOTHING,
    wide: Collection[str] = (),
) -> Scales:
    """Return the scales of a canonical float graph from its calibration ranges.

    Input: int16, whole range (input_bits), or int8 (narrow_inputs), whole range or as declared. Residual
    stream: int16, one scale per segment (residual_scales). Both hold louder windows (choose_loudness).
    Q and K: symmetric, per head. V and attention output: symmetric. Outputs of LayerNorms and activations,
    inputs of activations: with a zero point. Searched by mean square error (search_range), except that Q and
    K keep their whole range, for the largest scores decide, and so do LayerNorm outputs that linear ops read:
    what is rare on average is all there is in some windows. The recipe may say otherwise. Values with a zero
    point take the quantisation that the model declares, if it does. wide: computed values that are int16
    whoever reads them.
    Raises: QuantisationError if an op has no integer form, or numbers of heads disagree.
    """
    narrow = narrow_inputs(graph, recipe, declared)
    roles = value_roles(graph, narrow, wide)
    readers = uses(graph)
    quants = {
        name: declared.get(name, Quant((ranges.values[name].magnitude / 127,))) for name in sorted(narrow)
    }
    ranges, declared = clip_scales(graph, ranges, declared)
    loudness = choose_loudness(graph, ranges, roles, recipe)
    stream = residual_scales(graph, ranges, roles, recipe, loudness)
    quants.update({name: stream[name] for name in graph.inputs if name not in narrow})

    def symmetric(found: Range, method: RangeSearch = recipe.range_search) -> float:
        return search_range(found, True, method, recipe.unseen_margin)[0]

    for op in graph.ops:
        role, found = roles[op.output], ranges.values[op.output]
        if op.kind in SAME_AS_OPERAND:
            if op.inputs[0] in quants:
                quants[op.output] = quants[op.inputs[0]]
        elif role in (Role.RESIDUAL, Role.BRANCH):
            quants[op.output] = stream[op.output]
        elif role in (Role.ACTIVATION, Role.TABLE_INPUT):
            if op.output in declared:
                quants[op.output] = declared[op.output]
                continue
            if op.kind is OpKind.CONVERT and roles[op.inputs[0]] in (Role.ACTIVATION, Role.ATTENDED):
                quants[op.output] = quants[op.inputs[0]]  # int8 already, as an input of 8 bits is
                continue
            read = any(reader.kind is OpKind.LINEAR for reader in readers_through_views(readers, op.output))
            method = recipe.norm_range if op.kind is OpKind.LAYERNORM and read else recipe.range_search
            scale, zero_point = search_range(found, not recipe.zero_points, method, recipe.unseen_margin)
            quants[op.output] = Quant((scale,), zero_point)
        elif role in (Role.QUERY_KEY, Role.WIDE_QUERY_KEY):
            through = readers_through_views(readers, op.output)
            heads = _heads(op, through)
            width = len(found.column_low) // heads
            parts = [found.columns(head * width, (head + 1) * width) for head in range(heads)]
            # One table clips all heads where saturation does not; one mask is added to the scores of all.
            alike = any(_is_one_sided(graph, reader) for reader in readers[op.output])
            alike = alike or any(map(is_masked, through))
            parts = parts if recipe.scales_per_head and not alike else [found] * heads
            scales = tuple(symmetric(part, recipe.query_key_range) for part in parts)
            bits = query_key_bits(width) if role is Role.WIDE_QUERY_KEY else 8
            finer = tuple(scale * 127 / (2 ** (bits - 1) - 1) for scale in scales)
            quants[op.output] = Quant(finer, per="head", bits=bits) if bits > 8 else Quant(scales, per="head")
        elif role is Role.VALUE:
            quants[op.output] = Quant((symmetric(found),))
        elif role is Role.ATTENDED:
            quants[op.output] = Quant((_snapped(symmetric(found), quants[op.inputs[2]]),))
        elif role is Role.INDEX:
            quants[op.output] = INDEX
        elif role is Role.SHARE:
            quants[op.output] = Quant((SHARE_SCALE,))
        elif role is Role.POOLED:
            quants[op.output] = _pooled(graph, op, quants[op.inputs[0]], readers, roles, recipe)
    for op in reversed(graph.ops):
        if op.kind is OpKind.CONCAT and roles[op.output] is Role.ACTIVATION:
            # its parts are of its scale: choose_forms left none that cannot be
            quants.update({name: quants[op.output] for name in op.inputs if name in roles})
    _unrotated_scales(graph, roles, quants)
    compensated = recipe.weight_rounding == "compensated"
    rows = {name: found.rows for name, found in ranges.values.items() if compensated and found.rows.size}
    return Scales(roles, quants, rows, loudness)


def out_factor(value_scale: float, out_scale: float) -> tuple[int, int]:
    """Return (multiplier, shift): multiplier / 2^shift is the ratio of the scales, 15 bits, rounded down."""
    ratio = value_scale / out_scale
    shift = min(max(15 - frexp(ratio)[1], -7), 23)
    return min(max(int(ratio * 2.0**shift * (1 + 1e-12)), 1), 2**15 - 1), shift


def _snapped(out_scale: float, value: Quant) -> float:
    """Enlarge the scale of an attention output until its multiplier is exact."""
    multiplier, shift = out_factor(value.scale[0], out_scale)
    return value.scale[0] * 2.0**shift / multiplier


def _is_one_sided(graph: Graph, op: Op) -> bool:
    """Tell whether an op is a clip whose limits are not each other's negatives."""
    if op.kind is not OpKind.CLIP:
        return False
    low, high = (graph.constants[name] for name in op.inputs[1:])
    return bool((low != -high).any())


def _heads(op: Op, readers: Sequence[Op]) -> int:
    """Return the number of heads of a Q or K, on which its rotation and the attentions that read it agree."""
    ops = (op, *readers)
    counts = [item.attrs.heads for item in ops if isinstance(item.attrs, RopeAttrs | AttentionAttrs)]
    if len(set(counts)) > 1:
        raise NoIntegerForm(
            readers[-1].loc,
            f"found attention over {counts[-1]} heads of a value of "
            f"{counts[0]} heads, allowed one number of heads",
        )
    return counts[0]


def _unrotated_scales(graph: Graph, roles: Mapping[str, Role], quants: dict[str, Quant]) -> None:
    """Give each input of a rotation the per-head scales of the result, finer by rotation_bits."""
    made_by = producers(graph)
    for op in graph.ops:
        if op.kind is OpKind.ROPE:
            assert roles[op.inputs[0]] is Role.UNROTATED and made_by[op.inputs[0]].kind is OpKind.LINEAR
            rotated = quants[op.output]
            heads = rotated.scale
            width = graph.types[op.inputs[0]].shape[1] // len(heads)
            finer = np.repeat(np.array(heads) / 2 ** rotation_bits(rotated.bits or 8), width)
            quants[op.inputs[0]] = Quant(tuple(float(scale) for scale in finer), per="channel")


def _pooled(
    graph: Graph,
    op: Op,
    x: Quant,
    readers: Mapping[str, tuple[Op, ...]],
    roles: Mapping[str, Role],
    recipe: Recipe,
) -> Quant:
    """Return the finest scale of a mean for which the ops that read it stay in int32.

    A mean of int8 codes spans them at most, so 2^7 steps per code always fit int16.
    """
    assert isinstance(op.attrs, MeanRowsAttrs)
    found = readers_through_views(readers, op.output)
    linears = [reader for reader in found if reader.kind is OpKind.LINEAR]
    bits = POOLED_BITS[recipe.pooled_bits]
    while bits > 0:
        scale = mean_scale(x, op.attrs.group_rows, bits)
        limit = 2**bits * max(127 - x.zero_point, 128 + x.zero_point)
        if all(
            fits_int32(graph, linear, roles[linear.output], scale, limit, POOLED_MULTIPLIER)
            for linear in linears
        ):
            break
        bits -= 1
    return Quant((mean_scale(x, op.attrs.group_rows, bits),))
