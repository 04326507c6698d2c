"""Build a generated network for the simulators of the cluster, and the instruction-set simulator."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

from tmc.backend_gap9.kernels.record import Isa
from tmc.ir.errors import PlatformError

COMPILER = "riscv64-unknown-elf-gcc"
PROGRAM = "network.elf"
# A make that runs tmc must not pass its own settings on to the one that builds the network.
_WITHOUT_MAKE_SETTINGS = ("env", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "-u", "MAKEOVERRIDES")


def build_riscv(
    directory: Path,
    folder: Path,
    input_file: Path,
    *,
    trace: bool,
    isa: Isa = "xpulp",
    compiler_flags: str = "-O2",
) -> Path:
    """Build the program of an output directory, with one input linked in, into a folder; return its path.

    A second build in the same folder with another input compiles no C again; use one folder for each setting
    of the others. isa: which kernels.
    Raises: PlatformError if a tool is missing or the build fails.
    """
    for tool, package in (("make", "make"), (COMPILER, "gcc-riscv64-unknown-elf"), ("awk", "mawk")):
        if shutil.which(tool) is None:
            raise PlatformError(
                "riscv", f"found no {tool}", f"install it, for example: apt-get install {package}"
            )
    folder = folder.resolve()
    with as_file(files("tmc.runtime_c") / "bare_metal") as bare_metal:
        settings = [
            f"BARE_METAL={bare_metal}",
            f"INPUT={input_file.resolve()}",
            f"OBJECTS={folder}",
            f"CFLAGS={compiler_flags}",
            f"ISA={isa}",
            *(["TRACE=1"] if trace else []),
        ]
        makefile = bare_metal / "riscv.mk"
        make = ["make", "--no-print-directory", "-C", str(directory), "-f", str(makefile), *settings]
        _checked("riscv", [*_WITHOUT_MAKE_SETTINGS, *make])
    return folder / PROGRAM


def build_iss(folder: Path) -> Path:
    """Build the instruction-set simulator into a folder; return its path.

    Raises: PlatformError if gcc is missing or the build fails.
    """
    if shutil.which("gcc") is None:
        raise PlatformError("iss", "found no gcc", "install it, for example: apt-get install gcc libc6-dev")
    program = folder.resolve() / "iss"
    with as_file(files("tmc.runtime_c") / "iss") as source:
        sources = [str(path) for path in sorted(source.glob("*.c"))]
        _checked("iss", ["gcc", "-std=c11", "-O2", *sources, "-o", str(program)])
    return program


def _checked(platform: str, command: Sequence[str]) -> None:
    """Run a command. Raises: PlatformError with the end of what it printed, if it fails."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if result.returncode != 0:
        last_lines = result.stdout.decode(errors="replace").strip().splitlines()[-20:]
        raise PlatformError(platform, f"the build failed with status {result.returncode}", *last_lines)
