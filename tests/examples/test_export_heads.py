"""Every head through the command line: exported, compiled, bit-exact on host and iss; padding left out."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from examples.tinymyo import __main__ as command
from examples.tinymyo import networks
from examples.tinymyo.checkpoint import save_checkpoint
from examples.tinymyo.data.normalise import to_unit_range
from examples.tinymyo.data.prepare import Options, prepare
from examples.tinymyo.data.sets import ArrayWindows
from examples.tinymyo.data.store import load_store
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.export import calibration_windows, compare_with_onnxruntime, export, without_padding
from examples.tinymyo.model import Config, Head, RopeScheme, TinyMyo, build
from tests.examples.data import raw_files
from tests.examples.data.test_store import quiet
from tests.tmc.command import succeeded

SMALL = Config(channels=3, samples=80, layers=1, classes=5, target_samples=40)
HEADS: dict[str, tuple[str, ...]] = {
    "concat": (),
    "mean": ("--pooling", "mean"),
    "regression": ("--head", "regression"),
    "reconstruction": ("--head", "reconstruction"),
}


def trained(config: Config) -> TinyMyo:
    """Return a network whose biases and norms are not the trivial ones of a fresh one."""
    model = build(config, seed=3)
    noise = np.random.default_rng(3)
    for parameter in model.parameters():
        parameter.data.add_(parameter.data.new_tensor(noise.normal(0.0, 0.05, tuple(parameter.shape))))
    return model


@pytest.mark.parametrize("kind", HEADS)
def test_every_head_compiles_and_is_bit_exact(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(networks.NETWORKS, "small", networks.ReferenceNetwork(SMALL, 3))
    path = tmp_path / "net.onnx"
    assert command.main(["export", "--network", "small", *HEADS[kind], "-o", str(path)]) == 0
    assert "torch against onnxruntime: largest difference" in capsys.readouterr().out
    facts = succeeded("compile", path)
    (output,) = facts["accuracy"]["outputs"]
    assert output["sqnr_db"] > 20.0
    for platform in ("host", "iss"):
        ran = succeeded("run", tmp_path / "net", "--on", platform)
        assert ran["bit_exact"] is True and len(ran["layers"]) == len(facts["ops"])


@pytest.mark.parametrize("rope", ["flat", "cyclic"])
@pytest.mark.parametrize(
    ("head", "pooling"),
    [("classification", "concat"), ("classification", "mean"), ("regression", "concat")],
)
def test_checkpoint_exports_for_its_real_channels(
    head: Head, pooling: str, rope: RopeScheme, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = dataclasses.replace(SMALL, channels=5, head=head, pooling=pooling, rope=rope)
    model, path = trained(config), tmp_path / "net.onnx"
    save_checkpoint(tmp_path / "best.safetensors", model)
    arguments = ["--checkpoint", str(tmp_path / "best.safetensors"), "--real-channels", "3"]
    assert command.main(["export", *arguments, "-o", str(path)]) == 0
    assert f"3 channels, head {head}" in capsys.readouterr().out
    # Against the padded network once more, on windows of this test.
    windows = np.random.default_rng(1).standard_normal((3, 3, 80)).astype(np.float32)
    difference, output_range = compare_with_onnxruntime(model, path, windows)
    assert 0 < difference < 1e-5 * output_range
    with torch.no_grad():
        padded = model(torch.nn.functional.pad(torch.from_numpy(windows), (0, 0, 0, 2)))
        assert float((padded - without_padding(model, 3)(torch.from_numpy(windows))).abs().max()) > 1e-2


def test_reconstruction_of_real_channels() -> None:
    model = trained(dataclasses.replace(SMALL, channels=5, classes=20, head="reconstruction"))
    window = torch.randn(2, 3, 80, generator=torch.Generator().manual_seed(1))
    padded = torch.tensor([[False] * 3 + [True] * 2] * 2)
    with torch.no_grad():
        expected = model(torch.nn.functional.pad(window, (0, 0, 0, 2)), padded=padded)[:, :3]
        torch.testing.assert_close(without_padding(model, 3)(window), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("groups", "channels", "message"),
    [
        (0, 6, r"^channels: found 6 for a network of 5, allowed 1 to 5"),
        (10, 3, r"^channels: found 3 for a network of 5 and a head of 10 groups, allowed all of them"),
    ],
)
def test_channels_that_cannot_be_left_out(groups: int, channels: int, message: str) -> None:
    model = build(dataclasses.replace(SMALL, channels=5, groups=groups), seed=1)
    with pytest.raises(TinyMyoError, match=message):
        without_padding(model, channels)


def test_calibration_from_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw_files.ninapro(tmp_path / "raw" / "S1_E1_A1.mat", 12, 6, (1, 2))
    options = Options("db7", window=80, stride=40)
    prepare(tmp_path / "raw", tmp_path / "store", options, True, say=quiet)
    model = trained(dataclasses.replace(SMALL, channels=16))
    save_checkpoint(tmp_path / "best.safetensors", model)
    arguments = ["export", "--checkpoint", str(tmp_path / "best.safetensors"), "--data"]
    path = tmp_path / "net.onnx"
    assert command.main([*arguments, str(tmp_path / "store"), "-o", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "12 channels" in printed and "training part of store" in printed
    train = load_store(tmp_path / "store").train
    known = {train[index][0].tobytes() for index in range(len(train))}
    with np.load(path.with_suffix(".calibration.npz")) as content:
        assert content["emg"].shape[1:] == (12, 80) and 8 < len(content["emg"]) <= 32
        assert {window.tobytes() for window in content["emg"]} <= known
    chosen = calibration_windows(train, "reconstruction", "store").train
    np.testing.assert_array_equal(chosen[0], to_unit_range(train[0][0]))

    longer = dataclasses.replace(model.config, samples=100)
    with pytest.raises(TinyMyoError, match=r"^windows: found 80 samples, allowed 100 as the network has"):
        export(build(longer, 1), calibration_windows(train, "classification", "store"), path)


def test_a_store_without_training_windows() -> None:
    empty = ArrayWindows(np.zeros((0, 3, 80), dtype=np.float32))
    with pytest.raises(TinyMyoError, match=r"^training part of x: found no windows, allowed 1 or more"):
        calibration_windows(empty, "classification", "training part of x")


def test_head_of_a_checkpoint_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["export", "--checkpoint", "x.safetensors", "--head", "regression", "-o", "x.onnx"]
    assert command.main(arguments) == 1
    assert capsys.readouterr().err.startswith("error: --head, --pooling: found with --checkpoint, allowed")
