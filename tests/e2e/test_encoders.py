"""Ordinary encoders of many sizes: interpreter, host and iss agree at every op, and near onnxruntime.

Each network runs on host with windows that calibration has not seen, its outputs in real numbers, and on iss,
where a stack that overflows traps: traced, or without, which is other code; where calls are deepest, both.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import onnxruntime
import pytest

from tests.e2e.encoders import Encoder, windows, write_encoder
from tests.tmc.command import succeeded
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.riscv import run_iss

# Outputs against onnxruntime on unseen windows, in dB: of float files, and of files that are quantised
# themselves, whose own roundings the figure holds as well.
FLOAT_FLOOR_DB, QUANTISED_FLOOR_DB = 20.0, 15.0

# One token for each sample, as in a wristband's first network.
SAMPLES = Encoder(tokens=200, dim=48, heads=4)
CHOSEN = (
    *(replace(SAMPLES, tokens=tokens) for tokens in (1, 2, 60, 100, 160, 200, 240)),
    replace(SAMPLES, layers=1),
    replace(SAMPLES, dim=64),
    replace(SAMPLES, heads=3),
    Encoder(tokens=50, dim=32, heads=4, patch=4),
    Encoder(tokens=20, dim=64, heads=4, patch=10),
    Encoder(tokens=10, dim=48, heads=4, patch=20, windows=0),
    Encoder(tokens=60, dim=20, heads=1, layers=1, patch=2, head="flatten"),
    Encoder(tokens=12, dim=48, heads=4, patch=20, exporter="dynamo", opset=18, head="mlp"),
    Encoder(tokens=25, dim=96, heads=6, patch=8, embed="conv", exporter="dynamo", opset=18, layers=1),
)
QUANTISED = (
    Encoder(tokens=20, dim=32, heads=4, patch=10, quantiser="per tensor"),
    Encoder(tokens=20, dim=36, heads=3, patch=10, embed="conv", quantiser="per channel"),
    Encoder(tokens=30, dim=24, heads=2, patch=8, activation="relu", quantiser="unsigned per channel"),
    Encoder(tokens=30, dim=24, heads=2, patch=8, activation="relu", quantiser="per channel", windows=0),
    Encoder(tokens=12, dim=48, heads=4, patch=20, norm="post", activation="relu", quantiser="per channel"),
    Encoder(tokens=100, dim=40, heads=5, layers=1, quantiser="per tensor"),
    Encoder(tokens=16, dim=32, heads=2, patch=10, head="mlp", quantiser="per tensor"),
    Encoder(tokens=4, dim=16, heads=2, patch=6, head="tokens", classes=4, quantiser="per channel"),
    Encoder(tokens=5, dim=16, heads=2, patch=6, head="tokens", classes=4, quantiser="per channel"),
    Encoder(
        tokens=20,
        dim=64,
        heads=4,
        patch=10,
        embed="conv",
        exporter="dynamo",
        opset=18,
        quantiser="per tensor",
    ),
    Encoder(tokens=20, dim=32, heads=4, patch=10, quantiser="trained"),
    Encoder(tokens=48, dim=40, heads=5, patch=4, activation="relu", head="flatten", quantiser="trained"),
    Encoder(tokens=16, dim=48, heads=3, patch=10, norm="post", activation="relu", quantiser="trained"),
    Encoder(tokens=20, dim=32, heads=4, patch=10, quantiser="pt2e"),
    Encoder(tokens=30, dim=48, heads=3, layers=1, patch=8, activation="relu", quantiser="pt2e"),
)


def drawn(seed: int) -> Encoder:
    """Draw an encoder."""
    draw = Random(seed)
    heads = draw.choice((1, 2, 3, 4, 5, 6))
    dim = heads * 4 * draw.randint(max(1, -(-16 // (4 * heads))), 96 // (4 * heads))
    patch = draw.choice((1, 2, 4, 8, 10, 20, 24))
    embed = draw.choice(("linear", "conv")) if patch > 1 else "linear"
    tokens = draw.choice((1, 2, 3, 5, 7, 8, 9, 13, 16, 20, 31, 50, 63, 80, 120))
    return Encoder(
        tokens=tokens + (patch == 1 and tokens % 2),  # rows of the caller's input start at words
        dim=dim,
        heads=heads,
        layers=draw.randint(1, 3),
        patch=patch,
        channels=draw.choice((1, 2, 4, 6, 8, 16)) * (1 + (patch == 1)),
        ratio=draw.choice((1, 2, 3, 4)),
        classes=draw.randint(2, 12),
        embed=embed,
        norm=draw.choice(("pre", "pre", "post")),
        activation=draw.choice(("gelu", "relu")),
        positions=draw.random() < 0.8,
        head=draw.choice(("mean", "mean", "flatten", "tokens", "mlp")),
        opset=draw.choice((14, 17, 18)),
        quantiser=draw.choice(("none", "none", "none", "per tensor", "per channel", "unsigned per channel")),
        windows=draw.choice((16, 16, 32, 0)),
    )


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator, built once."""
    return build_iss(tmp_path_factory.mktemp("iss"))


def output_db(model: Path, shape: Encoder, inputs: list[np.ndarray], outputs: np.ndarray) -> float:
    """Return the signal of onnxruntime's outputs to the distance of others from them."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    expected = np.stack(
        [session.run(None, {session.get_inputs()[0].name: window})[0] for window in inputs]
    ).astype(np.float64)
    assert outputs.shape == expected.shape
    return float(10 * np.log10(np.square(expected).sum() / np.square(outputs - expected).sum()))


NETWORKS = [*CHOSEN, *QUANTISED, *map(drawn, range(40))]


@pytest.mark.parametrize("number", range(len(NETWORKS)))
def test_every_op_is_bit_exact_and_outputs_are_right(tmp_path: Path, simulator: Path, number: int) -> None:
    shape = NETWORKS[number]
    model = write_encoder(tmp_path, shape, seed=number)
    facts = succeeded("compile", model, "-o", tmp_path / "out")
    assert facts["worker_stack"]["need_bytes"] <= facts["stacks"]["worker_bytes"]
    inputs = windows(shape.input_shape, 3, seed=number + 100)
    np.save(tmp_path / "x.npy", np.stack(inputs))
    files = ("--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy")
    ran = succeeded("run", tmp_path / "out", "--on", "host", *files)
    assert (ran["bit_exact"], ran["runs"]) == (True, 3)
    assert [layer["name"] for layer in ran["layers"]] == [op["name"] for op in facts["ops"]]
    for traced in (False, True) if number < len(CHOSEN) else (number % 2 == 0,):
        on_chip = run_iss(tmp_path / "out", trace=traced, simulator=simulator)
        assert on_chip.bit_exact
        assert [op.name for op in on_chip.ops] == ([op["name"] for op in facts["ops"]] if traced else [])
    found = output_db(model, shape, inputs, np.load(tmp_path / "y.npy"))
    if shape.windows or shape.quantiser != "none":
        assert found > (FLOAT_FLOOR_DB if shape.quantiser == "none" else QUANTISED_FLOOR_DB)
