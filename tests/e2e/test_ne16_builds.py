"""A network for the accelerator in every kind of build: the SDK's makefiles, portable C, sanitizers."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.encoders import Encoder, write_encoder
from tests.runtime_c.building import run_program
from tests.runtime_c.gap9.small_sdk import SmallSdk, build_small_sdk
from tests.tmc.command import succeeded
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.riscv import run_iss

# Rows that are no multiple of 3.
SHAPE = Encoder(tokens=10, dim=20, heads=1, layers=1, patch=20)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    model = write_encoder(folder, SHAPE)
    succeeded("compile", model, "--target", "gap9-ne16", "-o", folder / "out")
    return folder / "out"


@pytest.fixture
def directory(compiled: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may change."""
    return shutil.copytree(compiled, tmp_path / "out")


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> SmallSdk:
    folder = tmp_path_factory.mktemp("small_sdk")
    return build_small_sdk(folder / "home", build_iss(folder))


def runs_right(lines: list[str], *, accelerated: bool) -> bool:
    """Tell whether all runs are right; the accelerator has its clock and goes first."""
    words = [line for line in lines if line.startswith("accelerator ")]
    exact = [line for line in lines if re.search(r"run \d: .* 0 of \d+ output bytes differ", line)]
    return (
        lines[-1] == "PASS"
        and len(exact) == 2
        and set(words) == ({"accelerator 908"} if accelerated else set())
    )


def test_with_the_makefile_of_older_sdks(sdk: SmallSdk, directory: Path) -> None:
    built = sdk.make(directory, "all", "check_stacks")
    assert built.returncode == 0, built.stdout + built.stderr
    assert "_ne16.o" in built.stdout
    assert "stack: at most" in built.stdout
    done = sdk.simulate(directory)
    assert runs_right(done.stdout.splitlines(), accelerated=True), done.stdout + done.stderr


def test_with_cmake(sdk: SmallSdk, directory: Path) -> None:
    configured = sdk.cmake(directory)
    assert configured.returncode == 0, configured.stderr
    ran = sdk.cmake_build(directory, "run")
    lines = [line for line in ran.stdout.splitlines() if not line.startswith("[")]
    assert ran.returncode == 0 and runs_right(lines, accelerated=True), ran.stdout + ran.stderr


def test_portable_kernels_on_the_cluster(directory: Path) -> None:
    assert run_iss(directory, isa="scalar").bit_exact


@pytest.mark.parametrize("settings", [("ISA=xpulp",), ("SANITIZE=address",), ("SANITIZE=thread",)])
def test_on_this_machine(directory: Path, settings: tuple[str, ...]) -> None:
    """Kernels of the cores may be those of the cluster, written out; sanitizers see every job."""
    built = subprocess.run(
        ["make", "-f", "host.mk", "CFLAGS=-O1 -g", *settings], cwd=directory, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    done = run_program(
        directory / "network-host", "weights.bin", "golden/input.bin", "output.bin", folder=directory
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (directory / "output.bin").read_bytes() == (directory / "golden" / "output.bin").read_bytes()
