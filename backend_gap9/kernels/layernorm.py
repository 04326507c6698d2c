"""Kernels of a LayerNorm of int16 rows, to int8, codes + 128 or int16."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tmc.backend_gap9.kernels.costs import costs_of, share
from tmc.backend_gap9.kernels.operands import CHANNELS, ROWS, flat, per_channel, result, rows_of
from tmc.backend_gap9.kernels.record import Arguments, Kernel, KernelRecord
from tmc.backend_gap9.program.expressions import mul
from tmc.backend_gap9.program.program import Var
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qlayernorm import RSQRT_TABLE, QLayerNormAttrs
from tmc.ir.types import Array, DType


@dataclass(frozen=True, slots=True)
class LayerNormCosts:
    """Per element, and per row."""

    element_cycles: float
    row_cycles: float


def _core_cycles(target: Target, a: Arguments) -> float:
    costs = costs_of(target, "layernorm", LayerNormCosts)
    return share(target, a["rows"]) * (a["channels"] * costs.element_cycles + costs.row_cycles)


def epsilon_entries(channels: int, center_bits: int) -> int:
    """Return how many dynamic shifts a LayerNorm can need: |channels x - sum| <= 65535 channels."""
    return max(0, (65535 * channels).bit_length() - center_bits) + 1


def _epsilon_bytes(a: Arguments) -> int:
    return epsilon_entries(a["channels"], a["center_bits"]) * 4


_QUANTISATION = ("center_bits", "norm_bits", "root", "gamma_shift", "epsilon_shift")


def _kernel(stem: str, y: DType, *, scalar: int, xpulp: int) -> Kernel:
    return Kernel(
        stem,
        "tmc_layernorm_args",
        (
            rows_of("x", ROWS, mul(CHANNELS, 2), Var("x_pitch")),
            per_channel("gamma", 2),
            per_channel("beta", 4),
            flat("epsilon", _epsilon_bytes),
            flat("rsqrt", 2 * len(RSQRT_TABLE)),
            result(ROWS, mul(CHANNELS, y.size_bytes)),
        ),
        ("rows", "channels", "x_pitch", "y_pitch", "centred", *_QUANTISATION),
        frozenset(_QUANTISATION),
        {"scalar": scalar, "xpulp": xpulp},
        _core_cycles,
    )


_BY_RESULT: Mapping[DType, Kernel] = {
    DType.S8: _kernel("tmc_layernorm_s16s8", DType.S8, scalar=64, xpulp=128),
    DType.U8: _kernel("tmc_layernorm_s16u8", DType.U8, scalar=64, xpulp=128),
    DType.S16: _kernel("tmc_layernorm_s16s16", DType.S16, scalar=112, xpulp=128),
}


def _chosen(graph: Graph, op: Op) -> tuple[Kernel, ...]:
    return (_BY_RESULT[graph.types[op.output].dtype],)


def _numbers(graph: Graph, op: Op) -> Mapping[str, int]:
    attrs = op.attrs
    assert isinstance(attrs, QLayerNormAttrs)
    return {"centred": int(attrs.centred), **{name: getattr(attrs, name) for name in _QUANTISATION}}


def _tables(graph: Graph, op: Op) -> Mapping[str, Array]:
    assert isinstance(op.attrs, QLayerNormAttrs)
    return {
        "gamma": graph.constants[op.inputs[1]],
        "beta": graph.constants[op.inputs[2]],
        "epsilon": np.array(op.attrs.epsilon_by_shift, dtype="<i4"),
        "rsqrt": RSQRT_TABLE.astype("<u2"),
    }


LAYERNORM = KernelRecord(
    OpKind.QLAYERNORM,
    "cores",
    "rows",
    tuple(_BY_RESULT.values()),
    _chosen,
    _numbers,
    ("layernorm", LayerNormCosts),
    _tables,
)
