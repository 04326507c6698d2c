"""Train the networks by `examples/tinymyo` on real signals, once: the next run finds them trained."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench.accuracy.signals import CLASSES, WINDOW_SAMPLES, Labelled, Parts, labelled_windows
from examples.tinymyo.data.sets import ArrayWindows
from examples.tinymyo.finetune import finetune
from examples.tinymyo.model import Config, RopeScheme, TinyMyo, build
from examples.tinymyo.optimise import Settings

LAYERS = 8
NAMES = tuple(f"class{number}" for number in range(CLASSES))
TRAIN_SEED, VALIDATION_SEED = 11, 12
VALIDATION_WINDOWS = 96
# A network of twice the channels starts from the one of half as many.
BASE_CHANNELS = 8


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
        """Return the sizes."""
        # No dropout: a network that sees each window a few times has nothing to forget.
        return Config(self.channels, WINDOW_SAMPLES, LAYERS, CLASSES, rope=self.rope, dropout=0.0)


NETWORKS = tuple(Network(rope, channels) for channels in (8, 16) for rope in ("cyclic", "flat", "none"))


@dataclass(frozen=True, slots=True)
class Lesson:
    """How much a network sees: windows of one epoch, and the settings of the training."""

    windows: int
    settings: Settings


PACE = Settings(batch=16, warmup_epochs=1, layer_decay=1.0, clip=1.0, save_seconds=60)
# From scratch at 8 channels, then briefly on at 16.
LESSONS = {
    8: Lesson(1000, replace(PACE, epochs=6, rate=7e-4)),
    16: Lesson(480, replace(PACE, epochs=2, rate=3e-4)),
}


def lessons(epochs: int | None) -> dict[int, Lesson]:
    """Return the lessons, cut down to a few epochs if that is asked for."""
    if epochs is None:
        return LESSONS
    warmup = min(1, epochs - 1)
    return {
        channels: replace(lesson, settings=replace(lesson.settings, epochs=epochs, warmup_epochs=warmup))
        for channels, lesson in LESSONS.items()
    }


def trained(
    network: Network,
    parts: Parts,
    lessons: dict[int, Lesson],
    folder: Path,
    log: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> TinyMyo:
    """Return a trained network in evaluation mode, from `folder` where it is there already.

    Its file's name carries a digest of everything that decides the weights, so other settings never meet it.
    """
    path = folder / f"{network.name}-{_digest(network, parts, lessons)}.safetensors"
    model = build(network.config, seed=1)
    if path.exists():
        model.load_state_dict(load_file(path))
        return model
    if network.channels != BASE_CHANNELS:
        base = trained(replace(network, channels=BASE_CHANNELS), parts, lessons, folder, log)
        model.load_state_dict(widened(base.state_dict(), network.channels))
    lesson = lessons[network.channels]
    log(f"training {network.name}: {lesson.settings.epochs} epochs of {lesson.windows} windows")
    train_set = _set(labelled_windows(parts.train, network.channels, lesson.windows, TRAIN_SEED))
    val_set = _set(labelled_windows(parts.train, network.channels, VALIDATION_WINDOWS, VALIDATION_SEED))
    folder.mkdir(parents=True, exist_ok=True)
    state = path.with_suffix(".state")  # from which a run that was interrupted goes on
    finetune(model, train_set, val_set, lesson.settings, state, log)
    draft = path.with_suffix(".draft")
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


def _set(labelled: Labelled) -> ArrayWindows:
    return ArrayWindows(labelled.windows, labelled.labels, NAMES)


def _digest(network: Network, parts: Parts, lessons: dict[int, Lesson]) -> str:
    used = {channels: asdict(lesson) for channels, lesson in lessons.items() if channels <= network.channels}
    sample = labelled_windows(parts.train, network.channels, CLASSES, TRAIN_SEED)
    digest = hashlib.sha256(repr((network, used)).encode())
    digest.update(sample.windows.tobytes())  # of the recording, and of how windows are made from it
    return digest.hexdigest()[:12]
