"""Checkpoints in the published forms: what loads, what is asked for, and what is refused by name."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from examples.tinymyo.__main__ import main
from examples.tinymyo.checkpoint import load_checkpoint, load_encoder, read_state_dict, save_checkpoint
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.model import Config, Pooling, RopeScheme, TinyMyo, build

State = dict[str, Tensor]


def trained(rope: RopeScheme = "cyclic", pooling: Pooling = "concat", channels: int = 4) -> TinyMyo:
    return build(Config(channels, 200, 2, 5, rope=rope, pooling=pooling), seed=9)


def save(path: Path, state: State) -> Path:
    """Write a state dict with the Lightning prefix, in the form that the name's ending asks for."""
    named = {f"model.{name}": value.clone() for name, value in state.items()}
    if path.suffix == ".safetensors":
        save_file(named, path)
    else:
        torch.save({"state_dict": named, "epoch": 3, "hyper_parameters": {"lr": 1e-4}}, path)
    return path


def assert_same(found: TinyMyo, expected: TinyMyo) -> None:
    assert found.config == expected.config
    for name, value in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name


@pytest.mark.parametrize("suffix", ["safetensors", "ckpt"])
def test_round_trip(suffix: str, tmp_path: Path) -> None:
    model = trained()
    path = save(tmp_path / f"net.{suffix}", dict(model.state_dict()))
    assert_same(load_checkpoint(path, samples=200), model)


def test_names_without_prefix_and_half_precision(tmp_path: Path) -> None:
    model = trained()
    state = {name: value.half() for name, value in model.state_dict().items()}
    torch.save(state, tmp_path / "net.ckpt")
    model.load_state_dict({name: value.float() for name, value in state.items()})
    assert_same(load_checkpoint(tmp_path / "net.ckpt", samples=200), model)


@pytest.mark.parametrize("rope", ["flat", "none"])
def test_without_channel_embed_the_scheme_is_asked_for(rope: RopeScheme, tmp_path: Path) -> None:
    model = trained(rope)
    path = save(tmp_path / "net.safetensors", dict(model.state_dict()))
    assert_same(load_checkpoint(path, rope=rope, samples=200), model)
    for wrong in (None, "cyclic"):
        with pytest.raises(TinyMyoError, match=r"neither channel_embed nor .* allowed --rope flat or none"):
            load_checkpoint(path, rope=wrong, samples=200)


def test_rotary_buffers_mean_flat(tmp_path: Path) -> None:
    model = trained("flat")
    state = {**model.state_dict(), "blocks.0.attn.rotary_emb.freqs": torch.ones(32)}
    path = save(tmp_path / "net.ckpt", state)
    assert_same(load_checkpoint(path, samples=200), model)
    with pytest.raises(TinyMyoError, match="found --rope none, allowed flat"):
        load_checkpoint(path, rope="none", samples=200)


def test_mean_head_asks_for_the_channels(tmp_path: Path) -> None:
    model = trained(pooling="mean")
    path = save(tmp_path / "net.safetensors", dict(model.state_dict()))
    assert_same(load_checkpoint(path, channels=4, samples=200), model)
    with pytest.raises(TinyMyoError, match="classifier over the mean of all tokens") as caught:
        load_checkpoint(path, samples=200)
    assert caught.value.note == "give --channels"


def drop(name: str) -> Callable[[State], State]:
    return lambda state: {key: value for key, value in state.items() if key != name}


def put(name: str, value: Tensor) -> Callable[[State], State]:
    return lambda state: {**state, name: value}


def headless(state: State) -> State:
    return {key: value for key, value in state.items() if not key.startswith("model_head.")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("mask_token"), "found tensors that do not match: mask_token missing, allowed exactly"),
        (drop("blocks.0.attn.qkv.bias"), r"match: blocks\.0\.attn\.qkv\.bias missing, allowed"),
        (put("extra.weight", torch.ones(1)), "match: extra.weight unknown, allowed"),
        (put("norm.bias", torch.ones(3)), r"match: norm.bias has shape \(3,\), not \(192,\), allowed"),
        (put("blocks.3.norm1.bias", torch.ones(192)), r"(blocks\.2\.\S+ missing; ){8}15 more, allowed"),
        (
            drop("model_head.classifier.weight"),
            r"found head model_head\.classifier\.bias, allowed one of model",
        ),
        (headless, r"found head none, allowed one of model_head\.classifier, model_head\.regressor\.0, mod"),
        (put("model_head.decoder_pred.weight", torch.ones(20, 192)), "found head .*, allowed one of"),
        (put("model_head.classifier.weight", torch.ones(5)), r"found head .*, allowed one of model_head\.cl"),
        (put("model_head.classifier.weight", torch.ones(5, 200)), "width 200 for any number of channels"),
    ],
)
def test_what_does_not_match_is_named(change: Callable[[State], State], message: str, tmp_path: Path) -> None:
    path = save(tmp_path / "net.safetensors", change(dict(trained().state_dict())))
    with pytest.raises(TinyMyoError, match=message) as caught:
        load_checkpoint(path, samples=200)
    assert str(caught.value).startswith(f"{path}: ") and caught.value.note


