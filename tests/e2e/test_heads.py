"""Every head of TinyMyo from PyTorch to C: every op on host and iss as interpreted, and close to float."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.examples.head_models import PATCH_SAMPLES, HeadKind, HeadSize, build_head, export
from tests.tmc.command import succeeded

WINDOWS = 3


@dataclass(frozen=True, slots=True)
class Case:
    """A head, its size, and the ops after the LayerNorm that all have."""

    kind: HeadKind
    size: HeadSize
    ops: tuple[str, ...]


REGRESSION = ("permute_rows", "qlinear", "qdepthwise_rows", "qlinear", "qinterpolate_rows")
CASES = (
    Case("reconstruction", HeadSize(), ("qlinear",)),
    Case("classification", HeadSize(), ("qmean_rows", "qlinear")),
    Case("mean", HeadSize(), ("qmean_rows", "qlinear")),
    Case("regression", HeadSize(), REGRESSION),
    Case("regression", HeadSize(channels=5, patches=7, dim=20, hidden=31, out=3, samples=33), REGRESSION),
    Case("regression", HeadSize(channels=2, patches=30, dim=64, hidden=96, out=1, samples=600), REGRESSION),
    Case(
        "regression",
        HeadSize(channels=1, patches=2, dim=8, hidden=5, out=22, samples=2),
        (*REGRESSION[1:-1], "transpose"),
    ),
    Case("regression", HeadSize(channels=8, patches=50, hidden=40, samples=8), REGRESSION),
)


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.kind}-{case.size.channels}x{case.size.patches}"
)
def test_heads_are_bit_exact_and_close_to_float(tmp_path: Path, case: Case) -> None:
    shape = (1, case.size.channels, case.size.patches * PATCH_SAMPLES)
    model = tmp_path / "net.onnx"
    export(build_head(case.kind, case.size), shape, model, "torchscript", 17, True)
    noise = np.random.default_rng(3)
    calibration = noise.standard_normal((16, *shape)).astype(np.float32)
    np.savez(tmp_path / "net.calibration.npz", emg=calibration)
    facts = succeeded("compile", model)
    assert [op["op"] for op in facts["ops"]] == ["qlinear", "qlayernorm", *case.ops]

    # Windows like those of the calibration, and one far out of its range.
    windows = noise.standard_normal((WINDOWS, *shape)).astype(np.float32)
    np.save(tmp_path / "x.npy", np.concatenate([windows, 5 * windows[:1]]))
    files = ("--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy")
    host = succeeded("run", tmp_path / "net", "--on", "host", *files)
    iss = succeeded("run", tmp_path / "net", "--on", "iss")
    for ran, runs in ((host, WINDOWS + 1), (iss, 1)):
        assert (ran["bit_exact"], ran["mismatches"], ran["runs"]) == (True, 0, runs)
        assert [layer["name"] for layer in ran["layers"]] == [op["name"] for op in facts["ops"]]

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    expected = np.concatenate([session.run(None, {"emg": window})[0] for window in windows])
    found = np.load(tmp_path / "y.npy")[:WINDOWS].reshape(expected.shape)
    error = np.square(found - expected).sum()
    assert 10 * np.log10(np.square(expected).sum() / error) > 27
