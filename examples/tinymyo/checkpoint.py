"""Save and load checkpoints: safetensors, or Lightning .ckpt; strictly, saying what did not match."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.model import (
    CHANNEL_SLOTS,
    EMBED_DIM,
    PATCH_SAMPLES,
    Config,
    Head,
    Pooling,
    RopeScheme,
    TinyMyo,
)

HEAD = "model_head."
HEAD_WEIGHTS: dict[str, Head] = {
    f"{HEAD}classifier.weight": "classification",
    f"{HEAD}regressor.0.weight": "regression",
    f"{HEAD}decoder_pred.weight": "reconstruction",
}
WIDTH_NDIM: dict[Head, int] = {"classification": 2, "regression": 3, "reconstruction": 2}
LIGHTNING_PREFIX = "model."
ROPE_BUFFERS = "rotary_emb."
NAMES_SHOWN = 8

State = dict[str, Tensor]


def read_state_dict(path: Path) -> tuple[State, dict[str, Any]]:
    """Read a checkpoint: its tensors under the names of `TinyMyo`, and what `save_checkpoint` noted in it.

    Raises:
        TinyMyoError: unreadable file, or no state dict in it.
    """
    notes: dict[str, Any] = {}
    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
            with safe_open(path, "pt") as file:
                notes = json.loads((file.metadata() or {}).get("tinymyo", "{}"))
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
            content = content.get("state_dict", content)
        tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    except Exception as error:  # Damaged files make unpicklers fail in every way there is.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TinyMyoError(
            f"{path}: found {reason}, "
            "allowed a .safetensors file, or a Lightning .ckpt of tensors and plain values",
            "check the path; a .ckpt that pickles other objects can be saved again as .safetensors",
        ) from error
    return {name.removeprefix(LIGHTNING_PREFIX): value.float() for name, value in tensors.items()}, notes


def save_checkpoint(path: Path, model: TinyMyo, classes: tuple[str, ...] = ()) -> None:
    """Write weights in the published naming, and a note of the configuration and the names of the classes."""
    state = {
        LIGHTNING_PREFIX + name: value.detach().cpu().contiguous()
        for name, value in model.state_dict().items()
    }
    notes = {"config": asdict(model.config), "classes": classes}
    draft = path.with_name(f"{path.name}.draft")
    save_file(state, draft, {"tinymyo": json.dumps(notes)})
    draft.replace(path)


def detect_rope(path: Path, state: Mapping[str, Tensor], rope: RopeScheme | None) -> RopeScheme:
    """Return the position scheme: channel_embed means cyclic, rotary buffers mean flat, else `rope` decides.

    Raises:
        TinyMyoError: nothing tells flat from none, or `rope` contradicts the tensors.
    """
    found: RopeScheme | None = None
    if "channel_embed" in state:
        found = "cyclic"
    elif any(ROPE_BUFFERS in name for name in state):
        found = "flat"
    if found is None and rope in ("flat", "none"):
        return rope
    if found is None:
        raise TinyMyoError(
            f"{path}: found neither channel_embed nor rotary buffers, and --rope {rope}, "
            "allowed --rope flat or none",
            "early checkpoints count positions over all tokens (flat), later ones without channel_embed none",
        )
    if rope not in (None, found):
        raise TinyMyoError(f"{path}: found --rope {rope}, allowed {found} (from its tensors)", "drop --rope")
    return found


def detect_config(
    path: Path, state: Mapping[str, Tensor], rope: RopeScheme | None, channels: int | None, samples: int
) -> Config:
    """Work out the configuration from the tensors; what they do not tell must be given.

    The width of a classifier or regressor gives the channels; a classifier of width 192 is over the mean of
    all tokens. A width of 16 x 192 is also what the published code gives networks of fewer channels, whose
    tokens it regroups 16-fold: say `channels`. Reconstruction has no width, so `channels` is 16 unless given.

    Raises:
        TinyMyoError: not one known head, or ambiguous, or in contradiction with `rope` or `channels`.
    """
    heads = [(name, head) for name, head in HEAD_WEIGHTS.items() if name in state]
    if len(heads) != 1 or state[heads[0][0]].ndim != WIDTH_NDIM[heads[0][1]]:
        found = sorted(name for name in state if name.startswith(HEAD))
        allowed = ", ".join(name.removesuffix(".weight") for name in HEAD_WEIGHTS)
        raise TinyMyoError(
            f"{path}: found head {', '.join(found) or 'none'}, allowed one of {allowed}",
            "an encoder without a head is where fine-tuning starts: finetune --encoder",
        )
    (name, head) = heads[0]
    outputs, width = state[name].shape[:2]
    pooling: Pooling = "concat"
    groups = 0
    if head == "classification" and width == EMBED_DIM and channels != 1:
        pooling = "mean"
    if head == "regression":
        last = state.get(f"{HEAD}regressor.5.weight")
        outputs = 1 if last is None else last.shape[0]
    if pooling == "mean" and channels is None:
        raise TinyMyoError(
            f"{path}: found a classifier over the mean of all tokens, which does not tell the channels",
            "give --channels",
        )
    if head == "reconstruction":
        channels = channels or CHANNEL_SLOTS
    elif pooling == "concat" and channels and width == CHANNEL_SLOTS * EMBED_DIM:
        groups = 0 if channels == CHANNEL_SLOTS else CHANNEL_SLOTS
    elif pooling == "concat" and (width % EMBED_DIM or channels not in (None, width // EMBED_DIM)):
        raise TinyMyoError(
            f"{path}: found a head of width {width} for {channels or 'any number of'} channels, "
            f"allowed channels x {EMBED_DIM}",
            "give the number of channels that the network was trained with",
        )
    blocks = [int(match[1]) for name in state if (match := re.match(r"blocks\.(\d+)\.", name))]
    return Config(
        channels=channels or width // EMBED_DIM,
        samples=samples,
        layers=max(blocks, default=-1) + 1,
        classes=PATCH_SAMPLES if head == "reconstruction" else outputs,
        rope=detect_rope(path, state, rope),
        pooling=pooling,
        head=head,
        groups=groups,
    )


def load_checkpoint(
    path: Path,
    rope: RopeScheme | None = None,
    channels: int | None = None,
    samples: int | None = None,
    target_samples: int | None = None,
) -> TinyMyo:
    """Return the network of a checkpoint, in evaluation mode.

    A file of `save_checkpoint` knows its configuration; any other is detected, at 1000 samples unless told.
    `target_samples` is what regression interpolates to, by default the samples of the window.

    Raises:
        TinyMyoError: see `read_state_dict` and `detect_config`; any name or shape that does not match; or an
            argument that contradicts what `save_checkpoint` noted.
    """
    state, notes = read_state_dict(path)
    if "config" in notes:
        config = Config(**notes["config"])
        asked = {"rope": rope, "channels": channels, "samples": samples, "target_samples": target_samples}
        for name, value in asked.items():
            noted = getattr(config, name)
            if value not in (None, noted):
                option = f"--{name.replace('_', '-')}"
                raise TinyMyoError(
                    f"{path}: found {option} {value}, allowed {noted} (noted in the file)", f"drop {option}"
                )
    else:
        config = detect_config(path, state, rope, channels, samples or 1000)
        if config.head == "regression":
            config = replace(config, target_samples=target_samples or config.samples)
    model = TinyMyo(config)
    _load(path, model, state)
    return model.eval()


def load_encoder(path: Path, model: TinyMyo) -> None:
    """Load everything but the head, which keeps its fresh weights: where fine-tuning starts.

    Raises:
        TinyMyoError: see `read_state_dict` and `detect_rope`; and any name or shape that does not match.
    """
    state, _ = read_state_dict(path)
    detect_rope(path, state, model.config.rope)
    encoder = {name: value for name, value in state.items() if not name.startswith(HEAD)}
    head = {name: value for name, value in model.state_dict().items() if name.startswith(HEAD)}
    _load(path, model, encoder | head)


def _load(path: Path, model: TinyMyo, state: State) -> None:
    state = {name: value for name, value in state.items() if ROPE_BUFFERS not in name}
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    wrong = [f"{name} missing" for name in expected if name not in state]
    wrong += [f"{name} unknown" for name in state if name not in expected]
    wrong += [
        f"{name} has shape {tuple(state[name].shape)}, not {shape}"
        for name, shape in expected.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    if wrong:
        more = [f"{len(wrong) - NAMES_SHOWN} more"] if len(wrong) > NAMES_SHOWN else []
        shown = "; ".join(wrong[:NAMES_SHOWN] + more)
        raise TinyMyoError(
            f"{path}: found tensors that do not match: {shown}, allowed exactly those of TinyMyo",
            "every tensor of the network must be in the file, with its published name and shape",
        )
    model.load_state_dict(state)
