"""What a compile says about accuracy, the floors under it, and the steps of the recipe."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.networks.onnx_files import node, write
from tests.networks.transformers import write_transformer
from tests.tmc.command import call, refused, succeeded, tree
from tests.tmc.conftest import SMALL, Built
from tmc.ir.ops import VIEWS
from tmc.ir.store import load_graph
from tmc.passes.calibrate.calibration import Calibration


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Write the small network into a folder of its own."""
    folder = tmp_path / "models"
    folder.mkdir()
    return write_transformer(folder / "small.onnx", SMALL)


@pytest.mark.parametrize(
    ("count", "held_back"),
    [(1, [0]), (2, [1]), (3, [2]), (4, [3]), (5, [3]), (8, [3, 7]), (9, [3, 7])],
)
def test_every_fourth_window_is_held_back(count: int, held_back: list[int]) -> None:
    calibration = Calibration({"x": np.arange(count)}, "file.npz", meaningful=True)
    assert calibration.held_back["x"].tolist() == held_back
    kept = [index for index in range(count) if index not in held_back or count == 1]
    assert calibration.used["x"].tolist() == kept
    assert calibration.basis == ("calibration windows" if count == 1 else "held-back windows")


def test_held_back_windows_never_reach_the_ranges(tmp_path: Path, model: Path) -> None:
    """A held-back window that is far louder changes what is said of accuracy, and not one byte of C."""
    with np.load(model.with_suffix(".calibration.npz")) as file:
        windows = file["emg"].copy()
    windows[3] *= 50
    np.savez(tmp_path / "other.npz", emg=windows)
    plain = succeeded("compile", model, "-o", tmp_path / "plain")
    loud = succeeded("compile", model, "-o", tmp_path / "loud", "--calibration", tmp_path / "other.npz")
    one, other = tree(tmp_path / "plain"), tree(tmp_path / "loud")
    differ = {name for name in one if one[name] != other[name]}
    assert differ == {"report.json", "report.html", "manifest.json"}  # which has checksums of the others
    assert loud["accuracy"]["outputs"][0]["sqnr_db"] < plain["accuracy"]["outputs"][0]["sqnr_db"] - 5
    assert "calibrate on more windows" in loud["accuracy"]["worst"][0]["advice"]
    first = loud["accuracy"]["beyond"][0]
    assert (first["name"], first["node"]) == ("emg", "input %emg") and first["share"] > 10
    assert first["high"] == pytest.approx(float(windows[:3].max()))
    assert abs(first["reach"]) == pytest.approx(float(np.abs(windows[3]).max()))
    page = other["report.html"].decode()
    assert "Beyond the calibrated range in 1 held-back windows: calibrate on more" in page


def test_a_warning_names_what_is_beyond_calibration(tmp_path: Path, model: Path) -> None:
    with np.load(model.with_suffix(".calibration.npz")) as file:
        windows = file["emg"].copy()
    limit = np.abs(windows[:3]).max()
    for reach, warned in ((0.99, False), (1.2, True)):
        windows[3, 0, 0] = reach * limit
        np.savez(tmp_path / "other.npz", emg=windows)
        answer = call("check", model, "--calibration", tmp_path / "other.npz")
        said = f"warning: input %emg reaches {reach * limit:.4g} in 1 held-back windows, "
        assert (said in answer.err) == warned
    assert " % beyond" in answer.err and "other windows may lose more than the figures say.\n" in answer.err
    assert answer.notes == ["calibrate on more windows, the loudest that the network will see among them"]
    accuracy = succeeded("check", model, "--calibration", tmp_path / "other.npz")["accuracy"]
    assert (accuracy["windows"], accuracy["added_windows"]) == (1, 1)


def test_noise_has_no_calibrated_range(tmp_path: Path, model: Path) -> None:
    model.with_suffix(".calibration.npz").unlink()
    answer = call("check", model)
    assert "calibrated on noise" in answer.err and "beyond" not in answer.err


def test_report(built: Built) -> None:
    report = json.loads((built.output / "report.json").read_text())
    graph = load_graph(built.output / "golden", "graph")
    found = report["accuracy"]
    assert (found["basis"], found["windows"], len(found["worst"])) == ("held-back windows", 1, 3)
    assert [output["name"] for output in found["outputs"]] == list(graph.outputs)
    assert found["outputs"][0]["agreement"] in (0.0, 100.0)
    rows = {row["name"]: row for row in report["ops"]}
    assert set(rows) == {op.output for op in graph.ops if op.kind not in VIEWS}
    assert all(row["sqnr_db"] > 10 and row["added_db"] >= row["sqnr_db"] - 6 for row in rows.values())
    assert rows["y"]["sqnr_db"] == found["outputs"][0]["sqnr_db"]
    assert report["recipe"] == {}
    page = (built.output / "report.html").read_text()
    assert "Against float, on 1 held-back windows" in page and "Where most is lost" in page
    assert "own noise over 1 windows, alone in the worst of 1" in page
    assert "<h2>Ops, compared over 1 windows</h2>" in page
    assert found["worst"][0]["advice"] in page


