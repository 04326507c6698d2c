"""tmc_target.h: what the C sources, the linker and the simulators have to know of a target.

It is written once, into the output directory. The C sources include it, riscv.mk makes symbols of the linker
of it, and whoever runs the program reads from it what the simulator has to be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from tmc.backend_gap9.target.target import Target
from tmc.ir.errors import PlatformError

HEADER = "include/tmc_target.h"
_MACRO = re.compile(r"^#define TMC_(\w+) (\d+)u$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Machine:
    """A target as its programs see it. The field `l1_bytes` is the macro TMC_L1_BYTES.

    l2_bytes: of the banks that programs and networks share. dma_max_bytes is of one transfer between L2 and
    L1, dma_queue_entries of them may be in flight. l3_alignment_bytes: of the image in L3 and of
    every block in it; l3_bytes_per_second: of a transfer between L3 and L2. ne16: 1 if the target uses it,
    else 0.
    """

    cores: int
    cluster_hz: int
    l1_bytes: int
    l2_bytes: int
    l3_bytes: int
    l3_alignment_bytes: int
    l3_bytes_per_second: int
    dma_max_bytes: int
    dma_queue_entries: int
    ne16: int

    @property
    def macros(self) -> Mapping[str, int]:
        """Return the macros with their values."""
        return {f"TMC_{field.name.upper()}": getattr(self, field.name) for field in fields(self)}


def machine_of(target: Target) -> Machine:
    """Return what programs have to know of a target."""
    return Machine(
        cores=target.cores,
        cluster_hz=target.cluster_hz,
        l1_bytes=target.l1.size_bytes,
        l2_bytes=target.l2.size_bytes,
        l3_bytes=target.l3.size_bytes,
        l3_alignment_bytes=target.l3_channel.alignment_bytes,
        l3_bytes_per_second=round(target.l3_channel.bytes_per_cycle * target.cluster_hz),
        dma_max_bytes=target.dma.max_bytes,
        dma_queue_entries=target.dma.queue_entries,
        ne16=int(target.accelerator == "ne16"),
    )


def machine_header(machine: Machine) -> bytes:
    """Return tmc_target.h."""
    lines = [f"#define {name} {value}u" for name, value in machine.macros.items()]
    return "\n".join(
        (
            "/* The target that this network was compiled for: cores, clock, memories, transfers. */",
            "#ifndef TMC_TARGET_H",
            "#define TMC_TARGET_H",
            "",
            *lines,
            "",
            "#endif",
            "",
        )
    ).encode()


def read_machine(directory: Path) -> Machine:
    """Return what an output directory was compiled for.

    Raises: PlatformError if its tmc_target.h is missing or says something else.
    """
    path = directory / HEADER
    remedy = "compile the network again"
    try:
        found = {name.lower(): int(value) for name, value in _MACRO.findall(path.read_text(encoding="utf-8"))}
    except (OSError, UnicodeDecodeError) as error:
        raise PlatformError(str(path), "found no description of the target", remedy) from error
    names = [field.name for field in fields(Machine)]
    if found.keys() != set(names):
        wrong = ", ".join(sorted(f"TMC_{name.upper()}" for name in found.keys() ^ set(names)))
        raise PlatformError(str(path), f"found one side only of {wrong}, allowed all macros of it", remedy)
    return Machine(**found)
