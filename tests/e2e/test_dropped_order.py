"""Every barrier and every wait of a network is needed: without any one of them a run on `iss` is wrong.

Nothing is traced: tracing has barriers of its own, which would stand in for a dropped one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.test_host import NETWORKS, small_network
from tests.networks.emitted_network import emitted, some_inputs
from tmc.backend_gap9.emit.machine import read_machine
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.backend_gap9.run.build import build_iss, build_riscv
from tmc.backend_gap9.run.console import parse_console
from tmc.backend_gap9.run.result import load_golden
from tmc.backend_gap9.run.simulators import iss_command, simulate
from tmc.ir.errors import PlatformError
from tmc.ir.interpret import interpret
from tmc.ir.ports import each_run

ORDER = re.compile(r"^\s*(?P<call>tmc_(?:barrier|dma_wait|l3_wait)\([^;]*\);)$", re.MULTILINE)
INSTRUCTIONS_MAX = 200_000_000
SECONDS = 120.0
# One in so many by default; `make soak` takes all.
SAMPLE = 6
FUNCTION = re.compile(r"^static void network_(\w+)\(", re.MULTILINE)

# What the network can do without, by function and number in it.
NEXT = "until the next barrier core 0 alone does something, and it waits for transfers only"
LAST = "since the last barrier core 0 alone did something, and it started transfers only"
EARLIER = "fetches end in the order in which they began, and a later one is waited for"
UNNEEDED: dict[tuple[str, int], str] = {
    ("resident", 0): EARLIER,
    ("resident", 1): EARLIER,
    ("resident", 2): EARLIER,
    ("resident", 4): EARLIER,
    ("stage_0", 3): NEXT,
    ("stage_0", 8): LAST,
    ("stage_2", 4): "a row of scores is normalised by the core that computed it",
    ("stage_3", 5): NEXT,
    ("stage_3", 9): LAST,
    ("stage_3", 17): LAST,
    ("stage_5", 2): NEXT,
}


def orders(text: str) -> list[re.Match[str]]:
    """Return all barriers and waits of a network's source."""
    return list(ORDER.finditer(text))


def place(text: str, order: re.Match[str]) -> tuple[str, int]:
    """Return the function that has a barrier or wait, and which of them in it this is."""
    function = list(FUNCTION.finditer(text, 0, order.start()))[-1]
    return function[1], sum(function.start() < each.start() < order.start() for each in orders(text))


def without(text: str, order: re.Match[str]) -> str:
    """Return the source without one of them."""
    start, end = order.span("call")
    return f"{text[:start]};{text[end:]}"


class Subject:
    """A small network with every kind of stage, and what a change of its source does."""

    def __init__(self, folder: Path, number: int) -> None:
        tokens, layers, channels, samples, period, tiles = NETWORKS[number]
        graph = small_network(tokens, layers, channels, samples, period)
        self.directory, self.objects = folder / "network", folder / "objects"
        self.objects.mkdir()
        write_directory(emitted(graph, tiles), self.directory)
        self.source = self.directory / "network.c"
        self.text = self.source.read_text(encoding="utf-8")
        self.iss = build_iss(folder)
        golden = load_golden(self.directory)
        (inputs,) = each_run(golden.inputs)
        (self.expected,) = interpret(graph, inputs).values()
        assert np.array_equal(inputs["input"], some_inputs(graph)["input"])

    def survives(self, text: str) -> bool:
        """Tell whether a changed source runs to its end and gives the right output."""
        self.source.write_text(text, encoding="utf-8")
        golden = self.directory / "golden" / "input.bin"
        program = build_riscv(self.directory, self.objects, golden, trace=False)
        command = iss_command(
            self.iss, read_machine(self.directory), program, self.directory / "weights.bin", INSTRUCTIONS_MAX
        )
        try:
            outputs = parse_console("iss", simulate("iss", command, SECONDS)).outputs
        except PlatformError:
            return False
        return outputs == {0: self.expected.tobytes()}


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """Return the network, undamaged and right."""
    its = Subject(tmp_path_factory.mktemp("order"), 0)
    assert its.survives(its.text)
    return its


def test_the_network_has_all_of_them(subject: Subject) -> None:
    calls = [order["call"].partition("(")[0] for order in orders(subject.text)]
    assert {"tmc_barrier", "tmc_dma_wait", "tmc_l3_wait"} == set(calls)


def survivors(subject: Subject, chosen: list[re.Match[str]]) -> list[tuple[str, int]]:
    """Return those without which the network is right."""
    text = subject.text
    return [place(text, order) for order in chosen if subject.survives(without(text, order))]


def test_a_dropped_barrier_or_wait_is_found(
    subject: Subject, record_property: Callable[[str, object], None]
) -> None:
    needed = [order for order in orders(subject.text) if place(subject.text, order) not in UNNEEDED]
    chosen = needed[::SAMPLE]
    assert survivors(subject, chosen) == []
    record_property("ran", f"dropped barriers and waits on iss: {len(chosen)}, all found")


@pytest.mark.soak
def test_every_dropped_barrier_or_wait_is_found(subject: Subject) -> None:
    assert survivors(subject, orders(subject.text)) == list(UNNEEDED)
