"""The kernel table: a record for each op and engine.

`check_program` takes the extents of operands from here, not from the schedule, so the two cannot agree on a
wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tmc.backend_gap9.kernels.add import ADD
from tmc.backend_gap9.kernels.argmax_columns import ARGMAX_COLUMNS
from tmc.backend_gap9.kernels.attention import ATTENTION
from tmc.backend_gap9.kernels.clip import CLIP
from tmc.backend_gap9.kernels.concat import CONCAT
from tmc.backend_gap9.kernels.convert import CONVERT
from tmc.backend_gap9.kernels.depthwise_rows import DEPTHWISE_ROWS
from tmc.backend_gap9.kernels.gather import GATHER
from tmc.backend_gap9.kernels.interpolate_rows import INTERPOLATE_ROWS
from tmc.backend_gap9.kernels.layernorm import LAYERNORM
from tmc.backend_gap9.kernels.linear import LINEAR
from tmc.backend_gap9.kernels.matmul import MATMUL
from tmc.backend_gap9.kernels.max_rows import MAX_ROWS
from tmc.backend_gap9.kernels.mean_rows import MEAN_ROWS
from tmc.backend_gap9.kernels.mul import MUL
from tmc.backend_gap9.kernels.permute_rows import PERMUTE_ROWS
from tmc.backend_gap9.kernels.record import Engine, Form, Kernel, KernelRecord
from tmc.backend_gap9.kernels.requantise import REQUANTISE
from tmc.backend_gap9.kernels.rope import ROPE
from tmc.backend_gap9.kernels.softmax import SOFTMAX
from tmc.backend_gap9.kernels.transpose import TRANSPOSE
from tmc.ir.graph import Op, OpKind

RECORDS: Mapping[tuple[OpKind, Engine], KernelRecord] = {
    (record.op, record.engine): record
    for record in (
        LINEAR,
        REQUANTISE,
        CLIP,
        CONVERT,
        ADD,
        MUL,
        LAYERNORM,
        ROPE,
        ATTENTION,
        MEAN_ROWS,
        MAX_ROWS,
        ARGMAX_COLUMNS,
        SOFTMAX,
        MATMUL,
        DEPTHWISE_ROWS,
        INTERPOLATE_ROWS,
        PERMUTE_ROWS,
        GATHER,
        CONCAT,
        TRANSPOSE,
    )
}

# By C name, without the suffix of the ISA. Ops may share a kernel.
KERNELS: Mapping[str, Kernel] = {
    kernel.stem: kernel for record in RECORDS.values() for kernel in record.kernels
}

# The record of each table of cost constants in a target's file.
COSTS: Mapping[str, type[Any]] = dict(record.costs for record in RECORDS.values())


def form_of(op: Op) -> Form:
    """Return how a stage loops over an op."""
    form = RECORDS[op.kind, "cores"].form
    return form if isinstance(form, str) else form(op)


def record_of(kind: OpKind, engine: Engine = "cores") -> KernelRecord:
    """Return the record of an op on an engine; there is one for each op of a stage."""
    return RECORDS[kind, engine]
