"""Generated code as compilers see it: warnings, symbols, 32-bit integers, two networks in one program."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.networks import small_output
from tests.networks.emitted_network import emitted, some_inputs
from tests.networks.integer_networks import integer_network
from tests.networks.simple_plan import Tiles
from tests.runtime_c.building import TESTS, WARNINGS
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.ir.graph import Graph
from tmc.ir.interpret import interpret
from tmc.ir.types import Array

PMSIS = TESTS / "pmsis"
RISCV = shutil.which("riscv64-unknown-elf-gcc")
TILES = Tiles(rows=8, channels=16, buffers=2, queries=8, keys=12, values=8)
# Arithmetic beyond 32-bit integers, by its types or as calls of the compiler's own library.
WIDE = re.compile(r"\b(?:float|double|u?int64_t|u?int_fast\w+|long|size_t|ssize_t)\b")
WIDE_CALL = re.compile(r"__\w*(?:[sdt]f|di|ti)[23]?\b|__float\w+|__fix\w+|__extend\w+|__trunc\w+")
COMMENTS = re.compile(r"/\*.*?\*/", re.DOTALL)
MAIN = """
#include <stdio.h>
#include "left/network.h"
#include "right/network.h"

static LEFT_IN left_input[LEFT_INPUT_X_ELEMENTS];
static LEFT_OUT left_output[LEFT_OUTPUT_Y_ELEMENTS];
static RIGHT_IN right_input[RIGHT_INPUT_INPUT_ELEMENTS];
static RIGHT_OUT right_output[RIGHT_OUTPUT_LOGITS_ELEMENTS];

static int read_all(const char *path, void *data, size_t bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fread(data, 1, bytes, file) != bytes)
        return 1;
    return fclose(file);
}

int main(void)
{
    if (read_all("left/golden/input.bin", left_input, sizeof left_input) != 0 ||
        read_all("right/golden/input.bin", right_input, sizeof right_input) != 0)
        return 1;
    if (left_init("right/weights.bin") != -2)
        return 2;
    if (left_init("left/weights.bin") != 0 || right_init("right/weights.bin") != 0)
        return 3;
    for (int i = 0; i < 2; ++i)
        if (left_run(left_input, left_output) != 0 || right_run(right_input, right_output) != 0)
            return 4;
    fwrite(left_output, 1, sizeof left_output, stdout);
    fwrite(right_output, 1, sizeof right_output, stdout);
    left_deinit();
    right_deinit();
    return 0;
}
"""


def layered(rope_period: int = 20) -> Graph:
    """Return a network of two small layers, which uses every kernel but one."""
    return integer_network(20, 2, 4, 40, 5, seed=3, rope_period=rope_period, dim=24, heads=3, hidden=32)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("emitted") / "network"
    write_directory(emitted(layered(), TILES), path)
    return path


def compiled(command: list[object], folder: Path) -> str:
    """Run a compiler that must find nothing to say; return what it printed."""
    result = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


@pytest.mark.parametrize("flags", [("-std=c11",), ("-std=c99", "-O2"), ("-std=gnu17", "-DTMC_TRACE")])
def test_no_warnings(directory: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    strict = (*WARNINGS, "-Wcast-align=strict", "-Wmissing-prototypes", "-Wstrict-prototypes", "-Wundef")
    compiled(
        ["gcc", *strict, *flags, "-Iinclude", "-Ihost", "-c", "network.c", "-o", tmp_path / "network.o"],
        directory,
    )


def test_the_interface_is_c_and_cplusplus(directory: Path, tmp_path: Path) -> None:
    compiled(["gcc", "-std=c99", *WARNINGS, "-fsyntax-only", "-x", "c", "network.h"], directory)
    if shutil.which("g++"):
        compiled(
            ["g++", *WARNINGS, "-fsyntax-only", "-x", "c++", "-include", "network.h", "/dev/null"], directory
        )


def test_it_follows_the_interface_of_the_sdk(directory: Path) -> None:
    compiled(
        [
            "gcc",
            "-std=gnu11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fsyntax-only",
            "-Iinclude",
            "-Igap9",
            f"-I{PMSIS}",
            "network.c",
        ],
        directory,
    )


def test_external_symbols_carry_the_name(directory: Path, tmp_path: Path) -> None:
    built = tmp_path / "network.o"
    compiled(["gcc", "-Iinclude", "-Ihost", "-c", "network.c", "-o", built], directory)
    symbols = compiled(["nm", "--defined-only", "--extern-only", built], directory)
    assert {line.split()[-1] for line in symbols.splitlines()} == {
        "network_network",
        "network_init",
        "network_run",
        "network_deinit",
    }


def test_only_integers_of_32_bits(directory: Path) -> None:
    for path in (
        directory / "network.c",
        *(directory / "kernels").iterdir(),
        *(directory / "include").iterdir(),
    ):
        code = COMMENTS.sub("", path.read_text())
        assert WIDE.search(code) is None, path.name
    assert WIDE.search("uint64_t a") and WIDE_CALL.search("U __adddf3") and WIDE_CALL.search("U __divdi3")


@pytest.mark.skipif(RISCV is None, reason="needs gcc-riscv64-unknown-elf")
def test_no_library_arithmetic_on_the_target(directory: Path, tmp_path: Path) -> None:
    for source in (directory / "network.c", *sorted((directory / "kernels").iterdir())):
        built = tmp_path / f"{source.stem}.o"
        compiled(
            [
                RISCV,
                "-ffreestanding",
                "-march=rv32imc",
                "-mabi=ilp32",
                "-O2",
                "-Iinclude",
                "-Igap9",
                f"-I{PMSIS}",
                "-c",
                source,
                "-o",
                built,
            ],
            directory,
        )
        undefined = compiled(["riscv64-unknown-elf-nm", "--undefined-only", built], directory)
        assert WIDE_CALL.search(undefined) is None, undefined


def golden_output(graph: Graph, inputs: dict[str, Array]) -> bytes:
    """Return the bytes of a graph's output."""
    (output,) = interpret(graph, inputs).values()
    return output.tobytes()