def test_summary(model: Path) -> None:
    lines = call("check", model).out.splitlines()
    (accuracy,) = [line for line in lines if line.startswith("accuracy")]
    assert accuracy.startswith("accuracy  against float on 1 held-back windows: %y ")
    assert " dB, error at most " in accuracy and "same largest element in 100 %" in accuracy
    assert sum(line.startswith("worst     ") for line in lines) == 3


def test_a_floor_that_holds(model: Path) -> None:
    db = succeeded("check", model)["accuracy"]["outputs"][0]["sqnr_db"]
    assert succeeded("check", model, "--accuracy-floor", str(db - 0.1), "--agreement-floor", "100")["ok"]


def test_below_the_floor_nothing_is_written(tmp_path: Path, model: Path) -> None:
    before = tree(tmp_path)
    answer = refused("compile", model, "-o", tmp_path / "out", "--accuracy-floor", "90")
    assert answer.error.startswith("output %y: found ")
    assert " dB of signal to quantisation noise on 1 held-back windows, allowed 90 or more" in answer.error
    (note,) = answer.notes
    assert note.startswith("most is lost in node_") and "whose noise alone would leave" in note
    assert tree(tmp_path) == before


def test_agreement_below_its_floor(tmp_path: Path, model: Path) -> None:
    """No network agrees in more than all windows."""
    error = refused("compile", model, "-o", tmp_path / "out", "--agreement-floor", "100.5").error
    found = "found the class of float in 100 % of 1 held-back windows, allowed 100.5 or more"
    assert error == f"output %y: {found}"


def test_an_agreement_floor_is_for_classes(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32)
    nodes = [node("MatMul", "x w", "y")]
    path = write(tmp_path / "m.onnx", nodes, {"x": [4, 8]}, constants={"w": weight})
    np.savez(tmp_path / "c.npz", x=np.random.default_rng(1).standard_normal((4, 4, 8)))
    arguments = ("check", path, "--calibration", tmp_path / "c.npz")
    assert succeeded(*arguments, "--accuracy-floor", "20")["accuracy"]["outputs"][0]["agreement"] is None
    answer = refused(*arguments, "--agreement-floor", "90")
    found = "found an output that is not one row of classes, allowed an agreement floor for classes only"
    assert answer.error == f"output %y: {found}"


@pytest.mark.parametrize("floor", ["--accuracy-floor", "--agreement-floor"])
def test_noise_proves_nothing(model: Path, floor: str) -> None:
    model.with_suffix(".calibration.npz").unlink()
    answer = refused("compile", model, floor, "1")
    assert answer.error.startswith("accuracy floor: found noise instead of windows to calibrate on, allowed")
    assert answer.notes[0].startswith("give recorded windows with --calibration")


def test_a_single_window_proves_nothing(tmp_path: Path, model: Path) -> None:
    np.savez(tmp_path / "one.npz", emg=np.random.default_rng(8).standard_normal((1, *SMALL.input_shape)))
    arguments = ("check", model, "--calibration", tmp_path / "one.npz")
    error = refused(*arguments, "--accuracy-floor", "1").error
    assert error.startswith("accuracy floor: found 1 window to calibrate on")
    assert succeeded(*arguments)["accuracy"]["basis"] == "calibration windows"


def test_recipe(tmp_path: Path, model: Path) -> None:
    plain = succeeded("check", model)
    steps = ("--recipe", "residual_bits=8", "--recipe", "input_bits=8")
    facts = succeeded("compile", model, "-o", tmp_path / "out", *steps)
    assert facts["recipe"] == {"residual_bits": "8", "input_bits": "8"}
    assert facts["accuracy"]["outputs"] != plain["accuracy"]["outputs"]
    assert json.loads((tmp_path / "out" / "report.json").read_text())["recipe"] == facts["recipe"]
    assert "Recipe: residual_bits=8. Recipe: input_bits=8." in (tmp_path / "out" / "report.html").read_text()
    assert succeeded("run", tmp_path / "out", "--on", "host")["bit_exact"]


def test_unknown_recipe(model: Path) -> None:
    answer = refused("check", model, "--recipe", "smoothing=on")
    assert answer.error.startswith("recipe: found smoothing=on, allowed default, naive, or step=value with")
    assert answer.err.startswith("error: "), "said before any work is done"


def test_naive_is_measured_and_not_compiled(model: Path) -> None:
    found = call("check", model, "--recipe", "naive", "--print-ir-after=accuracy", "--stop-after=accuracy")
    assert found.status == 0 and "the recipe has " in found.out
    answer = refused("check", model, "--recipe", "naive")
    assert "found a softmax divided by its sum before the product with V" in answer.error
    assert "softmax_division=deferred" in answer.notes[0]
    assert "calibrate on" in found.err and "calibrate on" not in answer.err, "said before the work on numbers"
    succeeded("check", model, "--recipe", "naive", "--recipe", "softmax_division=deferred")
