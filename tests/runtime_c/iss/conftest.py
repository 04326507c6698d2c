"""Engines as fixtures. Only GVSoC may be missing: it is in no package registry."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from tests.runtime_c.iss.engines import HERE, PULP, VIRT, Engine, build_iss, build_once, run_quietly, tool
from tests.runtime_c.target_header import GAP9
from tmc.backend_gap9.run.simulators import iss_options


@pytest.fixture(scope="session")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return the simulator, built from this tree."""
    binary = build_iss(tmp_path_factory.mktemp("iss"))
    return Engine("iss", PULP, lambda program: (binary, *iss_options(GAP9), program))


@pytest.fixture(scope="session")
def qemu() -> Engine:
    """Return QEMU's virt machine, without the extensions that some custom opcodes could be taken for."""
    binary = tool("qemu-system-riscv32", "qemu-system-misc")
    machine = (
        "-M",
        "virt",
        "-bios",
        "none",
        "-nographic",
        "-monitor",
        "none",
        "-serial",
        "stdio",
        "-net",
        "none",
    )
    cpu = ("-cpu", "rv32,a=false,f=false,d=false,zba=false,zbb=false,zbc=false,zbs=false")
    return Engine("qemu", VIRT, lambda program: (binary, *machine, *cpu, "-kernel", program))


@pytest.fixture(scope="session")
def rtl() -> Engine:
    """Return the Verilated core of the package pythondata-cpu-cv32e41p, built once for all sessions."""
    verilator = tool("verilator", "verilator")
    tool("g++", "g++")
    location = Path(import_module("pythondata_cpu_cv32e41p").data_location)
    sources = location / "rtl"
    packages = [sources / "include" / f"cv32e41p_{name}.sv" for name in ("apu_core_pkg", "fpu_pkg", "pkg")]
    modules = sorted(path for path in sources.glob("*.sv") if not path.stem.endswith("_latch"))
    harness = HERE / "rtl_harness.cpp"
    # Lint is not ours to do. BLKANDNBLK would stop the build.
    checks = ("-Wno-fatal", "-Wno-lint", "-Wno-style", "-Wno-BLKANDNBLK", "-Wno-MULTIDRIVEN")
    options = ("-GPULP_XPULP=1", "--top-module", "cv32e41p_core", "-O3", "-CFLAGS", "-O2 -std=c++17")

    def build(folder: Path) -> None:
        target = ("--cc", "--exe", "--build", "-j", "2", "--Mdir", folder / "model", "-o", folder / "rtl")
        files = (*packages, *modules, location / "bhv" / "cv32e41p_sim_clock_gate.sv", harness)
        run_quietly([verilator, *target, *options, *checks, f"+incdir+{sources / 'include'}", *files])

    version = run_quietly([verilator, "--version"])
    key = (
        harness.read_bytes(),
        version.encode(),
        *(path.read_bytes() for path in modules),
        repr(options).encode(),
    )
    binary = build_once("rtl", key, build) / "rtl"
    return Engine("rtl", PULP, lambda program: (binary, program))


@pytest.fixture(scope="session")
def gvsoc(gvsoc_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return GVSoC's own pulp-open."""

    def command(program: Path) -> tuple[str | Path, ...]:
        # Each run writes files of its own.
        work = tmp_path_factory.mktemp("gvsoc")
        return (gvsoc_program, "--target=pulp-open", "--work-dir", work, "--binary", program, "run")

    return Engine("gvsoc", PULP, command)
