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
    "linear": "linear_cases",
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

OTHER_LOOP = "the other one of two hardware loops serves as well"
REPEATED = "the instruction behind the loop may be repeated"
PATH = "another limit of the fast path; the slow one gives the same bytes"

# (kernel or file, line without its indentation, number, why no case can notice)
HARMLESS = (
    (
        "include/tmc_xpulp_attention_scores.h",
        "const uint32_t in_blocks = row_bytes % 4u == 0u && row_bytes >= 8u ? args->keys / TMC_BLOCK_W : 0u;",
        "4u",
        PATH,
    ),
    (
        "include/tmc_xpulp_attention_scores.h",
        "const uint32_t in_blocks = row_bytes % 4u == 0u && row_bytes >= 8u ? args->keys / TMC_BLOCK_W : 0u;",
        "8u",
        PATH,
    ),
    (
        "attention_softmax_s16u8",
        'TMC_LOOP(0, "%[rounds]", 8, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "attention_softmax_s16u8",
        'TMC_LOOP(0, "%[rounds]", 8, 7)',
        "8",
        REPEATED,
    ),
    (
        "include/tmc_xpulp_softmax.h",
        'TMC_LOOP(0, "%[rounds]", 16, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "include/tmc_xpulp_softmax.h",
        'TMC_LOOP(0, "%[rounds]", 16, 7)',
        "16",
        REPEATED,
    ),
    (
        "attention_softmax_bias_s16s16u8",
        'TMC_LOOP(0, "%[rounds]", 10, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "attention_softmax_bias_s16s16u8",
        'TMC_LOOP(0, "%[rounds]", 10, 7)',
        "10",
        REPEATED,
    ),
    (
        "attention_softmax_bias_s16s16u8",
        "const uint32_t step = args->bias_rows > 1u ? args->bias_pitch : 0u, fours = args->keys / 4u;",
        "1u",
        "of two rows, a core has one",
    ),
    (
        "include/tmc_xpulp_attention_values.h",
        "const uint32_t in_blocks = args->keys > 4u ? args->channels / TMC_BLOCK_W : 0u;",
        "4u",
        PATH,
    ),
    (
        "include/tmc_xpulp_layernorm.h",
        'TMC_LOOP(0, "%[rounds]", 16, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "include/tmc_xpulp_layernorm.h",
        'TMC_LOOP(0, "%[rounds]", 14, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "include/tmc_xpulp_layernorm.h",
        'TMC_LOOP(0, "%[rounds]", TMC_LAYERNORM_ROUND, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "include/tmc_xpulp_layernorm.h",
        "uint32_t maxima = 0x80008000u, minima = 0x7FFF7FFFu, a, b, c, d;",
        "0x80008000u",
        "matters only where half of a row is -32768; the other half then has the maximum",
    ),
    (
        "include/tmc_xpulp_layernorm.h",
        "const uint32_t v = variance < 1 ? 1u : (uint32_t)variance;",
        "1u",
        "where no element differs from the mean, the variance is multiplied by zero",
    ),
    (
        "include/tmc_xpulp_layernorm.h",
        "const uint32_t channels = args->channels, fours = channels / 4u;",
        "4u",
        PATH,
    ),
    (
        "include/tmc_xpulp_layernorm.h",
        "const uint32_t bits = row.widest == 0u ? 0u : tmc_bits(row.widest);",
        "0u",
        "one bit or none: no shift either way",
    ),
    (
        "include/tmc_xpulp_layernorm.h",
        "const uint32_t in_fours = row.factor < 0xF000u ? fours : 0u;",
        "0xF000u",
        PATH,
    ),
    (
        "softmax_s16s16",
        "uint32_t pair = 0x80008000u;",
        "0x80008000u",
        "matters only where half of a row is -32768, and so is the other half, or next to it",
    ),
    (
        "mean_rows_s8s16",
        "int32_t sums[4];",
        "4",
        "room for one more",
    ),
    (
        "mean_rows_s8s16",
        "for (uint32_t i = 0; i < 4u; ++i)",
        "4u",
        "the fifth is written again by the next word, or not at all",
    ),
    (
        "permute_rows_s8s8",
        "const uint32_t run = args->rows / args->groups, words = args->row_bytes / 4u;",
        "4u",
        PATH,
    ),
    (
        "include/tmc_xpulp_rope.h",
        'TMC_LOOP(0, "%[rounds]", TMC_ROPE_ROUND, 7)',
        "0",
        OTHER_LOOP,
    ),
    (
        "rope_s16s8",
        "#define TMC_ROPE_ROUND 23",
        "23",
        REPEATED,
    ),
    (
        "rope_s16s16",
        "#define TMC_ROPE_ROUND 24",
        "24",
        REPEATED,
    ),
    (
        "include/tmc_xpulp_attention.h",
        "uintptr_t saved[5];   /* 60: sp, gp, tp, ra, mstatus */",
        "5",
        "room for one more",
    ),
    (
        "include/tmc_xpulp_attention.h",
        '"csrrci a1, mstatus, 8\\n" \\',
        "8",
        "also stops the interrupts of user mode, which the cores do not have",
    ),
    (
        "include/tmc_xpulp_attention.h",
        'TMC_LOOP(0, "%[rounds]", 9, 7) \\',
        "0",
        OTHER_LOOP,
    ),
    (
        "include/tmc_xpulp_attention.h",
        'TMC_LOOP(0, "%[rounds]", 9, 7) \\',
        "9",
        REPEATED,
    ),
)


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
        return failures([self.iss, *iss_options(GAP9), "--limit", "600000000", binary])[1] != []


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
