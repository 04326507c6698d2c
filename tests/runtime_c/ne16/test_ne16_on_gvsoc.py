"""Linear layers on NE16, on GVSoC with the project's own component: the same bytes, and cycles by a rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime_c.ne16.cases import Case, operands, random_cases
from tests.runtime_c.ne16.programs import build_jobs_program, build_program, pairs, results
from tests.runtime_c.target_header import GAP9
from tmc.backend_gap9.run.simulators import gvsoc_command, simulate
from tmc.ir.errors import PlatformError

COMPONENT = "ne16=tmc.ne16"
SECONDS_MAX = 300
# Tiles of the reference networks, and others of any size.
CASES = (
    Case(72, 192, 96),
    Case(36, 768, 32),
    Case(144, 192, 64),
    Case(40, 192, 80),
    Case(27, 64, 400, "s8"),
    Case(27, 400, 64, "s32"),
    Case(99, 20, 192),
    Case(1, 192, 6),
    *random_cases(40, 9),
)
# The end of a job is seen by polling.
POLL_CYCLES = 14


def run(gvsoc: Path, folder: Path, program: Path, *properties: str) -> str:
    """Return what a program prints on GVSoC."""
    flash = folder / "flash"
    flash.write_bytes(bytes(16))
    work = folder / "gvsoc"
    work.mkdir(exist_ok=True)
    return simulate("gvsoc", gvsoc_command(gvsoc, GAP9, program, flash, work, properties), SECONDS_MAX)


def run_with_component(gvsoc: Path, folder: Path, program: Path) -> str:
    """Return what a program prints; skip the test where this GVSoC has no NE16."""
    try:
        return run(gvsoc, folder, program, COMPONENT)
    except PlatformError as error:
        if "found no component tmc.ne16" in str(error.notes):
            pytest.skip("this GVSoC has no tmc.ne16: see backend_gap9/target/gvsoc/gvsoc.mk")
        raise


def test_bytes_and_cycles(gvsoc_program: Path, tmp_path: Path) -> None:
    """A layer that is one job takes what the rule says, within 1 %. Bytes are those of two in flight, too."""
    layers = [operands(case, seed) for seed, case in enumerate(CASES)]
    for jobs in (2, 1):
        program = build_program(tmp_path, layers, f"-DJOBS_IN_FLIGHT={jobs}u")
        found = results(run_with_component(gvsoc_program, tmp_path, program))
        assert [case for case, (_, wrong) in zip(CASES, found, strict=True) if wrong] == []
    single = [(case, each) for case, (each, _) in zip(CASES, found, strict=True) if len(case.images) == 1]
    assert len(single) > 20
    wrong = [
        (case, each, case.cycles)
        for case, each in single
        if abs(each - case.cycles) > max(POLL_CYCLES, each / 100)
    ]
    assert wrong == []


def test_a_wait_ends_while_a_later_job_runs(gvsoc_program: Path, tmp_path: Path) -> None:
    """The first of two jobs is much shorter than the second."""
    found = pairs(run_with_component(gvsoc_program, tmp_path, build_jobs_program(tmp_path)))
    assert [wrong for wrong, _, _ in found] == [0] * 6
    assert [second > 3 * first > 0 for _, first, second in found[:3]] == [True] * 3


def test_a_gvsoc_without_the_component_is_refused(gvsoc_program: Path, tmp_path: Path) -> None:
    program = build_program(tmp_path, [operands(Case(9, 16, 32), 0)])
    with pytest.raises(PlatformError) as caught:
        run(gvsoc_program, tmp_path, program, "ne16=tmc.absent")
    notes = " ".join(caught.value.notes)
    assert "found no component tmc.absent in this GVSoC; build it: make -f " in notes
    assert "gvsoc.mk GVSOC=CHECKOUT" in notes
