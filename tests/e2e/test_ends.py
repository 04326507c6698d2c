"""Networks that end in a softmax, its logarithm or a sigmoid: computed, bit-exact, near float."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.networks.onnx_files import node, write
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.ir.graph import OpKind
from tmc.ir.types import DType, Quant

DEPTH, ROWS, COLUMNS, CLASSES = 12, 20, 30, 7
LOG_SUM = [node("ReduceLogSumExp", "h", "y", axes=[2], keepdims=0)]


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


@pytest.mark.parametrize(
    ("end", "kinds"),
    [
        ([node("Softmax", "h", "y", axis=-1)], {OpKind.QSOFTMAX}),
        ([node("Softmax", "h", "y", axis=1)], {OpKind.QSOFTMAX}),
        ([node("LogSoftmax", "h", "y", axis=-1)], {OpKind.QSOFTMAX, OpKind.MAX_ROWS}),
        (LOG_SUM, {OpKind.QSOFTMAX, OpKind.MAX_ROWS}),
        ([node("Sigmoid", "h", "y")], set()),
        ([node("Softmax", "h", "p", axis=-1), node("MatMul", "p w2", "y")], {OpKind.QSOFTMAX}),
    ],
    ids=["softmax", "over tokens", "log", "log of sum", "sigmoid", "mixture"],
)
@pytest.mark.parametrize("pooled", [True, False], ids=["pooled", "tokens"])
def test_the_end_is_computed(
    tmp_path: Path, iss: Path, end: list[onnx.NodeProto], kinds: set[OpKind], pooled: bool
) -> None:
    random = np.random.default_rng(1)
    constants = {
        "w0": random.standard_normal((DEPTH, COLUMNS)) / DEPTH**0.5,
        "gain": np.exp(0.3 * random.standard_normal(COLUMNS)),
        "w1": 2.0 * random.standard_normal((COLUMNS, CLASSES)) / COLUMNS**0.5,
        "w2": random.standard_normal((CLASSES, CLASSES)),
    }
    nodes = [
        node("MatMul", "x w0", "e"),
        node("LayerNormalization", "e gain", "n", axis=-1),
        node("ReduceMean", "n", "m", axes=[1], keepdims=1) if pooled else node("Identity", "n", "m"),
        node("MatMul", "m w1", "h"),
        *end,
    ]
    path = tmp_path / "ends.onnx"
    arrays = {name: array.astype(np.float32) for name, array in constants.items()}
    write(path, nodes, {"x": (1, ROWS, DEPTH)}, ("y",), arrays)
    windows = random.standard_normal((256, 1, ROWS, DEPTH)).astype(np.float32)
    np.savez(path.with_suffix(".calibration.npz"), x=windows)
    found = compile_model(Options(path, target_named("gap9"), tmp_path / "out"))
    assert kinds <= {op.kind for op in found.graph.ops}
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 30
    if end[-1].op_type == "Softmax":
        assert found.graph.types["y"].dtype is DType.S16 and found.graph.types["y"].quant == Quant(
            (2.0**-15,)
        )
