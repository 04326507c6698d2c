"""Transformers of many shapes through the whole compiler: every op of the C equals the interpreter."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

from tests.networks.transformers import Architecture, write_transformer
from tests.tmc.command import succeeded

CHOSEN = (
    Architecture(channels=7, patches=13, dim=48, heads=3, hidden=76, classes=11),
    Architecture(channels=7, patches=13, dim=24, heads=2, rope="flat", head="mean", classes=1, layers=2),
    Architecture(channels=1, patches=91, dim=32, heads=1, rope="none", channel_bias=False, head="tokens"),
    Architecture(channels=1, patches=1, dim=16, heads=2, classes=3),
    Architecture(channels=1, patches=2, dim=4, heads=1, hidden=1, classes=1, head="tokens"),
    Architecture(channels=5, patches=1, dim=20, heads=5, hidden=33, classes=9, rope="flat"),
    Architecture(channels=16, patches=3, patch=2, dim=32, heads=4, gelu="tanh"),
    Architecture(channels=3, patches=8, patch=42, dim=64, heads=2, hidden=30, head="mean", gelu="tanh"),
    Architecture(channels=2, patches=3, dim=192, heads=3, hidden=768, classes=53, layers=2),
    Architecture(channels=2, patches=150, dim=64, heads=2, hidden=128, rope="none"),  # K and V in tiles
    Architecture(channels=8, patches=6, dim=256, heads=4, hidden=1024, rope="flat"),  # weights in tiles
    Architecture(channels=9, patches=1, dim=80, heads=20, hidden=4, rope="none", classes=2),
)


def drawn(seed: int) -> Architecture:
    """Draw any small shape that the kernels take."""
    draw = Random(seed)
    heads = draw.randint(1, 5)
    return Architecture(
        channels=draw.randint(1, 9),
        patches=draw.randint(1, 15),
        patch=2 * draw.randint(1, 24),
        dim=heads * 4 * draw.randint(1, 8),
        heads=heads,
        hidden=draw.randint(1, 130),
        layers=draw.randint(1, 2),
        classes=draw.randint(1, 20),
        rope=draw.choice(("none", "flat", "cyclic")),
        channel_bias=draw.random() < 0.5,
        head=draw.choice(("concat", "mean", "tokens")),
        gelu=draw.choice(("none", "tanh")),
    )


@pytest.mark.parametrize("shape", [*CHOSEN, *map(drawn, range(12))], ids=lambda shape: f"{shape}"[13:-1])
def test_every_op_is_bit_exact(tmp_path: Path, shape: Architecture) -> None:
    facts = succeeded("compile", write_transformer(tmp_path / "net.onnx", shape, seed=1))
    for memory in ("l1", "l2", "l3"):
        assert facts[f"{memory}_peak_bytes"] <= facts[f"{memory}_budget_bytes"]
    # Windows that the calibration has not seen, some of them far out of its range.
    scale = np.array([1.0, 4.0, 0.01]).reshape(3, 1, 1, 1)
    windows = np.random.default_rng(9).standard_normal((3, *shape.input_shape)) * scale
    np.save(tmp_path / "x.npy", windows)
    ran = succeeded("run", tmp_path / "net", "--on", "host", "--input", tmp_path / "x.npy")
    assert ran["bit_exact"] is True and ran["runs"] == 3
    assert [layer["name"] for layer in ran["layers"]] == [op["name"] for op in facts["ops"]]