def test_channels_against_the_head(tmp_path: Path) -> None:
    path = save(tmp_path / "net.safetensors", dict(trained().state_dict()))
    with pytest.raises(TinyMyoError, match="head of width 768 for 8 channels"):
        load_checkpoint(path, channels=8, samples=200)


@pytest.mark.parametrize(
    "config",
    [
        Config(8, 1000, 1, 6, rope="none", groups=16),
        Config(8, 200, 2, 5, head="regression", target_samples=77, dropout=0.2),
        Config(4, 200, 1, 20, rope="flat", head="reconstruction"),
        Config(4, 200, 1, 3, pooling="mean"),
    ],
)
def test_own_checkpoints_know_their_configuration(config: Config, tmp_path: Path) -> None:
    model = build(config, seed=3)
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, model, ("rest", "fist"))
    assert_same(load_checkpoint(path), model)
    assert_same(load_checkpoint(path, config.rope, config.channels, config.samples), model)
    assert read_state_dict(path)[1]["classes"] == ["rest", "fist"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["best.safetensors"]
    with pytest.raises(TinyMyoError, match=r"found --samples 400, allowed \d+ \(noted in the file\)"):
        load_checkpoint(path, samples=400)


def test_heads_are_detected_by_their_tensors(tmp_path: Path) -> None:
    for config, channels in (
        (Config(8, 1000, 1, 6, rope="none", groups=16), 8),
        (Config(16, 1000, 1, 6, rope="none"), None),
        (Config(4, 200, 1, 5, rope="none", head="regression", target_samples=200), None),
        (Config(16, 200, 1, 20, rope="none", head="reconstruction"), None),
        (Config(4, 200, 1, 20, rope="none", head="reconstruction"), 4),
    ):
        model = build(config, seed=3)
        path = save(tmp_path / "net.safetensors", dict(model.state_dict()))
        assert_same(load_checkpoint(path, "none", channels, config.samples), model)


def test_an_encoder_gives_everything_but_the_head(tmp_path: Path) -> None:
    source = build(Config(16, 1000, 2, 20, head="reconstruction"), seed=3)
    path = save(tmp_path / "pretrained.ckpt", dict(source.state_dict()))
    model = build(Config(8, 200, 2, 6), seed=4)
    load_encoder(path, model)
    fresh = build(model.config, seed=4).state_dict()
    for name, value in model.state_dict().items():
        expected = fresh if name.startswith("model_head.") else source.state_dict()
        assert torch.equal(value, expected[name]), name
    with pytest.raises(TinyMyoError, match=r"do not match: blocks\.2\.norm1\.weight missing"):
        load_encoder(path, build(Config(8, 200, 3, 6), seed=4))
    with pytest.raises(TinyMyoError, match=r"found --rope flat, allowed cyclic"):
        load_encoder(path, build(Config(8, 200, 2, 6, rope="flat"), seed=4))


def test_unreadable_files(tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.safetensors", dict(trained().state_dict())).read_bytes()
    ckpt = save(tmp_path / "whole.ckpt", dict(trained().state_dict())).read_bytes()
    files = {
        "cut.safetensors": whole[: len(whole) // 2],
        "text.safetensors": b"hello",
        "cut.ckpt": ckpt[: len(ckpt) // 2],
        "text.ckpt": b"hello",
        "empty.ckpt": b"",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    torch.save([1, 2], tmp_path / "list.ckpt")
    torch.save({"state_dict": {}, "config": Path("of another machine")}, tmp_path / "objects.ckpt")
    for name in (*files, "list.ckpt", "objects.ckpt", "missing.ckpt", "missing.safetensors"):
        with pytest.raises(TinyMyoError, match=f"{name}: found .*, allowed a .safetensors file"):
            load_checkpoint(tmp_path / name)


def test_export_of_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path / "net.ckpt", dict(trained("flat").state_dict()))
    options = ["--rope", "flat", "--samples", "200", "--exporter", "torchscript"]
    assert main(["export", "--checkpoint", str(path), *options, "-o", str(tmp_path / "net.onnx")]) == 0
    assert "torch against onnxruntime" in capsys.readouterr().out
    assert (tmp_path / "net.onnx").is_file() and (tmp_path / "net.calibration.npz").is_file()
