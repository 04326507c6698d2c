"""Packed rows of weights: the weights of one output channel padded to words, multiplier, bias."""

from __future__ import annotations

import numpy as np

from tmc.ir.types import Array

WORD_BYTES = 4


def word_up(size_bytes: int) -> int:
    """Round up to a multiple of 4 bytes."""
    return (size_bytes + 3) // WORD_BYTES * WORD_BYTES


def odd_pitch(row_bytes: int) -> int:
    """Return the smallest pitch of an odd number of words: successive rows start in different L1 banks."""
    words = word_up(row_bytes) // WORD_BYTES
    return WORD_BYTES * (words + 1 - words % 2)


def weight_row_bytes(depth: int) -> int:
    """Return the used part of a packed weight row."""
    return word_up(depth) + 2 * WORD_BYTES


def weight_pitch(depth: int) -> int:
    """Return the pitch of packed weight rows."""
    return odd_pitch(weight_row_bytes(depth))


def packed_rows(weight: Array, multiplier: Array, bias: Array | None) -> Array:
    """Return packed rows [N, weight_pitch] as bytes, of int8 weights [N, K]; no bias is a bias of zero."""
    channels, depth = weight.shape
    packed = np.zeros((channels, weight_pitch(depth)), dtype=np.uint8)
    packed[:, :depth] = weight.view(np.uint8)
    start = word_up(depth)
    packed[:, start : start + 4] = multiplier.astype("<i4").view(np.uint8).reshape(channels, 4)
    if bias is not None:
        words = bias.reshape(channels).astype("<i4")
        packed[:, start + 4 : start + 8] = words.view(np.uint8).reshape(channels, 4)
    return packed
