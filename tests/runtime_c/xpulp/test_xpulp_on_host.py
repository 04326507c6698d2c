"""The xpulp kernels as portable C: the same cases as the scalar kernels, the same bytes."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tests.runtime_c.building import ADDRESS_SANITIZER, XPULP_KERNELS, kernel_library, run_program
from tests.runtime_c.kernel_cases import CHAINS, ON_CORES, REAL_SIZES, SIZES
from tests.runtime_c.kernel_interface import Kernels, Rows, blank, packed_weights

# Whole blocks of registers and what is left over, for every core: rows, depth, channels.
BLOCK_SIZES = ((80, 192, 64), (75, 21, 62), (67, 8, 39), (40, 768, 48))


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    return Kernels(kernel_library(tmp_path_factory.mktemp("xpulp"), "-O2", kernels=XPULP_KERNELS), "xpulp")


def test_every_kernel_has_a_form_for_xpulp() -> None:
    assert {f"{name}_xpulp" for name in ON_CORES} == {path.stem for path in XPULP_KERNELS}


@pytest.mark.parametrize("name", [*ON_CORES, *CHAINS])
def test_ragged_sizes(kernels: Kernels, name: str) -> None:
    for number, sizes in enumerate(product(SIZES, repeat=3)):
        (ON_CORES | CHAINS)[name](kernels, np.random.default_rng(number), *sizes)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("name", "sizes"), REAL_SIZES)
def test_real_sizes(kernels: Kernels, name: str, sizes: tuple[int, int, int], seed: int) -> None:
    (ON_CORES | CHAINS)[name](kernels, np.random.default_rng(seed), *sizes)


@pytest.mark.parametrize("sizes", BLOCK_SIZES)
@pytest.mark.parametrize("name", [name for name in ON_CORES if name.startswith("tmc_linear")])
def test_blocks_of_linear_kernels(kernels: Kernels, name: str, sizes: tuple[int, int, int]) -> None:
    for seed in range(4):
        ON_CORES[name](kernels, np.random.default_rng(seed), *sizes)


def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    library = kernel_library(tmp_path, "-O1", *ADDRESS_SANITIZER, kernels=XPULP_KERNELS)
    run_time = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    result = run_program(
        sys.executable,
        "-m",
        "tests.runtime_c.kernel_cases",
        library,
        "xpulp",
        variables={"LD_PRELOAD": run_time.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert result.returncode == 0, result.stderr[-4000:]
    cases = len(ON_CORES | CHAINS) * len(SIZES) ** 3 + len(REAL_SIZES)
    assert result.stdout == f"{len(ON_CORES)} kernels, {cases} cases\n"


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 40, 41])
def test_each_core_writes_its_own_chunk(kernels: Kernels, rows: int) -> None:
    x = Rows(np.zeros((rows, 4), dtype=np.int8), 0)
    ones = np.ones(4, dtype=np.int32)
    weights = packed_weights(np.zeros((4, 4), dtype=np.int8), ones, 7 * ones, 0)
    chunk = -(-rows // 8)
    for core in range(8):
        y = blank(rows, 4, np.int8, 0)
        kernels(
            "tmc_linear_s8s8s8",
            [core],
            x=x.memory,
            x_pitch=x.pitch,
            weight=weights.memory,
            weight_pitch=weights.pitch,
            y=y.memory,
            y_pitch=y.pitch,
            rows=rows,
            depth=4,
            channels=4,
            head_channels=4,
            shift=0,
            split=0,
        )
        written = np.flatnonzero((y.read() == 7).all(axis=1)).tolist()
        assert written == list(range(rows))[core * chunk : (core + 1) * chunk]
