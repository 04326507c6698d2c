"""Training happens once; wider networks start from narrow ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.accuracy import train
from bench.accuracy.signals import Parts, split
from bench.accuracy.train import LESSON, NETWORKS, Network, Teaching, trained, widened
from examples.tinymyo.lesson import Lesson
from examples.tinymyo.model import Config, build


def test_the_six_networks() -> None:
    assert [network.name for network in NETWORKS] == [
        f"{rope}-{channels}x1000" for channels in (8, 16) for rope in ("cyclic", "flat", "none")
    ]
    assert {network.config.tokens for network in NETWORKS} == {400, 800}
    assert {network.config.layers for network in NETWORKS} == {8}


def test_a_shorter_teaching() -> None:
    short = Teaching().shortened()
    for settings in (short.wide, short.lesson.pretrain, short.lesson.finetune):
        assert settings.epochs == 1 and settings.warmup_epochs == 0
    assert short.lesson.windows[0] < LESSON.windows[0] and short.wide_windows < Teaching().wide_windows


def test_what_was_trained_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "LAYERS", 1)
    parts = split(np.random.default_rng(0).standard_normal((64, 20_000)), "")
    once = replace(Teaching().shortened().wide, batch=6)
    small = Teaching(Lesson((12, 6, 0), once, once), 12, once)
    log: list[str] = []
    first = trained(Network("cyclic", 16), parts, small, tmp_path, log.append)
    assert sum(line.startswith("epoch 1:") for line in log) == 3  # masked, labelled, and wider
    assert not first.training and len(list(tmp_path.rglob("*.safetensors"))) == 3
    assert list(tmp_path.rglob("*.state")) == list(tmp_path.rglob("*.draft")) == []
    log.clear()
    again = trained(Network("cyclic", 16), parts, small, tmp_path, log.append)
    assert log == ["network cyclic-16x1000"]
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(first.norm.weight, torch.ones(192))
    narrow = trained(Network("cyclic", 8), parts, small, tmp_path, log.append)
    assert not any(line.startswith("epoch") for line in log) and narrow.config.channels == 8
    # other settings or signals never meet the same files
    more = replace(small, wide=replace(once, rate=1e-5))
    trained(Network("cyclic", 16), parts, more, tmp_path, log.append)
    other = Parts(parts.train[:, ::-1], parts.test, "")
    trained(Network("cyclic", 8), other, small, tmp_path, log.append)
    assert sum(line.startswith("epoch 1:") for line in log) == 3


def test_a_wide_network_starts_as_two_narrow_ones() -> None:
    """Given the same 8 channels twice it attends to each twice as much, and the logits are the same."""
    narrow, wide = build(Config(8, 200, 1, 6), 1), build(Config(16, 200, 1, 6), 2)
    wide.load_state_dict(widened(narrow.state_dict(), 16))
    window = torch.randn(1, 8, 200, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(narrow(window), wide(torch.cat([window, window], dim=1)), atol=1e-5)
