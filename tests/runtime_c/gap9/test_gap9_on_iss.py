"""The gap9 folder of an output directory, main to performance counter, on a PMSIS of the project's own."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.networks.emitted_network import emitted
from tests.networks.integer_networks import integer_network
from tests.networks.port_types import TILES as PORT_TILES
from tests.networks.port_types import port_types_network
from tests.networks.simple_plan import Tiles
from tests.runtime_c.bare_metal import programs
from tests.runtime_c.gap9.small_sdk import HERE, RUNTIME, SmallSdk
from tmc.backend_gap9.emit.machine import read_machine
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.backend_gap9.run.simulators import gvsoc_command, simulate
from tmc.backend_gap9.target.targets import TARGETS

TILES = Tiles(rows=8, channels=16, buffers=2, queries=8, keys=12, values=8)
NO_ROOM = "no room in L1, L2 or the external memory"
# What L1's heap has in SDK 5.15, the smaller of two that are known: __l1_heapsram_size in the listings of
# meilanny/odl_mibmi 043f50c. 5.16 has 16 bytes more.
L1_HEAP_BYTES = 130_944


@pytest.fixture(scope="module")
def pristine(sdk: SmallSdk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the output directory of a network of two small layers, built."""
    graph = integer_network(20, 2, 4, 40, 5, seed=3, rope_period=20, dim=24, heads=3, hidden=32)
    path = tmp_path_factory.mktemp("emitted") / "network"
    write_directory(emitted(graph, TILES), path)
    built = sdk.make(path, "all", "check_stacks")
    assert built.returncode == 0, built.stdout + built.stderr
    return path


