"""From data to verified integer C on this machine: train, export, compile, run, compare."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.export import INPUT, calibration_windows, export
from examples.tinymyo.lesson import Lesson
from examples.tinymyo.networks import reference_network
from examples.tinymyo.recording import find_recording, load_windows

TMC = (sys.executable, "-m", "tmc")
FLOOR_DB = 20
REAL_WINDOWS = 8


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compare integer logits with float ones: same class, and signal-to-noise ratio."""

    windows: int
    same_class: int
    signal_to_noise_db: float


def compare(reference: NDArray[np.float32], found: NDArray[np.float32]) -> Comparison:
    """Compare logits (windows, classes); noise is `found - reference`, power summed over everything."""
    noise = float(np.square(found.astype(np.float64) - reference).sum())
    signal = float(np.square(reference.astype(np.float64)).sum())
    ratio_db = float("inf") if noise == 0.0 else float(10.0 * np.log10(signal / noise))
    same = int((reference.argmax(axis=1) == found.argmax(axis=1)).sum())
    return Comparison(len(reference), same, ratio_db)


def call_tmc(tmc: Sequence[str], *arguments: str) -> dict[str, Any]:
    """Run one verb of the compiler with `--json` and return its object; its progress goes to standard error.

    Raises:
        TinyMyoError: it failed, or printed no JSON object.
    """
    done = subprocess.run([*tmc, *arguments, "--json"], stdout=subprocess.PIPE, text=True, check=False)
    command = " ".join(("tmc", *arguments))
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        answer = None
    if done.returncode != 0 or not isinstance(answer, dict):
        raise TinyMyoError(
            f"{command}: found exit status {done.returncode} and output {done.stdout[:200]!r}, "
            "allowed status 0 and a JSON object",
            "the lines above, from tmc itself, say why",
        )
    return answer


def run_demo(
    folder: Path, network: str, windows_run: int, tmc: Sequence[str] = TMC, lesson: Lesson | None = None
) -> bool:
    """Run the whole demo in `folder`; return whether the C was bit-exact.

    The compiler reads windows (count, channels, samples) as float32 and writes logits (count, classes) as
    float32: its integers times their scale.

    Raises:
        TinyMyoError: unknown network, too many windows, failed export, or failed compiler call.
    """
    reference, lesson = reference_network(network), lesson or Lesson()
    config = reference.config
    if not 1 <= windows_run <= lesson.windows[2]:
        raise TinyMyoError(
            f"--windows: found {windows_run}, allowed 1 to {lesson.windows[2]}",
            "so many are held out from training",
        )
    folder.mkdir(parents=True, exist_ok=True)
    data = lesson.data(config)
    sizes = f"{config.classes} gestures, {config.channels} channels x {config.samples} samples"
    _say(f"1. labelled synthetic sEMG: {sizes}; windows to train {len(data.train)}, "
         f"to validate {len(data.val)}, held out {len(data.test)}")  # fmt: skip
    _say(f"2. train {network}: {config.tokens} tokens, {config.layers} layers")
    model = lesson.learn(reference, data, folder, lambda line: _say(f"   {line}"))
    _say("3. export to ONNX, with windows of the training part for calibration")
    calibration = calibration_windows(data.train, config.head, "SYNTHETIC sEMG")
    done = export(model, calibration, folder / f"{network}.onnx")
    _say(f"   torch against onnxruntime: largest logit difference {done.max_difference:.1e}")

    compiled = folder / network
    _say(f"4. tmc compile {done.model} --target gap9 --accuracy-floor {FLOOR_DB}")
    options = ("--target", "gap9", "--calibration", str(done.calibration))
    floor = ("--accuracy-floor", str(FLOOR_DB))
    plan = call_tmc(tmc, "compile", str(done.model), *options, *floor, "-o", str(compiled))
    _say(f"   {plan['macs']:,} multiply-accumulates, {plan['weights_bytes']:,} bytes of weights")
    _say(f"   peak L1 {plan['l1_peak_bytes']:,} bytes, peak L2 {plan['l2_peak_bytes']:,} bytes")
    milliseconds = plan["cycles_estimate"] / plan["cluster_hz"] * 1e3
    _say(f"   {plan['cycles_estimate']:,} cycles by the cost model, {milliseconds:.1f} ms")

    held_out = [data.test[index] for index in range(windows_run)]
    _say(f"5. tmc run {compiled} --on host: {windows_run} held-out windows")
    ran = _run_and_compare(tmc, done.model, compiled, np.stack([window for window, _ in held_out]))
    labels = np.array([label for _, label in held_out])
    exact = _say_result(ran)
    accuracy = [100.0 * float((each.argmax(axis=1) == labels).mean()) for each in (ran.reference, ran.found)]
    _say(f"   accuracy: float {accuracy[0]:.1f} %, integer {accuracy[1]:.1f} %")
    if find_recording() is not None:
        real = load_windows(config.channels, config.samples)
        _say(f"6. the same on {REAL_WINDOWS} windows of {real.source}; they have no labels")
        exact &= _say_result(_run_and_compare(tmc, done.model, compiled, real.test[:REAL_WINDOWS]))
    _say(f"report: {compiled / 'report.html'}")
    return exact


@dataclass(frozen=True, slots=True)
class _Run:
    """Logits (windows, classes) of onnxruntime and of the C, and whether the C is the interpreter's."""

    reference: NDArray[np.float32]
    found: NDArray[np.float32]
    bit_exact: bool


def _run_and_compare(tmc: Sequence[str], model: Path, compiled: Path, windows: NDArray[np.float32]) -> _Run:
    inputs, outputs = compiled.parent / "test_windows.npy", compiled.parent / "logits.npy"
    np.save(inputs, windows)
    files = ("--input", str(inputs), "--output", str(outputs))
    ran = call_tmc(tmc, "run", str(compiled), "--on", "host", *files)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    expected = np.concatenate([session.run(None, {INPUT: window[None]})[0] for window in windows])
    return _Run(expected, np.load(outputs).reshape(expected.shape), bool(ran["bit_exact"]))


def _say_result(ran: _Run) -> bool:
    result = compare(ran.reference, ran.found)
    _say(f"   against the integer interpreter: {'bit-exact' if ran.bit_exact else 'NOT bit-exact'}")
    _say(
        f"   against float (onnxruntime): same class in {result.same_class} of {result.windows} windows, "
        f"logit signal-to-noise {result.signal_to_noise_db:.1f} dB"
    )
    return ran.bit_exact


def _say(line: str) -> None:
    print(line, flush=True)
