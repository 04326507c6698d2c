"""The host platform: right programs run, wrong ones do not get away."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.runtime_c.building import (
    ADDRESS_SANITIZER,
    HOST,
    RUNTIME,
    SCALAR_KERNELS,
    TESTS,
    THREAD_SANITIZER,
    compile_c,
    host_program,
    run_program,
)
from tests.runtime_c.kernel_interface import packed_weights
from tmc.ir.integer.qlinear import QLinearAttrs, qlinear

# Sizes of small_network.c.
ROWS, DEPTH, CHANNELS, SHIFT, X_PITCH = 64, 16, 8, 6, 20
RNG = np.random.default_rng(7)
WEIGHT = RNG.integers(-127, 128, (CHANNELS, DEPTH)).astype(np.int8)
MULTIPLIER = RNG.integers(1, 3, CHANNELS).astype(np.int32)
BIAS = RNG.integers(-2000, 2000, CHANNELS).astype(np.int32)
WEIGHTS = packed_weights(WEIGHT, MULTIPLIER, BIAS, 0).memory.tobytes()
CHECKSUM = f"-DL3_CHECKSUM={zlib.crc32(WEIGHTS):#x}u"

FAULTS = (
    "none",
    "late wait",
    "no barrier before",
    "no barrier after",
    "start twice",
    "wait idle",
    "wait other kind",
    "no last wait",
    "in outside l1",
    "in outside l2",
    "out outside l1",
    "out to input",
    "too long",
    "nothing",
    "close lines",
    "source changed",
    "other core",
    "fetch outside l3",
    "fetch outside l2",
    "fetch odd",
    "l1 overrun",
    "trace outside",
    "trace unknown",
    "kept changed",
)
BUILDS = {
    "plain": ("-O2",),
    "traced": ("-O2", "-DTMC_TRACE"),
    "address": ("-O1", "-DTMC_TRACE", *ADDRESS_SANITIZER),
    # Tracing adds barriers, which would hide missing ones.
    "thread": ("-O1", *THREAD_SANITIZER),
}
TRACED = ("traced", "address")
IN_FLIGHT = "on a slot whose transfer is still in flight"
ABORTS = (
    ("start twice", f"tmc_dma_in {IN_FLIGHT}"),
    ("wait idle", "tmc_dma_wait on a slot without such a transfer"),
    ("wait other kind", "tmc_l3_wait on a slot without such a transfer"),
    ("no last wait", "run finished with 1 transfers in flight"),
    ("in outside l1", "tmc_dma_in to outside of the L1 arena"),
    ("in outside l2", "tmc_dma_in from outside of L2"),
    ("out outside l1", "tmc_dma_out from outside of the L1 arena"),
    ("out to input", "tmc_dma_out to outside of L2"),
    ("too long", "tmc_dma_in of 8192 x 16 bytes, allowed 1 to 131071"),
    ("nothing", "tmc_dma_in of 4 x 0 bytes, allowed 1 to 131071"),
    ("close lines", "tmc_dma_in of lines of 8 bytes, 4 bytes apart"),
    ("source changed", "source of a transfer changed before its wait, line 0 of 16"),
    ("other core", "tmc_dma_wait called by core 3, allowed core 0"),
    ("fetch outside l3", "tmc_l3_fetch of 192 bytes from 4 of 192"),
    ("fetch outside l2", "tmc_l3_fetch to outside of L2"),
    ("fetch odd", "tmc_l3_fetch of 6 bytes from 0, allowed multiples of 4"),
    ("trace outside", "tmc_trace of linear: rows 64 + 16, bytes 0 + 8 of 64 x 8"),
    ("trace unknown", "tmc_trace of value 2 of 2"),
    ("kept changed", "byte 88 of L2, which init filled for good, has changed"),
)
FOUND_BY_SANITIZERS = (
    ("address", "late wait", "AddressSanitizer: use-after-poison"),
    ("address", "l1 overrun", "AddressSanitizer: heap-buffer-overflow"),
    ("thread", "late wait", "ThreadSanitizer: data race"),
    ("thread", "no barrier before", "ThreadSanitizer: data race"),
    ("thread", "no barrier after", "ThreadSanitizer: data race"),
    ("thread", "source changed", "ThreadSanitizer: data race"),
)


@dataclass(frozen=True, slots=True)
class Result:
    """What a run of network-host left behind."""

    status: int
    errors: str
    output: bytes
    trace: bytes


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("programs")
    return {
        name: host_program(TESTS / "small_network.c", folder / name, CHECKSUM, *flags)
        for name, flags in BUILDS.items()
    }


def some_input(fault: str = "none", seed: int = 0) -> tuple[bytes, bytes]:
    """Return an input of the network that asks for a fault, and the right output."""
    x = np.random.default_rng(seed).integers(-128, 128, (ROWS, DEPTH)).astype(np.int8)
    lines = np.zeros((ROWS, X_PITCH), dtype=np.int8)
    lines[:, :DEPTH] = x
    y = qlinear(x, WEIGHT, MULTIPLIER, BIAS[None], QLinearAttrs(shift=SHIFT))
    return lines.tobytes() + bytes([FAULTS.index(fault), 0, 0, 0]), y.tobytes()


def run(
    program: Path, folder: Path, network_input: bytes, *, trace: bool = False, weights: bytes = WEIGHTS
) -> Result:
    """Run network-host on an input."""
    files = {name: folder / f"{name}.bin" for name in ("weights", "input", "output", "trace")}
    files["weights"].write_bytes(weights)
    files["input"].write_bytes(network_input)
    arguments = list(files.values())[: 4 if trace else 3]
    result = run_program(program, *arguments)
    output, traced = (path.read_bytes() if path.exists() else b"" for path in list(files.values())[2:])
    return Result(result.returncode, result.stderr, output, traced)


@pytest.mark.parametrize("build", BUILDS)
def test_right_program(programs: dict[str, Path], tmp_path: Path, build: str) -> None:
    network_input, expected = some_input()
    result = run(programs[build], tmp_path, network_input, trace=build in TRACED)
    assert (result.status, result.errors) == (0, "")
    assert result.output == expected
    assert result.trace == (2 * expected if build in TRACED else b"")


def test_several_inputs(programs: dict[str, Path], tmp_path: Path) -> None:
    pairs = [some_input(seed=seed) for seed in range(3)]
    network_input, expected = (b"".join(parts) for parts in zip(*pairs, strict=True))
    result = run(programs["traced"], tmp_path, network_input, trace=True)
    assert (result.status, result.errors, result.output) == (0, "", expected)
    assert result.trace == b"".join(2 * output for _, output in pairs)


def test_late_wait_gives_garbage(programs: dict[str, Path], tmp_path: Path) -> None:
    network_input, expected = some_input("late wait")
    result = run(programs["plain"], tmp_path, network_input)
    assert result.status == 0 and result.output != expected
    x = np.full((ROWS, DEPTH), 0xA5, dtype=np.uint8).view(np.int8)
    assert result.output == qlinear(x, WEIGHT, MULTIPLIER, BIAS[None], QLinearAttrs(shift=SHIFT)).tobytes()


@pytest.mark.parametrize(("build", "fault", "error"), FOUND_BY_SANITIZERS)
def test_sanitizers_find(
    programs: dict[str, Path], tmp_path: Path, build: str, fault: str, error: str
) -> None:
    result = run(programs[build], tmp_path, some_input(fault)[0])
    assert result.status != 0
    assert error in result.errors


@pytest.mark.parametrize(("fault", "message"), ABORTS)
def test_misuse_aborts(programs: dict[str, Path], tmp_path: Path, fault: str, message: str) -> None:
    result = run(programs["traced"], tmp_path, some_input(fault)[0])
    assert result.status == -6
    assert f"host platform: {message}\n" in result.errors


def test_every_fault_is_tried() -> None:
    tried = {fault for fault, _ in ABORTS} | {fault for _, fault, _ in FOUND_BY_SANITIZERS} | {"none"}
    assert tried == set(FAULTS)


@pytest.mark.parametrize(
    ("what", "status", "message"),
    [
        ("nested", -6, "host platform: tmc_run while a network runs\n"),
        ("outside", -6, "host platform: tmc_dma_in called outside of a run\n"),
        ("open", -6, "host platform: tmc_open while a network runs\n"),
        ("two", 0, ""),
        ("memory", 0, ""),
    ],
)
def test_sessions(tmp_path: Path, what: str, status: int, message: str) -> None:
    weights = tmp_path / "weights.bin"
    weights.write_bytes(WEIGHTS)
    platform = tuple(path for path in HOST if path.stem != "main")
    program = compile_c(
        (TESTS / "sessions.c", TESTS / "small_network.c", *platform, *SCALAR_KERNELS),
        tmp_path / "sessions",
        "-std=c11",
        "-pthread",
        "-O1",
        f"-I{RUNTIME / 'host'}",
        CHECKSUM,
        *ADDRESS_SANITIZER,
    )
    result = run_program(program, what, weights)
    assert (result.returncode, result.stderr) == (status, message)


def test_usage(programs: dict[str, Path]) -> None:
    result = run_program(programs["plain"], "weights.bin")
    assert result.returncode == 2
    assert result.stderr.endswith(" WEIGHTS.bin INPUT.bin OUTPUT.bin [TRACE.bin]\n")


@pytest.mark.parametrize("weights", [WEIGHTS[:-4], WEIGHTS + b"\0", b"\1" + WEIGHTS[1:]])
def test_other_weights(programs: dict[str, Path], tmp_path: Path, weights: bytes) -> None:
    result = run(programs["address"], tmp_path, some_input()[0], weights=weights)
    assert result.status == 1
    assert result.errors == f"error: {tmp_path / 'weights.bin'}: not the weights of this network\n"


@pytest.mark.parametrize("network_input", [b"", some_input()[0][:-1], some_input()[0] + b"\0"])
def test_input_of_wrong_size(programs: dict[str, Path], tmp_path: Path, network_input: bytes) -> None:
    result = run(programs["address"], tmp_path, network_input)
    message = f"error: {tmp_path / 'input.bin'}: size is not a multiple of the network's inputs\n"
    assert (result.status, result.errors) == (1, message)


@pytest.mark.parametrize(
    ("position", "message"),
    [
        (0, "not the weights of this network"),
        (1, "cannot read"),
        (2, "cannot write"),
        (3, "cannot write"),
    ],
)
def test_files_that_cannot_be_opened(
    programs: dict[str, Path], tmp_path: Path, position: int, message: str
) -> None:
    (tmp_path / "weights.bin").write_bytes(WEIGHTS)
    (tmp_path / "input.bin").write_bytes(some_input()[0])
    paths = [tmp_path / f"{name}.bin" for name in ("weights", "input", "output", "trace")]
    paths[position] = tmp_path / "no such folder" / "file.bin"
    result = run_program(programs["address"], *paths)
    assert (result.returncode, result.stderr) == (1, f"error: {paths[position]}: {message}\n")


@pytest.mark.parametrize("position", [2, 3])
def test_disk_full(programs: dict[str, Path], tmp_path: Path, position: int) -> None:
    (tmp_path / "weights.bin").write_bytes(WEIGHTS)
    (tmp_path / "input.bin").write_bytes(some_input()[0])
    paths = [tmp_path / f"{name}.bin" for name in ("weights", "input", "output", "trace")]
    paths[position] = Path("/dev/full")
    result = run_program(programs["address"], *paths)
    assert (result.returncode, result.stderr) == (1, "error: /dev/full: cannot write\n")


def test_trace_needs_a_traced_build(programs: dict[str, Path], tmp_path: Path) -> None:
    result = run(programs["plain"], tmp_path, some_input()[0], trace=True)
    message = f"error: {tmp_path / 'trace.bin'}: this program was built without TMC_TRACE\n"
    assert (result.status, result.errors) == (1, message)