@pytest.fixture
def directory(pristine: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may change."""
    return shutil.copytree(pristine, tmp_path / "network")


def run(sdk: SmallSdk, directory: Path, *settings: str) -> tuple[int, list[str]]:
    """Build with the Makefile and run; return the exit status and the lines that were printed."""
    if settings:  # what they are for is all in that folder
        shutil.rmtree(directory / "BUILD" / "gap9")
    built = sdk.make(directory, "all", *settings)
    assert built.returncode == 0, built.stdout + built.stderr
    done = sdk.simulate(directory)
    return done.returncode, done.stdout.splitlines()


def right(name: str, output_bytes: int, runs: int = 2) -> list[str]:
    """Return patterns of the lines that bit-exact runs print."""
    run = r"{}: run {}: [1-9]\d* cycles, \d+ us, 0 of {} output bytes differ"
    return [*(run.format(name, i, output_bytes) for i in range(runs)), "PASS"]


def matches(lines: list[str], patterns: list[str]) -> bool:
    return len(lines) == len(patterns) and all(map(re.fullmatch, patterns, lines))


CLOCKS = [
    "voltage 0 800",
    *(f"frequency {domain} 370000000" for domain in (1, 2, 0)),
    "clocks: fabric controller 370000000 Hz, cluster 370000000 Hz, peripherals 370000000 Hz, 800 mV",
]


def test_the_makefile_of_older_sdks(sdk: SmallSdk, directory: Path) -> None:
    status, lines = run(sdk, directory)
    assert (status, matches(lines, CLOCKS + right("network", 20))) == (0, True), lines


def test_microseconds_are_those_of_the_clock(sdk: SmallSdk, directory: Path) -> None:
    at = r"run 0: (\d+) cycles, (\d+) us"
    for settings, frequency_hz in (((), 370_000_000), (("TMC_FREQUENCY_HZ=123000000u",), 123_000_000)):
        _, lines = run(sdk, directory, *settings)
        (found,) = (found for line in lines if (found := re.search(at, line)))
        assert int(found[2]) == int(found[1]) * 1_000_000 // frequency_hz > 0


def flags_of(directory: Path) -> str:
    """Return what CMake gives the compiler."""
    return (directory / "build" / "CMakeFiles" / "network.dir" / "flags.make").read_text()


@pytest.mark.parametrize("settings", [(), ("-DISA=scalar", "-DTMC_RUNS=1", "-DTMC_VOLTAGE_MV=750")])
def test_cmake(sdk: SmallSdk, directory: Path, settings: tuple[str, ...]) -> None:
    configured = sdk.cmake(directory, *settings)
    assert configured.returncode == 0, configured.stderr
    ran = sdk.cmake_build(directory, "run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = ran.stdout.splitlines()
    clocks = [line.replace("800", "750") if settings else line for line in CLOCKS]
    begin = lines.index(clocks[0])
    expected = clocks + right("network", 20, runs=1 if settings else 2)
    assert matches(lines[begin : begin + len(expected)], expected), lines
    flags = flags_of(directory)
    assert "-O2 -mnohwloop -fno-tree-loop-distribute-patterns" in flags
    assert "TMC_FILES_IN_MRAM" not in flags
    assert ("TMC_ISA_XPULP" in flags) is not bool(settings)


def test_cmake_holds_the_program_to_its_stacks(sdk: SmallSdk, directory: Path) -> None:
    settings = directory / "network.mk"
    small = re.sub(r"(TMC_WORKER_STACK_BYTES :=) \d+", r"\1 64", settings.read_text())
    settings.write_text(small)
    assert sdk.cmake(directory, "-DISA=scalar").returncode == 0
    built = sdk.cmake_build(directory, "network")
    assert built.returncode != 0
    assert re.search(r"error: .*\b64\b.*network_entry", built.stdout + built.stderr)


def test_cmake_outside_of_an_sdk(sdk: SmallSdk, directory: Path) -> None:
    (directory / "CMakeLists.txt").write_text(
        "unset(ENV{GAP_SDK_HOME})\n" + (directory / "CMakeLists.txt").read_text()
    )
    configured = sdk.cmake(directory)
    assert configured.returncode != 0
    assert "source the configuration script of the GAP9 SDK first" in " ".join(configured.stderr.split())


def test_files_in_mram(sdk: SmallSdk, directory: Path) -> None:
    """The switch is one line of sdk.config, or a word to make; the devices that are opened show it."""
    config = directory / "sdk.config"
    config.write_text(config.read_text().replace("READFS_FLASH_TYPE_OSPI", "READFS_FLASH_TYPE_MRAM"))
    assert sdk.cmake(directory).returncode == 0
    assert "-DTMC_FILES_IN_MRAM" in flags_of(directory)
    status, lines = run(sdk, directory, "TMC_FILES=mram")
    assert (status, lines[0], lines[-1]) == (0, "mram", "PASS")


def test_a_pulse_for_a_power_probe(sdk: SmallSdk, directory: Path) -> None:
    _, lines = run(sdk, directory, "TMC_POWER_GPIO=89", "TMC_RUNS=1")
    pulse = ["pad 89 function 1", "gpio 89 flags 1", "gpio 89 is 0", "gpio 89 is 1", "gpio 89 is 0"]
    assert matches(lines, CLOCKS + pulse + right("network", 20, runs=1)), lines


def test_clocks_may_stay_as_they_are(sdk: SmallSdk, directory: Path) -> None:
    _, lines = run(sdk, directory, "TMC_FREQUENCY_HZ=0")
    clocks = "fabric controller 50000000 Hz, cluster 50000000 Hz, peripherals 50000000 Hz"
    assert matches(lines, [f"clocks: {clocks}, voltage as it was", *right("network", 20)]), lines


def described(field: str, value: int) -> Callable[[Path], None]:
    """Return a change of a field of the network's descriptor."""

    def change(directory: Path) -> None:
        source = directory / "network.c"
        text, count = re.subn(rf"\.{field} = [^,]+,", f".{field} = {value}u,", source.read_text())
        assert count == 1
        source.write_text(text)

    return change


def spoiled(name: str) -> Callable[[Path], None]:
    """Return a change of the last byte of a file."""

    def change(directory: Path) -> None:
        content = (directory / name).read_bytes()
        (directory / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    return change


def left_out(name: str) -> Callable[[Path], None]:
    """Return a change of the Makefile that keeps a file out of the flash."""

    def change(directory: Path) -> None:
        makefile = directory / "Makefile"
        text = makefile.read_text()
        assert f" {name}" in text
        makefile.write_text(re.sub(rf"(READFS_FILES :=.*) {name}", r"\1", text))

    return change


def l1_left(stacks_bytes: int) -> int:
    """Return what the largest arena may have beside stacks."""
    return L1_HEAP_BYTES - stacks_bytes


STACKS_BYTES = 2048 + 8 * 1024
FAULTS: dict[str, tuple[Callable[[Path], None], tuple[str, ...], str]] = {
    "L1": (described("l1_bytes", l1_left(STACKS_BYTES) + 8), (), f"cannot be opened: {NO_ROOM}"),
    "L2": (described("l2_bytes", 1 << 21), (), f"cannot be opened: {NO_ROOM}"),
    "external memory": (described("l3_bytes", 32 << 20), (), f"cannot be opened: {NO_ROOM}"),
    "worker stacks": (lambda _: None, ("TMC_WORKER_STACK_BYTES=16200",), f"cannot be opened: {NO_ROOM}"),
    "no weights": (left_out("weights.bin"), (), "no weights.bin, or that of another network"),
    "other weights": (spoiled("weights.bin"), (), "no weights.bin, or that of another network"),
    "other size": (described("l3_bytes", 400), (), "no weights.bin, or that of another network"),
    "too fast": (lambda _: None, ("TMC_FREQUENCY_HZ=400000000u",), "a device did not open"),
    "no input": (left_out("golden/input.bin"), (), "no golden inputs and outputs of this network"),
    "no output": (left_out("golden/output.bin"), (), "no golden inputs and outputs of this network"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_missing_is_told(sdk: SmallSdk, directory: Path, fault: str) -> None:
    """Nothing stays allocated: the small PMSIS would fail at the end."""
    change, settings, message = FAULTS[fault]
    change(directory)
    status, lines = run(sdk, directory, *settings)
    assert status == 1
    assert [line for line in lines if message in line and line.startswith("error: ")], lines
    assert not [line for line in lines if "run 0" in line or "small PMSIS" in line]


def test_a_wrong_result_is_told(sdk: SmallSdk, directory: Path) -> None:
    spoiled("golden/output.bin")(directory)
    status, lines = run(sdk, directory)
    assert (status, lines[-1]) == (1, "FAIL")
    assert "1 of 20 output bytes differ" in lines[-2]
    assert lines[-3] == "output logits: 1 of 20 bytes differ"


def test_several_inputs_and_outputs(sdk: SmallSdk, tmp_path: Path) -> None:
    directory = tmp_path / "types"
    write_directory(emitted(port_types_network(), PORT_TILES, "types"), directory)
    status, lines = run(sdk, directory)
    assert (status, matches(lines, CLOCKS + right("types", 10 + 20 + 7))) == (0, True), lines
    golden = directory / "golden" / "output.bin"
    content = bytearray(golden.read_bytes())
    content[12 + 3] ^= 1
    content[12 + 20] ^= 1
    golden.write_bytes(content)
    status, lines = run(sdk, directory)
    assert (status, lines[-1]) == (1, "FAIL")
    assert lines[-4:-2] == ["output to_s32: 1 of 20 bytes differ", "output to_s8: 1 of 7 bytes differ"]


def test_every_plan_fits_the_heap_of_l1(sdk: SmallSdk, directory: Path) -> None:
    """What plans may use and stacks are no more than the heap; an arena of the last byte opens and runs."""
    for target in TARGETS.values():
        stacks_bytes = target.stacks.controller_bytes + target.cores * target.stacks.worker_bytes
        assert stacks_bytes == STACKS_BYTES
        assert target.l1_usable_bytes <= l1_left(stacks_bytes)
    described("l1_bytes", l1_left(STACKS_BYTES))(directory)
    status, lines = run(sdk, directory)
    assert (status, lines[-1]) == (0, "PASS")


def test_stacks_that_the_driver_takes_come_too_late(sdk: SmallSdk, directory: Path) -> None:
    """Why the platform takes them: the first task would fail, as if a device were missing."""
    described("l1_bytes", l1_left(STACKS_BYTES))(directory)
    platform = directory / "gap9" / "platform.c"
    own = "    pi_cluster_task_stacks(&task, worker_stacks, TMC_WORKER_STACK_BYTES);\n"
    assert own in platform.read_text()
    platform.write_text(platform.read_text().replace(own, ""))
    status, lines = run(sdk, directory)
    assert (status, lines[-1]) == (1, "error: network: cannot be opened: a device did not open"), lines


def transfers(folder: Path) -> Path:
    """Lay out the network that tries every kind of transfer; its output counts wrong bytes."""
    network = programs.network(folder, "transfers", programs.image(1 << 20)).folder
    shutil.copytree(RUNTIME / "gap9", network / "gap9")
    shutil.copy(RUNTIME / "gap9" / "gap9.mk", network / "Makefile")
    (network / "golden").mkdir()
    (network / "golden" / "input.bin").write_bytes(bytes(i * 7 + 3 & 255 for i in range(16384)))
    (network / "golden" / "output.bin").write_bytes(bytes(36))
    return network


def test_transfers(sdk: SmallSdk, tmp_path: Path) -> None:
    """More transfers at once than the DMA has ids, more fetches than one, and what lies around them."""
    status, lines = run(sdk, transfers(tmp_path))
    assert (status, matches(lines, CLOCKS + right("transfers", 36))) == (0, True), lines


@pytest.mark.parametrize(
    ("file", "was", "becomes", "message"),
    [
        ("transfers.c", "if (dma.slots[place] != NULL)", "if (0)", "all 16 transfer ids are in use"),
        ("platform.c", "session->l1, (int)network->l1_bytes);\n    pi_l2", "session->l1, 8);\n    pi_l2",
         "L1 that nobody has given back"),
        ("platform.c", "aligned_image(session), network", "aligned_image(session) + 4u, network", "FAIL"),
    ],
)  # fmt: skip
def test_a_fault_of_the_platform_is_found(
    sdk: SmallSdk, tmp_path: Path, file: str, was: str, becomes: str, message: str
) -> None:
    network = transfers(tmp_path)
    source = network / "gap9" / file
    assert was in source.read_text()
    source.write_text(source.read_text().replace(was, becomes))
    assert sdk.make(network, "all").returncode == 0
    done = sdk.simulate(network)
    assert done.returncode != 0 and message in done.stdout + done.stderr


def test_on_gvsoc(sdk: SmallSdk, directory: Path, gvsoc_program: Path, tmp_path: Path) -> None:
    assert sdk.make(directory, "all").returncode == 0
    build = directory / "BUILD"
    machine = read_machine(directory)
    command = gvsoc_command(gvsoc_program, machine, build / "network", build / "flash.bin", tmp_path)
    # The word of the control unit that the small PMSIS shows is something else in GVSoC.
    lines = [
        line for line in simulate("gvsoc", command, 120).splitlines() if not line.startswith("accelerator ")
    ]
    assert matches(lines, CLOCKS + right("network", 20)), lines


def test_the_small_pmsis_implements_what_is_declared() -> None:
    declared = "".join(path.read_text() for path in sorted((HERE.parent / "pmsis").rglob("*.h")))
    implemented = "".join(path.read_text() for path in sorted(HERE.glob("*.c")))
    names = set(re.findall(r"\b(pi_\w+|pmsis_exit)\(", declared))
    assert [name for name in sorted(names) if not re.search(rf"^\w.*\b{name}\(", implemented, re.M)] == []
