"""A call of a LayerNorm: gamma, beta, the tables of epsilon and of the root."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import Wanted, one_line
from tmc.ir.graph import Graph
from tmc.ir.integer.qlayernorm import RSQRT_TABLE, QLayerNormAttrs
from tmc.ir.types import DType

_KERNELS: Mapping[tuple[DType, DType], str] = {
    (DType.S16, DType.S8): "tmc_layernorm_s16s8",
    (DType.S16, DType.U8): "tmc_layernorm_s16u8",
    (DType.S16, DType.S16): "tmc_layernorm_s16s16",
}


def relate_layernorm(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what a call must be given."""
    op, attrs = call.op, call.op.attrs
    assert isinstance(attrs, QLayerNormAttrs)
    x, y = (graph.types[name].dtype for name in (op.inputs[0], op.output))
    if call.kernel != _KERNELS.get((x, y)):
        raise ValueError(f"found kernel {call.kernel}, allowed one from {x.value} to {y.value}")
    constants = {
        "gamma": one_line(graph.constants[op.inputs[1]]),
        "beta": one_line(graph.constants[op.inputs[2]]),
        "epsilon": one_line(np.array(attrs.epsilon_by_shift, dtype=np.int32)),
        "rsqrt": one_line(RSQRT_TABLE.astype(np.uint16)),
    }
    names = ("center_bits", "norm_bits", "root", "gamma_shift", "centred", "epsilon_shift")
    numbers = {name: int(getattr(attrs, name)) for name in names}
    numbers["channels"] = graph.types[op.output].shape[1]
    row = call.claim("y").row
    return Wanted({"x": (op.inputs[0], row, 0), "y": (op.output, row, 0)}, constants, numbers)
