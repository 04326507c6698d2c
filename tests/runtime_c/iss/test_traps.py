"""What the simulator stops, and that it does not stop what is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.runtime_c.iss.engines import Engine, compile_text
from tests.runtime_c.iss.instruction_table import ISS
from tests.runtime_c.iss.ne16_trap_cases import NE16_CASES
from tests.runtime_c.iss.trap_cases import CASES, FRAME, Case, source
from tests.runtime_c.target_header import GAP9
from tmc.backend_gap9.run.simulators import iss_options

TRAP, USAGE = 125, 126
# Traps that no program can cause in a test: they take 2^32 barriers.
UNREACHABLE = ("more than 2^32 synchronisations",)
ALL_CASES = (*CASES, *NE16_CASES)


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.name)
def test_trap(case: Case, tmp_path: Path, iss: Engine) -> None:
    binary = compile_text(tmp_path, "trap.c", source(case), flags=("-Wno-unused", "-Wno-array-bounds"))
    result = iss.run(binary, *case.options)
    assert result.status == TRAP, result.errors
    assert re.search(case.message, result.errors), result.errors


def test_every_trap_has_a_case() -> None:
    """Of each message in the sources, some case expects a part."""
    text = "".join(path.read_text() for path in sorted(ISS.glob("*.c")))
    calls = re.findall(r"\btrap(?:_all)?\((?:hart,)?\s*\"((?:[^\"\\\\]|\\\\.)*)\"", text)
    assert len(calls) > 40
    patterns = " ".join(case.message for case in ALL_CASES)
    for call in calls:
        if call in UNREACHABLE:
            continue
        fixed = [part.strip(" :,") for part in re.split(r"%[-0-9a-z*]*[a-z]|\\n", call)]
        longest = min(12, max(map(len, fixed)))
        pieces = [part[i : i + longest] for part in fixed for i in range(len(part) - longest + 1)]
        assert any(piece in patterns for piece in pieces), call


FINE = {
    "misaligned": (
        "buffer[0] = 0x03020100; buffer[1] = 0x07060504; uint32_t found; "
        '__asm__ volatile("lw %0, 3(%1)" : "=r"(found) : "r"(buffer) : "memory");'
        "return found != 0x06050403;",
        "--no-strict-align",
    ),
    "race": ("cluster_start(CORES); cluster_wait(CORES); return 0;", "--no-races"),
}


@pytest.mark.parametrize("name", FINE)
def test_switched_off(name: str, tmp_path: Path, iss: Engine) -> None:
    """What an option allows runs to its end with it, and traps without it."""
    statements, option = FINE[name]
    case = Case(name, "", fabric=statements, cluster="core_begin(2); barrier(); tile[0] = core;", cores=2)
    binary = compile_text(tmp_path, "fine.c", source(case), flags=("-Wno-unused",))
    assert iss.run(binary, option).status == 0
    assert iss.run(binary).status == TRAP


def test_status_of_the_program(tmp_path: Path, iss: Engine) -> None:
    for status, expected in ((0, 0), (3, 3), (124, 124), (1000, 124)):
        case = Case("status", "", fabric=f"return {status};")
        result = iss.run(compile_text(tmp_path, "status.c", source(case), flags=("-Wno-unused",)))
        assert result.status == expected
        assert (f"the program ended with status {status}\n" in result.errors) == (status != 0)


def test_memories_are_filled_from_files(tmp_path: Path, iss: Engine) -> None:
    fabric = """
        hyper_start((uint32_t)buffer, 2, 4, 0); hyper_wait(); report("ram", buffer[0]);
        REGISTER(HYPER_COMMON + 0x20) = 1;
        hyper_start((uint32_t)buffer, 4, 4, 0); hyper_wait(); report("flash", buffer[0]);
    """
    binary = compile_text(tmp_path, "fill.c", source(Case("fill", "", fabric=fabric)), flags=("-Wno-unused",))
    (tmp_path / "ram").write_bytes(bytes(range(16)))
    (tmp_path / "flash").write_bytes(bytes(range(32, 48)))
    output = iss.output(binary, "--hyperram", str(tmp_path / "ram"), "--hyperflash", str(tmp_path / "flash"))
    assert output == ["ram 05040302", "flash 27262524"]


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "no_argument": (("--turn",), "--turn: needs an argument"),
    "no_number": (("--turn", "x", "PROGRAM"), "--turn: found x, allowed 1 to 1000000000"),
    "zero": (("--l1-kib", "0", "PROGRAM"), "--l1-kib: found 0, allowed 1 to"),
    "unknown": (("--wrong", "PROGRAM"), "--wrong: not an option"),
    "two": (("PROGRAM", "PROGRAM"), "not an option of iss, or a second program"),
    "none": ((), "no program given"),
    "many_cores": (("--cores", "9", "PROGRAM"), "--cores: found 9, allowed 1 to 8"),
    "many_ids": (("--dma-ids", "17", "PROGRAM"), "--dma-ids: found 17, allowed 1 to 16"),
    "long_transfers": (("--dma-bytes", "131072", "PROGRAM"), "found 131072, allowed 1 to 131071"),
    "missing": (("missing.elf",), "missing.elf: cannot be read"),
    "no_elf": (("TEXT",), "not a 32-bit little-endian RISC-V executable"),
    "short": (("SHORT",), "truncated: found 60 bytes"),
    "no_ram_file": (("--hyperram", "missing", "PROGRAM"), "missing: cannot be read"),
    "large_ram_file": (
        ("--hyperram-kib", "1", "--hyperram", "PROGRAM", "PROGRAM"),
        "larger than the memory of 1024",
    ),
    "small_l2": (("--l2-kib", "1", "PROGRAM"), "segment of .* bytes at 0x1c010000: no memory there"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_command_line(name: str, tmp_path: Path, iss: Engine) -> None:
    program = compile_text(tmp_path, "fine.c", FRAME.format(case=Case("fine", "")), flags=("-Wno-unused",))
    (tmp_path / "TEXT").write_text("text " * 100)
    (tmp_path / "SHORT").write_bytes(program.read_bytes()[:60])
    words, message = WRONG[name]
    named = [str(program) if word == "PROGRAM" else word for word in words]
    binary = str(iss.command(program)[0])
    result = Engine("iss", iss.platform, lambda _: (binary, *iss_options(GAP9), *named)).run(program)
    assert result.status == USAGE
    assert re.search(message, result.errors), result.errors


def test_help(tmp_path: Path, iss: Engine) -> None:
    result = iss.run(tmp_path / "unused", "--help")
    assert result.status == 0
    assert result.output.startswith("usage: iss")


@pytest.mark.parametrize("option", iss_options(GAP9)[::2])
def test_a_machine_has_to_be_told(option: str, tmp_path: Path, iss: Engine) -> None:
    words = iss_options(GAP9)
    at = words.index(option)
    binary = str(iss.command(tmp_path)[0])
    result = Engine("iss", iss.platform, lambda _: (binary, *words[:at], *words[at + 2 :], "x.elf")).run(
        tmp_path / "x"
    )
    message = f"{option}: not given, and the simulator has no size of its own"
    assert result.status == USAGE and message in result.errors
