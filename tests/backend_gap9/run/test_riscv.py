"""The generated network on the simulators of the cluster."""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.networks.small_output import golden_input, graph, output
from tmc.backend_gap9.emit.machine import HEADER, machine_header, machine_of, read_machine
from tmc.backend_gap9.emit.names import traced_ops
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.backend_gap9.kernels.record import Isa
from tmc.backend_gap9.run import riscv as run_riscv
from tmc.backend_gap9.run.build import build_iss, build_riscv
from tmc.backend_gap9.run.console import StageCycles, last_stage, parse_console
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_gvsoc, run_iss
from tmc.backend_gap9.run.simulators import iss_command, simulate
from tmc.backend_gap9.run.value_sums import MULTIPLIER, compare_sums, value_sum
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.errors import PlatformError
from tmc.ir.interpret import interpret
from tmc.ir.types import Array

ISAS: tuple[Isa, ...] = ("scalar", "xpulp")


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Write the output directory of the small network."""
    path = tmp_path / "small"
    write_directory(output(), path)
    return path


@pytest.mark.parametrize("isa", ISAS)
def test_golden_input_on_iss(directory: Path, iss: Path, isa: Isa) -> None:
    result = run_iss(directory, isa=isa, simulator=iss)
    assert (result.platform, result.bit_exact, result.cycles, result.stage_cycles) == ("iss", True, None, ())
    assert [op.name for op in result.ops] == [op.output for op in traced_ops(graph())]
    assert not (directory / "network.elf").exists()


def test_several_inputs_on_iss(directory: Path, iss: Path) -> None:
    inputs = np.stack([golden_input(seed) for seed in range(3)])
    result = run_iss(directory, {"x": inputs}, trace=False, simulator=iss)
    expected = [interpret(graph(), {"x": one})["y"] for one in inputs]
    assert np.array_equal(result.outputs["y"], np.stack(expected))
    assert (result.bit_exact, result.ops) == (True, ())


def test_iss_is_built_where_none_is_given(directory: Path) -> None:
    assert run_iss(directory, trace=False).bit_exact


def test_a_wrong_constant_shows_in_every_later_op(directory: Path, iss: Path) -> None:
    kernel = next((directory / "kernels").glob("tmc_layernorm*_scalar.c"))
    spoiled = kernel.read_text(encoding="utf-8").replace("c < args->channels;", "c < args->channels - 1u;", 1)
    assert spoiled != kernel.read_text(encoding="utf-8")
    kernel.write_text(spoiled, encoding="utf-8")
    result = run_iss(directory, isa="scalar", simulator=iss)
    assert not result.bit_exact
    assert [op.mismatches for op in result.ops] == [1, 1]
    assert result.first_wrong is not None and result.first_wrong.name == "n"


def change(directory: Path, old: str, new: str) -> None:
    """Change the generated network in one place."""
    path = directory / "network.c"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("dropped", "message"),
    [("tmc_dma_wait(", "was not waited for"), ("tmc_barrier();", "race|was not waited for")],
)
def test_a_dropped_wait_and_a_dropped_barrier_are_caught(
    directory: Path, iss: Path, dropped: str, message: str
) -> None:
    change(directory, dropped, "(void)(" if dropped.endswith("(") else "")
    with pytest.raises(PlatformError, match=message):
        run_iss(directory, simulator=iss)


def test_on_gvsoc(directory: Path, gvsoc_program: Path) -> None:
    result = run_gvsoc(directory, gvsoc=gvsoc_program)
    assert (result.platform, result.bit_exact, len(result.ops)) == ("gvsoc", True, len(traced_ops(graph())))
    assert result.cycles is not None and result.cycles > 1000
    free = run_gvsoc(directory, gvsoc=gvsoc_program, trace=False, properties=("free_transfers=1",))
    assert free.bit_exact and free.cycles is not None and free.cycles <= result.cycles


def script(path: Path, text: str) -> Path:
    """Write a program that stands in for GVSoC."""
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("echo stage 1; sleep 60", r"no end after 0.5 s; the last stage seen to begin is 1 \(y\)"),
        ("sleep 60 & wait", "no end after 0.5 s; no stage was seen to begin"),
        ("echo stage 1; echo stage iss: trap: wild store; exit 125", r"wild store; the last .* is 1 \(y\)"),
        ("echo stage 7; exit 3", "failed with status 3; the last stage seen to begin is 7$"),
        ("echo error: it broke; exit 1", "it broke"),
        ("echo cycles 5", "did not print its end"),
        ("echo output 0 00; echo cycles 5; echo end", "found output y of 1 bytes, allowed 320"),
    ],
)
def test_what_a_simulator_does_wrong_is_told(
    directory: Path, tmp_path: Path, text: str, message: str
) -> None:
    program = script(tmp_path / "gvsoc", text)
    with pytest.raises(PlatformError, match=message):
        run_gvsoc(directory, gvsoc=program, timeout_seconds=0.5 if "sleep" in text else None)


def test_a_simulator_that_makes_no_progress_is_ended(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_riscv, "_QUIET_SECONDS", 0.5)
    program = script(tmp_path / "gvsoc", "echo stage 0; sleep 0.2; echo stage 1; sleep 60")
    start = time.perf_counter()
    with pytest.raises(PlatformError, match=r"no progress for 0.5\d* s; the last stage .* is 1 \(y\)"):
        run_gvsoc(directory, gvsoc=program)
    assert time.perf_counter() - start < 30


def test_a_slow_simulator_that_prints_is_waited_for(tmp_path: Path) -> None:
    program = script(tmp_path / "gvsoc", "for stage in 0 1 2 3 4 5; do echo stage $stage; sleep 0.2; done")
    assert simulate("gvsoc", [str(program)], 60, quiet_seconds=0.8).count("stage") == 6


def test_a_simulator_that_ends_without_closing_its_output(tmp_path: Path) -> None:
    program = script(tmp_path / "gvsoc", "echo stage 0; exec >/dev/null 2>&1; sleep 0.3; exit 3")
    with pytest.raises(PlatformError, match="failed with status 3; the last stage seen to begin is 0"):
        simulate("gvsoc", [str(program)], 60)
    hung = script(tmp_path / "hung", "exec >/dev/null 2>&1; sleep 60")
    with pytest.raises(PlatformError, match=r"no end after 0\.2 s"):
        simulate("gvsoc", [str(hung)], 0.2)


@pytest.mark.parametrize("lacks", ["", ", which lacks prettytable"])
def test_a_launcher_in_the_wrong_python_is_told(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    word = "prettytable" if lacks else "\\n"
    text = "Traceback (most recent call last):\\nModuleNotFoundError: No module named '" + word + "'"
    program = script(tmp_path / "gvsoc", f'printf "{text}\\n" >&2; exit 1')
    python = script(tmp_path / "python3", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(PlatformError, match="failed with status 1; no stage was seen to begin") as caught:
        run_gvsoc(directory, gvsoc=program)
    first, install, other = caught.value.notes[:3]
    assert first == f"GVSoC's launcher took the first python3 on the path, {python}{lacks}"
    assert install.startswith(f"install what it needs there: {python} -m pip install -r GVSOC/core/")
    assert "psutil" in install and "first on PATH" in other
    assert caught.value.notes[3].startswith("Traceback")


def test_children_of_a_simulator_end_with_it(tmp_path: Path) -> None:
    program = script(tmp_path / "simulator", "sleep 60 & wait")
    start = time.perf_counter()
    with pytest.raises(PlatformError, match="no end"):
        simulate("gvsoc", [str(program)], 0.5)
    # A child that lived on would hold the pipe open.
    assert time.perf_counter() - start < 30


@pytest.mark.parametrize(
    ("missing", "run", "note"),
    [
        ("gvsoc", run_gvsoc, "github.com/gvsoc/gvsoc"),
        ("riscv64-unknown-elf-gcc", run_iss, "apt-get install gcc-riscv64-unknown-elf"),
        ("make", run_iss, "apt-get install make"),
        ("awk", run_iss, "apt-get install mawk"),
        ("gcc", run_iss, "apt-get install gcc"),
    ],
)
def test_missing_tools_are_named(
    directory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
    run: Callable[[Path], object],
    note: str,
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("gcc", "make", "env", "as", "ld", "sh", "stdbuf", "awk", "riscv64-unknown-elf-gcc"):
        found = shutil.which(tool)
        assert found is not None, tool
        if tool != missing:
            (tools / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(PlatformError, match=f"found no {missing}") as caught:
        run(directory)
    assert any(note in each for each in caught.value.notes)


def test_a_build_that_fails_shows_the_compiler(directory: Path, iss: Path) -> None:
    change(directory, "tmc_barrier();", "tmc_barrier()")
    with pytest.raises(PlatformError, match="the build failed with status 2") as caught:
        run_iss(directory, simulator=iss)
    assert any("expected ';'" in note for note in caught.value.notes)


def test_a_kernel_that_needs_more_stack_than_there_is_fails_the_build(
    directory: Path, tmp_path: Path
) -> None:
    kernel = directory / "kernels" / "tmc_layernorm_s16s8_xpulp.c"
    text = kernel.read_text(encoding="utf-8")
    hole = "volatile int32_t hole[300];\n    hole[0] = 0;\n    normalise_rows(args);"
    kernel.write_text(text.replace("normalise_rows(args);", hole), encoding="utf-8")
    objects = tmp_path / "objects"
    objects.mkdir()
    for _ in range(2):  # a program that was refused is not there for the next make
        with pytest.raises(PlatformError, match="the build failed") as caught:
            build_riscv(directory, objects, directory / "golden" / "input.bin", trace=False)
        errors = [note for note in caught.value.notes if note.startswith("error: a stack of 1024 bytes")]
        path = r"small_entry \d+ \+ small_stage_0 \d+ \+ tmc_layernorm_s16s8_xpulp 1\d{3}$"
        assert re.search(f"found a need of 1\\d{{3}} bytes, allowed 1024: {path}", errors[0])
    assert not (objects / "network.elf").exists()


def test_console() -> None:
    text = "noise\nstage 3\noutput 0 00ff\noutput 0 80\noutput 1 07\n"
    text += "stage_cycles 3 17\ncycles 21\ninit_cycles 9\ntrace 0000002a a name\nend"
    facts = parse_console("iss", text)
    assert facts.outputs == {0: b"\x00\xff\x80", 1: b"\x07"}
    assert (facts.cycles, facts.stages) == (21, (StageCycles(3, 17),))
    assert (facts.init_cycles, facts.sums) == (9, {"a name": 42})
    assert last_stage(text) == 3
    assert last_stage("stage 12\nstage") == 12


def values() -> list[Array]:
    """Return integer arrays of several types."""
    random = np.random.default_rng(3)
    types = (np.int8, np.uint8, np.int16, np.int32)
    return [random.integers(0, 100, (7, 11)).astype(each) for each in types]


@pytest.mark.parametrize("array", values(), ids=lambda array: str(array.dtype))
def test_sum_of_a_value(array: Array) -> None:
    weighted = (byte * pow(int(MULTIPLIER), p, 1 << 32) for p, byte in enumerate(array.tobytes()))
    assert value_sum(array) == sum(weighted) % (1 << 32)


def test_any_wrong_byte_changes_the_sum() -> None:
    array = np.zeros(4096, np.uint8)
    for position in range(0, 4096, 37):
        for wrong in (1, 64, 128, 255):
            array[position] = wrong
            assert value_sum(array) != 0
        array[position] = 0


def test_missing_sums_are_wrong() -> None:
    (*_, op) = compare_sums(graph(), {"x": golden_input()[None]}, [{}])
    assert (op.name, op.mismatches, op.first) == ("y", 1, None)


def test_the_program_runs_on_what_the_directory_was_compiled_for(directory: Path, iss: Path) -> None:
    """One header says how many cores there are, to kernels, linker and simulator."""
    machine = read_machine(directory)
    assert machine == machine_of(target_named("gap9"))
    small = replace(machine, cores=3, l1_bytes=16 << 10, l2_bytes=256 << 10, l3_bytes=64 << 10)
    (directory / HEADER).write_bytes(machine_header(small))
    assert run_iss(directory, simulator=iss).bit_exact
    assert run_host(directory).bit_exact
    command = iss_command(iss, read_machine(directory), Path("p.elf"), Path("flash"), 9)
    assert command[1:9] == ["--cores", "3", "--l1-kib", "16", "--l2-kib", "256", "--hyperram-kib", "64"]


@pytest.mark.parametrize(("memory", "size_bytes"), [("l1", 8 << 10), ("l2", 4 << 10)])
def test_what_a_memory_does_not_hold(directory: Path, iss: Path, memory: str, size_bytes: int) -> None:
    """Stacks in L1 and code in L2 are held to the target's sizes by the linker."""
    machine = replace(read_machine(directory), **{f"{memory}_bytes": size_bytes})
    (directory / HEADER).write_bytes(machine_header(machine))
    with pytest.raises(PlatformError, match="the build failed") as caught:
        run_iss(directory, simulator=iss)
    assert f"region `{memory.upper()}' overflowed" in " ".join(caught.value.notes)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("", None, "found no description of the target"),
        ("#define TMC_CORES 8u\n", "", "found one side only of TMC_CORES, allowed all macros of it"),
        ("TMC_CORES", "TMC_CARS", "found one side only of TMC_CARS, TMC_CORES, allowed all macros of it"),
    ],
)
def test_a_directory_that_does_not_say_for_what_it_is(
    directory: Path, iss: Path, old: str, new: str | None, message: str
) -> None:
    header = directory / HEADER
    text = header.read_text()
    header.unlink()
    if new is not None:
        header.write_text(text.replace(old, new))
    with pytest.raises(PlatformError, match=message) as caught:
        run_iss(directory, simulator=iss)
    assert caught.value.notes == ("compile the network again",)
