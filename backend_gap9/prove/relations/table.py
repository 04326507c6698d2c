"""The relation of every kernel, by its C name and the op that it may compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.add import relate_add
from tmc.backend_gap9.prove.relations.argmax_columns import relate_argmax_columns
from tmc.backend_gap9.prove.relations.attention import (
    relate_scores,
    relate_softmax,
    relate_softmax_bias,
    relate_values,
)
from tmc.backend_gap9.prove.relations.attention_jobs import (
    relate_divide,
    relate_job_softmax,
    relate_pack,
    relate_product,
)
from tmc.backend_gap9.prove.relations.clip import relate_clip
from tmc.backend_gap9.prove.relations.convert import relate_convert
from tmc.backend_gap9.prove.relations.depthwise_rows import relate_depthwise_rows
from tmc.backend_gap9.prove.relations.interpolate_rows import relate_interpolate_rows
from tmc.backend_gap9.prove.relations.layernorm import relate_layernorm
from tmc.backend_gap9.prove.relations.linear import relate_linear
from tmc.backend_gap9.prove.relations.matmul import relate_matmul
from tmc.backend_gap9.prove.relations.max_rows import relate_max_rows
from tmc.backend_gap9.prove.relations.mean_rows import relate_mean_rows
from tmc.backend_gap9.prove.relations.moves import (
    relate_copied_rows,
    relate_picked_columns,
    relate_picked_rows,
)
from tmc.backend_gap9.prove.relations.mul import relate_mul
from tmc.backend_gap9.prove.relations.permute_rows import relate_permute_rows
from tmc.backend_gap9.prove.relations.requantise import relate_requantise
from tmc.backend_gap9.prove.relations.rope import relate_rope
from tmc.backend_gap9.prove.relations.softmax import relate_softmax_rows
from tmc.backend_gap9.prove.relations.transpose import relate_transpose
from tmc.backend_gap9.prove.relations.wanted import Wanted
from tmc.ir.graph import Graph, OpKind

Relation = Callable[[CheckedCall, Graph], Wanted]

# A relation refuses the kernels of its op that do not compute this one. Attention takes three kernels, with a
# bias another one for the softmax, and four others on the accelerator; a move takes one or two.
RELATIONS: Mapping[OpKind, Relation | Mapping[str, Relation]] = {
    OpKind.QLINEAR: relate_linear,
    OpKind.QREQUANTISE: relate_requantise,
    OpKind.QCLIP: relate_clip,
    OpKind.QCONVERT: relate_convert,
    OpKind.QADD: relate_add,
    OpKind.QMUL: relate_mul,
    OpKind.QLAYERNORM: relate_layernorm,
    OpKind.QROPE: relate_rope,
    OpKind.QATTENTION: {
        "tmc_attention_scores_s8s8s16": relate_scores,
        "tmc_attention_scores_s16s16s16": relate_scores,
        "tmc_attention_softmax_s16u8": relate_softmax,
        "tmc_attention_softmax_bias_s16s16u8": relate_softmax_bias,
        "tmc_attention_values_u8s8s8": relate_values,
        "tmc_attention_values_u8s8s16": relate_values,
        "tmc_attention_pack_s8u8": relate_pack,
        "tmc_linear_u8s8s32": relate_product,
        "tmc_attention_softmax_s32u8": relate_job_softmax,
        "tmc_attention_divide_s32s8": relate_divide,
    },
    OpKind.QMEAN_ROWS: relate_mean_rows,
    OpKind.MAX_ROWS: relate_max_rows,
    OpKind.ARGMAX_COLUMNS: relate_argmax_columns,
    OpKind.QSOFTMAX: relate_softmax_rows,
    OpKind.QMATMUL: relate_matmul,
    OpKind.QDEPTHWISE_ROWS: relate_depthwise_rows,
    OpKind.QINTERPOLATE_ROWS: relate_interpolate_rows,
    OpKind.PERMUTE_ROWS: relate_permute_rows,
    OpKind.GATHER: {
        "tmc_copy_rows_s8s8": relate_copied_rows,
        "tmc_gather_rows_s8s8": relate_picked_rows,
        "tmc_gather_columns_s8s8": relate_picked_columns,
        "tmc_gather_columns_s16s16": relate_picked_columns,
        "tmc_gather_columns_s32s32": relate_picked_columns,
    },
    OpKind.TRANSPOSE: relate_transpose,
    OpKind.CONCAT: {"tmc_copy_rows_s8s8": relate_copied_rows},
}


def wanted(call: CheckedCall, graph: Graph) -> Wanted:
    """Return what the kernel must be given to compute the part that it writes.

    Raises: ValueError if no input gives that part, such as rows of two heads, or if another kernel does.
    """
    relation = RELATIONS[call.op.kind]
    return (relation[call.kernel] if isinstance(relation, Mapping) else relation)(call, graph)
