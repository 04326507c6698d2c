"""The four reference networks at their real sizes, from PyTorch to verified C on this machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from examples.tinymyo.demo import compare
from examples.tinymyo.export import Exporter, export
from examples.tinymyo.model import EMBED_DIM, MLP_DIM, PATCH_SAMPLES, Config, build
from examples.tinymyo.networks import NETWORKS
from examples.tinymyo.recording import load_windows
from tests.runtime_c.gap9.small_sdk import build_small_sdk
from tests.tmc.command import succeeded, tree
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.target.targets import TARGETS

# The large ones through the quicker exporter; both give the same graph.
EXPORTERS: dict[str, Exporter] = {
    "tinymyo-8x1000": "dynamo",
    "tinymyo-16x1000": "torchscript",
    "tinyissimo-8x1000": "torchscript",
    "tinyissimo-8x200": "dynamo",
}
TEST_WINDOWS = 8
# These run the way that a board runs them too: with the folder gap9, on a small PMSIS.
ON_GAP9_FOLDER = ("tinymyo-8x1000", "tinyissimo-8x200")


@dataclass(frozen=True, slots=True)
class Compiled:
    """One reference network: its model, windows it has not seen, its output and what `compile` said."""

    config: Config
    model: Path
    test: np.ndarray[Any, np.dtype[np.float32]]
    output: Path
    facts: dict[str, Any]


def compiled(name: str, folder: Path, *options: str) -> Compiled:
    """Export and compile a reference network, with further options of `tmc compile`."""
    reference = NETWORKS[name]
    config = reference.config
    windows = load_windows(config.channels, config.samples)
    model = folder / f"{name}.onnx"
    export(build(config, reference.seed), windows, model, EXPORTERS[name])
    facts = succeeded("compile", model, "--target", "gap9", *options, "-o", folder / "out")
    return Compiled(config, model, windows.test[:TEST_WINDOWS], folder / "out", facts)


def macs(config: Config) -> int:
    """Count the multiply-accumulates of a TinyMyo from its definition."""
    tokens = config.tokens
    layer = tokens * EMBED_DIM * (4 * EMBED_DIM + 2 * MLP_DIM + 2 * tokens)
    return (
        tokens * PATCH_SAMPLES * EMBED_DIM
        + config.layers * layer
        + config.channels * EMBED_DIM * config.classes
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_bit_exact_and_within_the_budgets(
    tmp_path: Path, name: str, record_property: Callable[[str, object], None]
) -> None:
    network = compiled(name, tmp_path)
    facts, target = network.facts, TARGETS["gap9"]
    assert facts["macs"] == macs(network.config)
    budgets = (target.l1_usable_bytes, target.l2.usable_bytes, target.l3.usable_bytes)
    for memory, budget_bytes in zip(("l1", "l2", "l3"), budgets, strict=True):
        assert facts[f"{memory}_budget_bytes"] == budget_bytes
        assert 0 < facts[f"{memory}_peak_bytes"] <= budget_bytes
    assert facts["l2_bound_bytes"] <= facts["l2_peak_bytes"]
    # Eight cores do at most four products a cycle each; the kernels reach about 21 in the best case.
    assert 12 < facts["macs"] / facts["cycles_estimate"] < 32
    assert len((network.output / "network.c").read_text().splitlines()) <= 3000

    # iss: the program that GVSoC runs, with the kernels of the cluster; the others run there with NE16 alone.
    for platform in ("host", "iss") if name in ON_GAP9_FOLDER else ("host",):
        ran = succeeded("run", network.output, "--on", platform)
        assert (ran["platform"], ran["bit_exact"], ran["mismatches"]) == (platform, True, 0)
        layers = ran["layers"]
        assert [layer["name"] for layer in layers] == [op["name"] for op in facts["ops"]]
        assert all(layer["mismatches"] == 0 and layer["elements"] > 0 for layer in layers)
        elements = sum(layer["elements"] for layer in layers)
        text = f"{len(layers)} ops, {elements:,} elements bit-exact in {ran['seconds']:.0f} s"
        record_property("ran", f"network {name} on {platform}: {text}")

    accelerated = tmp_path / "ne16"
    jobs = succeeded("compile", network.model, "--target", "gap9-ne16", "-o", accelerated)
    assert jobs["cycles_estimate"] < facts["cycles_estimate"] / 2
    golden = [(folder / "golden" / "output.bin").read_bytes() for folder in (network.output, accelerated)]
    assert golden[0] == golden[1]
    ran = succeeded("run", accelerated, "--on", "iss")
    assert (ran["bit_exact"], ran["mismatches"]) == (True, 0)
    record_property("ran", f"network {name} with NE16 on iss: {len(ran['layers'])} ops bit-exact")

    if name in ON_GAP9_FOLDER:
        sdk = build_small_sdk(tmp_path / "sdk", build_iss(tmp_path))
        built = sdk.make(network.output, "all")
        assert built.returncode == 0, built.stdout + built.stderr
        run = sdk.simulate(network.output)
        assert (run.returncode, run.stdout.splitlines()[-1]) == (0, "PASS"), run.stdout + run.stderr
        right = re.findall(r"run \d: (\d+) cycles, \d+ us, 0 of \d+ output bytes differ", run.stdout)
        assert len(right) == 2
        text = f"{right[0]} instructions of core 0"
        record_property("ran", f"network {name} from the folder gap9 on iss: {text}")


def test_accuracy_on_unseen_windows_and_same_bytes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = compiled("tinyissimo-8x200", tmp_path)
    np.save(tmp_path / "x.npy", network.test)
    ran = succeeded(
        *("run", network.output, "--on", "host"),
        *("--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy"),
    )
    assert ran["runs"] == TEST_WINDOWS and ran["bit_exact"] is True
    session = onnxruntime.InferenceSession(str(network.model), providers=["CPUExecutionProvider"])
    expected = np.concatenate([session.run(None, {"emg": window[None]})[0] for window in network.test])
    result = compare(expected, np.load(tmp_path / "y.npy").reshape(expected.shape))
    assert result.signal_to_noise_db > 20.0 and result.same_class >= TEST_WINDOWS - 1

    # Another working directory, a relative path to the model, another place and name for the output.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    again = succeeded("compile", Path("..") / network.model.name, "-o", "deep/er/other")
    first, second = tree(network.output), tree(elsewhere / "deep" / "er" / "other")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    timed = ("seconds", "model", "output_dir")
    assert {key: value for key, value in again.items() if key not in timed} == {
        key: value for key, value in network.facts.items() if key not in timed
    }
