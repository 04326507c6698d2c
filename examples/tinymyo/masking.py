"""Masked reconstruction: which patches are hidden, and what the network is asked to give back."""

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from examples.tinymyo.model import PATCH_SAMPLES

VISIBLE_WEIGHT = 0.1


def patch_mask(real_channels: int, channels: int, patches: int, key: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which patches (channels * patches) to hide: exactly half of the real ones, any channel alike.

    The draw depends on `key` alone, so it is the same in every process and after a resume. Of an odd count
    the smaller half is hidden.
    """
    real = real_channels * patches
    mask = np.zeros(channels * patches, dtype=np.bool_)
    mask[np.random.default_rng(key).permutation(real)[: real // 2]] = True
    return mask


def reconstruction_losses(found: Tensor, windows: Tensor, masked: Tensor, padded: Tensor | None) -> Tensor:
    """Return per window the smooth L1 of the hidden patches plus 0.1 times that of the visible ones.

    `found` and `windows` are (B, channels, samples), `masked` (B, tokens); padded channels count nowhere.
    """
    each = F.smooth_l1_loss(found.float(), windows, reduction="none")
    each = each.reshape(len(each), -1, PATCH_SAMPLES).mean(dim=2)
    visible = ~masked
    if padded is not None:
        visible = visible & ~padded.repeat_interleave(each.shape[1] // padded.shape[1], dim=1)
    return _mean(each, masked) + VISIBLE_WEIGHT * _mean(each, visible)


def _mean(each: Tensor, part: Tensor) -> Tensor:
    return (each * part).sum(dim=1) / part.sum(dim=1).clamp(min=1)
