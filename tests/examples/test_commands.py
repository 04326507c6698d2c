"""The verbs of the training side on prepared stores: from windows to weights, figures and a picture."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from examples.tinymyo.__main__ import main
from examples.tinymyo.checkpoint import save_checkpoint
from examples.tinymyo.commands import MEANINGS, ONLY_FINETUNE
from examples.tinymyo.data.prepare import Options, prepare
from examples.tinymyo.model import Config, build
from examples.tinymyo.optimise import Settings
from tests.examples.data import raw_files
from tests.examples.data.test_store import fill, quiet

TINY = ["--layers", "1", "--epochs", "2", "--warmup-epochs", "1", "--precision", "float32", "--batch", "16"]


def store(folder: Path, dataset: str) -> str:
    """Prepare a small raw dataset in windows of 100 samples."""
    fill(folder / f"raw-{dataset}", dataset)
    prepare(folder / f"raw-{dataset}", folder / dataset, Options(dataset, window=100), True)
    return str(folder / dataset)


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(MEANINGS) == {field.name for field in fields(Settings)}
    for verb in ("pretrain", "finetune", "evaluate"):
        with pytest.raises(SystemExit):
            main([verb, "--help"])
        text = " ".join(capsys.readouterr().out.split())
        for name, meaning in MEANINGS.items():
            if verb == "finetune" or (verb == "pretrain" and name not in ONLY_FINETUNE):
                assert f"--{name.replace('_', '-')}" in text and meaning in text, (verb, name)
    with pytest.raises(SystemExit):
        main(["pretrain", "--data", "x", "-o", "y", "--freeze"])
    assert "unrecognized arguments: --freeze" in capsys.readouterr().err


def test_pretrain_finetune_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uci, out, tuned = store(tmp_path, "uci"), tmp_path / "pre", tmp_path / "tuned"
    assert main(["pretrain", "--data", uci, "-o", str(out), *TINY]) == 0
    assert len(json.loads((out / "figures.json").read_text())["epochs"]) == 2
    weights = str(out / "best.safetensors")
    run = ["finetune", "--data", uci, "--encoder", weights, "-o", str(tuned), "--seeds", "2", *TINY]
    assert main(run) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^test macro_f1: 0\.\d{4} ± 0\.\d{4} over 2 seeds$", printed, re.MULTILINE)
    best = tuned / "seed42" / "best.safetensors"
    figures = json.loads((tuned / "seed42" / "figures.json").read_text())
    assert (tuned / "seed43" / "confusion.svg").read_text().startswith("<svg ")
    picture = tmp_path / "confusion.svg"
    options = ["--precision", "float32", "--confusion", str(picture)]
    assert main(["evaluate", "--checkpoint", str(best), "--data", uci, *options]) == 0
    expected = ", ".join(f"{name} {value:.4f}" for name, value in figures["test"].items())
    assert capsys.readouterr().out == f"test: {expected}\n"
    assert picture.read_text() == (tuned / "seed42" / "confusion.svg").read_text()
    assert main(run) == 0, "a finished run is resumed at its end"
    assert "resumed at epoch 3" in capsys.readouterr().out


def test_regression(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db8 = store(tmp_path, "db8")
    assert main(["finetune", "--data", db8, "-o", str(tmp_path / "out"), *TINY]) == 0
    assert re.search(r"^test: loss .*, mae .*, rmse .*, r2 ", capsys.readouterr().out, re.MULTILINE)


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pose, out = store(tmp_path, "emg2pose"), str(tmp_path / "out")
    for arguments, message in (
        (["--seeds", "0"], "error: --seeds: found 0, allowed 1 or more"),
        ([], f"error: {pose}: found no labels, allowed classes or targets"),
    ):
        assert main(["finetune", "--data", pose, "-o", out, *arguments]) == 1
        assert capsys.readouterr().err.startswith(message)
    assert not Path(out).exists()


def test_a_store_without_training_windows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for subject in (25, 31):
        raw_files.uci(tmp_path / "raw" / f"{subject:02}" / "1_raw.txt")
    folder, out = tmp_path / "uci", str(tmp_path / "out")
    prepare(tmp_path / "raw", folder, Options("uci", window=100, normalise="published"), True, say=quiet)
    save_checkpoint(tmp_path / "net.safetensors", build(Config(8, 100, 1, 7), seed=1))
    for arguments, message in (
        (["finetune", "-o", out], f"{folder}: found no training windows, allowed 1 or more"),
        (["pretrain", "-o", out], "training windows: found 0, allowed 1 or more"),
        (
            ["export", "--checkpoint", str(tmp_path / "net.safetensors"), "-o", str(tmp_path / "net.onnx")],
            "training part of uci: found no windows, allowed 1 or more",
        ),
        (
            ["evaluate", "--checkpoint", str(tmp_path / "net.safetensors"), "--part", "train"],
            "windows: found 0, allowed 1 or more",
        ),
    ):
        assert main([*arguments, "--data", str(folder)]) == 1
        assert capsys.readouterr().err.startswith(f"error: {message}\nnote: "), arguments[0]


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_corrupt_store_is_named(workers: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = Path(store(tmp_path, "uci"))
    recording = sorted(folder.glob("recordings/*.npy"))[0]
    recording.write_bytes(recording.read_bytes()[:2000])
    capfd.readouterr()
    run = ["finetune", "--data", str(folder), "-o", str(tmp_path / "out"), "--workers", workers, *TINY]
    assert main(run) == 1
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2, lines
    assert re.match(rf"error: {recording}: found \d+ values at a window, allowed 800$", lines[0])
    assert lines[1].startswith("note: run prepare again")
