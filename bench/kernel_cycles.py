"""Measure the kernels of the cluster's cores on tiles in L1, on GVSoC.

    python bench/kernel_cycles.py --gvsoc PATH [--target-dir DIR] [--target NAME]

Builds each program of bench/kernels and runs it. Prints a table, of which target it comes, and one JSON line.
All figures are of 8 cores, warm, and include the barrier at the end.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ROOT / "bench" / "kernels"
RUNTIME = ROOT / "runtime_c"
TARGETS = ROOT / "backend_gap9" / "target" / "gvsoc"
TARGET = "tmc_gap9"
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
CORES = 8
# What these programs have of the platform: no network.
PLATFORM = ("start.S", "cluster.c", "console.c", "freestanding.c", "hyper.c", "platform.c", "transfers.c")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One kernel on one tile."""

    kernel: str
    size: str
    cycles: int
    mac_per_cycle: float | None
    core_cycles_per_element: float


def build(program: Path, folder: Path) -> Path:
    """Return the binary of one program with all xpulp kernels."""
    binary = folder / f"{program.stem}.elf"
    bare_metal = RUNTIME / "bare_metal"
    sources = [
        *(bare_metal / name for name in PLATFORM),
        PROGRAMS / "cycles.c",
        program,
        *sorted((RUNTIME / "kernels").glob("*_xpulp.c")),
    ]
    folders = [f"-I{path}" for path in (RUNTIME / "include", bare_metal, PROGRAMS)]
    script = f"-T{bare_metal / 'bare_metal.ld'}"
    facts = tomllib.loads((ROOT / "backend_gap9" / "target" / "gap9.toml").read_text(encoding="utf-8"))
    stack = f"TMC_WORKER_STACK_BYTES={facts['stacks']['worker_bytes']}"
    stacks = [f"-D{stack}", f"-Wl,--defsym={stack}"]
    command = [GCC, *FLAGS, *stacks, *folders, script, *map(str, sources), "-lgcc", "-o", str(binary)]
    subprocess.run(command, check=True)
    return binary


def run(gvsoc: str, target: str, target_dir: Path, binary: Path, folder: Path) -> list[Measurement]:
    """Run a program and return what it measured; of equal cases the last."""
    command = [
        gvsoc,
        f"--target={target}",
        "--target-dir",
        str(target_dir),
        "--work-dir",
        str(folder),
        "--binary",
        str(binary),
        "run",
    ]
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
            per_element = round(CORES * cycles / elements, 2)
            found[kernel, size] = Measurement(kernel, size, cycles, rate, per_element)
    return list(found.values())


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description="Measure the kernels on tiles in L1, on GVSoC.")
    parser.add_argument("--gvsoc", default="gvsoc", help="GVSoC's launcher")
    parser.add_argument("--target-dir", type=Path, default=TARGETS, help="folder of the target description")
    parser.add_argument("--target", default=TARGET, help="its name")
    options = parser.parse_args()
    measured: list[Measurement] = []
    with tempfile.TemporaryDirectory() as name:
        for program in sorted(PROGRAMS.glob("*.c")):
            if program.stem != "cycles":
                binary = build(program, Path(name))
                measured += run(options.gvsoc, options.target, options.target_dir, binary, Path(name))
    print(f"GVSoC, target {options.target}, 8 cores, operands in L1, warm, closing barrier included")
    print(f"{'kernel':28}{'size':14}{'cycles':>10}{'MAC/cycle':>12}{'core cycles/element':>22}")
    for each in measured:
        rate = f"{each.mac_per_cycle:.2f}" if each.mac_per_cycle is not None else "-"
        print(
            f"{each.kernel:28}{each.size:14}{each.cycles:>10}{rate:>12}{each.core_cycles_per_element:>22.2f}"
        )
    print(json.dumps({"target": options.target, "kernels": [asdict(each) for each in measured]}))


if __name__ == "__main__":
    main()
