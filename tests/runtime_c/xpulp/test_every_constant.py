"""Every number in the xpulp kernels, changed by one: the programs of cases must notice, as RV32 code on iss.

A change that leaves the object code as it is (the portable branch for hosts) proves nothing and is left out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.runtime_c.iss.engines import GCC, build_iss, run_quietly, tool
from tests.runtime_c.target_header import GAP9, header_folder, linker_symbols
from tests.runtime_c.xpulp.case_programs import BARE_METAL, COMPILE, HERE, LINK, PLATFORM, RUNTIME, failures
from tests.runtime_c.xpulp.harmless_changes import HARMLESS
from tmc.backend_gap9.run.simulators import iss_options

NUMBER = re.compile(r"(?<![\w.])(0x[0-9A-Fa-f]+|\d+)(u?)(?![\w.])")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
SOURCES = (
    *sorted(path.relative_to(RUNTIME).as_posix() for path in (RUNTIME / "kernels").glob("*_xpulp.c")),
    "include/tmc_xpulp_linear.h",
    "include/tmc_xpulp_linear_text.h",
    "include/tmc_xpulp_attention.h",
    "include/tmc_xpulp_attention_scores.h",
    "include/tmc_xpulp_attention_values.h",
    "include/tmc_xpulp_softmax.h",
    "include/tmc_xpulp_softmax_norm.h",
    "include/tmc_xpulp_layernorm.h",
    "include/tmc_xpulp_rope.h",
    "include/tmc_xpulp_depthwise.h",
    "include/tmc_xpulp_interpolate.h",
    "include/tmc_xpulp_copy.h",
    "include/tmc_xpulp_max_rows.h",
    "include/tmc_xpulp_argmax_columns.h",
    "include/tmc_xpulp_matmul.h",
)
FAMILIES = (
    *("attention", "softmax", "copy", "depthwise", "interpolate", "layernorm", "linear", "max_rows"),
    *("argmax_columns", "rope", "matmul"),
)
PROGRAM_OF = {
    "epilogue": "epilogue_cases",
    "linear": "linear_cases",
    "attention_pack": "attention_job_cases",
    "softmax_s32u8": "attention_job_cases",
    "attention_divide": "attention_job_cases",
    "attention": "attention_cases",
    "tmc_softmax": "reduction_cases",
    "softmax": "attention_cases",
    "copy": "move_cases",
    "gather": "move_cases",
    "max_rows": "reduction_cases",
    "argmax_columns": "reduction_cases",
    "mean_rows": "reduction_cases",
    "transpose": "move_cases",
    "matmul": "product_cases",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One number of one file, and the text of the file with the number one larger."""

    file: str
    line: str
    number: str
    text: str


def changes(file: str) -> Iterator[Change]:
    """Return every number of a file that is neither in a comment nor in a condition of the preprocessor."""
    text = (RUNTIME / file).read_text()
    blank = COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    for found in NUMBER.finditer(blank):
        begin = text.rfind("\n", 0, found.start()) + 1
        line = text[begin : text.find("\n", found.end())].strip()
        if line.startswith(("#if", "#el", "#include", "#error", "#endif")):
            continue
        digits, suffix = found.groups()
        larger = f"{int(digits, 0) + 1:#x}" if digits.startswith("0x") else str(int(digits) + 1)
        yield Change(file, line, found[0], f"{text[: found.start()]}{larger}{suffix}{text[found.end() :]}")


class Bench:
    """A copy of the run time with its objects: after a change only what it touches is compiled again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("include", "kernels"):
            shutil.copytree(RUNTIME / part, folder / part)
        self.iss = build_iss(folder)
        self.gcc = tool(GCC, "gcc-riscv64-unknown-elf")
        for source in (*(BARE_METAL / each for each in PLATFORM), *sorted(HERE.glob("*cases.c"))):
            self.compile(source)
        self.kernels = sorted((folder / "kernels").glob("*.c"))
        self.right = {kernel: self.compile(kernel).read_bytes() for kernel in self.kernels}

    def compile(self, source: Path) -> Path:
        built = self.folder / f"{source.stem}.o"
        folders = [f"-I{path}" for path in (self.folder / "include", header_folder(), BARE_METAL, HERE)]
        run_quietly([self.gcc, *COMPILE, "-O1", "-c", source, "-o", built, *folders])
        return built

    def outcome(self, change: Change) -> str:
        """Return "same code", "found" or "not found" for a change, and put everything back."""
        path = self.folder / change.file
        right = path.read_text()
        path.write_text(change.text)
        touched = (
            [path]
            if path.suffix == ".c"
            else [
                kernel
                for kernel in self.kernels
                if kernel.stem.endswith("_xpulp") and family_of(path) in kernel.stem
            ]
        )
        try:
            built = {kernel: self.compile(kernel).read_bytes() for kernel in touched}
        except (AssertionError, subprocess.CalledProcessError):
            return "found"  # the assembler knows better
        finally:
            path.write_text(right)
        try:
            if all(built[kernel] == self.right[kernel] for kernel in touched):
                return "same code"
            return "found" if any(self.fails(program) for program in programs(change.file)) else "not found"
        finally:
            for kernel in touched:
                (self.folder / f"{kernel.stem}.o").write_bytes(self.right[kernel])

    def fails(self, program: str) -> bool:
        binary = self.folder / "cases.elf"
        objects = [self.folder / f"{Path(each).stem}.o" for each in (*PLATFORM, "cases.c", f"{program}.c")]
        objects += [self.folder / f"{kernel.stem}.o" for kernel in self.kernels]
        run_quietly([self.gcc, *LINK, *linker_symbols(), *objects, "-lgcc", "-o", binary])
        return failures([self.iss, *iss_options(GAP9), "--limit", "1000000000", binary])[1] != []


def family_of(header: Path) -> str:
    """Return what the names of a header's kernels have in common."""
    return next(each for each in FAMILIES if each in header.stem)


def programs(file: str) -> tuple[str, ...]:
    """Return the programs of cases that run a file's kernels."""
    return (next((program for stem, program in PROGRAM_OF.items() if stem in file), "row_cases"),)


@pytest.mark.soak
@pytest.mark.parametrize("file", SOURCES)
def test_every_number_matters(
    tmp_path: Path, file: str, record_property: Callable[[str, object], None]
) -> None:
    bench = Bench(tmp_path)
    outcomes = [(change, bench.outcome(change)) for change in changes(file)]
    missed = {(file, change.line, change.number) for change, found in outcomes if found == "not found"}
    harmless = {
        (where if "/" in where else f"kernels/tmc_{where}_xpulp.c", line, number)
        for where, line, number, _ in HARMLESS
    }
    assert missed == {key for key in harmless if key[0] == file}
    changed = sum(found != "same code" for _, found in outcomes)
    noticed = sum(found == "found" for _, found in outcomes)
    record_property("ran", f"numbers of {file} off by one on iss: {changed}, {noticed} found")
