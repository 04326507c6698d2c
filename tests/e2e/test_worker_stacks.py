"""Ordinary encoders whose calls once were deeper than a core's stack: bit-exact on host and iss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.examples.encoder_models import Encoder, export_with_gradients, long_stage
from tests.tmc.command import succeeded

ENCODERS = {
    "100_tokens": Encoder(100),
    "200_tokens": Encoder(200),
    "patch_4": Encoder(50, dim=32, patch=4),
    "patch_10": Encoder(20, dim=64, patch=10),
    "patch_20": Encoder(10, patch=20),
}
MORE_ENCODERS = {
    "160_tokens": Encoder(160),
    "240_tokens": Encoder(240),
    "d_64": Encoder(200, dim=64),
    "3_heads": Encoder(200, heads=3),
    "1_layer": Encoder(200, layers=1),
}
WITHOUT_WINDOWS = ("patch_20",)


def check(model: Path) -> None:
    """Compile a network as a user does and run it everywhere."""
    facts = succeeded("compile", model)
    assert facts["worker_stack"]["need_bytes"] <= facts["stacks"]["worker_bytes"] == 1024
    for options in (("host",), ("iss",), ("iss", "--no-trace")):
        ran = succeeded("run", model.with_suffix(""), "--on", *options)
        assert (ran["bit_exact"], ran["mismatches"]) == (True, 0), options


def check_encoder(folder: Path, name: str, size: Encoder) -> None:
    """Export an encoder, with 8 windows of noise beside it unless it goes without, and check it."""
    export_with_gradients(size.build(), size.input_shape, folder / "net.onnx")
    if name not in WITHOUT_WINDOWS:
        windows = np.random.default_rng(0).standard_normal((8, *size.input_shape[1:]))
        np.savez(folder / "net.calibration.npz", emg=windows.astype(np.float32))
    check(folder / "net.onnx")


@pytest.mark.parametrize("name", ENCODERS)
def test_encoder(tmp_path: Path, name: str) -> None:
    check_encoder(tmp_path, name, ENCODERS[name])


@pytest.mark.soak
@pytest.mark.parametrize("name", MORE_ENCODERS)
def test_more_encoders(tmp_path: Path, name: str) -> None:
    check_encoder(tmp_path, name, MORE_ENCODERS[name])


def test_a_stage_of_many_calls(tmp_path: Path) -> None:
    export_with_gradients(long_stage(), (300, 12), tmp_path / "net.onnx")
    check(tmp_path / "net.onnx")
