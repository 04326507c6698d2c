"""From PyTorch to verified integer C on this machine: export, calibrate, compile, run, compare."""

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
from examples.tinymyo.export import INPUT, OUTPUT, export
from examples.tinymyo.model import build
from examples.tinymyo.networks import reference_network
from examples.tinymyo.recording import load_windows

TMC = (sys.executable, "-m", "tmc")


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


def run_demo(folder: Path, network: str, windows_run: int, tmc: Sequence[str] = TMC) -> bool:
    """Run the whole demo in `folder`; return whether the C was bit-exact.

    The compiler reads windows (count, channels, samples) as float32 and writes logits (count, classes) as
    float32: its integers times their scale.

    Raises:
        TinyMyoError: unknown network, failed export, or failed compiler call.
    """
    reference = reference_network(network)
    config = reference.config
    folder.mkdir(parents=True, exist_ok=True)
    windows = load_windows(config.channels, config.samples)
    test = windows.test[np.linspace(0, len(windows.test) - 1, windows_run).round().astype(np.int64)]
    weights = f"random weights (seed {reference.seed})"
    print(f"1. export {network}: {config.tokens} tokens, {config.layers} layers, {weights}")
    done = export(build(config, reference.seed), windows, folder / f"{network}.onnx")
    print(f"   calibration and test windows: {windows.source}")
    print(f"   torch against onnxruntime: largest logit difference {done.max_difference:.1e}", flush=True)

    compiled = folder / network
    print(f"2. tmc compile {done.model} --target gap9", flush=True)
    options: tuple[str, ...] = (
        "--target",
        "gap9",
        "--calibration",
        str(done.calibration),
        "-o",
        str(compiled),
    )
    plan = call_tmc(tmc, "compile", str(done.model), *options)
    print(f"   {plan['macs']:,} multiply-accumulates, {plan['weights_bytes']:,} bytes of weights")
    print(f"   peak L1 {plan['l1_peak_bytes']:,} bytes, peak L2 {plan['l2_peak_bytes']:,} bytes")

    inputs, outputs = folder / "test_windows.npy", folder / "logits.npy"
    np.save(inputs, test)
    print(f"3. tmc run {compiled} --on host: {len(test)} held-out windows", flush=True)
    options = ("--on", "host", "--input", str(inputs), "--output", str(outputs))
    ran = call_tmc(tmc, "run", str(compiled), *options)
    session = onnxruntime.InferenceSession(str(done.model), providers=["CPUExecutionProvider"])
    expected = np.concatenate([session.run([OUTPUT], {INPUT: window[None]})[0] for window in test])
    result = compare(expected, np.load(outputs).reshape(expected.shape))
    print(f"   against the integer interpreter: {'bit-exact' if ran['bit_exact'] else 'NOT bit-exact'}")
    print(
        f"   against float (onnxruntime): same class in {result.same_class} of {result.windows} windows, "
        f"logit signal-to-noise {result.signal_to_noise_db:.1f} dB"
    )
    print(f"report: {compiled / 'report.html'}")
    return bool(ran["bit_exact"])
