"""Every xpulp kernel against its scalar one as RV32 code, eight cores, on the instruction-set simulator."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runtime_c.building import XPULP_KERNELS, includes
from tests.runtime_c.iss.engines import GCC, build_iss, run_quietly
from tests.runtime_c.target_header import GAP9
from tests.runtime_c.xpulp.case_programs import HERE, PROGRAMS, RUNTIME, build_program, failures
from tmc.backend_gap9.run.simulators import iss_options

# Programs of fewer cases test too little.
CASES_MIN = 400

TEXT = "include/tmc_xpulp_linear_text.h"
BLOCKS = "include/tmc_xpulp_linear.h"
GROUPED = "kernels/tmc_linear_grouped_s16s8s16_xpulp.c"

# Changes of the linear kernels, one constant or one register each: (file, from, to).
LINEAR_MUTATIONS = (
    *((TEXT, f"LENGTH_{rows} {4 + 5 * rows}", f"LENGTH_{rows} {3 + 5 * rows}") for rows in range(1, 6)),
    (TEXT, 'TMC_LW_STEP("a4", "s0", "ra") TMC_LINEAR_DOT0', 'TMC_LW_STEP("a4", "s0", "s1") TMC_LINEAR_DOT0'),
    (
        TEXT,
        'TMC_LW_STEP("a5", "s0", "ra") \\\n    TMC_LINEAR_DOT0',
        'TMC_LW_STEP("a5", "s0", "s1") TMC_LINEAR_DOT0',
    ),
    (TEXT, 'TMC_LW_STEP("a4", "s0", "ra") TMC_LINEAR_DOT1', 'TMC_LW_STEP("a4", "s0", "s1") TMC_LINEAR_DOT1'),
    (
        TEXT,
        'TMC_LW_STEP("a5", "s0", "ra") \\\n    TMC_LINEAR_DOT2',
        'TMC_LW_STEP("a5", "s0", "s1") TMC_LINEAR_DOT2',
    ),
    (TEXT, 'TMC_LW_STEP("a4", "s0", "ra") TMC_LINEAR_DOT3', 'TMC_LW_STEP("a4", "s0", "s1") TMC_LINEAR_DOT3'),
    (TEXT, 'multiplier ", -1', 'multiplier ", -2'),
    (TEXT, '", 4(s0)', '", 0(s0)'),
    (TEXT, "lw a4, 48(a5)", "lw a4, 44(a5)"),
    (TEXT, "lw a2, 32(a5)", "lw a2, 28(a5)"),
    (TEXT, "lw s1, 80(a5)", "lw s1, 76(a5)"),
    (TEXT, "addi a0, a0, 16", "addi a0, a0, 12"),
    (TEXT, "TMC_CLIP(sum, sum, 8)", "TMC_CLIP(sum, sum, 9)"),
    (TEXT, "TMC_CLIP(sum, sum, 16)", "TMC_CLIP(sum, sum, 15)"),
    (TEXT, "TMC_PACK_HIGH(sum0, sum3, sum2)", "TMC_PACK_HIGH(sum0, sum2, sum3)"),
    (TEXT, "of(a, sum3, 3) of(a, sum4, 4)", "of(a, sum3, 3) of(a, sum4, 3)"),
    (TEXT, "rows == 3u", "rows == 2u"),
    (BLOCKS, "TMC_BLOCK_CHANNELS * channel_bytes;", "TMC_BLOCK_ROWS * channel_bytes;"),
    (BLOCKS, "(args->depth + 3u) / 4u", "args->depth / 4u"),
    (BLOCKS, "- head * args->head_channels", "- args->head_channels"),
    (BLOCKS, "head_end = (head + 1u)", "head_end = (head + 2u)"),
    ("kernels/tmc_linear_table_s8s8s8_xpulp.c", "addi a2, a2, 128", "addi a2, a2, 127"),
    ("kernels/tmc_linear_add_s8s8s16_xpulp.c", "lui a4, 0x10", "lui a4, 0x11"),
    ("kernels/tmc_linear_add_s8s8s16_xpulp.c", "args->shift != 0u", "true"),
    (GROUPED, "(group + 1u)", "(group + 2u)"),
    (GROUPED, "args->bias_channels : 0u", "args->bias_channels : 1u"),
    ("kernels/tmc_linear_s16s8s32_xpulp.c", "2u * k + 4u", "2u * k"),
)


@pytest.fixture(scope="session")
def iss(tmp_path_factory: pytest.TempPathFactory) -> tuple[str | Path, ...]:
    return build_iss(tmp_path_factory.mktemp("iss")), *iss_options(GAP9)


def test_every_kernel_is_in_a_program() -> None:
    text = "".join((HERE / f"{name}.c").read_text() for name in PROGRAMS)
    assert [path.stem for path in XPULP_KERNELS if path.stem.removesuffix("_xpulp") not in text] == []


@pytest.mark.parametrize("optimise", ["-O2", "-O3"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_xpulp_equals_scalar(
    iss: tuple[str | Path, ...],
    tmp_path: Path,
    name: str,
    optimise: str,
    record_property: Callable[[str, object], None],
) -> None:
    cases, differences = failures([*iss, build_program(name, tmp_path, optimise)])
    assert differences == []
    assert cases > CASES_MIN
    source = (HERE / f"{name}.c").read_text()
    kernels = sum(path.stem.removesuffix("_xpulp") in source for path in XPULP_KERNELS)
    text = f"{name} {optimise} on iss: {kernels} kernels, {cases} sizes and ranges, xpulp equal to scalar"
    record_property("ran", text)


@pytest.mark.parametrize(("file", "right", "wrong"), LINEAR_MUTATIONS)
def test_a_wrong_constant_is_found(
    iss: tuple[str | Path, ...], tmp_path: Path, file: str, right: str, wrong: str
) -> None:
    for folder in ("include", "kernels"):
        shutil.copytree(RUNTIME / folder, tmp_path / folder)
    text = (tmp_path / file).read_text()
    assert right in text
    (tmp_path / file).write_text(text.replace(right, wrong))
    binary = build_program("linear_cases", tmp_path, "-O2", "-DTILES_ONLY", runtime=tmp_path)
    assert failures([*iss, "--limit", "300000000", binary])[1] != []


def test_blocks_nearly_fit_the_instruction_cache(tmp_path: Path) -> None:
    """A block that is much larger than a core's cache of 512 bytes fetches all of it again each time."""
    kernel, compiled = RUNTIME / "kernels" / "tmc_linear_s8s8s8_xpulp.c", tmp_path / "kernel.o"
    flags = ("-march=rv32imc", "-mabi=ilp32", "-O2", "-ffreestanding", "-ffunction-sections")
    run_quietly([GCC, *flags, *includes(), "-c", kernel, "-o", compiled])
    listing = run_quietly(["riscv64-unknown-elf-size", "-A", compiled])
    (size_bytes,) = (int(line.split()[1]) for line in listing.splitlines() if line.startswith(".text.run "))
    assert size_bytes < 700