def test_two_networks_in_one_program(tmp_path: Path) -> None:
    right = layered(rope_period=5)
    write_directory(small_output.output("left"), tmp_path / "left")
    write_directory(emitted(right, TILES, "right"), tmp_path / "right")
    (tmp_path / "main.c").write_text(MAIN)
    for network in ("left", "right"):
        compiled(
            [
                "gcc",
                *WARNINGS,
                "-std=c11",
                f"-I{network}/include",
                f"-I{network}/host",
                "-c",
                f"{network}/network.c",
                "-o",
                f"{network}.o",
            ],
            tmp_path,
        )
    kernels = {
        path.name: path
        for side in ("left", "right")
        for path in (tmp_path / side / "kernels").glob("*_scalar.c")
    }
    platform = [path for path in (tmp_path / "left" / "host").glob("*.c") if path.stem != "main"]
    types = ["-DLEFT_IN=int16_t", "-DLEFT_OUT=int16_t", "-DRIGHT_IN=int16_t", "-DRIGHT_OUT=int32_t"]
    compiled(
        [
            "gcc",
            "-std=c11",
            *WARNINGS,
            *types,
            "-pthread",
            "-Ileft/include",
            "-Iright/include",
            "-Ileft/host",
            "main.c",
            "left.o",
            "right.o",
            *kernels.values(),
            *platform,
            "-o",
            "both",
        ],
        tmp_path,
    )
    result = subprocess.run([tmp_path / "both"], cwd=tmp_path, capture_output=True)
    left_output = golden_output(small_output.graph(), {"x": small_output.golden_input()})
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == left_output + golden_output(right, some_inputs(right))


def test_odd_names_compile(tmp_path: Path) -> None:
    graph = small_output.graph()
    linear = replace(graph.ops[1], loc='/fc*/"Mat\\Mul"/*%d\n')
    odd = replace(graph, ops=(graph.ops[0], linear))
    program = small_output.program("8-Ünit/*")
    stage = replace(program.stages[1], title=(linear.loc,))
    program = replace(program, stages=(program.stages[0], stage))
    files = small_output.emitted(odd, program, small_output.report())
    write_directory(files, tmp_path / "out")
    compiled(
        ["gcc", *WARNINGS, "-Iinclude", "-Ihost", "-c", "network.c", "-o", tmp_path / "o"], tmp_path / "out"
    )
    assert np.frombuffer(files["golden/output.bin"], "<i2").size == 160
