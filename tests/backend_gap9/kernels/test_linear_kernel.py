"""Which kernel runs a linear, and what is said where none does."""

from __future__ import annotations

import numpy as np
import pytest

from tmc.backend_gap9.kernels.linear_kernel import LINEAR_KERNELS, linear_kernel
from tmc.backend_gap9.kernels.table import KERNELS
from tmc.ir.attrs import QLinearAttrs
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import DType, TensorType


def linear(x: DType, attrs: QLinearAttrs) -> tuple[Graph, Op]:
    """Return a graph of one linear of 4 rows, 8 inputs and 4 outputs."""
    constants = {
        "w": np.zeros((4, 8), np.int8),
        "m": np.ones(4, np.int32),
        "b": np.zeros((1, 4), np.int32),
    }
    op = Op(OpKind.QLINEAR, ("x", *constants), "y", attrs, "/mlp/fc/MatMul")
    types = {name: TensorType(DType.of(array), array.shape) for name, array in constants.items()}
    types |= {"x": TensorType(x, (4, 8)), "y": TensorType(DType(attrs.dtype), (4, 4))}
    return Graph("one", ("x",), ("y",), (op,), types, constants), op


def test_every_linear_kernel_is_in_the_table() -> None:
    assert set(LINEAR_KERNELS.values()) == {name for name in KERNELS if name.startswith("tmc_linear")}


def test_kernel_follows_types() -> None:
    assert linear_kernel(*linear(DType.S8, QLinearAttrs(3, "s16"))) == "tmc_linear_s8s8s16"
    assert linear_kernel(*linear(DType.S16, QLinearAttrs(3, "s32"))) == "tmc_linear_s16s8s32"


def test_no_kernel() -> None:
    with pytest.raises(PlanError, match="/mlp/fc/MatMul: found a linear from s16 to s8") as error:
        linear_kernel(*linear(DType.S16, QLinearAttrs(3, "s8")))
    assert error.value.notes == (
        "merge two linears in a row into one, or put a LayerNorm or GELU between them",
    )
