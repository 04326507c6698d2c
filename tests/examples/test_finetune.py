"""Fine-tuning: it learns, keeps the best weights, stops early, freezes, and says what does not fit."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from examples.tinymyo.data.sets import ArrayWindows
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.evaluate import evaluate
from examples.tinymyo.finetune import finetune
from examples.tinymyo.model import Config, TinyMyo, build
from examples.tinymyo.optimise import Settings
from examples.tinymyo.synthetic import synthetic_windows

CLASSES = ("rest", "fist", "open", "pinch")


def labelled(count: int, channels: int = 4, samples: int = 100, seed: int = 0) -> ArrayWindows:
    windows, labels = synthetic_windows(count, channels, samples, len(CLASSES), seed)
    return ArrayWindows(windows, labels, CLASSES)


def small(**changed: object) -> TinyMyo:
    return build(dataclasses.replace(Config(4, 100, 1, len(CLASSES), dropout=0.0), **changed), seed=1)


def silent(line: str) -> None:
    pass


def test_overfits_32_windows() -> None:
    windows = labelled(32)
    model = build(Config(4, 100, 2, len(CLASSES), dropout=0.0), seed=1)
    settings = Settings(epochs=40, warmup_epochs=2, patience=0, layer_decay=1.0, clip=3.0)
    history = finetune(model, windows, windows, settings, log=silent)
    assert len(history) == 40
    assert evaluate(model, windows, settings).figures["accuracy"] == 1.0


def test_it_stops_early_with_the_best_weights(tmp_path: Path) -> None:
    windows = labelled(16)
    # First the right labels draw the loss down; the surer the network, the more the wrong ones cost.
    wrong = (windows.labels + 1) % len(CLASSES)
    mixed = dataclasses.replace(windows, labels=np.where(np.arange(16) < 12, windows.labels, wrong))
    settings = Settings(epochs=30, batch=4, warmup_epochs=0, patience=2, rate=1e-4, precision="float32")
    model = small()
    history = finetune(model, windows, mixed, settings, tmp_path / "state.pt", silent)
    losses = [figures["loss"] for figures in history]
    best = losses.index(min(losses))
    assert 0 < best < best + 2 == len(losses) - 1 < 29, "two epochs without a better one, and no third"
    assert evaluate(model, mixed, settings).figures["loss"] == losses[best]

    again = small()
    assert finetune(again, windows, mixed, settings, tmp_path / "state.pt", silent) == history
    assert torch.equal(again.norm.weight, model.norm.weight), "it resumes as stopped"


def test_frozen_is_all_but_the_head() -> None:
    model, before = small(), small().state_dict()
    settings = Settings(epochs=1, warmup_epochs=0, freeze=True)
    finetune(model, labelled(8), labelled(4), settings, log=silent)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"model_head.classifier.weight", "model_head.classifier.bias"}


def test_what_does_not_fit_is_refused() -> None:
    settings = Settings(epochs=1, warmup_epochs=0, precision="float32")
    windows = labelled(4)
    for model, found, message in (
        (small(channels=3), windows, r"windows: found 4 channels x 100 .*, allowed 3 \(or fewer\) x 100"),
        (small(samples=80), windows, r"windows: found 4 channels x 100 .*, allowed 4 \(or fewer\) x 80"),
        (small(classes=3), windows, "labels: found 4 classes, allowed those of a network for classification"),
        (small(head="regression"), windows, "labels: found 4 classes, allowed .* for regression with 4"),
        (small(), ArrayWindows(windows.windows), "labels: found no classes, allowed"),
        (small(), labelled(0), "windows: found 0, allowed 1 or more"),
    ):
        with pytest.raises(TinyMyoError, match=f"^{message}"):
            evaluate(model, found, settings)


def test_targets_that_do_not_fit_are_refused() -> None:
    model = small(head="regression", classes=1, target_samples=100)
    allowed = r"allowed targets \(100, 1\) as the network gives"
    windows = labelled(2).windows
    with pytest.raises(TinyMyoError, match=f"^window 0: found no label, {allowed}$"):
        evaluate(model, ArrayWindows(windows), Settings())
    for shape in ((100, 5), (50, 1)):
        targets = np.zeros((2, *shape), dtype=np.float32)
        found = rf"found targets \({shape[0]}, {shape[1]}\)"
        with pytest.raises(TinyMyoError, match=f"^window 0: {found}, {allowed}$"):
            evaluate(model, ArrayWindows(windows, targets), Settings())


def test_a_loss_that_is_not_finite_ends_the_run() -> None:
    windows = labelled(8)
    windows.windows[3, 0, 7] = np.nan
    settings = Settings(epochs=1, batch=8, warmup_epochs=0, precision="float32")
    with pytest.raises(TinyMyoError, match=r"^epoch 1, step 1: found loss nan, allowed a finite one$"):
        finetune(small(), windows, labelled(4), settings, log=silent)
