"""The programs that run linear layers on NE16, on the bare-metal platform."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.runtime_c.iss.engines import GCC, run_quietly, tool
from tests.runtime_c.ne16.cases import Operands, source
from tests.runtime_c.target_header import GAP9, header_folder, linker_symbols
from tests.runtime_c.xpulp.case_programs import BARE_METAL, COMPILE, LINK, PLATFORM, RUNTIME

HERE = Path(__file__).parent
INCLUDE = RUNTIME / "include"
_PAIR = re.compile(r"^pair (\d+): (\d+) bytes wrong, waits of (\d+) and (\d+) cycles$", re.MULTILINE)
_LINE = re.compile(r"^case (\d+): cycles (\d+), (\d+) bytes differ$", re.MULTILINE)


def build_program(folder: Path, layers: Sequence[Operands], *flags: str, include: Path = INCLUDE) -> Path:
    """Return the binary of a program that runs layers, with the headers of a folder."""
    (folder / "cases.c").write_text(source(layers))
    return _linked(folder / "ne16.elf", (HERE / "run_cases.c", folder / "cases.c"), *flags, include=include)


def build_jobs_program(folder: Path, include: Path = INCLUDE) -> Path:
    """Return the binary of a program that has two jobs in flight, with the headers of a folder."""
    kernels = sorted((RUNTIME / "kernels").glob("tmc_linear_u8s8s*.c"))
    return _linked(folder / "jobs.elf", (HERE / "run_jobs.c", *kernels), include=include)


def _linked(binary: Path, programs: Iterable[Path], *flags: str, include: Path) -> Path:
    sources = [*(BARE_METAL / each for each in PLATFORM), *programs]
    places = [f"-I{path}" for path in (include, header_folder(GAP9), BARE_METAL, HERE)]
    gcc = tool(GCC, "gcc-riscv64-unknown-elf")
    options = ("-O2", *COMPILE, *LINK, *linker_symbols(GAP9), *flags, *places)
    run_quietly([gcc, *options, *sources, "-lgcc", "-o", binary])
    return binary


def results(text: str) -> list[tuple[int, int]]:
    """Return, of each case, its cycles and how many bytes of its results are wrong."""
    found = _LINE.findall(text)
    assert [int(number) for number, _, _ in found] == list(range(len(found)))
    return [(int(cycles), int(different)) for _, cycles, different in found]


def pairs(text: str) -> list[tuple[int, int, int]]:
    """Return, of each pair of jobs, how many bytes are wrong and the cycles of the two waits."""
    found = [tuple(map(int, each)) for each in _PAIR.findall(text)]
    assert [number for number, *_ in found] == list(range(6))
    return [(wrong, first, second) for _, wrong, first, second in found]
