"""Training happens once; wider networks start from narrow ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.accuracy import train
from bench.accuracy.signals import Parts, split
from bench.accuracy.train import LESSONS, NETWORKS, Lesson, Network, lessons, trained, widened
from examples.tinymyo.model import Config, build


def test_the_six_networks() -> None:
    assert [network.name for network in NETWORKS] == [
        f"{rope}-{channels}x1000" for channels in (8, 16) for rope in ("cyclic", "flat", "none")
    ]
    assert {network.config.tokens for network in NETWORKS} == {400, 800}
    assert {network.config.layers for network in NETWORKS} == {8}


@pytest.mark.parametrize("epochs", [1, 2])
def test_shorter_lessons(epochs: int) -> None:
    for lesson in lessons(epochs).values():
        assert lesson.settings.epochs == epochs and lesson.settings.warmup_epochs == epochs - 1
    assert lessons(None) == LESSONS


def test_what_was_trained_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "LAYERS", 1)
    monkeypatch.setattr(train, "VALIDATION_WINDOWS", 6)
    parts = split(np.random.default_rng(0).standard_normal((64, 20_000)), "")
    settings = replace(LESSONS[8].settings, epochs=1, warmup_epochs=0, batch=6)
    small = {channels: Lesson(12, settings) for channels in (8, 16)}
    log: list[str] = []
    first = trained(Network("cyclic", 16), parts, small, tmp_path, log.append)
    assert [line for line in log if line.startswith("training")] == [
        f"training cyclic-{channels}x1000: 1 epochs of 12 windows" for channels in (8, 16)
    ]
    assert not first.training and len(list(tmp_path.iterdir())) == 2
    log.clear()
    again = trained(Network("cyclic", 16), parts, small, tmp_path, log.append)
    assert log == []
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(first.norm.weight, torch.ones(192))
    # other settings or signals never meet the same file
    trained(Network("cyclic", 8), parts, {8: Lesson(6, settings)}, tmp_path, log.append)
    other = Parts(parts.train * 2.0, parts.test, "")
    trained(Network("cyclic", 8), other, {8: Lesson(6, settings)}, tmp_path, log.append)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_wide_network_starts_as_two_narrow_ones() -> None:
    """Given the same 8 channels twice it attends to each twice as much, and the logits are the same."""
    narrow, wide = build(Config(8, 200, 1, 6), 1), build(Config(16, 200, 1, 6), 2)
    wide.load_state_dict(widened(narrow.state_dict(), 16))
    window = torch.randn(1, 8, 200, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(narrow(window), wide(torch.cat([window, window], dim=1)), atol=1e-5)
