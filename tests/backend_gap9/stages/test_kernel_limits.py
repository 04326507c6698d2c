"""What kernels cannot take."""

from __future__ import annotations

import numpy as np
import pytest

from tmc.backend_gap9.stages.kernel_limits import check_kernel_limits
from tmc.ir.build import GraphBuilder
from tmc.ir.errors import PlanError
from tmc.ir.graph import OpKind
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.types import DType, TensorType


@pytest.mark.parametrize(("dtype", "rows", "taken"), [("s8", 4, False), ("s8", 1, True), ("s16", 4, True)])
def test_a_bias_for_each_row(dtype: str, rows: int, taken: bool) -> None:
    stored = DType(dtype)
    builder = GraphBuilder("net", {"x": TensorType(stored, (4, 8))}, ("y",))
    operands = [
        "x",
        builder.constant(np.ones((8, 8), np.int8), "weight"),
        builder.constant(np.ones(8, np.int32), "multiplier"),
        builder.constant(np.ones((rows, 8), np.int32), "bias"),
    ]
    builder.op(OpKind.QLINEAR, operands, QLinearAttrs(4, dtype), "/embed/MatMul", "y")  # type: ignore[arg-type]
    if taken:
        check_kernel_limits(builder.graph(), {})
        return
    with pytest.raises(PlanError, match="/embed/MatMul: found 4 different constant rows added to the result"):
        check_kernel_limits(builder.graph(), {})
