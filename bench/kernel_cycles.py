"""Measure the kernels of the cluster's cores on tiles in L1, on GVSoC.

    python -m bench.kernel_cycles --gvsoc PATH [--target NAME]

Builds each program of bench/kernels, that of jobs for a target that has them, and runs it. Prints a table,
of which target it comes, and one JSON line.
All figures are of all cores, warm, and include the barrier at the end.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from tmc.backend_gap9.emit.machine import machine_header, machine_of
from tmc.backend_gap9.run.simulators import GVSOC_TARGET, find_gvsoc, gvsoc_command
from tmc.backend_gap9.target.target import Target
from tmc.backend_gap9.target.targets import target_named

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ROOT / "bench" / "kernels"
RUNTIME = ROOT / "runtime_c"
GCC = "riscv64-unknown-elf-gcc"
FLAGS = (
    "-march=rv32imc",
    "-mabi=ilp32",
    "-std=gnu11",
    "-O2",
    "-ffreestanding",
    "-fno-common",
    "-fno-tree-loop-distribute-patterns",
    "-nostdlib",
    "-nostartfiles",
    "-DTMC_STAGES",
)
SECONDS_MAX = 300
JOBS = "jobs"  # the program that needs an accelerator
# What these programs have of the platform: no network.
PLATFORM = (
    "start.S", "cluster.c", "console.c", "freestanding.c", "hyper.c", "jobs.c", "platform.c", "transfers.c",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measurement:
    """One kernel on one tile."""

    kernel: str
    size: str
    cycles: int
    mac_per_cycle: float | None
    core_cycles_per_element: float


def build(program: Path, folder: Path, target: Target) -> Path:
    """Return the binary of one program with all xpulp kernels."""
    binary = folder / f"{program.stem}.elf"
    bare_metal = RUNTIME / "bare_metal"
    sources = [
        *(bare_metal / name for name in PLATFORM),
        PROGRAMS / "cycles.c",
        program,
        *sorted((RUNTIME / "kernels").glob("*_xpulp.c")),
        *(sorted((RUNTIME / "kernels").glob("*_ne16.c")) if target.accelerator else []),
    ]
    machine = machine_of(target)
    (folder / "tmc_target.h").write_bytes(machine_header(machine))
    folders = [f"-I{path}" for path in (RUNTIME / "include", folder, bare_metal, PROGRAMS)]
    script = f"-T{bare_metal / 'bare_metal.ld'}"
    symbols = {"TMC_WORKER_STACK_BYTES": target.stacks.worker_bytes, **machine.macros}
    numbers = [f"-Wl,--defsym={name}={value}" for name, value in symbols.items()]
    numbers.append(f"-DTMC_WORKER_STACK_BYTES={target.stacks.worker_bytes}")
    command = [GCC, *FLAGS, *numbers, *folders, script, *map(str, sources), "-lgcc", "-o", str(binary)]
    subprocess.run(command, check=True)
    return binary


def run(gvsoc: Path, target: Target, binary: Path, folder: Path) -> list[Measurement]:
    """Run a program and return what it measured; of equal cases the last."""
    flash = folder / "empty.bin"
    flash.touch()
    command = gvsoc_command(gvsoc, machine_of(target), binary, flash, folder)
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or "end" not in lines:
        sys.exit(f"error: {binary.stem}: status {done.returncode}\n{done.stdout}{done.stderr}")
    found = {}
    for line in lines:
        if line.startswith("cycles "):
            _, kernel, size, *numbers = line.split()
            elements, macs, cycles = map(int, numbers)
            rate = round(macs / cycles, 2) if macs else None
            per_element = round(target.cores * cycles / elements, 2)
            found[kernel, size] = Measurement(kernel, size, cycles, rate, per_element)
    return list(found.values())


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description="Measure the kernels on tiles in L1, on GVSoC.")
    parser.add_argument("--gvsoc", type=Path, help="GVSoC, if it is not on the path")
    parser.add_argument("--target", default="gap9", help="as of `tmc compile`")
    options = parser.parse_args()
    target, gvsoc = target_named(options.target), find_gvsoc(options.gvsoc)
    measured: list[Measurement] = []
    with tempfile.TemporaryDirectory() as name:
        for program in sorted(PROGRAMS.glob("*.c")):
            if program.stem != "cycles" and (program.stem != JOBS or target.accelerator):
                binary = build(program, Path(name), target)
                measured += run(gvsoc, target, binary, Path(name))
    machine = f"GVSoC, target {GVSOC_TARGET} as {target.name}, {target.cores} cores"
    print(f"{machine}, operands in L1, warm, closing barrier included")
    print(f"{'kernel':28}{'size':14}{'cycles':>10}{'MAC/cycle':>12}{'core cycles/element':>22}")
    for each in measured:
        rate = f"{each.mac_per_cycle:.2f}" if each.mac_per_cycle is not None else "-"
        print(
            f"{each.kernel:28}{each.size:14}{each.cycles:>10}{rate:>12}{each.core_cycles_per_element:>22.2f}"
        )
    print(json.dumps({"target": target.name, "kernels": [asdict(each) for each in measured]}))


if __name__ == "__main__":
    main()
