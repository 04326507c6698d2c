"""Damage to ONNX files: of their structure, one small change each, and of their bytes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import onnx

from tests.fuzz import constant_changes, graph_changes

CHANGES = (*graph_changes.CHANGES, *constant_changes.CHANGES)


def damage(random: Random, model: onnx.ModelProto) -> bytes:
    """Return the file after none to three changes of its structure, and at times of its bytes."""
    for _ in range(random.choice([0, 1, 1, 1, 1, 2, 2, 3])):
        random.choice(CHANGES)(random, model)
    content = model.SerializeToString()
    return random.choice(BYTES)(random, content) if random.random() < 0.1 else content


def _truncated(random: Random, content: bytes) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _flipped(random: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice([1, 2, 8, 64])):
        if changed:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _inserted(random: Random, content: bytes) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] + random.randbytes(random.choice([1, 4, 100])) + content[at:]


def _random_bytes(random: Random, content: bytes) -> bytes:
    return random.randbytes(random.choice([0, 1, 10, 1000]))


BYTES: tuple[Callable[[Random, bytes], bytes], ...] = (
    _truncated,
    _flipped,
    _flipped,
    _flipped,
    _inserted,
    _random_bytes,
)
