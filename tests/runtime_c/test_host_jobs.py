"""Jobs of the accelerator on the host platform: right programs run, wrong ones do not get away."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.runtime_c.building import ADDRESS_SANITIZER, TESTS, THREAD_SANITIZER, host_program, run_program
from tests.runtime_c.ne16.cases import packed_weights
from tmc.ir.integer.qlinear import QLinearAttrs, qlinear

# Sizes of job_network.c.
ROWS, DEPTH, CHANNELS, SHIFT = 60, 20, 12, 6
RNG = np.random.default_rng(8)
WEIGHT = RNG.integers(-128, 128, (CHANNELS, DEPTH)).astype(np.int8)
MULTIPLIER = RNG.integers(1, 256, CHANNELS).astype(np.int32)
BIAS = RNG.integers(-(2**20), 2**20, CHANNELS).astype(np.int32)
WEIGHTS = packed_weights(WEIGHT).tobytes() + MULTIPLIER.astype(np.uint8).tobytes() + BIAS.tobytes()
CHECKSUM = f"-DL3_CHECKSUM={zlib.crc32(WEIGHTS):#x}u"

FAULTS = (
    "none",
    "out of order",
    "start twice",
    "start third",
    "wait idle",
    "no last wait",
    "other core",
    "reads outside",
    "writes outside",
    "operand changed",
    "operand unfinished",
    "result written",
    "result read",
    "no barrier before",
    "no barrier after",
)
BUILDS = {
    "plain": ("-O2",),
    "address": ("-O1", *ADDRESS_SANITIZER),
    "thread": ("-O1", *THREAD_SANITIZER),
}
ABORTS = (
    ("out of order", "tmc_job_wait while the job before was not waited for"),
    ("start twice", "tmc_job_start on a slot whose job is still in flight"),
    ("start third", "tmc_job_start with 2 jobs in flight, allowed 1"),
    ("wait idle", "tmc_job_wait on a slot without a job"),
    ("no last wait", "run finished with 1 jobs in flight"),
    ("other core", "tmc_job_wait called by core 3, allowed core 0"),
    ("reads outside", "tmc_job_start with operands outside of the L1 arena"),
    ("writes outside", "tmc_job_start with results outside of the L1 arena"),
    ("operand changed", "operand of a job changed before its wait"),
    ("operand unfinished", "operand of a job changed before its wait"),
    ("result written", "result of a job was written before its wait, byte 0"),
)
FOUND_BY_SANITIZERS = (
    ("address", "operand unfinished", "AddressSanitizer: use-after-poison"),
    ("address", "result written", "AddressSanitizer: use-after-poison"),
    ("address", "result read", "AddressSanitizer: use-after-poison"),
    ("thread", "operand changed", "ThreadSanitizer: data race"),
    ("thread", "result read", "ThreadSanitizer: data race"),
    ("thread", "no barrier before", "ThreadSanitizer: data race"),
    ("thread", "no barrier after", "ThreadSanitizer: data race"),
)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("programs")
    return {
        name: host_program(TESTS / "job_network.c", folder / name, CHECKSUM, *flags)
        for name, flags in BUILDS.items()
    }


def run(program: Path, folder: Path, fault: str = "none", seed: int = 0) -> tuple[int, str, bytes, bytes]:
    """Run the network; return status, errors, output, and what the output should be."""
    x = np.random.default_rng(seed).integers(0, 256, (ROWS, DEPTH)).astype(np.uint8)
    y = qlinear(x, WEIGHT, MULTIPLIER, BIAS[None], QLinearAttrs(shift=SHIFT, dtype="s32"))
    files = [folder / f"{name}.bin" for name in ("weights", "input", "output")]
    files[0].write_bytes(WEIGHTS)
    files[1].write_bytes(x.tobytes() + bytes([FAULTS.index(fault), 0, 0, 0]))
    done = run_program(program, *files)
    output = files[2].read_bytes() if files[2].exists() else b""
    return done.returncode, done.stderr, output, y.tobytes()


@pytest.mark.parametrize("build", BUILDS)
def test_right_program(programs: dict[str, Path], tmp_path: Path, build: str) -> None:
    status, errors, output, expected = run(programs[build], tmp_path)
    assert (status, errors) == (0, "")
    assert output == expected


@pytest.mark.parametrize(("fault", "message"), ABORTS)
def test_misuse_aborts(programs: dict[str, Path], tmp_path: Path, fault: str, message: str) -> None:
    status, errors, _, _ = run(programs["plain"], tmp_path, fault)
    assert status == -6
    assert f"host platform: {message}\n" in errors


@pytest.mark.parametrize(("build", "fault", "error"), FOUND_BY_SANITIZERS)
def test_sanitizers_find(
    programs: dict[str, Path], tmp_path: Path, build: str, fault: str, error: str
) -> None:
    status, errors, _, _ = run(programs[build], tmp_path, fault)
    assert status != 0
    assert error in errors


def test_every_fault_is_tried() -> None:
    tried = {fault for fault, _ in ABORTS} | {fault for _, fault, _ in FOUND_BY_SANITIZERS} | {"none"}
    assert tried == set(FAULTS)
