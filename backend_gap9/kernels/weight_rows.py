"""Packed rows of weights: those of one output channel padded to words, multiplier, bias where it is there."""

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


def weight_pitch(depth_bytes: int, *, bias: bool = True) -> int:
    """Return the pitch of packed rows with so many bytes of weights."""
    return odd_pitch(word_up(depth_bytes) + (2 if bias else 1) * WORD_BYTES)


def packed_rows(weight: Array, multiplier: Array, bias: Array | None) -> Array:
    """Return packed rows [N, weight_pitch] as bytes, of int8 or int16 weights [N, K].

    bias: None where it lies beside the rows.
    """
    channels = weight.shape[0]
    weight_bytes = np.ascontiguousarray(weight).view(np.uint8)
    depth_bytes = weight_bytes.shape[1]
    packed = np.zeros((channels, weight_pitch(depth_bytes, bias=bias is not None)), dtype=np.uint8)
    packed[:, :depth_bytes] = weight_bytes
    start = word_up(depth_bytes)
    packed[:, start : start + 4] = multiplier.astype("<i4").view(np.uint8).reshape(channels, 4)
    if bias is not None:
        words = bias.reshape(channels).astype("<i4")
        packed[:, start + 4 : start + 8] = words.view(np.uint8).reshape(channels, 4)
    return packed
