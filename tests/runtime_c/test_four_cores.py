"""The kernels built for a cluster of four cores: how many there are is a fact of the build."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tests.runtime_c.building import SCALAR_KERNELS, XPULP_KERNELS, kernel_library
from tests.runtime_c.iss.engines import build_iss
from tests.runtime_c.kernel_cases import CHAINS, ON_CORES, REAL_SIZES
from tests.runtime_c.kernel_interface import Kernels, Rows, blank, packed_weights
from tests.runtime_c.target_header import GAP9
from tests.runtime_c.xpulp.case_programs import PROGRAMS, build_program, failures
from tmc.backend_gap9.run.simulators import iss_options

MACHINE = replace(GAP9, cores=4)
KERNELS = {"scalar": SCALAR_KERNELS, "xpulp": XPULP_KERNELS}
# Nothing for some cores, one row or channel for each, blocks and what is left of them.
SIZES = (1, 4, 7, 33)


@pytest.fixture(scope="module", params=KERNELS)
def kernels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    isa: str = request.param
    folder = tmp_path_factory.mktemp(isa)
    library = kernel_library(folder, "-O1", kernels=KERNELS[isa], machine=MACHINE)
    return Kernels(library, isa, MACHINE.cores)


@pytest.mark.parametrize("name", [*ON_CORES, *CHAINS])
def test_four_cores_do_all_of_the_work(kernels: Kernels, name: str) -> None:
    for number, sizes in enumerate(product(SIZES, repeat=3)):
        (ON_CORES | CHAINS)[name](kernels, np.random.default_rng(number), *sizes)


@pytest.mark.parametrize(("name", "sizes"), REAL_SIZES)
def test_real_sizes(kernels: Kernels, name: str, sizes: tuple[int, int, int]) -> None:
    (ON_CORES | CHAINS)[name](kernels, np.random.default_rng(0), *sizes)


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 20, 21])
def test_each_core_writes_a_quarter(kernels: Kernels, rows: int) -> None:
    x = Rows(np.zeros((rows, 4), dtype=np.int8), 0)
    ones = np.ones(4, dtype=np.int32)
    weights = packed_weights(np.zeros((4, 4), dtype=np.int8), ones, 7 * ones, 0)
    chunk = -(-rows // 4)
    for core in range(4):
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


@pytest.mark.parametrize("name", PROGRAMS)
def test_xpulp_equals_scalar_on_iss(tmp_path: Path, name: str) -> None:
    iss = (build_iss(tmp_path), *iss_options(MACHINE))
    cases, differences = failures([*iss, build_program(name, tmp_path, "-O2", machine=MACHINE)])
    assert differences == [] and cases > 400
