"""From recordings to verified C, every step a command: prepare, train, export, compile, run."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from examples.tinymyo.__main__ import main
from examples.tinymyo.data.store import load_store
from tests.examples.data import raw_files
from tests.examples.test_pretrain import environment
from tests.tmc.command import succeeded

BRIEF = ("--batch", "16", "--precision", "float32", "--warmup-epochs", "0", "--rate", "1e-3")


def killed_at_first_state(folder: Path, *arguments: str | Path) -> None:
    """Start a training in a process of its own, and kill it as soon as it has saved a state."""
    command = [sys.executable, "-m", "examples.tinymyo", *map(str, arguments), "-o", str(folder)]
    child = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 100.0
    while not (folder / "state.pt").exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "killed while it ran"


def recording(path: Path) -> None:
    """Write a file of DB5 in which each movement is loud on channels of its own."""
    raw_files.ninapro(path, 16, 6, (1, 2, 3))
    content = loadmat(path)
    labels = content["restimulus"][:, 0]
    gains = np.full((len(labels), 16), 0.1)
    for movement in (1, 2, 3):
        gains[labels == movement, movement * 4 : movement * 4 + 4] = 2.0
    arrays = {name: value for name, value in content.items() if not name.startswith("__")}
    savemat(path, {**arrays, "emg": (content["emg"] * gains).astype(np.float32)})


def test_from_recordings_to_verified_c(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def done(*arguments: str | Path) -> str:
        """Run a verb to its end and return what it printed."""
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == 0
        return capsys.readouterr().out

    store, model = tmp_path / "store", tmp_path / "net.onnx"
    recording(tmp_path / "raw" / "S1_E1_A1.mat")
    source = ("--dataset", "db5", "--raw", tmp_path / "raw", "--skip-missing")
    done("prepare", *source, "-o", store, "--window", "60", "--stride", "20", "--overlap", "purge")

    network = ("--data", store, "--layers", "1", *BRIEF)
    pretraining = ("pretrain", *network, "--epochs", "3", "--save-seconds", "0")
    killed_at_first_state(tmp_path / "pre", *pretraining)
    assert "resumed at epoch" in done(*pretraining, "-o", tmp_path / "pre")

    tuned, integer = tmp_path / "tuned", tmp_path / "integer"
    encoder = ("--encoder", tmp_path / "pre" / "best.safetensors")
    done("finetune", *network, *encoder, "-o", tuned, "--epochs", "6", "--patience", "0")
    weights = ("--quantisation-aware", tuned / "best.safetensors")
    printed = done("finetune", "--data", store, *weights, "-o", integer, "--epochs", "1")
    assert "integer before: loss" in printed and "integer after: loss" in printed

    done("export", "--checkpoint", integer / "best.safetensors", "--data", store, "-o", model)
    assert succeeded("compile", model, "--accuracy-floor", "15")["ok"] is True

    test = load_store(store).test
    windows, labels = zip(*(test[index] for index in range(len(test))), strict=True)
    np.save(tmp_path / "x.npy", np.stack(windows))
    files = ("--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy")
    ran = succeeded("run", tmp_path / "net", "--on", "host", *files)
    assert ran["bit_exact"] is True and ran["runs"] == len(test) > 8
    logits = np.load(tmp_path / "y.npy").reshape(len(test), -1)
    accuracy = float((logits.argmax(axis=1) == np.array(labels)).mean())
    # What the training said of its integer network is what the compiled network does; chance is one in four.
    assert accuracy == json.loads((integer / "figures.json").read_text())["test"]["accuracy"]
    assert accuracy > 0.5
