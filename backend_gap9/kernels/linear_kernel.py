"""Which kernel computes a linear op."""

from __future__ import annotations

from collections.abc import Mapping

from tmc.ir.attrs import QLinearAttrs
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, Op
from tmc.ir.types import DType

LINEAR_KERNELS: Mapping[tuple[DType, DType, bool, bool, bool], str] = {
    # x, y, table, residual, transposed
    (DType.S8, DType.S8, False, False, False): "tmc_linear_s8s8s8",
    (DType.S8, DType.S8, True, False, False): "tmc_linear_table_s8s8s8",
    (DType.S8, DType.S8, False, False, True): "tmc_linear_transposed_s8s8s8",
    (DType.S8, DType.S8, True, False, True): "tmc_linear_table_transposed_s8s8s8",
    (DType.S8, DType.S16, False, False, False): "tmc_linear_s8s8s16",
    (DType.S8, DType.S16, False, True, False): "tmc_linear_add_s8s8s16",
    (DType.S8, DType.S32, False, False, False): "tmc_linear_s8s8s32",
    (DType.S16, DType.S16, False, False, False): "tmc_linear_grouped_s16s8s16",
    (DType.S16, DType.S32, False, False, False): "tmc_linear_s16s8s32",
}


def linear_kernel(graph: Graph, op: Op) -> str:
    """Return the kernel of a linear from its element types and attributes.

    Raises: PlanError for a combination without a kernel.
    """
    attrs = op.attrs
    assert isinstance(attrs, QLinearAttrs)
    x, y = graph.types[op.inputs[0]].dtype, graph.types[op.output].dtype
    kernel = LINEAR_KERNELS.get((x, y, attrs.table, attrs.residual, attrs.layout == "transposed"))
    if kernel is None:
        raise PlanError(
            op.loc,
            f"found a linear from {x.value} to {y.value}, layout {attrs.layout}, "
            f"table {attrs.table}, residual {attrs.residual}; allowed "
            f"{', '.join(sorted(LINEAR_KERNELS.values()))}",
            "merge two linears in a row into one, or put a LayerNorm or GELU between them",
        )
    return kernel
