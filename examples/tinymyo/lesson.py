"""The demo's training: a network that tells synthetic gestures apart, from random weights, in minutes."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch

from examples.tinymyo.checkpoint import load_checkpoint, load_encoder, save_checkpoint
from examples.tinymyo.data.sets import Splits
from examples.tinymyo.finetune import finetune
from examples.tinymyo.model import PATCH_SAMPLES, Config, TinyMyo, build
from examples.tinymyo.networks import ReferenceNetwork
from examples.tinymyo.optimise import Settings
from examples.tinymyo.pretrain import PRETRAIN, pretrain
from examples.tinymyo.synthetic import synthetic_splits

# Up to this many tokens one core trains as fast as two.
SMALL_TOKENS = 100


@dataclass(frozen=True, slots=True)
class Lesson:
    """Hold how many windows train, validate and test, and both parts of the training."""

    windows: tuple[int, int, int] = (1024, 192, 96)
    pretrain: Settings = field(default_factory=lambda: replace(PRETRAIN, epochs=2, batch=32, warmup_epochs=1))
    finetune: Settings = field(default_factory=lambda: Settings(epochs=5, warmup_epochs=1, clip=3.0))

    def data(self, config: Config) -> Splits:
        """Generate the labelled windows."""
        return synthetic_splits(config.channels, config.samples, config.classes, self.windows)

    def learn(
        self, network: ReferenceNetwork, data: Splits, folder: Path, log: Callable[[str], None]
    ) -> TinyMyo:
        """Return the trained network: from `folder` if it is there with the same settings, else trained now.

        A training that was stopped goes on where it was.
        """
        asked = json.dumps([asdict(network), asdict(self)], sort_keys=True)
        folder = folder / f"training-{hashlib.sha256(asked.encode()).hexdigest()[:12]}"
        weights, encoder = folder / "best.safetensors", folder / "encoder.safetensors"
        if weights.exists():
            log(f"weights of an earlier run with the same settings: {weights}; remove it to train again")
            return load_checkpoint(weights)
        folder.mkdir(parents=True, exist_ok=True)
        begin = time.monotonic()
        with threads_for(network.config):
            if not encoder.exists():
                log("masked reconstruction, without labels")
                config = replace(network.config, head="reconstruction", classes=PATCH_SAMPLES)
                model = build(config, network.seed)
                state = folder / "pretrain.pt"
                pretrain(model, data.train, data.val, self.pretrain, state, log)
                save_checkpoint(encoder, model)
            log("fine-tuning, with labels")
            model = build(network.config, network.seed)
            load_encoder(encoder, model)
            finetune(model, data.train, data.val, self.finetune, folder / "finetune.pt", log)
        save_checkpoint(weights, model, data.train.classes)
        for state in folder.glob("*.pt"):
            state.unlink()
        log(f"trained in {time.monotonic() - begin:.0f} s: {weights}")
        return model


@contextmanager
def threads_for(config: Config) -> Iterator[None]:
    """Train a small network on one core: more wait for each other, and on a busy machine for long."""
    threads = torch.get_num_threads()
    if config.tokens <= SMALL_TOKENS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
