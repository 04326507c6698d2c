"""The demo's own work: what it asks of the compiler, what it makes of the answers, what it does with failure.

A stand-in for the command line answers here, so that each figure printed is known; its logits are those of
onnxruntime with one window turned round. The demo with the real compiler is an end-to-end test.
"""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from examples.tinymyo import __main__ as command
from examples.tinymyo import demo
from examples.tinymyo.demo import call_tmc, compare, run_demo
from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.lesson import Lesson
from examples.tinymyo.model import Config
from examples.tinymyo.networks import NETWORKS
from examples.tinymyo.optimise import Settings
from examples.tinymyo.pretrain import PRETRAIN
from examples.tinymyo.recording import load_windows

STAND_IN = """
import json, sys
from pathlib import Path
import numpy as np, onnxruntime

log = Path(sys.argv[0]).with_name("calls.json")
calls = json.loads(log.read_text()) if log.exists() else []
log.write_text(json.dumps([*calls, sys.argv[1:]]))
options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
if sys.argv[1] == "compile":
    assert np.load(options["--calibration"])["emg"].shape == (32, 8, 200)
    sizes = {"macs": 151704576, "weights_bytes": 1793000, "l1_peak_bytes": 100000, "l2_peak_bytes": 500000}
    print(json.dumps({"ok": True, "cycles_estimate": 7400000, "cluster_hz": 370000000, **sizes}))
else:
    session = onnxruntime.InferenceSession(sys.argv[2] + ".onnx")
    logits = [session.run(None, {"emg": window[None]})[0][0] for window in np.load(options["--input"])]
    logits[0] = -logits[0]
    np.save(options["--output"], np.stack(logits))
    print(json.dumps({"ok": True, "bit_exact": EXACT}))
"""


def stand_in(folder: Path, exact: bool) -> tuple[str, str]:
    script = folder / "tmc.py"
    script.write_text(STAND_IN.replace("EXACT", str(exact)))
    return sys.executable, str(script)


def test_compare() -> None:
    reference = np.array([[3.0, 4.0], [0.0, 5.0]], dtype=np.float32)
    same = compare(reference, reference)
    assert (same.windows, same.same_class, same.signal_to_noise_db) == (2, 2, float("inf"))
    other = compare(reference, reference + np.array([[0.0, 0.0], [5.5, 0.0]], dtype=np.float32))
    assert (other.windows, other.same_class) == (2, 1)
    assert other.signal_to_noise_db == pytest.approx(10 * np.log10(50 / 5.5**2))


BRIEF = Settings(epochs=1, warmup_epochs=0, patience=0, precision="float32")
LESSON = Lesson((36, 6, 6), replace(PRETRAIN, epochs=1, batch=36, warmup_epochs=0), BRIEF)


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_recording", lambda: None)
    folder = tmp_path / "out"
    assert run_demo(folder, "tinyissimo-8x200", 5, stand_in(tmp_path, True), LESSON) is True
    model, compiled = folder / "tinyissimo-8x200.onnx", folder / "tinyissimo-8x200"
    inputs, outputs = folder / "test_windows.npy", folder / "logits.npy"
    calibration = folder / "tinyissimo-8x200.calibration.npz"
    compile_options = ["--target", "gap9", "--calibration", str(calibration), "--accuracy-floor", "20"]
    run_options = ["--on", "host", "--input", str(inputs), "--output", str(outputs)]
    assert json.loads((tmp_path / "calls.json").read_text()) == [
        ["compile", str(model), *compile_options, "-o", str(compiled), "--json"],
        ["run", str(compiled), *run_options, "--json"],
    ]
    data = LESSON.data(NETWORKS["tinyissimo-8x200"].config)
    np.testing.assert_array_equal(np.load(inputs), [data.test[index][0] for index in range(5)])
    with np.load(calibration) as content:
        known = {data.train[index][0].tobytes() for index in range(36)}
        assert {window.tobytes() for window in content["emg"]} <= known
    printed = capsys.readouterr().out
    assert "windows to train 36, to validate 6, held out 6" in printed
    assert "masked reconstruction" in printed and "epoch 1: train_loss" in printed
    assert "151,704,576 multiply-accumulates, 1,793,000 bytes of weights" in printed
    assert "peak L1 100,000 bytes, peak L2 500,000 bytes" in printed
    assert "7,400,000 cycles by the cost model, 20.0 ms" in printed
    assert "integer interpreter: bit-exact\n" in printed
    assert "same class in 4 of 5 windows" in printed
    assert re.search(r"accuracy: float \d+\.0 %, integer \d+\.0 %\n", printed)
    assert f"report: {compiled / 'report.html'}" in printed

    # Again: nothing is trained, and the real recording, where there is one, is a sixth step.
    monkeypatch.setattr(demo, "find_recording", lambda: tmp_path)
    assert run_demo(folder, "tinyissimo-8x200", 5, stand_in(tmp_path, False), LESSON) is False
    printed = capsys.readouterr().out
    assert "weights of an earlier run with the same settings" in printed and "epoch" not in printed
    assert "NOT bit-exact\n" in printed and "same class in 7 of 8 windows" in printed
    assert f"6. the same on 8 windows of {load_windows(8, 200).source}" in printed


def test_other_settings_train_again(tmp_path: Path) -> None:
    network = replace(NETWORKS["tinyissimo-8x200"], config=Config(2, 40, layers=1, classes=6))
    data, lines = LESSON.data(network.config), list[str]()
    LESSON.learn(network, data, tmp_path, lines.append)
    other = replace(LESSON, finetune=replace(BRIEF, seed=1))
    other.learn(network, data, tmp_path, lines.append)
    assert sum("trained in" in line for line in lines) == 2
    weights = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert weights == ["best.safetensors"] * 2 + ["encoder.safetensors"] * 2


@pytest.mark.parametrize("program", ["import sys; print('{}'); sys.exit(1)", "print('[]')", "print('hello')"])
def test_failure_of_the_compiler(program: str) -> None:
    with pytest.raises(
        TinyMyoError, match=r"^tmc compile x.onnx: found exit status .*, allowed status 0 and a"
    ):
        call_tmc((sys.executable, "-c", program), "compile", "x.onnx")


def test_command_line_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option, value, message in (
        ("--network", "big", "error: --network: found big, allowed tinymyo-8x1000"),
        ("--windows", "0", "error: --windows: found 0, allowed 1 to 96"),
        ("--windows", "97", "error: --windows: found 97, allowed 1 to 96"),
    ):
        assert command.main(["demo", "--output", str(tmp_path / "out"), option, value]) == 1
        assert capsys.readouterr().err.startswith(message)
        assert not (tmp_path / "out").exists()
