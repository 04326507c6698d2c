"""Scalar kernels against the integer semantics, bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tests.repository import ROOT
from tests.runtime_c.building import ADDRESS_SANITIZER, SCALAR_KERNELS, kernel_library
from tests.runtime_c.kernel_cases import CASES, CHAINS, SIZES
from tests.runtime_c.kernel_interface import Kernels

# (kernel, sizes): tiles as the reference networks have them.
REAL_SIZES = (
    ("tmc_linear_s8s8s8", (80, 192, 192)),
    ("tmc_linear_table_s8s8s8", (40, 192, 96)),
    ("tmc_linear_add_s8s8s16", (40, 768, 48)),
    ("tmc_linear_transposed_s8s8s8", (80, 192, 64)),
    ("tmc_linear_grouped_s16s8s16", (400, 20, 192)),
    ("tmc_linear_s16s8s32", (1, 192, 6)),
    ("tmc_layernorm_s16s8", (80, 192, 0)),
    ("tmc_layernorm_s16s8", (9, 768, 100)),
    ("tmc_rope_s16s8", (80, 32, 50)),
    ("tmc_attention_softmax_s16u8", (40, 800, 0)),
    ("tmc_mean_rows_s8s16", (1, 400, 192)),
    ("attention", (40, 64, 400)),
    ("attention", (40, 64, 800)),
)


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    return Kernels(kernel_library(tmp_path_factory.mktemp("kernels"), "-O2"))


def test_every_kernel_has_a_case() -> None:
    assert {f"{name}_scalar" for name in CASES} == {path.stem for path in SCALAR_KERNELS}


@pytest.mark.parametrize("name", [*CASES, *CHAINS])
def test_ragged_sizes(kernels: Kernels, name: str) -> None:
    for number, sizes in enumerate(product(SIZES, repeat=3)):
        (CASES | CHAINS)[name](kernels, np.random.default_rng(number), *sizes)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("name", "sizes"), REAL_SIZES)
def test_real_sizes(kernels: Kernels, name: str, sizes: tuple[int, int, int], seed: int) -> None:
    (CASES | CHAINS)[name](kernels, np.random.default_rng(seed), *sizes)


def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    library = kernel_library(tmp_path, "-O1", *ADDRESS_SANITIZER)
    run_time = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    result = subprocess.run(
        [sys.executable, "-m", "tests.runtime_c.kernel_cases", str(library)],
        cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "LD_PRELOAD": run_time.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert result.returncode == 0, result.stderr[-4000:]
    assert result.stdout == f"{len(CASES)} kernels, {len(SIZES) ** 3} sizes each\n"
