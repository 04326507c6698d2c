"""Networks that are harder to quantise: planted channel outliers, sharpened attention.

Trained for minutes, a network has milder LayerNorm outputs than one trained for days. These variants stand in
for it, and for what transformers of language have.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

from examples.tinymyo.model import EMBED_DIM, Block, TinyMyo

OUTLIER_CHANNELS = 6
OUTLIER_FACTORS = (8.0, 40.0)
OUTLIER_SEED = 5
# By what the scores are multiplied, with planted outliers each time.
SHARPENING = {"outliers": 1.0, "sharp2": 2.0, "sharp5": 5.0}
# Those that are compiled with Q and K of 16 bits, too.
SHARP = frozenset({"sharp5"})


def stressed(model: TinyMyo, name: str) -> TinyMyo:
    """Return a network with planted outliers and scores as large as SHARPENING says."""
    return plant_outliers(sharpen(model, SHARPENING[name]), OUTLIER_SEED)


def plant_outliers(model: TinyMyo, seed: int) -> TinyMyo:
    """Return an equal network with 6 channels of each LayerNorm output 8 to 40 times as large.

    The columns of the weights that read them are divided by the same factors, so the function is the same up
    to float rounding. The last LayerNorm stays: its output is what token figures are about.
    """
    random = np.random.default_rng(seed)
    planted = copy.deepcopy(model)
    with torch.no_grad():
        for block in planted.blocks:
            assert isinstance(block, Block)
            for norm, reader in ((block.norm1, block.attn.qkv), (block.norm2, block.mlp.fc1)):
                _scale_channels(norm, reader, random)
    return planted


def _scale_channels(norm: nn.LayerNorm, reader: nn.Linear, random: np.random.Generator) -> None:
    channels = random.choice(EMBED_DIM, OUTLIER_CHANNELS, replace=False)
    factor = np.ones(EMBED_DIM, dtype=np.float32)
    factor[channels] = np.geomspace(*OUTLIER_FACTORS, OUTLIER_CHANNELS)
    by = torch.from_numpy(factor)
    norm.weight.mul_(by)
    norm.bias.mul_(by)
    reader.weight.div_(by)


def sharpen(model: TinyMyo, factor: float) -> TinyMyo:
    """Return a network with scores `factor` times as large: another function, with its own float result."""
    sharp = copy.deepcopy(model)
    with torch.no_grad():
        for block in sharp.blocks:
            assert isinstance(block, Block)
            block.attn.qkv.weight[:EMBED_DIM].mul_(factor)
            block.attn.qkv.bias[:EMBED_DIM].mul_(factor)
    return sharp
