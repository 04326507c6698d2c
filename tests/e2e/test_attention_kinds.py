"""Attention of many kinds, from PyTorch to the instruction set: bit-exact, and near float."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.examples.attention_kinds import attention_kinds
from tests.examples.head_models import export
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.ir.graph import OpKind

SAMPLES = np.random.default_rng(2).standard_normal((24, 1, 12, 10)).astype(np.float32)


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


@pytest.mark.parametrize("name", attention_kinds())
def test_bit_exact_and_near_float(tmp_path: Path, iss: Path, name: str) -> None:
    network, shape = attention_kinds()[name]
    export(network.eval(), shape, tmp_path / "net.onnx", "torchscript", 17, True)
    np.savez(tmp_path / "net.calibration.npz", emg=SAMPLES)
    found = compile_model(Options(tmp_path / "net.onnx", target_named("gap9"), tmp_path / "out"))
    assert OpKind.QATTENTION in {op.kind for op in found.graph.ops}
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact
    assert found.accuracy.outputs[0].sqnr_db > 30
