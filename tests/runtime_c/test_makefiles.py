"""The makefiles that a generated network gets."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.runtime_c.building import RUNTIME, SCALAR_KERNELS, TESTS
from tests.runtime_c.target_header import write_header
from tests.runtime_c.test_host_platform import CHECKSUM, run, some_input
from tmc.backend_gap9.emit.runtime import network_mk
from tmc.backend_gap9.target.target import Stacks

# Stands in for the SDK's rules: shows what they would be given.
RULES = "all run:\n\t@echo $@ $(platform): $(APP): $(APP_SRCS): $(READFS_FILES): $(APP_CFLAGS)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lay out a generated network's folder, as far as the makefiles need it."""
    for name in ("include", "host", "gap9"):
        shutil.copytree(RUNTIME / name, tmp_path / name)
    write_header(tmp_path / "include")
    shutil.copytree(RUNTIME / "stacks", tmp_path, dirs_exist_ok=True)
    (tmp_path / "kernels").mkdir()
    for kernel in SCALAR_KERNELS:
        shutil.copy(kernel, tmp_path / "kernels")
    shutil.move(tmp_path / "host" / "host.mk", tmp_path / "host.mk")
    shutil.move(tmp_path / "gap9" / "gap9.mk", tmp_path / "Makefile")
    define = CHECKSUM.removeprefix("-D").replace("=", " ")
    (tmp_path / "network.c").write_text(f"#define {define}\n{(TESTS / 'small_network.c').read_text()}")
    (tmp_path / "network.mk").write_bytes(network_mk("small", Stacks(1024, 2048)))
    return tmp_path


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make without the settings of the make that may run the tests."""
    return subprocess.run(
        [
            "env",
            "-u",
            "MAKEFLAGS",
            "-u",
            "MAKELEVEL",
            "-u",
            "MAKEOVERRIDES",
            "-u",
            "RULES_DIR",
            "make",
            "--no-print-directory",
            *arguments,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "settings", [(), ("TRACE=1",), ("SANITIZE=address", "TRACE=1"), ("SANITIZE=thread",)]
)
def test_host(folder: Path, settings: tuple[str, ...]) -> None:
    built = make(folder, "-f", "host.mk", "CFLAGS=-O1", *settings)
    assert (built.returncode, built.stderr) == (0, "")
    network_input, expected = some_input()
    result = run(folder / "network-host", folder, network_input, trace="TRACE=1" in settings)
    assert (result.status, result.errors, result.output) == (0, "", expected)
    assert result.trace == (2 * expected if "TRACE=1" in settings else b"")


def test_host_from_the_makefile(folder: Path) -> None:
    built = make(folder, "host", "CFLAGS=-O1", "OUTPUT=other-name")
    assert (built.returncode, built.stderr) == (0, "")
    assert (folder / "other-name").exists()


@pytest.mark.parametrize(("isa", "defined"), [("xpulp", " -DTMC_ISA_XPULP"), ("scalar", "")])
def test_gap9_gives_the_sdk_its_variables(folder: Path, isa: str, defined: str) -> None:
    (folder / "rules").mkdir()
    (folder / "rules" / "pmsis_rules.mk").write_text(RULES)
    (folder / "kernels" / "tmc_linear_s8s8s8_xpulp.c").touch()
    chosen = () if isa == "xpulp" else ("ISA=scalar",)
    result = make(folder, "all", "run", "platform=board", "RULES_DIR=rules", *chosen)
    assert result.returncode == 0
    found = (*(folder / "kernels").glob(f"*_{isa}.c"), *(folder / "gap9").glob("*.c"))
    sources = " ".join(("network.c", *sorted(str(path.relative_to(folder)) for path in found)))
    files = "weights.bin golden/input.bin golden/output.bin"
    stacks = "-DTMC_WORKER_STACK_BYTES=1024 -DTMC_CONTROLLER_STACK_BYTES=2048"
    flags = (
        "-O2 -mnohwloop -fno-tree-loop-distribute-patterns "
        f"-Iinclude -Igap9 -I. -DTMC_NETWORK=small_network {stacks}{defined}"
    )
    line = f"board: small: {sources}: {files}: {flags}"
    assert result.stdout == f"all {line}\nrun {line}\n"


@pytest.mark.parametrize(("ints", "accepted"), [(200, True), (300, False)])
def test_gap9_holds_a_program_to_the_stacks(folder: Path, ints: int, accepted: bool) -> None:
    body = f"volatile int a[{ints}]; a[0] = 1;"
    (folder / "program.c").write_text(
        f"void small_entry(void) {{ {body} }} void controller(void) {{ {body} }}"
        "void _start(void) { small_entry(); controller(); }"
    )
    (folder / "rules").mkdir()
    build = "riscv64-unknown-elf-gcc -march=rv32imc -mabi=ilp32 -nostdlib -O1 program.c -o $@"
    (folder / "rules" / "pmsis_rules.mk").write_text(f"BIN = program\n$(BIN):\n\t{build}\n")
    result = make(folder, "check_stacks", "RULES_DIR=rules", "OBJDUMP=riscv64-unknown-elf-objdump")
    assert (result.returncode == 0) is accepted
    need = (4 * ints + 15) // 16 * 16
    assert f"stack: at most {need} of 2048 bytes: controller {need}" in result.stdout
    refused = f"error: a stack of 1024 bytes: found a need of {need} bytes, allowed 1024: small_entry {need}"
    assert (refused in result.stdout) is not accepted


def test_gap9_says_what_is_missing(folder: Path) -> None:
    result = make(folder, "all", "run", "platform=board")
    assert result.returncode == 2
    assert "source the configuration script of the GAP9 SDK first, or build with make host" in result.stderr
