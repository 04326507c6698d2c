"""The whole suite on a network of one layer: the C equals the interpreter, and the command fails by rows."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench.accuracy import __main__ as command
from bench.accuracy.graphs import calibrated, integer_graph
from bench.accuracy.peer import PEER
from bench.accuracy.signals import Parts, split
from bench.accuracy.subject import export_with_calibration, held_out
from bench.accuracy.suite import NAIVE, TMC, TMC_WIDE, Sizes
from bench.accuracy.train import Network
from bench.accuracy.workers import Workers, compiled_logits, interpreted, onnx_logits, workers
from examples.tinymyo.model import Config, TinyMyo, build
from tmc.backend_gap9.target.targets import target_named
from tmc.driver import Options, compile_model
from tmc.passes.recipe import DEFAULT


@pytest.fixture(scope="module")
def parts() -> Parts:
    return split(np.random.default_rng(7).standard_normal((64, 20_000)), "noise")


@pytest.fixture(scope="module")
def model() -> TinyMyo:
    return build(Config(2, 1000, 1, 6), seed=1)


def test_everything_that_runs_windows_agrees(parts: Parts, model: TinyMyo, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    calibration = export_with_calibration(model, parts, path)
    windows = held_out(parts, 2, 7).windows
    network = calibrated(path, calibration)
    compiled = compile_model(Options(path, target_named("gap9"), tmp_path / "out", calibration))
    graph = integer_graph(network, DEFAULT)
    assert graph.ops == compiled.graph.ops
    with workers(2) as pool:
        wanted = onnx_logits(pool, path, windows)
        real, real_tokens = interpreted(pool, network.graph, windows)
        assert real.shape == (7, 6) and real_tokens.shape == (7, 100, 192)
        assert np.abs(real - wanted).max() < 1e-4
        logits, tokens = interpreted(pool, graph, windows)
        assert 0.0 < np.abs(logits - wanted).max() < 0.1 * np.ptp(wanted)
        assert 0.0 < np.abs(tokens - real_tokens).mean() < 0.05
        found, wrong = compiled_logits(pool, tmp_path / "out", compiled.graph, windows)
        assert wrong == 0 and np.array_equal(found, logits)
        # against a graph of other integers every window is wrong
        other = integer_graph(network, DEFAULT.with_settings(["range_search=min_max"]))
        assert not np.array_equal(interpreted(pool, other, windows)[0], logits)
        _shares(pool)


def _shares(pool: Workers) -> None:
    numbers = np.arange(11)
    assert [part.tolist() for part in pool.map(np.copy, numbers, 4)] == [
        [0, 1, 2],
        [3, 4, 5],
        [6, 7, 8],
        [9, 10],
    ]
    assert [part.tolist() for part in pool.map(np.copy, numbers[:1], 4)] == [[0]]


def test_rows_that_miss_their_floor_fail(
    parts: Parts,
    model: TinyMyo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    with workers(1) as pool:
        measured = command._suite(pool, {Network("cyclic", 2): model}, parts, Sizes(6, 2, 4, 3))
    rows = [command._as_json(one) for one in measured.outcomes]
    assert json.loads(json.dumps(rows)) == rows
    assert len(capsys.readouterr().out.splitlines()) == 2 + len(rows)
    assert [(row["network"], row["quantiser"], row["windows"]) for row in rows] == [
        ("cyclic-2x1000", TMC, 6),
        ("cyclic-2x1000", NAIVE, 4),
        ("cyclic-2x1000", PEER, 4),
        *((f"cyclic-2x1000-{how}", TMC, 3) for how in ("outliers", "sharp2", "sharp5")),
        ("cyclic-2x1000-sharp5", TMC_WIDE, 3),
    ]
    assert [row["wrong_integers"] for row in rows] == [0, None, None, 0, 0, 0, 0]
    assert rows[0]["logit_db"] > rows[1]["logit_db"] + 10.0
    assert rows[2]["token_db"] is None
    # without training the network is far from what the floors are for
    assert any(line.startswith("cyclic-2x1000, tmc: logit_db") for line in measured.failed)
