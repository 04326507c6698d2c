"""The program that runs linear layers on NE16, on the bare-metal platform."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tests.runtime_c.iss.engines import GCC, run_quietly, tool
from tests.runtime_c.ne16.cases import Operands, source
from tests.runtime_c.target_header import GAP9, header_folder, linker_symbols
from tests.runtime_c.xpulp.case_programs import BARE_METAL, COMPILE, LINK, PLATFORM, RUNTIME

HERE = Path(__file__).parent
INCLUDE = RUNTIME / "include"
_LINE = re.compile(r"^case (\d+): cycles (\d+), (\d+) bytes differ$", re.MULTILINE)


def build_program(folder: Path, layers: Sequence[Operands], *flags: str, include: Path = INCLUDE) -> Path:
    """Return the binary of a program that runs layers, with the headers of a folder."""
    (folder / "cases.c").write_text(source(layers))
    binary = folder / "ne16.elf"
    sources = [
        *(BARE_METAL / each for each in PLATFORM),
        HERE / "run_cases.c",
        folder / "cases.c",
    ]
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
