"""Quantisation-aware fine-tuning: the integer network gets better, and it is the one that is compiled."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from examples.tinymyo.__main__ import main
from examples.tinymyo.checkpoint import load_checkpoint, save_checkpoint
from examples.tinymyo.data.prepare import Options, prepare
from examples.tinymyo.data.sets import ArrayWindows, Splits
from examples.tinymyo.data.store import load_store
from examples.tinymyo.evaluate import evaluate
from examples.tinymyo.export import calibration_windows, export
from examples.tinymyo.finetune import finetune
from examples.tinymyo.model import Config, Head, TinyMyo, build
from examples.tinymyo.optimise import Settings
from examples.tinymyo.quantisation_aware import QUANTISATION_AWARE, finetune_integer
from examples.tinymyo.synthetic import synthetic_splits
from tests.examples.data.test_store import fill
from tests.tmc.command import succeeded

FLOAT = Settings(epochs=6, batch=16, warmup_epochs=0, patience=0, precision="float32", clip=3.0)
INTEGER = replace(QUANTISATION_AWARE, epochs=2, batch=16, rate=2e-4, precision="float32")


def lesson(head: Head) -> tuple[TinyMyo, Splits]:
    """Return a network of three channels, one of them padding, trained a little, and its windows."""
    data = synthetic_splits(2, 80, 4, (64, 32, 32))
    if head == "regression":
        data = Splits(*(targets(part) for part in (data.train, data.val, data.test)))
    outputs = 4 if head == "classification" else 1
    model = build(Config(3, 80, 1, outputs, head=head, target_samples=80), seed=1)
    finetune(model, data.train, data.val, FLOAT, log=lambda line: None)
    return model, data


def targets(part: object) -> ArrayWindows:
    """Return the same windows, with the loudness of the first channel as the value to find."""
    assert isinstance(part, ArrayWindows)
    loudness = np.abs(part.windows[:, 0]).mean(axis=1)
    return ArrayWindows(part.windows, np.tile(loudness[:, None, None], (1, 80, 1)).astype(np.float32))


@pytest.mark.parametrize("head", ["classification", "regression"])
def test_the_integer_network_gets_better_and_is_the_one_that_compiles(head: Head, tmp_path: Path) -> None:
    trained, data = lesson(head)
    lines = list[str]()
    model, history, after = finetune_integer(trained, data, INTEGER, log=lines.append)
    assert (len(history), model.config.channels, model.config.dropout) == (2, 2, 0.0)
    said = re.findall(r"^integer (before|after): loss (\d+\.\d+)", "\n".join(lines), re.MULTILINE)
    assert [when for when, _ in said] == ["before", "after"]
    losses = [float(loss) for _, loss in said]
    assert losses[1] < losses[0] and losses[1] == round(after.figures["loss"], 4)

    windows = np.stack([data.test[index][0] for index in range(len(data.test))])
    export(model, calibration_windows(data.train, head, "this test"), tmp_path / "net.onnx")
    np.save(tmp_path / "x.npy", windows)
    succeeded("compile", tmp_path / "net.onnx")
    files = ("--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy")
    assert succeeded("run", tmp_path / "net", "--on", "host", *files)["bit_exact"] is True
    found = np.load(tmp_path / "y.npy")
    labels = np.stack([np.asarray(data.test[index][1]) for index in range(len(data.test))])
    if head == "classification":
        assert (found.reshape(32, 4).argmax(axis=1) == labels).mean() == after.figures["accuracy"]
    else:
        error = np.abs(found.reshape(labels.shape) - labels).mean()
        assert error == pytest.approx(after.figures["mae"], rel=1e-6)


def test_weights_that_are_no_better_are_dropped() -> None:
    trained, data = lesson("classification")
    lines = list[str]()
    settings = replace(INTEGER, epochs=1, rate=0.5, floor_rate=0.5)
    model, _, _ = finetune_integer(trained, data, settings, log=lines.append)
    assert any("its weights stay" in line for line in lines)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, trained.state_dict()[name][: len(value)][..., : value.shape[-1]])
    found, expected = (evaluate(each, data.test, FLOAT).figures for each in (model, trained))
    assert found == pytest.approx(expected, rel=1e-5)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "raw", "uci")
    prepare(tmp_path / "raw", tmp_path / "store", Options("uci", window=100), True)
    data = load_store(tmp_path / "store")
    save_checkpoint(tmp_path / "tuned.safetensors", build(Config(8, 100, 1, len(data.test.classes)), seed=1))
    run = ["finetune", "--data", str(tmp_path / "store"), "-o", str(tmp_path / "out"), "--epochs", "1"]
    run += ["--quantisation-aware", str(tmp_path / "tuned.safetensors")]
    capsys.readouterr()
    assert main(run) == 0
    printed = capsys.readouterr().out
    assert "integer before: loss" in printed and "integer after: loss" in printed
    assert load_checkpoint(tmp_path / "out" / "best.safetensors").config.dropout == 0.0
    with pytest.raises(SystemExit):
        main([*run, "--encoder", "x"])
