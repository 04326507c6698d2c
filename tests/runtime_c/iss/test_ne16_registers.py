"""Every register of a job of NE16: what the simulator stops. One program is told which register is wrong."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from tests.runtime_c.iss.engines import Engine, compile_text
from tests.runtime_c.iss.ne16_trap_cases import FILL, REGISTERS, REQUANTISED, SUMS, TRIGGER, WAIT, job
from tests.runtime_c.iss.trap_cases import Case, source

TRAP = 125

# Added to an offset in the program's tile, whose address only it knows.
IN_TILE = 1 << 31

CONFIGURATIONS = (
    ("3x3", REQUANTISED & ~(3 << 5), "1x1 mode"),
    ("linear_mode", REQUANTISED | 1 << 7, "1x1 mode"),
    ("16_bit_inputs", REQUANTISED | 1 << 3, "1x1 mode"),
    ("strided", REQUANTISED | 1 << 8, "1x1 mode"),
    ("rounding", REQUANTISED | 1 << 11, "1x1 mode"),
    ("16_bit_multipliers", REQUANTISED | 1 << 12, "1x1 mode"),
    ("no_weight_offset", REQUANTISED & ~(1 << 15), "1x1 mode"),
    ("16_bit_results", REQUANTISED | 1 << 21, "1x1 mode"),
    ("reserved_bit", REQUANTISED | 1 << 26, "1x1 mode"),
    ("no_bias", REQUANTISED & ~(1 << 25), "requantisation with biases"),
    ("sums_of_8_bits", SUMS & ~(2 << 21), "sums of 32 bits and no fields"),
    ("shifted_sums", SUMS | 3 << 16, "sums of 32 bits and no fields"),
    ("unsigned_sums", SUMS & ~(1 << 23), "results of 32 bits that are signed"),
    ("preloaded_bytes", REQUANTISED | 1 << 14, "sums that begin with results of 32 bits"),
)
SIZES = (
    ("no_channel_groups", 18, 1, "at least 1 group"),
    ("no_input_groups", 18, 1 << 16, "at least 1 group"),
    ("no_lines", 19, 1, "at least 1 group"),
    ("last_group_of_no_channels", 15, 16, "1 to 32 channels"),
    ("last_group_of_33_channels", 15, 33 << 16 | 16, "1 to 32 channels"),
    ("last_group_of_no_inputs", 15, 4 << 16, "1 to 16 inputs"),
    ("last_group_of_17_inputs", 15, 4 << 16 | 17, "1 to 16 inputs"),
    ("last_group_of_4_lines", 16, 4 << 16 | 2, "1 to 3 lines and columns"),
    ("last_group_of_no_columns", 16, 1 << 16, "1 to 3 lines and columns"),
    ("other_input", 17, 1 << 16 | 1, "as many pixels"),
    ("input_block", 8, 4, "0"),
    ("weight_block", 14, 4, "0"),
    ("padding", 20, 1 << 28, "0"),
    ("filter_mask", 22, 1, "0"),
    ("misaligned_weights", 0, IN_TILE + 66, "multiples of 4"),
    ("misaligned_input", 1, IN_TILE + 1, "multiples of 4"),
    ("misaligned_multipliers", 3, IN_TILE + 130, "multiples of 4"),
    ("misaligned_pitch", 10, 66, "multiples of 4"),
    ("output_run", 9, 64, "32"),
    ("weight_group", 12, 32, "the bytes of 16 weights"),
    ("weight_channel", 13, 32, "the bytes of a channel's weights"),
    ("overlapping_pixels", 6, 12, "at least a pixel"),
    ("overlapping_results", 10, 0, "at least a pixel"),
)
WRONG = (*((name, 23, word, allowed) for name, word, allowed in CONFIGURATIONS), *SIZES)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a program that reads the number of a register and its value from the HyperRAM."""
    fabric = (
        "hyper_start((uint32_t)buffer, 0, 8, 0); hyper_wait(); cluster_start(CORES); cluster_wait(CORES);"
    )
    value = "buffer[1] & 1u << 31 ? (uint32_t)tile + (buffer[1] & 0xffff) : buffer[1]"
    change = f"REGISTER({REGISTERS} + 32 + 4 * buffer[0]) = {value}; "
    case = Case("register", "", fabric, FILL + job() + change + TRIGGER + WAIT)
    folder = tmp_path_factory.mktemp("register")
    return compile_text(folder, "register.c", source(case), flags=("-Wno-unused", "-Wno-array-bounds"))


def run_with(iss: Engine, program: Path, folder: Path, index: int, value: int) -> tuple[int, str]:
    """Return the status, and what the simulator says, of a job with a register of some value."""
    (folder / "ram").write_bytes(struct.pack("<II", index, value))
    result = iss.run(program, "--hyperram", str(folder / "ram"))
    return result.status, result.errors


def test_a_right_job_ends(program: Path, iss: Engine, tmp_path: Path) -> None:
    assert run_with(iss, program, tmp_path, 23, REQUANTISED) == (0, "")


@pytest.mark.parametrize(("name", "index", "value", "allowed"), WRONG, ids=[each[0] for each in WRONG])
def test_wrong_register(
    name: str, index: int, value: int, allowed: str, program: Path, iss: Engine, tmp_path: Path
) -> None:
    status, errors = run_with(iss, program, tmp_path, index, value)
    assert status == TRAP, errors
    assert re.search(rf"NE16: job register {index} is 0x\w{{8}}, allowed {allowed}", errors), errors
