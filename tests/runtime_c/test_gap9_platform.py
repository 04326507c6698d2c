"""The GAP9 platform against declarations of the PMSIS interface, since no SDK is at hand."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.runtime_c.building import RUNTIME, SCALAR_KERNELS, TESTS, includes

SOURCES = tuple(sorted((RUNTIME / "gap9").glob("*.c")))
PMSIS = TESTS / "pmsis"
CALL = re.compile(r"\b(pi_\w+|pmsis_\w+)\(")
# Settings of a build, besides none: each call is made with one or the other.
SETTINGS = ("-DTMC_POWER_GPIO=89", "-DTMC_FILES_IN_MRAM")
CALLS = tuple(sorted({(path, name) for path in SOURCES for name in CALL.findall(path.read_text())}))


def check(source: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Have gcc check a source for GAP9."""
    command = [
        "gcc",
        "-std=gnu11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fsyntax-only",
        "-DTMC_NETWORK=small_network",
        "-DTMC_WORKER_STACK_BYTES=1024",
        "-DTMC_CONTROLLER_STACK_BYTES=2048",
        "-DL3_CHECKSUM=0u",
        *includes(),
        f"-I{RUNTIME / 'gap9'}",
        f"-I{PMSIS}",
        *flags,
        str(source),
    ]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})


@pytest.mark.parametrize(
    "source", [*SOURCES, *SCALAR_KERNELS, TESTS / "small_network.c"], ids=lambda path: path.stem
)
@pytest.mark.parametrize("settings", [(), SETTINGS, ("-DTMC_FREQUENCY_HZ=0",)])
def test_sources_follow_the_interface(source: Path, settings: tuple[str, ...]) -> None:
    result = check(source, *settings)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(("source", "name"), CALLS, ids=lambda value: getattr(value, "stem", value))
def test_a_wrong_call_is_found(tmp_path: Path, source: Path, name: str) -> None:
    text = source.read_text()
    misspelt = tmp_path / "misspelt.c"
    misspelt.write_text(text.replace(f"{name}(", f"{name}x("))
    found = check(misspelt).stderr + check(misspelt, *SETTINGS).stderr
    assert f"implicit declaration of function '{name}x'" in found
    one_more = tmp_path / "one_more.c"
    one_more.write_text(re.sub(rf"\b{name}\((\))?", lambda m: f"{name}(0" + (m[1] or ", "), text))
    found = check(one_more).stderr + check(one_more, *SETTINGS).stderr
    assert f"too many arguments to function '{name}'" in found


def test_everything_declared_is_called() -> None:
    declarations = "".join(path.read_text() for path in sorted(PMSIS.rglob("*.h")))
    declared = set(re.findall(r"^\w.*[ *](pi_\w+|pmsis_\w+)\(", declarations, re.MULTILINE))
    assert declared == {name for _, name in CALLS}


def test_there_is_no_tracing() -> None:
    result = check(RUNTIME / "gap9" / "platform.c", "-DTMC_TRACE")
    assert "GAP9 has no room for traced values" in result.stderr


@pytest.mark.parametrize("size", ["TMC_CONTROLLER_STACK_BYTES", "TMC_WORKER_STACK_BYTES"])
def test_the_sizes_of_stacks_are_asked_for(size: str) -> None:
    result = check(RUNTIME / "gap9" / "platform.c", f"-U{size}")
    assert "network.mk has them" in result.stderr


@pytest.mark.parametrize("platform", ["gap9", "host"])
def test_main_asks_for_a_network(platform: str) -> None:
    result = check(RUNTIME / platform / "main.c", "-UTMC_NETWORK")
    assert "TMC_NETWORK is the name of a network's descriptor" in result.stderr
