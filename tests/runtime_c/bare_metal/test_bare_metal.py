"""The bare-metal platform on the instruction-set simulator, and on GVSoC where it is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.runtime_c.bare_metal.programs import Network, Simulators, image, network
from tmc.backend_gap9.run.console import ConsoleFacts, parse_console
from tmc.backend_gap9.run.value_sums import value_sum
from tmc.ir.errors import PlatformError

STAGES = 9
INPUT = bytes(i * 7 + 3 & 255 for i in range(16384))
WEIGHTS = image(1 << 20)

# What the faults of transfers_network.c make the strict simulator say, in the order of its enumeration.
FAULTS = {
    1: "destination of a transfer that was not waited for",
    2: "destination of a transfer that was not waited for",
    3: "race: another core",
    4: "store of 4 bytes at 0x100",
    5: "in the stack of core 6; the stack of core 7 has overflowed",
}
ROWS, ROW_BYTES, PITCH = 37, 50, 61


@pytest.fixture
def transfers(tmp_path: Path) -> Network:
    """Lay out the network that moves bytes."""
    return network(tmp_path, "transfers", WEIGHTS)


def right_output(text: str) -> ConsoleFacts:
    """Check that no stage of the transfers network found a wrong byte."""
    facts = parse_console("test", text)
    assert np.frombuffer(facts.outputs[0], "<u4").tolist() == [0] * STAGES
    assert [stage.number for stage in facts.stages] == list(range(STAGES))
    assert sum(stage.cycles for stage in facts.stages) <= facts.cycles
    return facts


def test_transfers_on_iss(transfers: Network, simulators: Simulators) -> None:
    right_output(simulators.run_iss(transfers.build(INPUT), transfers.flash))


@pytest.mark.parametrize(("fault", "message"), FAULTS.items())
def test_iss_names_a_fault(transfers: Network, simulators: Simulators, fault: int, message: str) -> None:
    program = transfers.build(INPUT, f"FAULT={fault}")
    with pytest.raises(PlatformError, match=message):
        parse_console("iss", simulators.run_iss(program, transfers.flash))


def test_transfers_overlap_on_gvsoc(transfers: Network, simulators: Simulators) -> None:
    program = transfers.build(INPUT)
    real = right_output(simulators.run_gvsoc(program, transfers.flash)).stages
    free = right_output(simulators.run_gvsoc(program, transfers.flash, ("free_transfers=1",))).stages
    # Half a byte a cycle from L3: the peripheral clock is half as fast as the cluster's.
    assert 1.9 < (real[0].cycles - free[0].cycles) / len(WEIGHTS) < 2.1
    # Work takes as long as before. Transfers alone take time; beside work they only take turns at banks.
    work, moves, both = (stage.cycles for stage in real[6:])
    assert abs(free[6].cycles - work) < 0.002 * work
    assert moves > 4 * free[7].cycles
    assert both - free[8].cycles < 0.03 * both


def test_gvsoc_reports_a_stack_overflow(transfers: Network, simulators: Simulators) -> None:
    program = transfers.build(INPUT, "FAULT=5")
    with pytest.raises(PlatformError, match="the stack of core 7 has overflowed"):
        parse_console("gvsoc", simulators.run_gvsoc(program, transfers.flash))


def test_gvsoc_that_hangs_is_ended(transfers: Network, simulators: Simulators) -> None:
    program = transfers.build(INPUT, "FAULT=4")
    with pytest.raises(PlatformError, match="found no end after 15 s; no stage was seen to begin"):
        simulators.run_gvsoc(program, transfers.flash, seconds=15)


def test_wrong_weights_are_told(transfers: Network, simulators: Simulators) -> None:
    program = transfers.build(INPUT)
    spoiled = bytearray(WEIGHTS)
    spoiled[777_777] ^= 1
    transfers.flash.write_bytes(spoiled)
    with pytest.raises(PlatformError, match="the flash does not hold the weights of this network"):
        parse_console("iss", simulators.run_iss(program, transfers.flash))


@pytest.mark.parametrize(
    ("network_input", "definition", "message"),
    [
        (INPUT[:-1], "FAULT=0", "the size of the inputs"),
        (INPUT, "EXTRA_L2_BYTES=400000", "does not fit the memories"),
    ],
)
def test_what_does_not_fit_is_told(
    transfers: Network, simulators: Simulators, network_input: bytes, definition: str, message: str
) -> None:
    program = transfers.build(network_input, definition)
    with pytest.raises(PlatformError, match=message):
        parse_console("iss", simulators.run_iss(program, transfers.flash))


def traced_sums(folder: Path, simulators: Simulators, platform: str, *definitions: str) -> ConsoleFacts:
    """Run the network that traces and return its facts."""
    network_input = image(ROWS * PITCH + 3)
    traced = network(folder, "trace", bytes(4))
    program = traced.build(network_input, *definitions, trace=True)
    run = simulators.run_iss if platform == "iss" else simulators.run_gvsoc
    return parse_console(platform, run(program, traced.flash))


@pytest.mark.parametrize("platform", ["iss", "gvsoc"])
def test_traced_sums(tmp_path: Path, simulators: Simulators, platform: str) -> None:
    lines = np.frombuffer(image(ROWS * PITCH), np.uint8).reshape(ROWS, PITCH)
    facts = traced_sums(tmp_path, simulators, platform)
    assert facts.outputs == {0: b"\xa5"}
    assert [stage.number for stage in facts.stages] == [5]
    assert facts.sums == {
        "first value": value_sum(lines[:, :ROW_BYTES].copy()),
        "second": value_sum(lines[0, 1:4].copy()),
        "never": 0,
    }


def test_one_wrong_byte_shows_in_the_sum(tmp_path: Path, simulators: Simulators) -> None:
    lines = np.frombuffer(image(ROWS * PITCH), np.uint8).reshape(ROWS, PITCH)
    facts = traced_sums(tmp_path, simulators, "iss", "FAULT=1")
    assert facts.sums["first value"] != value_sum(lines[:, :ROW_BYTES].copy())
