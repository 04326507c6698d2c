"""TinyMyo 8x1000 compiles in at most 30 CPU seconds, calibration on 32 windows included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.compile_time import CANONICAL, START, export_network, measure
from tests.tmc.command import call


def test_cpu_seconds_of_tinymyo(tmp_path: Path) -> None:
    model = export_network("tinymyo-8x1000", tmp_path)
    with np.load(model.with_suffix(".calibration.npz")) as windows:
        assert windows["emg"].shape == (32, 8, 1000)
    found = measure(model)
    assert found.limit_cpu_seconds == 30.0 and found.cpu_seconds <= found.limit_cpu_seconds, found
    assert {START, "import", CANONICAL, "calibrate", "plan", "check_program", "emit"} <= set(found.stages)
    assert sum(found.stages.values()) == pytest.approx(found.cpu_seconds, abs=0.1)
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".npz", ".onnx"]


def test_a_model_that_does_not_compile_is_no_measurement(tmp_path: Path) -> None:
    assert call("check", tmp_path / "none.onnx").status == 1
    with pytest.raises(Exception, match="returned non-zero exit status"):
        measure(tmp_path / "none.onnx")
