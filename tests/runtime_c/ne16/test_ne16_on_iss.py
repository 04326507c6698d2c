"""Linear layers on NE16, on the instruction-set simulator: the bytes of qlinear."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.runtime_c.iss.engines import build_iss
from tests.runtime_c.ne16.cases import Case, Operands, operands, random_cases
from tests.runtime_c.ne16.programs import INCLUDE, build_jobs_program, build_program, pairs, results
from tests.runtime_c.target_header import GAP9
from tmc.backend_gap9.run.simulators import iss_options

# Groups are of 9 rows, 32 channels and 16 inputs: full groups, parts of them, and one more.
CASES = (
    *(Case(rows, 20, 40) for rows in range(1, 21)),
    *(Case(9, depth, 32) for depth in (4, 15, 16, 17, 31, 33, 64, 192)),
    *(Case(10, 48, channels) for channels in (1, 2, 3, 7, 8, 9, 31, 32, 33, 63, 64, 65, 100)),
    *(
        Case(rows, depth, channels, "s8", 4, 8)
        for rows, depth, channels in ((11, 36, 20), (3, 5, 1), (27, 64, 96))
    ),
    *(Case(rows, 52, channels, "s32", 8, 4) for rows, channels in ((1, 5), (8, 33), (18, 64), (20, 12))),
    Case(36, 768, 32),
    Case(18, 192, 192, "s8"),
    Case(18, 768, 16, "s32"),
    *random_cases(30, 16),
)


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> tuple[str | Path, ...]:
    return build_iss(tmp_path_factory.mktemp("iss")), *iss_options(GAP9)


@pytest.fixture(scope="module")
def layers() -> list[Operands]:
    return [operands(case, seed) for seed, case in enumerate(CASES)]


def run(iss: tuple[str | Path, ...], binary: Path) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in (*iss, "--limit", "300000000", binary)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)


def test_results_cover_their_range(layers: list[Operands]) -> None:
    """Layers whose results all saturate, or all lie near zero, would prove little."""
    for each in layers:
        if each.case.results != "s32":
            codes = each.y[: each.case.rows, : each.case.channels].view(
                np.dtype(each.case.results.replace("u8", "uint8").replace("s8", "int8"))
            )
            limits = np.iinfo(codes.dtype)
            assert np.isin(codes, (limits.min, limits.max)).mean() < 0.5
            assert codes.size < 50 or int(codes.max()) - int(codes.min()) > 150


@pytest.mark.parametrize("jobs", [1, 2])
def test_layers(iss: tuple[str | Path, ...], layers: list[Operands], tmp_path: Path, jobs: int) -> None:
    """Every byte: rows, and nothing between and behind them; with one job, and with both contexts in use."""
    done = run(iss, build_program(tmp_path, layers, f"-DJOBS_IN_FLIGHT={jobs}u"))
    assert done.returncode == 0, done.stdout + done.stderr
    found = results(done.stdout)
    assert len(found) == len(CASES)
    assert [case for case, (_, different) in zip(CASES, found, strict=True) if different] == []


def test_a_wait_is_for_its_own_job(iss: tuple[str | Path, ...], tmp_path: Path) -> None:
    """Results are there at the wait for their job, while a later one may run."""
    done = run(iss, build_jobs_program(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [wrong for wrong, _, _ in pairs(done.stdout)] == [0] * 6


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("number % TMC_NE16_CONTEXTS;", "1u - number % TMC_NE16_CONTEXTS;"),
        ("if (later < TMC_NE16_CONTEXTS)", "if (later == 0u)"),
        ("tmc_ne16_last = number;", "tmc_ne16_last = number + 1u;"),
    ],
)
def test_a_wait_that_is_too_short_is_found(
    iss: tuple[str | Path, ...], tmp_path: Path, right: str, wrong: str
) -> None:
    shutil.copytree(INCLUDE, tmp_path / "include")
    header = tmp_path / "include" / "tmc_ne16_job.h"
    assert right in header.read_text()
    header.write_text(header.read_text().replace(right, wrong))
    done = run(iss, build_jobs_program(tmp_path, tmp_path / "include"))
    assert done.returncode == 125 and "that was not waited for" in done.stderr


# Changes of the driver, one constant each.
MUTATIONS = (
    ("lines - (line_groups - 1u) * TMC_NE16_SIDE", "TMC_NE16_SIDE"),
    ("layer->channels - (channel_groups - 1u) * TMC_NE16_GROUP_CHANNELS", "TMC_NE16_GROUP_CHANNELS"),
    ("layer->depth - (input_groups - 1u) * TMC_NE16_GROUP_INPUTS", "TMC_NE16_GROUP_INPUTS"),
    ("columns * layer->x_pitch", "2u * layer->x_pitch"),
    ("columns * layer->y_pitch", "3u * layer->x_pitch"),
    ("row * layer->y_pitch", "row * layer->x_pitch"),
    ("ZERO_WEIGHT 128u", "ZERO_WEIGHT 127u"),
    ("TMC_NE16_SHIFT(layer->shift)", "TMC_NE16_SHIFT(layer->shift + 1u)"),
    ("if (left != 0u)", "if (left > 1u)"),
    ("if (lines != 0u)", "if (lines > 1u)"),
    ("layer, 0, 2u, 2u", "layer, 0, 1u, 2u"),
    ("layer->rows - TMC_NE16_SIDE * TMC_NE16_SIDE", "layer->rows - TMC_NE16_SIDE"),
    ("TMC_NE16_STATUS) >> 8u * context & 1u) != 0u", "TMC_NE16_STATUS) >> 8u * context & 1u) == 0u"),
)


@pytest.mark.parametrize(("right", "wrong"), MUTATIONS)
def test_a_wrong_driver_is_found(
    iss: tuple[str | Path, ...], layers: list[Operands], tmp_path: Path, right: str, wrong: str
) -> None:
    shutil.copytree(INCLUDE, tmp_path / "include")
    header = tmp_path / "include" / "tmc_ne16_job.h"
    text = header.read_text()
    assert right in text
    header.write_text(text.replace(right, wrong))
    done = run(iss, build_program(tmp_path, layers[:24], include=tmp_path / "include"))
    assert done.returncode != 0 or any(different for _, different in results(done.stdout))
