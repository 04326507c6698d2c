"""Building bare-metal programs, and the engines that run them: what a program prints is what is compared."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.repository import ROOT

HERE = Path(__file__).parent
PLATFORM = HERE / "bare_metal"
ISS_SOURCES = ROOT / "runtime_c" / "iss"
GCC = "riscv64-unknown-elf-gcc"
TIMEOUT_S = 120

# Compressed calls of the Verilated core link to a wrong address: a signal in its sources has no driver.
# What it runs is compiled without compressed instructions.
UNCOMPRESSED = "rv32im_zicsr"

PULP = ("start.S", "platform.c", "report.c")
VIRT = ("virt.S", "report.c")


def tool(name: str, package: str) -> str:
    """Return the path of a program that these tests need; a missing one is a failure, never a skip."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(
            f"found no {name}, which these tests need\nnote: apt-get install {package}", pytrace=False
        )
    return found


def run_quietly(command: Sequence[str | Path], cwd: Path | None = None) -> str:
    """Run a command that must succeed and return its standard output."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


def build_once(name: str, inputs: Sequence[bytes], build: Callable[[Path], None]) -> Path:
    """Return a folder under build/ that `build` has filled for these inputs, now or in an earlier session."""
    digest = hashlib.sha256(b"\0".join(inputs)).hexdigest()[:16]
    folder = ROOT / "build" / "tests" / f"{name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            build(folder)
            (folder / "complete").touch()
    return folder


def build_iss(folder: Path, flags: Sequence[str] = ("-O2",)) -> Path:
    """Compile the simulator with the host compiler, warnings being errors."""
    binary = folder / "iss"
    command: list[str | Path] = [
        tool("gcc", "gcc"),
        "-std=c11",
        *flags,
        "-Wall",
        "-Wextra",
        "-Werror",
        "-o",
        binary,
    ]
    run_quietly([*command, *sorted(ISS_SOURCES.glob("*.c"))])
    return binary


def compile_program(
    folder: Path,
    sources: Sequence[Path],
    platform: Sequence[str] = PULP,
    flags: Sequence[str] = (),
    march: str = "rv32imc_zicsr",
) -> Path:
    """Compile and link a bare-metal program with the start-up of a platform."""
    gcc = tool(GCC, "gcc-riscv64-unknown-elf")
    # The library has no folder of the name of the march used here: ask for that of plain rv32imc.
    libgcc = run_quietly([gcc, "-march=rv32imc", "-mabi=ilp32", "-print-libgcc-file-name"]).strip()
    script = PLATFORM / ("link.ld" if platform is PULP else "virt.ld")
    binary = folder / f"{sources[0].stem}-{script.stem}-{march}.elf"
    freestanding = ("-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib", "-nostartfiles")
    layout = ("-Wl,--no-warn-rwx-segments", f"-I{PLATFORM}", f"-T{script}")
    command: list[str | Path] = [
        gcc,
        f"-march={march}",
        "-mabi=ilp32",
        *freestanding,
        *layout,
        *flags,
        "-o",
        binary,
    ]
    run_quietly([*command, *(PLATFORM / name for name in platform), *sources, libgcc])
    return binary


@dataclass(frozen=True, slots=True)
class Result:
    """What a run printed and how it ended."""

    status: int
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class Engine:
    """Something that runs programs: the command that takes a binary, and the platform it is built for."""

    name: str
    platform: Sequence[str]
    command: Callable[[Path], Sequence[str | Path]]

    def run(self, binary: Path, *options: str) -> Result:
        """Run a program, with more of the engine's own options before it."""
        words = [str(word) for word in self.command(binary)]
        done = subprocess.run(
            [*words[:-1], *options, words[-1]],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            cwd=binary.parent,
            stdin=subprocess.DEVNULL,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def output(self, binary: Path, *options: str) -> list[str]:
        """Run a program that must end with status 0 and return its lines."""
        result = self.run(binary, *options)
        assert result.status == 0, f"{self.name}: status {result.status}\n{result.output}{result.errors}"
        return result.output.splitlines()


def compile_text(folder: Path, name: str, text: str, **options: Any) -> Path:
    """Compile a program given as text; the suffix of `name` tells C from assembler."""
    source = folder / name
    source.write_text(text)
    return compile_program(folder, [source], **options)


def instructions(result: Result) -> int:
    """Return the number of instructions that the simulator was told to print with --stats."""
    (line,) = (line for line in result.errors.splitlines() if line.startswith("iss: total: "))
    return int(line.split()[2])
