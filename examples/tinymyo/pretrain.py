"""Pre-train a network by masked reconstruction on windows without labels."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from examples.tinymyo.data.normalise import to_unit_range
from examples.tinymyo.data.sets import WindowSet
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.evaluate import check_sizes, pad, padded_mask
from examples.tinymyo.loop import Batch, Key, autocast, device_of, load_batches, process, share, train
from examples.tinymyo.masking import patch_mask, reconstruction_losses
from examples.tinymyo.model import Config, TinyMyo
from examples.tinymyo.optimise import Settings

PRETRAIN = Settings(
    epochs=50,
    batch=512,
    floor_rate=1e-6,
    warmup_epochs=10,
    clip=3.0,
    layer_decay=1.0,
    patience=0,
)
"""The published settings; `batch` is that of four GPUs."""


@dataclass(frozen=True, slots=True)
class MaskedWindows:
    """Give (window in [-1, 1] per channel, hidden patches, real channels); each epoch hides others."""

    windows: WindowSet
    config: Config
    seed: int

    def __post_init__(self) -> None:
        """Check that the windows are those of the network; raise a TinyMyoError if not."""
        check_sizes(self.windows, self.config)

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, key: Key) -> tuple[Any, ...]:
        real = self.windows.real_channels(key[1])
        window = self.windows[key[1]][0][:real]
        if not np.isfinite(window).all():
            raise TinyMyoError(
                f"window {key[1]}: found values that are not finite, allowed finite ones", "clean the data"
            )
        mask = patch_mask(real, self.config.channels, self.config.patches, (self.seed, *key))
        return pad(to_unit_range(window), self.config.channels), mask, real


def reconstruct(model: TinyMyo, batch: Batch) -> Tensor:
    """Return the reconstruction loss of each window of a batch of `MaskedWindows`."""
    windows, masked, real = batch
    padded = padded_mask(real, model.config.channels)
    return reconstruction_losses(model(windows, masked, padded), windows, masked, padded)


def pretrain(
    model: TinyMyo,
    train_set: WindowSet,
    val_set: WindowSet,
    settings: Settings = PRETRAIN,
    state_file: Path | None = None,
    log: Callable[[str], None] = print,
) -> list[dict[str, float]]:
    """Train `model` (head reconstruction) in place; it ends with the weights of the lowest validation loss.

    Returns train_loss and loss of every epoch. The masks of the validation windows are always the same.

    Raises:
        TinyMyoError: another head, no validation windows, or see `train` and `check_sizes`.
    """
    if model.config.head != "reconstruction":
        raise TinyMyoError(
            f"head: found {model.config.head}, allowed reconstruction", "build the network for pre-training"
        )
    examples = MaskedWindows(train_set, model.config, settings.seed)
    held_out = MaskedWindows(val_set, model.config, settings.seed)
    if not len(held_out):
        raise TinyMyoError("validation windows: found 0, allowed 1 or more", "check the data and its splits")

    def validate() -> dict[str, float]:
        total = torch.zeros((), dtype=torch.float64)
        with torch.inference_mode():
            for batch in load_batches(held_out, share(len(held_out), settings), settings):
                batch = [value.to(device_of(model), non_blocking=True) for value in batch]
                with autocast(model, settings):
                    total += reconstruct(model, batch).double().sum().cpu()
        if process()[1] > 1:
            total = total.to(device_of(model))
            dist.all_reduce(total)
        return {"loss": total.item() / len(held_out)}

    return train(model, examples, reconstruct, validate, settings, state_file, log)
