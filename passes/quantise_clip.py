"""The integer form of clips: saturation, a table, or limits in codes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph, Op, OpKind, producers
from tmc.ir.ops import WEIGHTED
from tmc.ir.types import Array, DType, Quant
from tmc.passes.canonical.fold_bias import grouped_rows
from tmc.passes.integer_ops.activation_table import ACTIVATIONS
from tmc.passes.scales.choose_scales import Scales
from tmc.passes.scales.clip_scales import sole_clips
from tmc.passes.scales.value_roles import Role

CODES = np.arange(-128, 128).astype(np.int8)
# How many steps beyond a limit the last code may lie so that saturation is the clip: rounding takes half a
# step anyway, and of symmetric codes -128 is one beyond.
SLACK = 0.51
SYMMETRIC_SLACK = 1.01
_SYMMETRIC = frozenset({Role.ATTENDED, Role.QUERY_KEY, Role.VALUE})
# Ops that write any int8 codes, and saturate.
_SATURATING = WEIGHTED | ACTIVATIONS.keys() | {OpKind.LAYERNORM, OpKind.ROPE, OpKind.ATTENTION}
NOTE = "clip what the linear op before it reads, or quantise the network without this range"


def absorbed_clips(graph: Graph, scales: Scales) -> dict[str, Op]:
    """Return the clip of every value whose op does it too: by saturation, or by a table of its results.

    Raises: QuantisationError naming a clip that has no integer form.
    """
    made_by, found = producers(graph), {}
    for name, clip in sole_clips(graph).items():
        role, op = scales.roles[clip.output], made_by.get(name)
        if op is None or op.kind not in _SATURATING:
            continue
        tabled = op.kind in WEIGHTED and uniform_limits(graph, clip) is not None
        if role in (Role.ACTIVATION, Role.ATTENDED, Role.QUERY_KEY, Role.VALUE):
            if saturates(graph, clip, scales.quants[clip.output], role) or tabled:
                found[name] = clip
            elif role in (Role.QUERY_KEY, Role.VALUE):
                raise QuantisationError(
                    clip.loc,
                    f"found {limits_text(graph, clip)} of a rotated Q or K, "
                    "allowed one for all channels, with opposite limits",
                    NOTE,
                )
        elif role is Role.TABLE_INPUT and not tabled:
            raise QuantisationError(
                clip.loc,
                f"found {limits_text(graph, clip)} before an activation, allowed one for all channels",
                NOTE,
            )
    return found


def uniform_limits(graph: Graph, clip: Op) -> tuple[float, float] | None:
    """Return the limits of a clip that has one pair for all elements."""
    low, high = (graph.constants[name] for name in clip.inputs[1:])
    same = bool((low == low.flat[0]).all() and (high == high.flat[0]).all())
    return (float(low.flat[0]), float(high.flat[0])) if same else None


def limits_text(graph: Graph, clip: Op) -> str:
    """Return the limits of a clip in words."""
    low, high = (graph.constants[name] for name in clip.inputs[1:])
    return f"a clip from {float(low.min()):.4g} to {float(high.max()):.4g}"


def saturates(graph: Graph, clip: Op, quant: Quant, role: Role) -> bool:
    """Tell whether int8 codes end where a clip does, or before."""
    limits = uniform_limits(graph, clip)
    if limits is None:
        return False
    slack = SYMMETRIC_SLACK if role in _SYMMETRIC else SLACK
    steps = [limit / scale + quant.zero_point for limit in limits for scale in quant.scale]
    low, high = max(steps[: len(quant.scale)]), min(steps[len(quant.scale) :])
    return low - slack <= -128 and high + slack >= 127


def clip_table(graph: Graph, clip: Op, quant: Quant) -> Array:
    """Return the clip of all int8 codes: entry i belongs to code i - 128."""
    low, high = (graph.constants[name].reshape(-1)[:1] for name in clip.inputs[1:])
    codes = np.rint(np.array([low, high]) / quant.scale[0]) + quant.zero_point
    return np.asarray(np.clip(np.clip(CODES, *codes), -128, 127).astype(np.int8))


def limit_codes(graph: Graph, clip: Op, dtype: DType, quant: Quant) -> tuple[Array, Array]:
    """Return low and high of a clip as codes [G, N] of a value: the fewest lines, each for M / G rows."""
    shape = graph.types[clip.output].shape
    ends = np.iinfo(dtype.numpy)
    scale = np.array(quant.scale)
    scale = scale if len(scale) == 1 else np.repeat(scale, shape[-1] // len(scale))
    codes = []
    for name in clip.inputs[1:]:
        limit = np.broadcast_to(graph.constants[name].astype(np.float64), shape)
        codes.append(np.clip(np.rint(limit / scale) + quant.zero_point, ends.min, ends.max))
    both = grouped_rows(np.concatenate(codes, axis=1))
    low, high = np.split(both.astype(dtype.numpy), 2, axis=1)
    return np.ascontiguousarray(low), np.ascontiguousarray(high)


def clips_before(graph: Graph, made_by: Mapping[str, Op], name: str) -> tuple[Op, tuple[float, float]]:
    """Return the op that computes the operand of an activation, and the limits between the two."""
    low, high = -np.inf, np.inf
    op = made_by[name]
    while op.kind is OpKind.CLIP:
        limits = uniform_limits(graph, op)
        assert limits is not None, "absorbed_clips refuses others"
        low, high = (min(max(limit, low), high) for limit in limits)
        op = made_by[op.inputs[0]]
    return op, (float(low), float(high))
