"""The kernel records: complete, each kernel in one of them, agreeing with the sources in C."""

from __future__ import annotations

import numpy as np
import pytest

from tests.repository import ROOT
from tmc.backend_gap9.kernels.add import ADD
from tmc.backend_gap9.kernels.costs import call_cycles
from tmc.backend_gap9.kernels.grid import SPLIT
from tmc.backend_gap9.kernels.linear import LINEAR
from tmc.backend_gap9.kernels.record import ISAS, Kernel
from tmc.backend_gap9.kernels.table import KERNELS, RECORDS
from tmc.backend_gap9.program.program import Binary, Const, Expr, Var
from tmc.backend_gap9.prove.relations.table import RELATIONS
from tmc.backend_gap9.target.target import Target
from tmc.backend_gap9.target.targets import TARGETS
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qadd import QAddAttrs
from tmc.ir.integer.qlinear import QLinearAttrs
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


def linear_kernel(graph: Graph, op: Op) -> Kernel:
    (kernel,) = LINEAR.chosen(graph, op)
    return kernel


def test_kernel_follows_types() -> None:
    assert linear_kernel(*linear(DType.S8, QLinearAttrs(3, "s16"))).stem == "tmc_linear_s8s8s16"
    assert linear_kernel(*linear(DType.S16, QLinearAttrs(3, "s32"))).stem == "tmc_linear_s16s8s32"


def test_no_kernel() -> None:
    with pytest.raises(PlanError, match="/mlp/fc/MatMul: found a linear from s16 to s8") as error:
        linear_kernel(*linear(DType.S16, QLinearAttrs(3, "s8")))
    assert error.value.notes == (
        "merge two linears in a row into one, or put a LayerNorm or GELU between them",
    )


def test_a_computed_row_for_all_rows_is_no_operand_of_a_sum() -> None:
    op = Op(OpKind.QADD, ("x", "z"), "y", QAddAttrs(1, 1, 0, 0), "/block/Add")
    types = {name: TensorType(DType.S8, (4, 8)) for name in "xy"} | {"z": TensorType(DType.S8, (1, 8))}
    found = "/block/Add: found one computed row for all 4 of %x, allowed 4 rows"
    with pytest.raises(PlanError, match=found) as error:
        ADD.chosen(Graph("one", ("x", "z"), ("y",), (op,), types, {}), op)
    assert error.value.notes[0].startswith("repeat the row, by an Expand")


def test_every_kernel_is_in_a_record_and_every_record_has_its_stranger() -> None:
    assert set(KERNELS.values()) == {kernel for record in RECORDS.values() for kernel in record.kernels}
    assert RELATIONS.keys() == {op for op, _ in RECORDS}
    alike = {OpKind.PERMUTE_ROWS, OpKind.TRANSPOSE, OpKind.GATHER, OpKind.CONCAT}
    alike |= {OpKind.MAX_ROWS, OpKind.ARGMAX_COLUMNS}
    assert {op for op, _ in RECORDS} == alike | {kind for kind in OpKind if kind.value.startswith("q")}


def test_every_kernel_has_its_sources_and_its_name() -> None:
    folder = ROOT / "runtime_c" / "kernels"
    written = {f"{stem}_{isa}" for stem, kernel in KERNELS.items() for isa in kernel.stack_bytes}
    assert {path.stem for path in folder.glob("*.c")} == written
    include = ROOT / "runtime_c" / "include"
    headers = [(include / f"tmc_{name}.h").read_text() for name in ("isa", "ne16_kernels")]
    defined = [line.split()[1:] for line in "".join(headers).splitlines() if line.startswith("#define tmc_")]
    macros = {
        stem: "TMC_JOB" if "ne16" in each.stack_bytes else "TMC_KERNEL" for stem, each in KERNELS.items()
    }
    assert sorted(defined) == sorted([stem, f"{macro}({stem})"] for stem, macro in macros.items())


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=lambda kernel: kernel.stem)
def test_what_a_kernel_says_of_itself_is_in_its_arguments(kernel: Kernel) -> None:
    assert kernel.quantisation <= set(kernel.arguments)
    assert kernel.stack_bytes.keys() in (set(ISAS), {"scalar", "ne16"})
    fields = [rule.field for rule in kernel.operands]
    assert len(set(fields)) == len(fields)
    for rule in kernel.operands:
        assert rule.in_place is None or rule.in_place in fields
        sizes = [size for size in (rule.rows, rule.row_bytes, rule.pitch_bytes) if isinstance(size, Expr)]
        # Emission prints the extents of what is written: expressions, all of them.
        assert rule.access == "read" or len(sizes) == 3
        assert {name for size in sizes for name in names_in(size)} <= set(kernel.arguments)


def names_in(size: Expr) -> set[str]:
    match size:
        case Const():
            return set()
        case Var(name):
            return {name}
        case Binary(_, left, right):
            return names_in(left) | names_in(right)
        case _:
            raise AssertionError(f"{size} in an extent")


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("kernel", KERNELS.values(), ids=lambda kernel: kernel.stem)
def test_every_target_has_the_costs_of_every_kernel(kernel: Kernel, target: Target) -> None:
    arguments = {name: 0 if name == SPLIT else 8 for name in kernel.arguments}
    assert call_cycles(target, kernel, arguments) > 0
