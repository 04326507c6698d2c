"""Load published or own checkpoints: safetensors, or Lightning .ckpt; strictly, saying what did not match."""

import re
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.model import EMBED_DIM, Config, Pooling, RopeScheme, TinyMyo

CLASSIFIER = "model_head.classifier.weight"
LIGHTNING_PREFIX = "model."
ROPE_BUFFERS = "rotary_emb."
NAMES_SHOWN = 8


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint under the names of `TinyMyo`, without the Lightning prefix.

    Raises:
        TinyMyoError: unreadable file, or no state dict in it.
    """
    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
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
    return {name.removeprefix(LIGHTNING_PREFIX): value.float() for name, value in tensors.items()}


def detect_config(
    path: Path, state: dict[str, Tensor], rope: RopeScheme | None, channels: int | None, samples: int
) -> Config:
    """Work out the configuration from the tensors; what they do not tell must be given.

    `channel_embed` means `cyclic`, rotary buffers mean `flat`; without both, `rope` decides between flat and
    none. The width of the classifier gives the channels; a width of 192 is the mean head, whose channels must
    be given.

    Raises:
        TinyMyoError: not a TinyMyo classifier, or ambiguous, or in contradiction with `rope` or `channels`.
    """
    if CLASSIFIER not in state or state[CLASSIFIER].ndim != 2:
        heads = sorted(name for name in state if name.startswith("model_head."))
        raise TinyMyoError(
            f"{path}: found head {', '.join(heads) or 'none'}, allowed model_head.classifier",
            "a pre-trained encoder has no classifier yet: fine-tune it first",
        )
    found: RopeScheme | None = None
    if "channel_embed" in state:
        found = "cyclic"
    elif any(ROPE_BUFFERS in name for name in state):
        found = "flat"
    if found is None and rope not in ("flat", "none"):
        raise TinyMyoError(
            f"{path}: found neither channel_embed nor rotary buffers, and --rope {rope}, "
            "allowed --rope flat or none",
            "early checkpoints count positions over all tokens (flat), later ones without channel_embed none",
        )
    if found is not None and rope not in (None, found):
        raise TinyMyoError(f"{path}: found --rope {rope}, allowed {found} (from its tensors)", "drop --rope")
    classes, width = state[CLASSIFIER].shape
    pooling: Pooling = "mean" if width == EMBED_DIM and channels != 1 else "concat"
    if pooling == "mean" and channels is None:
        raise TinyMyoError(
            f"{path}: found a classifier over the mean of all tokens, which does not tell the channels",
            "give --channels",
        )
    if pooling == "concat" and (width % EMBED_DIM or channels not in (None, width // EMBED_DIM)):
        raise TinyMyoError(
            f"{path}: found a classifier of width {width} for {channels or 'any number of'} channels, "
            f"allowed channels x {EMBED_DIM}",
            "give the number of channels that the network was trained with",
        )
    blocks = [int(match[1]) for name in state if (match := re.match(r"blocks\.(\d+)\.", name))]
    return Config(
        channels=channels or width // EMBED_DIM,
        samples=samples,
        layers=max(blocks, default=-1) + 1,
        classes=classes,
        rope=found or rope or "flat",
        pooling=pooling,
    )


def load_checkpoint(
    path: Path, rope: RopeScheme | None = None, channels: int | None = None, samples: int = 1000
) -> TinyMyo:
    """Return the classifier of a checkpoint, in evaluation mode.

    Raises:
        TinyMyoError: see `read_state_dict` and `detect_config`; and any name or shape that does not match.
    """
    state = read_state_dict(path)
    model = TinyMyo(detect_config(path, state, rope, channels, samples))
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
    return model.eval()
