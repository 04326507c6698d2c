"""Train the networks by `examples/tinymyo` on real signals, once: the next run finds them trained."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench.accuracy.signals import CLASSES, WINDOW_SAMPLES, Labelled, Parts, labelled_windows
from examples.tinymyo.data.sets import ArrayWindows, Splits
from examples.tinymyo.finetune import finetune
from examples.tinymyo.lesson import Lesson
from examples.tinymyo.model import Config, RopeScheme, TinyMyo, build
from examples.tinymyo.networks import ReferenceNetwork
from examples.tinymyo.optimise import Settings
from examples.tinymyo.pretrain import PRETRAIN

LAYERS = 8
NAMES = tuple(f"class{number}" for number in range(CLASSES))
SEED, TRAIN_SEED, VALIDATION_SEED = 1, 11, 12
# A network of twice the channels starts from the one of half as many.
BASE_CHANNELS = 8
WINDOWS = (1200, 96, 0)
# Rate, decay over layers and smoothing of labels are those published for fine-tuning.
FINETUNE = Settings(epochs=7, batch=16, warmup_epochs=1, clip=3.0, patience=0)
LESSON = Lesson(WINDOWS, replace(PRETRAIN, epochs=2, batch=16, warmup_epochs=1), FINETUNE)
# For the wider network: how many windows, and how.
WIDE_WINDOWS = 320
WIDE_FINETUNE = replace(FINETUNE, epochs=2, rate=2e-4)

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Network:
    """A network of the suite: 50 tokens for each channel."""

    rope: RopeScheme
    channels: int

    @property
    def name(self) -> str:
        """Return the name by which options and results call it."""
        return f"{self.rope}-{self.channels}x{WINDOW_SAMPLES}"

    @property
    def config(self) -> Config:
        """Return the sizes. No dropout: a network that sees each window a few times has nothing to forget."""
        return Config(self.channels, WINDOW_SAMPLES, LAYERS, CLASSES, rope=self.rope, dropout=0.0)


NETWORKS = tuple(Network(rope, channels) for channels in (8, 16) for rope in ("cyclic", "flat", "none"))


@dataclass(frozen=True, slots=True)
class Teaching:
    """How networks learn: those of 8 channels from random weights, those of 16 from them, briefly."""

    lesson: Lesson = LESSON
    wide_windows: int = WIDE_WINDOWS
    wide: Settings = WIDE_FINETUNE

    def shortened(self) -> Teaching:
        """Return one epoch of everything, on fewer windows: to try the command, not to measure."""
        once = replace(self.wide, epochs=1, warmup_epochs=0)
        before = replace(self.lesson.pretrain, epochs=1, warmup_epochs=0)
        return Teaching(Lesson((240, *self.lesson.windows[1:]), before, once), 96, once)


def to_standard_error(line: str) -> None:
    """Print progress where it does not mix with results."""
    print(line, file=sys.stderr, flush=True)


def trained(
    network: Network, parts: Parts, teaching: Teaching, folder: Path, log: Log = to_standard_error
) -> TinyMyo:
    """Return a trained network in evaluation mode, from `folder` where it is there already.

    What is found there was trained with the same settings on the same signals; all else has other names.
    """
    log(f"network {network.name}")
    if network.channels == BASE_CHANNELS:
        data = _data(parts, network.channels, teaching.lesson.windows)
        reference = ReferenceNetwork(network.config, SEED)
        return teaching.lesson.learn(reference, data, folder / _digest(data), log).eval()
    data = _data(parts, network.channels, (teaching.wide_windows, *teaching.lesson.windows[1:]))
    path = folder / _digest(data) / f"{network.name}-{_digest(repr(teaching))}.safetensors"
    model = build(network.config, SEED)
    if path.exists():
        model.load_state_dict(load_file(path))
        return model
    base = trained(replace(network, channels=BASE_CHANNELS), parts, teaching, folder, log)
    model.load_state_dict(widened(base.state_dict(), network.channels))
    log(f"network {network.name}, from {BASE_CHANNELS} channels")
    path.parent.mkdir(parents=True, exist_ok=True)
    state, draft = path.with_suffix(".state"), path.with_suffix(".draft")
    finetune(model, data.train, data.val, teaching.wide, state, log)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, draft)
    draft.replace(path)
    state.unlink()
    return model


def widened(state: dict[str, Tensor], channels: int) -> dict[str, Tensor]:
    """Return the parameters of a network of 8 channels for a multiple of them.

    The head sees each channel's features at the weight of the channel 8 before it, shared out; the channels'
    own vectors repeat.
    """
    times = channels // BASE_CHANNELS
    wide = dict(state)
    wide["model_head.classifier.weight"] = state["model_head.classifier.weight"].repeat(1, times) / times
    if "channel_embed" in state:
        own = state["channel_embed"][:, :BASE_CHANNELS].repeat(1, times, 1, 1)
        wide["channel_embed"] = torch.cat([own, state["channel_embed"][:, channels:]], dim=1)
    return wide


def _data(parts: Parts, channels: int, windows: tuple[int, ...]) -> Splits:
    """Return labelled windows, all of the training part: the test part is for the measurement alone."""
    train = _set(labelled_windows(parts.train, channels, windows[0], TRAIN_SEED))
    val = _set(labelled_windows(parts.train, channels, windows[1], VALIDATION_SEED))
    return Splits(train, val, val)


def _set(labelled: Labelled) -> ArrayWindows:
    return ArrayWindows(labelled.windows, labelled.labels, NAMES)


def _digest(content: Splits | str) -> str:
    """Return a short name for windows or settings."""
    if isinstance(content, str):
        return hashlib.sha256(content.encode()).hexdigest()[:12]
    assert isinstance(content.train, ArrayWindows)
    return hashlib.sha256(content.train.windows.tobytes()).hexdigest()[:12]
