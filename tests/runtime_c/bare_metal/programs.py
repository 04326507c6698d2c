"""Small networks on the bare-metal platform: how the tests build them and run them on both simulators."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.repository import ROOT
from tests.runtime_c.target_header import GAP9, write_header
from tmc.backend_gap9.emit.runtime import network_mk
from tmc.backend_gap9.run.build import build_iss, build_riscv
from tmc.backend_gap9.run.simulators import gvsoc_command, iss_command, simulate
from tmc.backend_gap9.target.targets import target_named

HERE = Path(__file__).parent
RUNTIME = ROOT / "runtime_c"
INSTRUCTIONS_MAX = 200_000_000
SECONDS_MAX = 300


def image(size_bytes: int) -> bytes:
    """Return the content of L3 that the networks of these tests expect: expected() in C."""
    positions = np.arange(size_bytes, dtype=np.uint32)
    return (positions * np.uint32(2654435761) >> np.uint32(24)).astype(np.uint8).tobytes()


@dataclass(frozen=True, slots=True)
class Network:
    """A network in C, in a folder as the compiler lays one out."""

    folder: Path

    @property
    def flash(self) -> Path:
        """Return the file that fills the flash."""
        return self.folder / "weights.bin"

    def build(self, network_input: bytes, *definitions: str, trace: bool = False) -> Path:
        """Return the program, built with all warnings as errors."""
        objects = self.folder / "-".join(["objects", "trace" if trace else "plain", *definitions])
        objects.mkdir(exist_ok=True)
        (objects / "input.bin").write_bytes(network_input)
        flags = " ".join(["-O2", "-Werror", *(f"-D{definition}" for definition in definitions)])
        return build_riscv(self.folder, objects, objects / "input.bin", trace=trace, compiler_flags=flags)


def network(folder: Path, name: str, weights: bytes) -> Network:
    """Lay out the network `name` of this folder's C files; weights is the content of L3."""
    shutil.copytree(RUNTIME / "include", folder / "include")
    write_header(folder / "include")
    shutil.copytree(RUNTIME / "stacks", folder, dirs_exist_ok=True)
    (folder / "kernels").mkdir()
    source = (HERE / f"{name}_network.c").read_text(encoding="utf-8")
    definition = f"#define WEIGHTS_CHECKSUM 0x{zlib.crc32(weights):08X}u\n"
    (folder / "network.c").write_text(definition + source, encoding="utf-8")
    (folder / "network.mk").write_bytes(network_mk(name, target_named("gap9").stacks))
    (folder / "weights.bin").write_bytes(weights)
    return Network(folder)


@dataclass(frozen=True, slots=True)
class Simulators:
    """The simulators of this session; gvsoc is None where there is none."""

    iss: Path
    gvsoc: Path | None

    def run_iss(self, program: Path, flash: Path) -> str:
        """Return what a program prints on the instruction-set simulator."""
        return simulate("iss", iss_command(self.iss, GAP9, program, flash, INSTRUCTIONS_MAX), SECONDS_MAX)

    def run_gvsoc(
        self, program: Path, flash: Path, properties: Sequence[str] = (), seconds: float = SECONDS_MAX
    ) -> str:
        """Return what a program prints on GVSoC; the test is skipped where there is none."""
        if self.gvsoc is None:
            pytest.skip("GVSoC is not installed: no --gvsoc PATH, and no gvsoc on the search path")
        folder = program.parent / "gvsoc"
        folder.mkdir(exist_ok=True)
        return simulate("gvsoc", gvsoc_command(self.gvsoc, GAP9, program, flash, folder, properties), seconds)


def simulators(folder: Path, config: pytest.Config) -> Simulators:
    """Build the instruction-set simulator and find GVSoC: --gvsoc, or the one on the path."""
    named = config.getoption("--gvsoc", default=None) or shutil.which("gvsoc")
    return Simulators(build_iss(folder), None if named is None else Path(named))
