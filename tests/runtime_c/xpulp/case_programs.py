"""The programs that compare xpulp kernels with scalar ones: NAME_cases.c with cases.c and its kernels."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.repository import ROOT
from tests.runtime_c.iss.engines import GCC, run_quietly, tool
from tests.runtime_c.target_header import GAP9, header_folder, linker_symbols
from tmc.backend_gap9.emit.machine import Machine

HERE = Path(__file__).parent
RUNTIME = ROOT / "runtime_c"
BARE_METAL = RUNTIME / "bare_metal"
PROGRAMS = tuple(path.stem for path in sorted(HERE.glob("*_cases.c")))
# What these programs have of the bare-metal platform: no network.
PLATFORM = (
    "start.S", "cluster.c", "console.c", "freestanding.c", "hyper.c", "jobs.c", "platform.c", "transfers.c",
)  # fmt: skip
# The comparisons run on the cores too, and have larger frames than a network.
STACK = "TMC_WORKER_STACK_BYTES=2048"
MACHINE = ("-march=rv32imc", "-mabi=ilp32")
COMPILE = (
    *MACHINE,
    "-std=gnu11",
    "-ffreestanding",
    "-fno-common",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fno-tree-loop-distribute-patterns",
    "-DTMC_STAGES",
    f"-D{STACK}",
)
LINK = (
    *MACHINE,
    "-nostdlib",
    "-nostartfiles",
    f"-T{BARE_METAL / 'bare_metal.ld'}",
    f"-Wl,--defsym={STACK}",
)
SECONDS_MAX = 300


def build_program(
    name: str, folder: Path, *flags: str, runtime: Path = RUNTIME, machine: Machine = GAP9
) -> Path:
    """Return the binary of a program, with the kernels and headers of `runtime`."""
    binary = folder / f"{name}.elf"
    sources = [
        *(BARE_METAL / each for each in PLATFORM),
        HERE / "cases.c",
        HERE / f"{name}.c",
        *kernels_of(name, runtime),
    ]
    places = (runtime / "include", header_folder(machine), BARE_METAL, HERE)
    folders = [f"-I{path}" for path in places]
    gcc = tool(GCC, "gcc-riscv64-unknown-elf")
    run_quietly(
        [gcc, *COMPILE, *LINK, *linker_symbols(machine), *flags, *folders, *sources, "-lgcc", "-o", binary]
    )
    return binary


def kernels_of(name: str, runtime: Path) -> tuple[Path, ...]:
    """Return the sources of the kernels that a program names, or of whose names it has the beginning."""
    named = tuple(set(re.findall(r"\btmc_\w+", (HERE / f"{name}.c").read_text())))
    return tuple(path for path in sorted((runtime / "kernels").glob("*.c")) if path.stem.startswith(named))


def failures(command: list[str | Path]) -> tuple[int, list[str]]:
    """Run a program; return how many cases it had and the lines that say what is wrong."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    lines = done.stdout.splitlines()
    counted = re.search(r"^cases (\d+)$", done.stdout, re.MULTILINE)
    if counted is None or "end" not in lines:
        return 0, [f"no end, status {done.returncode}", *lines[-5:], *done.stderr.splitlines()[-5:]]
    return int(counted[1]), [line for line in lines if line.startswith("differs: ")]
