"""Planted outliers change no result and many ranges; sharpening changes the scores alone."""

import pytest
import torch
from torch import Tensor, nn

from bench.accuracy.stress import OUTLIER_CHANNELS, plant_outliers, sharpen, stressed
from examples.tinymyo.model import EMBED_DIM, Config, TinyMyo, build


def network() -> TinyMyo:
    return build(Config(2, 200, 2, 5), seed=3)


def norm_outputs(model: TinyMyo, windows: Tensor) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.LayerNorm):
            module.register_forward_hook(lambda _, __, result, name=name: found.__setitem__(name, result))
    with torch.no_grad():
        found["logits"] = model(windows)
    return found


def test_planting_keeps_the_function() -> None:
    windows = torch.randn(3, 2, 200, generator=torch.Generator().manual_seed(0))
    plain = network()
    with torch.no_grad():
        plain.blocks[0].norm1.bias.fill_(0.1)  # type: ignore[union-attr, operator]
    before, after = (norm_outputs(model, windows) for model in (plain, plant_outliers(plain, seed=1)))
    for same in ("logits", "norm"):
        assert torch.allclose(before.pop(same), after.pop(same), atol=1e-5)
    for name in before:
        ratio = (after[name] / before[name]).mean(dim=(0, 1))
        grown = ratio[ratio > 1.5]
        assert len(grown) == OUTLIER_CHANNELS
        assert torch.allclose(grown.sort().values[[0, -1]], torch.tensor([8.0, 40.0]), rtol=1e-2), name


@pytest.mark.parametrize(("name", "factor"), [("outliers", 1.0), ("sharp2", 2.0), ("sharp5", 5.0)])
def test_every_stress_has_outliers_and_its_sharpness(name: str, factor: float) -> None:
    windows = torch.randn(2, 2, 200, generator=torch.Generator().manual_seed(0))
    plain = network()
    hard = norm_outputs(stressed(plain, name), windows)
    sharp = norm_outputs(sharpen(plain, factor), windows)
    assert torch.allclose(hard["logits"], sharp["logits"], atol=1e-5)
    largest = hard["blocks.0.norm1"].abs().amax() / sharp["blocks.0.norm1"].abs().amax()
    assert largest > 4.0


def test_sharpening_scales_the_queries_alone() -> None:
    plain = network()
    with torch.no_grad():
        plain.blocks[1].attn.qkv.bias.fill_(0.5)  # type: ignore[union-attr, operator]
    sharp = sharpen(plain, 5.0)
    for name, value in sharp.state_dict().items():
        before = plain.state_dict()[name]
        if ".qkv." in name:
            assert torch.equal(value[:EMBED_DIM], 5.0 * before[:EMBED_DIM])
            assert torch.equal(value[EMBED_DIM:], before[EMBED_DIM:])
        else:
            assert torch.equal(value, before)
