"""The demo's own work: what it asks of the compiler, what it makes of the answers, what it does with failure.

A stand-in for the command line answers here, so that each figure printed is known; its logits are those of
onnxruntime with one window turned round. The demo with the real compiler is an end-to-end test.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from examples.tinymyo import __main__ as command
from examples.tinymyo.demo import call_tmc, compare, run_demo
from examples.tinymyo.errors import TinyMyoError
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
    print(json.dumps({"ok": True, **sizes}))
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


@pytest.mark.parametrize("exact", [True, False])
def test_demo(exact: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    assert run_demo(folder, "tinyissimo-8x200", 5, stand_in(tmp_path, exact)) is exact
    model, compiled = folder / "tinyissimo-8x200.onnx", folder / "tinyissimo-8x200"
    inputs, outputs = folder / "test_windows.npy", folder / "logits.npy"
    calibration = folder / "tinyissimo-8x200.calibration.npz"
    compile_options = ["--target", "gap9", "--calibration", str(calibration), "-o", str(compiled)]
    run_options = ["--on", "host", "--input", str(inputs), "--output", str(outputs)]
    assert json.loads((tmp_path / "calls.json").read_text()) == [
        ["compile", str(model), *compile_options, "--json"],
        ["run", str(compiled), *run_options, "--json"],
    ]
    held_out = {window.tobytes() for window in load_windows(8, 200).test}
    assert np.load(inputs).shape == (5, 8, 200)
    assert {window.tobytes() for window in np.load(inputs)} <= held_out
    printed = capsys.readouterr().out
    assert "151,704,576 multiply-accumulates, 1,793,000 bytes of weights" in printed
    assert "peak L1 100,000 bytes, peak L2 500,000 bytes" in printed
    assert f"integer interpreter: {'bit-exact' if exact else 'NOT bit-exact'}\n" in printed
    assert "same class in 4 of 5 windows" in printed
    assert load_windows(8, 200).source in printed
    assert f"report: {compiled / 'report.html'}" in printed


@pytest.mark.parametrize("program", ["import sys; print('{}'); sys.exit(1)", "print('[]')", "print('hello')"])
def test_failure_of_the_compiler(program: str) -> None:
    with pytest.raises(
        TinyMyoError, match=r"^tmc compile x.onnx: found exit status .*, allowed status 0 and a"
    ):
        call_tmc((sys.executable, "-c", program), "compile", "x.onnx")


def test_command_line_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option, value, message in (
        ("--network", "big", "error: --network: found big, allowed tinymyo-8x1000"),
        ("--windows", "0", "error: --windows: found 0, allowed 1 or more"),
    ):
        assert command.main(["demo", "--output", str(tmp_path / "out"), option, value]) == 1
        assert capsys.readouterr().err.startswith(message)
        assert not (tmp_path / "out").exists()
