"""How the tests of the C sources compile them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from tests.repository import ROOT
from tests.runtime_c.target_header import GAP9, header_folder
from tmc.backend_gap9.emit.machine import Machine

RUNTIME = ROOT / "runtime_c"
TESTS = ROOT / "tests" / "runtime_c"
HOST = tuple(sorted((RUNTIME / "host").glob("*.c")))
SCALAR_KERNELS = tuple(sorted((RUNTIME / "kernels").glob("*_scalar.c")))
XPULP_KERNELS = tuple(sorted((RUNTIME / "kernels").glob("*_xpulp.c")))
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror")
ADDRESS_SANITIZER = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
THREAD_SANITIZER = ("-g", "-fsanitize=thread", "-DTMC_DMA_THREADS")


def includes(machine: Machine = GAP9) -> tuple[str, str]:
    """Return the folders of headers, as flags of gcc."""
    return f"-I{RUNTIME / 'include'}", f"-I{header_folder(machine)}"


def compile_c(sources: Iterable[Path], output: Path, *flags: str, machine: Machine = GAP9) -> Path:
    """Compile sources with gcc and all warnings as errors; return the output."""
    command = ["gcc", *WARNINGS, *flags, *includes(machine), *map(str, sources), "-o", str(output)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return output


@cache
def fixed_addresses() -> tuple[str, ...]:
    """Return a prefix of commands for programs with sanitizers.

    Those of older compilers fail at the start where the kernel spreads addresses too far. Some containers do
    not allow the prefix; there it is empty.
    """
    prefix = ("setarch", "--addr-no-randomize")
    return prefix if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0 else ()


def run_program(
    *command: str | Path, folder: Path = ROOT, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program, with or without sanitizers, for a minute at most."""
    return subprocess.run(
        [*fixed_addresses(), *map(str, command)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **(variables or {})},
    )


def kernel_library(
    folder: Path, *flags: str, kernels: Iterable[Path] = SCALAR_KERNELS, machine: Machine = GAP9
) -> Path:
    """Build kernels as a shared library whose core number the test sets."""
    return compile_c(
        (*kernels, TESTS / "sequential_cores.c"),
        folder / "kernels.so",
        "-std=c99",
        "-fPIC",
        "-shared",
        *flags,
        machine=machine,
    )


def host_program(network: Path, output: Path, *flags: str) -> Path:
    """Link the source of small_network with the host platform and its main program."""
    return compile_c(
        (network, *HOST, *SCALAR_KERNELS),
        output,
        "-std=c11",
        "-pthread",
        f"-I{RUNTIME / 'host'}",
        "-DTMC_NETWORK=small_network",
        *flags,
    )
