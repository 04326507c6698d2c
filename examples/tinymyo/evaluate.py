"""Run a network over a set of windows and score what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from examples.tinymyo.data.sets import WindowSet
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.loop import Batch, Key, autocast, device_of, load_batches, process, share
from examples.tinymyo.metrics import (
    classification_figures,
    confusion_matrix,
    confusion_svg,
    regression_figures,
)
from examples.tinymyo.model import Config, TinyMyo
from examples.tinymyo.optimise import Settings


@dataclass(frozen=True, slots=True)
class Labelled:
    """Give (window, label, real channels) of a set, zero-padded to the channels of a network."""

    windows: WindowSet
    config: Config

    def __post_init__(self) -> None:
        """Check that the windows are those of the network.

        Raises:
            TinyMyoError: other sizes or other labels.
        """
        check_sizes(self.windows, self.config)
        classes = len(self.windows.classes)
        if classes != (self.config.classes if self.config.head == "classification" else 0):
            raise TinyMyoError(
                f"labels: found {classes or 'no'} classes, "
                f"allowed those of a network for {self.config.head} with {self.config.classes} outputs",
                "build the network for these labels",
            )

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, key: Key) -> tuple[Any, ...]:
        window, label = self.windows[key[1]]
        targets = (self.config.target_samples, self.config.classes)
        shape = np.asarray(label).shape
        if self.config.head == "regression" and shape != targets:
            found = "no label" if label is None else f"targets {shape}"
            raise TinyMyoError(
                f"window {key[1]}: found {found}, allowed targets {targets} as the network gives",
                "take a set with the targets that the network was trained on",
            )
        return pad(window, self.config.channels), label, self.windows.real_channels(key[1])


def check_sizes(windows: WindowSet, config: Config) -> None:
    """Check that windows fit a network, which may have more channels than they.

    Raises:
        TinyMyoError: another length, or more channels.
    """
    found, allowed = (windows.padded_channels, windows.samples), (config.channels, config.samples)
    if found[0] > allowed[0] or found[1] != allowed[1]:
        raise TinyMyoError(
            f"windows: found {found[0]} channels x {found[1]} samples, "
            f"allowed {allowed[0]} (or fewer) x {allowed[1]} as the network has",
            "build the network for these windows, or cut the windows for it",
        )


def pad(window: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """Add zero channels up to `channels`."""
    return np.pad(window, ((0, channels - len(window)), (0, 0)))


def padded_mask(real_channels: Tensor, channels: int) -> Tensor | None:
    """Return which channels of each window are padding, shape (B, channels), or None if none is."""
    mask = torch.arange(channels, device=real_channels.device) >= real_channels[:, None]
    return mask if bool(mask.any()) else None


def predict(model: TinyMyo, batch: Batch) -> Tensor:
    """Return the output for a batch of `Labelled`."""
    return model(batch[0], padded=padded_mask(batch[2], model.config.channels))  # type: ignore[no-any-return]


def losses(model: TinyMyo, output: Tensor, label: Tensor, label_smoothing: float) -> Tensor:
    """Return the loss of each window: cross-entropy with smoothed labels, or smooth L1."""
    if model.config.head == "classification":
        return F.cross_entropy(output.float(), label, reduction="none", label_smoothing=label_smoothing)
    return F.smooth_l1_loss(output.float(), label, reduction="none").mean(dim=(1, 2))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Hold the figures of a network on a set; the confusion matrix is None for regression."""

    figures: dict[str, float]
    confusion: NDArray[np.int64] | None

    def write_confusion(self, path: Path, classes: Sequence[str]) -> None:
        """Write the confusion matrix of a classifier as SVG."""
        assert self.confusion is not None
        path.write_text(confusion_svg(self.confusion, classes), encoding="utf-8")


def evaluate(model: TinyMyo, windows: WindowSet, settings: Settings) -> Evaluation:
    """Score a classifier or regressor on all windows of a set; the processes share the work.

    Raises:
        TinyMyoError: no windows, or windows of other sizes or labels than the network's.
    """
    examples = Labelled(windows, model.config)
    if not len(examples):
        raise TinyMyoError("windows: found 0, allowed 1 or more", "check the data and its splits")
    model.eval()
    rows: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
    with torch.inference_mode():
        for batch in load_batches(examples, share(len(examples), settings), settings):
            batch = [value.to(device_of(model), non_blocking=True) for value in batch]
            with autocast(model, settings):
                output = predict(model, batch).float()
            loss = losses(model, output, batch[1], settings.label_smoothing)
            rows.append((loss.cpu().numpy(), batch[1].cpu().numpy(), output.cpu().numpy()))
    processes = process()[1]
    if processes > 1:
        everyone: list[Any] = [None] * processes
        dist.all_gather_object(everyone, rows)
        rows = [row for one in everyone for row in one]
    each, labels, outputs = (np.concatenate(column) for column in zip(*rows, strict=True))
    figures = {"loss": float(each.mean(dtype=np.float64))}
    if model.config.head != "classification":
        return Evaluation(figures | regression_figures(labels, outputs), None)
    confusion = confusion_matrix(labels, outputs.argmax(axis=1), model.config.classes)
    return Evaluation(figures | classification_figures(confusion), confusion)
