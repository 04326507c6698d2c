"""TinyMyo with every position scheme, through both exporters, old and new opsets, to the same C."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from examples.tinymyo.export import Exporter, export_onnx
from examples.tinymyo.model import Config, Pooling, RopeScheme, TinyMyo, build
from tests.tmc.command import succeeded, tree

CHANNELS, SAMPLES = 3, 80
WRITTEN: tuple[tuple[Exporter, int, bool], ...] = (("dynamo", 18, True), ("torchscript", 13, False))
NETWORKS: tuple[tuple[RopeScheme, Pooling], ...] = (
    ("flat", "concat"),
    ("none", "concat"),
    ("cyclic", "concat"),
    ("flat", "mean"),
)
# What is generated for a network; comments in it name the ONNX nodes.
GOLDEN = ("golden/input.bin", "golden/output.bin", "golden/graph.npz")
GENERATED = ("network.c", "network.h", "weights.bin", *GOLDEN)
COMMENT = re.compile(rb"/\*.*?\*/", re.DOTALL)


def network(rope: RopeScheme, pooling: Pooling) -> TinyMyo:
    """Return a small network whose biases and norms are not the trivial ones of a fresh one."""
    model = build(Config(CHANNELS, SAMPLES, layers=1, classes=5, rope=rope, pooling=pooling), seed=2)
    noise = np.random.default_rng(2)
    for parameter in model.parameters():
        parameter.data.add_(parameter.data.new_tensor(noise.normal(0.0, 0.05, tuple(parameter.shape))))
    return model


@pytest.mark.parametrize(("rope", "pooling"), NETWORKS)
def test_both_exporters_give_the_same_c(tmp_path: Path, rope: RopeScheme, pooling: Pooling) -> None:
    model = network(rope, pooling)
    windows = np.random.default_rng(3).standard_normal((6, CHANNELS, SAMPLES)).astype(np.float32)
    np.savez(tmp_path / "windows.npz", emg=windows[:4])
    np.save(tmp_path / "x.npy", windows[4:])
    outputs = []
    for exporter, opset, fold in WRITTEN:
        folder = tmp_path / exporter
        folder.mkdir()
        export_onnx(model, folder / "net.onnx", exporter, opset, fold)
        succeeded("compile", folder / "net.onnx", "--calibration", tmp_path / "windows.npz")
        files = tree(folder / "net")
        outputs.append({name: COMMENT.sub(b"", files[name]) for name in GENERATED})
        ran = succeeded("run", folder / "net", "--on", "host", "--input", tmp_path / "x.npy")
        assert ran["bit_exact"] is True and ran["runs"] == 2
    first, second = outputs
    assert [name for name in GENERATED if first[name] != second[name]] == []
