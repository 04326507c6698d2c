"""Published state dicts, loaded from files, against an independent rendering of the published equations."""

from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors.torch import save_file

from examples.tinymyo.checkpoint import load_checkpoint
from examples.tinymyo.model import Config, RopeScheme, TinyMyo
from tests.examples.published import head_shapes, outputs, random_state

CHANNELS, SAMPLES, TARGET = 4, 200, 77
# Head, its width, its outputs, groups of the rendering.
HEADS = {
    "concat": ("classifier", 768, 6, 4),
    "mean": ("classifier", 192, 6, 0),
    "regrouped": ("classifier", 3072, 6, 16),
    "regression": ("regressor", 768, 5, 4),
    "reconstruction": ("decoder_pred", 0, 20, 4),
}


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("rope", get_args(RopeScheme))
def test_same_outputs(rope: RopeScheme, kind: str, tmp_path: Path) -> None:
    head, width, count, groups = HEADS[kind]
    samples = 400 if kind == "regrouped" else SAMPLES
    state = random_state(rope, 2, head_shapes(head, width, count), seed=5)
    path = tmp_path / "published.safetensors"
    save_file({f"model.{name}": value for name, value in state.items()}, path)
    given = None if rope == "cyclic" else rope
    model = load_checkpoint(path, given, CHANNELS, samples, TARGET)
    generator = torch.Generator().manual_seed(1)
    windows = torch.randn(2, CHANNELS, samples, generator=generator)
    masked = torch.rand(2, CHANNELS * samples // 20, generator=generator) < 0.5
    padded = torch.tensor([[False, False, False, True]] * 2)
    with torch.no_grad():
        expected = outputs(state, windows, rope, groups, TARGET)
        torch.testing.assert_close(model(windows), expected, rtol=0, atol=1e-5)
        expected = outputs(state, windows, rope, groups, TARGET, masked, 3)
        found = model(windows, masked, padded)
        if kind == "reconstruction":
            found, expected = found[:, :3], expected[:, :3]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_regression_head_has_the_published_size() -> None:
    model = TinyMyo(Config(16, 1000, 8, 5, head="regression"))
    assert sum(value.numel() for value in model.model_head.parameters()) == 788_997
    model = TinyMyo(Config(16, 1000, 8, 20, head="reconstruction"))
    assert sum(value.numel() for value in model.model_head.parameters()) == 3_860


@pytest.mark.parametrize("layers", [8, 4])
def test_full_size(layers: int, tmp_path: Path) -> None:
    state = random_state("cyclic", layers, head_shapes("classifier", 3072, 53), seed=6)
    save_file({f"model.{name}": value for name, value in state.items()}, tmp_path / "full.safetensors")
    model = load_checkpoint(tmp_path / "full.safetensors")
    assert sum(value.numel() for value in model.parameters()) == {8: 3_729_461, 4: 1_950_005}[layers]
    windows = torch.randn(1, 16, 1000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(
            model(windows), outputs(state, windows, "cyclic", 16, 0), rtol=0, atol=1e-5
        )
