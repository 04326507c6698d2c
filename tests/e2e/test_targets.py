"""One network for chips that differ: what the targets state is what plan, proof, C and simulators go by."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from examples.tinymyo.export import export
from examples.tinymyo.model import build
from examples.tinymyo.networks import NETWORKS
from examples.tinymyo.recording import load_windows
from tests.repository import ROOT
from tests.tmc.command import call, succeeded
from tmc.backend_gap9.emit.machine import HEADER
from tmc.backend_gap9.target.targets import target_named

FOUR_CORES = str(ROOT / "tests" / "networks" / "four-cores.toml")
NAME = "tinyissimo-8x200"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export TinyissimoMyo."""
    reference = NETWORKS[NAME]
    windows = load_windows(reference.config.channels, reference.config.samples)
    path = tmp_path_factory.mktemp("model") / "net.onnx"
    export(build(reference.config, reference.seed), windows, path, "torchscript")
    return path


@dataclass(frozen=True, slots=True)
class Output:
    """What one compile wrote, and what it said."""

    folder: Path
    facts: dict[str, Any]


@pytest.fixture(scope="module")
def outputs(model: Path) -> Callable[[str], Output]:
    """Return a function that compiles the network for a target, once."""

    @cache
    def output(target: str) -> Output:
        folder = model.parent / Path(target).stem
        return Output(folder, compiled(model, target, folder))

    return output


def compiled(model: Path, target: str, folder: Path) -> dict[str, Any]:
    """Compile a network for a target and hold the facts to the target."""
    facts = succeeded("compile", model, "--target", target, "-o", folder)
    chip = target_named(target)
    assert (facts["target"], facts["cores"], facts["cluster_hz"]) == (chip.name, chip.cores, chip.cluster_hz)
    budgets = (chip.l1_usable_bytes, chip.l2.usable_bytes, chip.l3.usable_bytes)
    for memory, budget_bytes in zip(("l1", "l2", "l3"), budgets, strict=True):
        assert 0 < facts[f"{memory}_peak_bytes"] <= facts[f"{memory}_budget_bytes"] == budget_bytes
    assert f"where {chip.cores} threads stand in" in (folder / "README.txt").read_text()
    return facts


on_every_target = pytest.mark.parametrize(
    "target", ["gap9", "pulp-open", FOUR_CORES], ids=lambda target: Path(target).stem
)


@on_every_target
def test_bit_exact_on_iss(outputs: Callable[[str], Output], target: str) -> None:
    output = outputs(target)
    ran = succeeded("run", output.folder, "--on", "iss")
    assert (ran["bit_exact"], ran["mismatches"]) == (True, 0)
    assert [layer["name"] for layer in ran["layers"]] == [op["name"] for op in output.facts["ops"]]


@on_every_target
def test_bit_exact_on_gvsoc(outputs: Callable[[str], Output], target: str, gvsoc_program: Path) -> None:
    ran = succeeded("run", outputs(target).folder, "--on", "gvsoc", "--gvsoc", gvsoc_program)
    assert (ran["bit_exact"], ran["mismatches"]) == (True, 0)
    assert ran["cycles"] > 1_000_000


def test_four_cores_on_the_host(outputs: Callable[[str], Output]) -> None:
    assert succeeded("run", outputs(FOUR_CORES).folder, "--on", "host")["bit_exact"] is True


def test_a_plan_for_a_large_chip_does_not_run_on_a_small_one(
    tmp_path: Path, outputs: Callable[[str], Output]
) -> None:
    """A simulator has the memories that the directory's header states: here with that of another target."""
    large = shutil.copytree(outputs("gap9").folder, tmp_path / "large")
    shutil.copy(outputs("pulp-open").folder / HEADER, large / HEADER)
    answer = call("run", large, "--on", "iss")
    assert answer.status == 1 and answer.error == "iss: the network does not fit the memories"
