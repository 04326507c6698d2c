"""The check of the imported graph against onnxruntime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.networks.onnx_files import node, samples, write
from tmc.frontend import load
from tmc.frontend.oracle.onnxruntime import check_against_onnxruntime
from tmc.frontend.oracle.session import open_session, run_session
from tmc.ir.errors import UnsupportedModel


def two_outputs(folder: Path, constant: float = 2.0) -> Path:
    """Write y = c * x and z = -x."""
    nodes = [node("Mul", "x c", "y"), node("Neg", "x", "z")]
    constants = {"c": np.float32(constant)}
    return write(folder / "m.onnx", nodes, {"x": [2, 3]}, outputs=("y", "z"), constants=constants)


def test_run_gives_all_outputs_by_name(tmp_path: Path) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    path = two_outputs(tmp_path)
    found = run_session(open_session(path), path, {"x": x})
    assert list(found) == ["y", "z"]
    assert np.array_equal(found["y"], 2 * x) and np.array_equal(found["z"], -x)


def test_equal_graph_passes(tmp_path: Path) -> None:
    path = two_outputs(tmp_path)
    assert check_against_onnxruntime(path, load(path), samples({"x": [2, 3]})) == 0.0


def test_small_difference_is_reported_and_large_one_refused(tmp_path: Path) -> None:
    path = two_outputs(tmp_path)
    graph = load(path)
    for factor, allowed in ((1 + 5e-5, True), (1 + 5e-4, False)):
        other = replace(graph, constants={"c": np.array(2.0 * factor, dtype=np.float32)})
        if allowed:
            assert 1e-5 < check_against_onnxruntime(path, other, samples({"x": [2, 3]})) < 1e-4
            continue
        with pytest.raises(
            UnsupportedModel, match=r"output y: found a difference of .* in sample 0, allowed 1e-04"
        ):
            check_against_onnxruntime(path, other, samples({"x": [2, 3]}))


def test_nan_does_not_pass(tmp_path: Path) -> None:
    path = two_outputs(tmp_path)
    x = np.full((2, 3), np.nan, dtype=np.float32)
    with pytest.raises(UnsupportedModel, match="node_y: found 6 of 6 elements of its result NaN"):
        check_against_onnxruntime(path, load(path), [{"x": x}])


def test_file_that_onnxruntime_does_not_know(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [node("com.microsoft.Nothing", "x", "y")], {"x": [2]})
    with pytest.raises(UnsupportedModel, match=r"m\.onnx: found that onnxruntime cannot run it"):
        run_session(open_session(path), path, {"x": np.zeros(2, dtype=np.float32)})


def test_wrong_input(tmp_path: Path) -> None:
    path = two_outputs(tmp_path)
    with pytest.raises(UnsupportedModel, match="onnxruntime cannot run it"):
        run_session(open_session(path), path, {"x": np.zeros((9, 9), dtype=np.float32)})


def test_what_float32_does_not_determine_is_no_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LayerNorm of channels that differ by rounding alone."""
    weight = 1e10 * (1 + 1e-6 * np.random.default_rng(0).standard_normal((16, 8))).astype(np.float32)
    nodes = [node("MatMul", "x w", "h"), node("LayerNormalization", "h g", "y")]
    path = write(
        tmp_path / "m.onnx", nodes, {"x": (4, 16)}, constants={"w": weight, "g": np.ones(8, np.float32)}
    )
    graph = load(path)
    sample = samples({"x": (4, 16)}, 1)[0]
    wrong = {"y": run_session(open_session(path), path, sample)["y"] + np.float32(1)}
    monkeypatch.setattr("tmc.frontend.oracle.onnxruntime.run_session", lambda *_: wrong)
    with pytest.raises(UnsupportedModel, match="float32 does not determine the result") as caught:
        check_against_onnxruntime(path, graph, [sample])
    assert "defect" not in "".join(caught.value.notes)
