"""Inputs and outputs of every element type at once, and of sizes that are no whole words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.networks.emitted_network import emitted, some_inputs
from tests.networks.port_types import TILES, port_types_network
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.backend_gap9.emit.port_bytes import pack_ports, ports_bytes, unpack_ports
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.result import checked_inputs
from tmc.backend_gap9.run.riscv import run_iss
from tmc.ir.errors import PlatformError
from tmc.ir.interpret import interpret
from tmc.ir.ports import each_run, ports_of


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("types") / "out"
    write_directory(emitted(port_types_network(), TILES), path)
    return path


@pytest.mark.parametrize("platform", [run_host, run_iss])
def test_every_type_both_ways(directory: Path, platform: object) -> None:
    graph = port_types_network()
    inputs = {
        name: np.stack([some_inputs(graph, run)[name] for run in range(2)])
        for name in ("in_s32", "in_s16", "in_s8")
    }
    result = platform(directory, inputs)  # type: ignore[operator]
    assert result.bit_exact and result.runs == 2
    for run, expected in enumerate(interpret(graph, codes) for codes in each_run(inputs)):
        for name, codes in expected.items():
            assert result.outputs[name].dtype == codes.dtype
            assert np.array_equal(result.outputs[name][run], codes) and np.unique(codes).size > 3


def test_the_address_sanitizer_sees_the_end_of_every_port(directory: Path) -> None:
    assert run_host(directory, sanitizer="address", compiler_flags="-O1 -g").bit_exact


def test_ports_in_files() -> None:
    graph = port_types_network()
    ports = ports_of(graph).inputs
    codes = some_inputs(graph)
    content = pack_ports(ports, codes)
    assert len(content) == ports_bytes(ports) == 8 + 16 + 28
    assert content[7:8] == bytes(1) and content[8 + 14 : 24] == bytes(2)
    assert content[8:22] == codes["in_s16"].astype("<i2").tobytes()
    found = unpack_ports(ports, content)
    assert all(np.array_equal(found[name], codes[name]) for name in codes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"in_s8": None}, "inputs: found arrays in_s16, in_s32, allowed in_s8, in_s16, in_s32"),
        ({"more": np.zeros((1, 7), np.int8)}, "inputs: found arrays in_s16, in_s32, in_s8, more, allowed"),
        ({"in_s8": np.full((1, 7), 128)}, "input %in_s8: found codes from 128 to 128, allowed -128 to 127"),
        ({"in_s16": np.zeros((1, 6), np.int16)}, r"input %in_s16: found shape \(1, 6\), allowed \(1, 7\)"),
        ({"in_s32": np.zeros((1, 7))}, "input %in_s32: found float64, allowed int32"),
        (
            {"in_s32": np.zeros((2, 1, 7), int)},
            "inputs: found 1 of in_s8, 1 of in_s16, 2 of in_s32, allowed as many of every input",
        ),
    ],
)
def test_inputs_that_do_not_fit(change: dict[str, np.ndarray | None], message: str) -> None:
    graph = port_types_network()
    given = {name: array for name, array in (some_inputs(graph) | change).items() if array is not None}
    with pytest.raises(PlatformError, match=f"^{message}"):
        checked_inputs(ports_of(graph).inputs, given)
