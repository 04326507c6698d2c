"""From recordings to verified C, every step a command: prepare, train, export, compile, run."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from scipy.io import loadmat, savemat

from examples.tinymyo.data.store import load_store
from tests.examples.data import raw_files
from tests.examples.test_pretrain import environment

TINYMYO, TMC = "examples.tinymyo", "tmc"
BRIEF = ("--batch", "16", "--precision", "float32", "--warmup-epochs", "0", "--rate", "1e-3")


def started(module: str, *arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)


def done(module: str, *arguments: str | Path) -> str:
    """Run a command to its end and return what it printed."""
    child = started(module, *arguments)
    printed, _ = child.communicate(timeout=120)
    assert child.returncode == 0, printed
    return printed


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


def test_from_recordings_to_verified_c(tmp_path: Path) -> None:
    store, model = tmp_path / "store", tmp_path / "net.onnx"
    recording(tmp_path / "raw" / "S1_E1_A1.mat")
    sizes = ("--window", "60", "--stride", "20", "--overlap", "purge")
    done(
        TINYMYO,
        "prepare",
        "--dataset",
        "db5",
        "--raw",
        tmp_path / "raw",
        "-o",
        store,
        *sizes,
        "--skip-missing",
    )

    network = ("--data", store, "--layers", "1", *BRIEF)
    pretraining = ("pretrain", *network, "-o", tmp_path / "pre", "--epochs", "3", "--save-seconds", "0")
    child = started(TINYMYO, *pretraining)
    deadline = time.monotonic() + 100.0
    while not (tmp_path / "pre" / "state.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert child.returncode == -signal.SIGKILL, "killed while it ran"
    assert "resumed at epoch" in done(TINYMYO, *pretraining)

    tuned, integer = tmp_path / "tuned", tmp_path / "integer"
    encoder = ("--encoder", tmp_path / "pre" / "best.safetensors")
    done(TINYMYO, "finetune", *network, *encoder, "-o", tuned, "--epochs", "6", "--patience", "0")
    weights = ("--quantisation-aware", tuned / "best.safetensors")
    printed = done(TINYMYO, "finetune", "--data", store, *weights, "-o", integer, "--epochs", "1")
    assert "integer before: loss" in printed and "integer after: loss" in printed

    done(TINYMYO, "export", "--checkpoint", integer / "best.safetensors", "--data", store, "-o", model)
    facts = json.loads(done(TMC, "compile", model, "--accuracy-floor", "15", "--json"))
    assert facts["ok"] is True

    test = load_store(store).test
    windows, labels = zip(*(test[index] for index in range(len(test))), strict=True)
    np.save(tmp_path / "x.npy", np.stack(windows))
    files = ("--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy")
    ran = json.loads(done(TMC, "run", tmp_path / "net", "--on", "host", *files, "--json"))
    assert ran["bit_exact"] is True and ran["runs"] == len(test) > 8
    logits = np.load(tmp_path / "y.npy").reshape(len(test), -1)
    accuracy = float((logits.argmax(axis=1) == np.array(labels)).mean())
    # What the training said of its integer network is what the compiled network does; chance is one in four.
    assert accuracy == json.loads((integer / "figures.json").read_text())["test"]["accuracy"]
    assert accuracy > 0.5
