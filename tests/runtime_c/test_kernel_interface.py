"""The kernels' header, files and rules agree."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path

import pytest

from tests.runtime_c.building import RUNTIME, SCALAR_KERNELS, XPULP_KERNELS, compile_c
from tests.runtime_c.kernel_interface import HEADER, PROTOTYPES, STRUCTURES

ISAS = ("scalar", "xpulp", "ne16")
HEADERS = (
    "tmc_arithmetic.h",
    "tmc_attention_kernels.h",
    "tmc_checksum.h",
    "tmc_cores.h",
    "tmc_kernels.h",
    "tmc_element_kernels.h",
    "tmc_epilogue_kernels.h",
    "tmc_move_kernels.h",
    "tmc_ne16_attention_kernels.h",
    "tmc_reduction_kernels.h",
    "tmc_product_kernels.h",
    "tmc_xpulp.h",
    "tmc_xpulp_linear.h",
)
XPULP_HEADERS = tuple(sorted((RUNTIME / "include").glob("tmc_xpulp*.h")))
# Kernels and the comments in front of them.
DECLARED = [
    (name, text)
    for text, lines in re.findall(
        r"/\*\*((?:(?!\*/).)*)\*/\n((?:void \w+\(const \w+ \*args\);\n)+)", HEADER, re.DOTALL
    )
    for name in re.findall(r"^void (\w+)", lines, re.MULTILINE)
]
JOBS = {name for name, text in DECLARED if "A job." in text}
WIDE = re.compile(r"\b(?:u?int64_t|long|float|double|size_t|u?intmax_t)\b")


def test_header_declares_the_files_present() -> None:
    files = {path.stem for path in (RUNTIME / "kernels").glob("*.c")}
    assert set(PROTOTYPES) == files
    assert set(PROTOTYPES.values()) == set(STRUCTURES)


def test_names_end_with_an_isa() -> None:
    assert [name for name in PROTOTYPES if name.rpartition("_")[2] not in ISAS] == []


def test_every_kernel_says_how_it_splits() -> None:
    assert {name for name, _ in DECLARED} == set(PROTOTYPES)
    splits = re.compile(r"Splits (?:rows|channels|rows and channels)\.|A job\.")
    assert [name for name, text in DECLARED if not splits.search(text)] == []


def test_structures_have_the_layout_that_the_tests_use(tmp_path: Path) -> None:
    lines = ['#include "tmc_ne16_kernels.h"', "#include <stddef.h>"]
    for name, structure in STRUCTURES.items():
        lines.append(f'_Static_assert(sizeof({name}) == {ctypes.sizeof(structure)}, "{name}");')
        for field, kind in structure._fields_:  # type: ignore[misc]
            offset = getattr(structure, field).offset
            lines.append(f'_Static_assert(offsetof({name}, {field}) == {offset}, "{name}.{field}");')
            assert kind is ctypes.c_void_p or ctypes.sizeof(kind) == 4
    source = tmp_path / "layout.c"
    source.write_text("\n".join(lines) + "\n")
    compile_c([source], tmp_path / "layout.o", "-std=c11", "-c")


@pytest.mark.parametrize("header", HEADERS)
def test_headers_stand_alone(tmp_path: Path, header: str) -> None:
    source = tmp_path / "only.c"
    source.write_text(f'#include "{header}"\n#include "{header}"\n')
    compile_c([source], tmp_path / "only.o", "-std=c99", "-c", "-Wno-unused-function")


@pytest.mark.parametrize(
    "path",
    [*SCALAR_KERNELS, *XPULP_KERNELS, RUNTIME / "include" / "tmc_arithmetic.h", *XPULP_HEADERS],
    ids=lambda path: path.stem,
)
def test_only_integers_of_32_bits(path: Path) -> None:
    assert WIDE.findall(re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)) == []


@pytest.mark.parametrize("path", [*SCALAR_KERNELS, *XPULP_KERNELS], ids=lambda path: path.stem)
def test_kernels_call_nothing_and_keep_nothing(tmp_path: Path, path: Path) -> None:
    output = compile_c([path], tmp_path / "kernel.o", "-std=c99", "-Wconversion", "-O2", "-c")
    listed = subprocess.run(["nm", "--format=posix", output], capture_output=True, text=True, check=True)
    symbols = {tuple(line.split()[:2]) for line in listed.stdout.splitlines()}
    # One core computes all of a job.
    called = set() if path.stem in JOBS else {"tmc_core_id"}
    assert {name for name, kind in symbols if kind == "U"} == called
    assert {name for name, kind in symbols if kind == "T"} == {path.stem}
    assert {kind for _, kind in symbols} <= {"U", "T", "t", "r"}
