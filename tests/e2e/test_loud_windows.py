"""Windows louder than those of the calibration: networks with norms do not care, others say what clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from tests.e2e.encoders import windows
from tests.e2e.zoo.encoders import Encoder
from tests.e2e.zoo.encoders import write as write_encoder
from tests.networks.onnx_files import node, write
from tests.tmc.command import call, succeeded

LOUDER = 5.0


def by_both(model: Path, x: np.ndarray) -> tuple[float, str]:
    """Return how near the compiled network is to onnxruntime, in dB, and what the run said."""
    np.save(model.parent / "x.npy", x)
    files = ("--input", model.parent / "x.npy", "--output", model.parent / "y.npy")
    ran = call("run", model.parent / "out", "--on", "host", *files)
    assert ran.status == 0 and "bit-exact" in ran.out
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    (port,) = session.get_inputs()
    expected = np.stack([session.run(None, {port.name: window})[0] for window in x]).astype(np.float64)
    noise = np.square(np.load(model.parent / "y.npy").reshape(expected.shape) - expected).sum()
    return float(10 * np.log10(np.square(expected).sum() / noise)), ran.out + ran.err


def test_an_encoder_hears_five_times_as_loud_windows(tmp_path: Path) -> None:
    shape = Encoder("plain", layers=2)
    model = write_encoder(tmp_path, shape, seed=3)
    facts = succeeded("compile", model, "-o", tmp_path / "out")
    assert facts["loudness"] == 8.0
    x = LOUDER * np.stack(windows(shape.input_shape, 8, seed=100)).astype(np.float32)
    ratio, said = by_both(model, x)
    assert ratio > 25 and "input emg: none of 6,400 numbers was clipped" in said
    summary = call("compile", model, "-o", tmp_path / "out")
    line = "windows up to 8 times as loud as those of the calibration fit the input and the residual stream"
    assert f"loudness  {line}\n" in summary.out
    assert f"Loudness: {line}." in (tmp_path / "out" / "report.html").read_text()

    plain = succeeded("compile", model, "-o", tmp_path / "out", "--recipe", "loudness=1")
    assert plain["loudness"] == 1.0
    ratio, said = by_both(model, x)
    assert ratio < 20 and "were clipped" in said
    assert "loudness  " not in call("compile", model, "-o", tmp_path / "out", "--recipe", "loudness=1").out


def test_a_perceptron_without_norms_says_what_clips(tmp_path: Path) -> None:
    """Its int8 values would need steps five times as coarse in every window; they keep their own."""
    generator = np.random.default_rng(0)
    shapes = {"w1": (24, 32), "w2": (32, 32), "w3": (32, 4), "b1": (32,), "b2": (32,), "b3": (4,)}
    constants = {
        name: (generator.standard_normal(shape) / shape[0] ** 0.5).astype(np.float32)
        for name, shape in shapes.items()
    }
    nodes = [
        node("Gemm", "x w1 b1", "h1"),
        node("Relu", "h1", "r1"),
        node("Gemm", "r1 w2 b2", "h2"),
        node("Relu", "h2", "r2"),
        node("Gemm", "r2 w3 b3", "y"),
    ]
    model = write(tmp_path / "mlp.onnx", nodes, {"x": (16, 24)}, constants=constants)
    x = generator.standard_normal((24, 16, 24))
    np.savez(tmp_path / "mlp.calibration.npz", x=x[:16].astype(np.float32))
    facts = succeeded("compile", model, "-o", tmp_path / "out")
    assert facts["loudness"] == 1.0
    ratio, said = by_both(model, x[16:].astype(np.float32))
    assert ratio > 25
    ratio, said = by_both(model, LOUDER * x[16:].astype(np.float32))
    assert ratio < 20
    assert "input x: " in said and "were clipped: codes stand for" in said
    assert "calibrate on windows as loud as these" in said
