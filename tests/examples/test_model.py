"""TinyMyo in PyTorch: names, sizes, initialisation, and agreement with a NumPy rendering of the equations."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import erf

from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.model import Config, Pooling, RopeScheme, TinyMyo, build, initialise
from examples.tinymyo.networks import NETWORKS, reference_network

Array = NDArray[np.float64]
SCHEMES: tuple[RopeScheme, ...] = ("flat", "none", "cyclic")


def trained_like(config: Config, seed: int) -> TinyMyo:
    """Return a network in which no bias is zero and no gain is one, so that a test sees each of them."""
    model = build(config, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0.0, 0.1, generator=generator)
            elif "norm" in name or name == "channel_embed":
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.2)
    return model


def windows_of(config: Config, count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, config.channels, config.samples, generator=generator)


def numpy_tinymyo(model: TinyMyo, window: Array) -> Array:
    """Compute the logits of one window (C, T) from the published equations, in float64 and without torch."""
    weights = {name: value.double().numpy() for name, value in model.state_dict().items()}
    config = model.config

    def linear(x: Array, name: str) -> Array:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def layer_norm(x: Array, name: str) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def rotate(x: Array, position: Array) -> Array:
        # One complex number per adjacent pair, turned by position * 10000^(-2i/64).
        turn = np.exp(1j * position[:, None] * 10000.0 ** (-np.arange(0, 64, 2) / 64))
        pairs = (x[:, 0::2] + 1j * x[:, 1::2]) * turn
        return np.stack([pairs.real, pairs.imag], -1).reshape(x.shape)

    patches = window.reshape(config.channels, -1, 20)
    kernel = weights["patch_embedding.patch_embed.proj.weight"].reshape(192, 20)
    x = patches @ kernel.T + weights["patch_embedding.patch_embed.proj.bias"]
    per_channel = patches.shape[1]
    if config.rope == "cyclic":
        x = x + weights["channel_embed"][0, : config.channels]
    x = x.reshape(-1, 192)
    token = np.arange(len(x))
    for index in range(config.layers):
        block = f"blocks.{index}"
        query, key, value = np.split(linear(layer_norm(x, f"{block}.norm1"), f"{block}.attn.qkv"), 3, axis=1)
        heads = []
        for head in range(3):
            columns = slice(64 * head, 64 * head + 64)
            position = {
                "flat": token,
                "cyclic": token % per_channel,
                "none": np.full(len(x), head),
            }[config.rope]
            q, k = rotate(query[:, columns], position), rotate(key[:, columns], position)
            scores = q @ k.T / 8.0
            p = np.exp(scores - scores.max(-1, keepdims=True))
            heads.append(p / p.sum(-1, keepdims=True) @ value[:, columns])
        x = x + linear(np.concatenate(heads, 1), f"{block}.attn.proj")
        hidden = linear(layer_norm(x, f"{block}.norm2"), f"{block}.mlp.fc1")
        x = x + linear(hidden * 0.5 * (1.0 + erf(hidden / math.sqrt(2.0))), f"{block}.mlp.fc2")
    x = layer_norm(x, "norm").reshape(config.channels, per_channel, 192)
    pooled = x.mean(1).reshape(-1) if config.pooling == "concat" else x.mean((0, 1))
    return linear(pooled, "model_head.classifier")


@pytest.mark.parametrize("pooling", ["concat", "mean"])
@pytest.mark.parametrize("rope", SCHEMES)
def test_agrees_with_numpy(rope: RopeScheme, pooling: Pooling) -> None:
    config = Config(channels=3, samples=200, layers=2, classes=5, rope=rope, pooling=pooling)
    model = trained_like(config, seed=11)
    windows = windows_of(config, 2)
    with torch.no_grad():
        found = model(windows).numpy()
    expected = np.stack([numpy_tinymyo(model, window) for window in windows.double().numpy()])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_attention_in_parts_is_the_same_function() -> None:
    config = Config(channels=2, samples=100, layers=1, classes=4)
    model = trained_like(config, seed=3)
    windows = windows_of(config, 2)
    with torch.no_grad():
        fused = model(windows)
        for block in model.blocks:
            block.attn.fused_attention = False
        torch.testing.assert_close(model(windows), fused, rtol=0, atol=1e-5)


def test_state_dict_has_the_published_names_and_shapes() -> None:
    expected: dict[str, tuple[int, ...]] = {
        "mask_token": (1, 1, 192),
        "channel_embed": (1, 16, 1, 192),
        "patch_embedding.patch_embed.proj.weight": (192, 1, 1, 20),
        "patch_embedding.patch_embed.proj.bias": (192,),
        "norm.weight": (192,),
        "norm.bias": (192,),
        "model_head.classifier.weight": (53, 3072),
        "model_head.classifier.bias": (53,),
    }
    shapes = {
        "norm1": (192,),
        "norm2": (192,),
        "attn.qkv": (576, 192),
        "attn.proj": (192, 192),
        "mlp.fc1": (768, 192),
        "mlp.fc2": (192, 768),
    }
    for index in range(8):
        for name, shape in shapes.items():
            expected[f"blocks.{index}.{name}.weight"] = shape
            expected[f"blocks.{index}.{name}.bias"] = shape[:1]
    state = TinyMyo(NETWORKS["tinymyo-16x1000"].config).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == expected
    for rope in ("flat", "none"):
        names = set(TinyMyo(Config(16, 1000, 8, 53, rope=rope)).state_dict())
        assert names == set(expected) - {"channel_embed"}


@pytest.mark.parametrize(
    ("layers", "rope", "encoder"),
    [(8, "cyclic", 3_566_592), (8, "none", 3_563_520), (4, "cyclic", 1_787_136), (4, "flat", 1_784_064)],
)
def test_parameter_counts(layers: int, rope: RopeScheme, encoder: int) -> None:
    model = TinyMyo(Config(16, 1000, layers, 53, rope=rope))
    head = sum(value.numel() for value in model.model_head.parameters())
    assert head == 162_869
    assert sum(value.numel() for value in model.parameters()) - head == encoder


def test_reference_networks() -> None:
    configs = {name: network.config for name, network in NETWORKS.items()}
    sizes = {name: (c.tokens, c.layers, c.classes, c.rope) for name, c in configs.items()}
    assert sizes == {
        "tinymyo-8x1000": (400, 8, 6, "cyclic"),
        "tinymyo-16x1000": (800, 8, 53, "cyclic"),
        "tinyissimo-8x1000": (400, 4, 6, "cyclic"),
        "tinyissimo-8x200": (80, 4, 6, "cyclic"),
    }
    with pytest.raises(TinyMyoError, match=r"--network: found tinymyo, allowed tinymyo-8x1000, .*"):
        reference_network("tinymyo")


@pytest.mark.parametrize("rope", SCHEMES)
def test_only_none_ignores_the_order_of_tokens(rope: RopeScheme) -> None:
    config = Config(channels=2, samples=200, layers=2, classes=6, rope=rope)
    model = trained_like(config, seed=5)
    # Stronger attention: with freshly initialised weights it is nearly uniform and hides positions.
    with torch.no_grad():
        for block in model.blocks:
            block.attn.qkv.weight.mul_(3.0)
    windows = windows_of(config, 2)
    order = torch.randperm(config.patches, generator=torch.Generator().manual_seed(1))
    patches = windows.reshape(2, config.channels, config.patches, 20)
    with torch.no_grad():
        # The head averages over the patches of a channel, so it cannot see their order by itself.
        change = (model(patches[:, :, order].flatten(2)) - model(windows)).abs().max().item()
    assert change < 1e-5 if rope == "none" else change > 1e-2


def test_cyclic_positions_restart_in_each_channel_and_flat_ones_do_not() -> None:
    angles = {}
    for rope in ("cyclic", "flat"):
        model = TinyMyo(Config(channels=3, samples=100, layers=1, classes=2, rope=rope))
        cos, sin = model.blocks[0].attn.rope.cos[0, :, 0], model.blocks[0].attn.rope.sin[0, :, 0]
        angles[rope] = torch.atan2(sin, cos) % (2 * math.pi)
    torch.testing.assert_close(angles["cyclic"], torch.arange(5.0).repeat(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(angles["flat"], torch.arange(15.0) % (2 * math.pi), rtol=0, atol=1e-5)


def test_initialisation_is_seeded_and_as_published() -> None:
    config = Config(channels=8, samples=200, layers=4, classes=6)
    first, again, other = build(config, 7), build(config, 7), build(config, 8)
    for (name, one), two in zip(first.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(one, two), name
    assert not torch.equal(first.mask_token, other.mask_token)
    flat = build(Config(channels=8, samples=200, layers=4, classes=6, rope="flat"), 7)
    for name, value in flat.state_dict().items():
        assert torch.equal(value, first.state_dict()[name]), name
    for name, value in first.state_dict().items():
        if name.endswith("bias"):
            assert not value.any(), name
    for depth, block in enumerate(first.blocks, start=1):
        for layer in (block.attn.proj, block.mlp.fc2):
            bound = math.sqrt(6.0 / sum(layer.weight.shape)) / math.sqrt(2.0 * depth)
            assert 0.98 * bound < layer.weight.abs().max().item() <= bound
    assert 0.015 < first.mask_token.std().item() < 0.025
    assert 0.018 < first.channel_embed.std().item() < 0.022
    state = torch.random.get_rng_state()
    initialise(first, 7)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, 200, 1, 6, "flat"), "channels: found 0, allowed 1 or more"),
        ((8, 200, 0, 6, "flat"), "layers: found 0, allowed 1 or more"),
        ((8, 200, 1, -1, "flat"), "classes: found -1, allowed 1 or more"),
        ((8, 210, 1, 6, "flat"), "samples: found 210, allowed a positive multiple of 20"),
        ((8, 0, 1, 6, "flat"), "samples: found 0, allowed a positive multiple of 20"),
        ((17, 200, 1, 6, "cyclic"), "channels: found 17, allowed 1 to 16 with rope cyclic"),
        ((16, 1300, 1, 6, "flat"), "tokens: found 1040, allowed 1 to 1024 with rope flat"),
    ],
)
def test_impossible_sizes(sizes: tuple[int, int, int, int, RopeScheme], message: str) -> None:
    with pytest.raises(TinyMyoError, match=f"^{message}$") as caught:
        Config(*sizes)
    assert caught.value.note


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"target_samples": 0}, "target_samples: found 0, allowed 1 or more"),
        ({"head": "reconstruction"}, "classes: found 6, allowed 20 with head reconstruction"),
        ({"groups": -1}, "groups: found -1, allowed 0 or a divisor of the 80 tokens"),
        ({"groups": 3}, "groups: found 3, allowed 0 or a divisor of the 80 tokens"),
        ({"dropout": 1.0}, r"dropout: found 1\.0, allowed 0 to below 1"),
        ({"dropout": -0.1}, r"dropout: found -0\.1, allowed 0 to below 1"),
        ({"dropout": math.nan}, "dropout: found nan, allowed 0 to below 1"),
    ],
)
def test_impossible_heads(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(TinyMyoError, match=f"^{message}$") as caught:
        Config(8, 200, 1, 6, **changed)
    assert caught.value.note
