"""Perceptrons and convolutions over time, on host and iss: every op bit-exact, and close to float."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.examples.head_models import export
from tests.examples.plain_models import plain_models
from tests.tmc.command import succeeded


@pytest.mark.parametrize("name", plain_models())
def test_bit_exact_and_close_to_float(tmp_path: Path, name: str) -> None:
    network, shape = plain_models()[name]
    model = tmp_path / "net.onnx"
    export(network.eval(), shape, model, "torchscript", 17, True)
    noise = np.random.default_rng(3)
    np.savez(tmp_path / "net.calibration.npz", emg=noise.standard_normal((24, *shape)).astype(np.float32))
    facts = succeeded("compile", model)
    windows = noise.standard_normal((3, *shape)).astype(np.float32)
    np.save(tmp_path / "x.npy", windows)
    files = ("--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy")
    for ran in (
        succeeded("run", tmp_path / "net", "--on", "host", *files),
        succeeded("run", tmp_path / "net", "--on", "iss"),
    ):
        assert (ran["bit_exact"], ran["mismatches"]) == (True, 0)
        assert [layer["name"] for layer in ran["layers"]] == [op["name"] for op in facts["ops"]]
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    expected = np.concatenate([session.run(None, {"emg": window})[0] for window in windows])
    error = np.square(np.load(tmp_path / "y.npy").reshape(expected.shape) - expected).sum()
    assert 10 * np.log10(np.square(expected).sum() / error) > 27
