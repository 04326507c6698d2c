"""The small SDK: the folder that GAP_SDK_HOME names, with the small PMSIS built into it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.repository import ROOT
from tests.runtime_c.iss.engines import GCC, run_quietly, tool
from tests.runtime_c.target_header import GAP9, header_folder, linker_symbols
from tmc.backend_gap9.run.simulators import iss_options

HERE = Path(__file__).parent
RUNTIME = ROOT / "runtime_c"
BARE_METAL = RUNTIME / "bare_metal"
# What the small PMSIS has of the bare-metal platform.
PLATFORM = ("console.c", "freestanding.c", "hyper.c")
FLAGS = (
    "-march=rv32imc", "-mabi=ilp32", "-std=gnu11", "-ffreestanding", "-fno-common", "-O2", "-Wall", "-Wextra",
    "-Werror", "-fno-tree-loop-distribute-patterns",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SmallSdk:
    """An SDK for the simulators: builds an output directory as its user would."""

    home: Path
    iss: Path

    def make(self, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the Makefile of an output directory, as for SDKs before 5.21."""
        command = ["make", "--no-print-directory", "OBJDUMP=riscv64-unknown-elf-objdump", *arguments]
        return self._run(command, directory, RULES_DIR=self.home / "rules")

    def cmake(self, directory: Path, *settings: str) -> subprocess.CompletedProcess[str]:
        """Configure an output directory into its folder build."""
        return self._run([tool("cmake", "cmake"), "-B", "build", *settings], directory)

    def cmake_build(self, directory: Path, target: str) -> subprocess.CompletedProcess[str]:
        """Build a target of a configured output directory."""
        return self._run(["cmake", "--build", "build", "-t", target], directory)

    def simulate(self, directory: Path) -> subprocess.CompletedProcess[str]:
        """Run what the Makefile has built."""
        command = [self.home / "bin" / "simulator", f"BUILD/{name_of(directory)}", "BUILD/flash.bin"]
        return self._run([str(word) for word in command], directory)

    def _run(
        self, command: list[str], directory: Path, **variables: Path
    ) -> subprocess.CompletedProcess[str]:
        settings: Mapping[str, str] = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
            "GAP_SDK_HOME": str(self.home),
            "TMC_TEST_ISS": " ".join((str(self.iss), *iss_options(GAP9))),
            **{name: str(value) for name, value in variables.items()},
        }
        return subprocess.run(
            command, cwd=directory, env=settings, capture_output=True, text=True, timeout=300
        )


def name_of(directory: Path) -> str:
    """Return the name that a network's symbols begin with."""
    lines = (directory / "network.mk").read_text().splitlines()
    (name,) = (line.removeprefix("TMC_NAME := ") for line in lines if line.startswith("TMC_NAME := "))
    return name


def build_small_sdk(home: Path, iss: Path) -> SmallSdk:
    """Build the small PMSIS into a new folder."""
    shutil.copytree(HERE / "sdk", home)
    shutil.copytree(HERE.parent / "pmsis", home / "include")
    shutil.copy(HERE / "libc" / "stdio.h", home / "include")
    # Stacks are those of tasks: the linker script has none to set apart.
    script = f"-T{BARE_METAL / 'bare_metal.ld'} -Wl,--defsym=TMC_WORKER_STACK_BYTES=0"
    script = " ".join((script, *linker_symbols()))
    (home / "link").write_text(f"-nostdlib -nostartfiles {script}\n")
    gcc = tool(GCC, "gcc-riscv64-unknown-elf")
    folders = [
        f"-I{path}" for path in (BARE_METAL, home / "include", HERE, RUNTIME / "include", header_folder())
    ]
    sources = [*sorted(HERE.glob("*.[cS]")), HERE / "libc" / "printf.c"]
    sources += [BARE_METAL / name for name in PLATFORM]
    run_quietly([gcc, *FLAGS, *folders, "-nostdlib", "-r", *sources, "-o", home / "pmsis.o"])
    return SmallSdk(home, iss)
