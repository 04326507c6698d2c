"""Options of the whole test suite."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the texts under tests/golden instead of comparing"
    )
    parser.addoption("--gvsoc", metavar="PROGRAM", help="GVSoC, if it is not on the path")


@pytest.fixture(scope="session")
def gvsoc_program(request: pytest.FixtureRequest) -> Path:
    """Return GVSoC: --gvsoc, or the one on the path. It is in no package index, so tests skip without it."""
    found = request.config.getoption("--gvsoc") or shutil.which("gvsoc")
    if found is None:
        pytest.skip("GVSoC is not installed: no --gvsoc PROGRAM, and no gvsoc on the search path")
    return Path(found)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded as "ran": how many networks, kernels, sizes and random programs."""
    reports = terminalreporter.getreports("passed")
    lines = [str(text) for report in reports for name, text in report.user_properties if name == "ran"]
    if lines:
        terminalreporter.section("ran")
    for line in sorted(lines):
        terminalreporter.write_line(line)
