"""tmc_target.h for what the tests compile outside of an output directory."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

from tests.repository import ROOT
from tmc.backend_gap9.emit.machine import Machine, machine_header, machine_of
from tmc.backend_gap9.target.targets import target_named

GAP9 = machine_of(target_named("gap9"))
FOUR_CORES = machine_of(target_named(str(ROOT / "tests" / "networks" / "four-cores.toml")))


@cache
def header_folder(machine: Machine = GAP9) -> Path:
    """Return a folder with tmc_target.h of a machine."""
    text = machine_header(machine)
    folder = ROOT / "build" / "tests" / f"target-{machine.cores}-{machine.l1_bytes}"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(text)
    os.replace(file.name, folder / "tmc_target.h")
    return folder


def write_header(include: Path, machine: Machine = GAP9) -> None:
    """Write tmc_target.h of a machine into a folder of headers."""
    (include / "tmc_target.h").write_bytes(machine_header(machine))


def linker_symbols(machine: Machine = GAP9) -> tuple[str, ...]:
    """Return what bare_metal.ld has to know of a machine, as flags of gcc."""
    return tuple(f"-Wl,--defsym={name}={value}" for name, value in machine.macros.items())
