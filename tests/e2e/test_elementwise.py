"""Ops that work element by element, from an integer graph to the cores: bit-exact, every change caught."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backend_gap9.prove.test_relations import uncaught_in_all_stages
from tests.networks.elementwise_network import product_network, sum_network
from tests.networks.emitted_network import emitted
from tests.networks.simple_plan import Tiles, simple_plan
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_gvsoc, run_iss
from tmc.ir.graph import Graph

# Rows of a tile, channels of a linear, buffers of an input; the others are of attention.
TILES = Tiles(5, 8, 2, 1, 1, 1)
NETWORKS = pytest.mark.parametrize("network", [sum_network, product_network])
Network = Callable[[int, int], Graph]


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


@NETWORKS
@pytest.mark.parametrize(("rows", "columns"), [(1, 4), (7, 20), (40, 36)])
def test_every_op_is_bit_exact(tmp_path: Path, iss: Path, network: Network, rows: int, columns: int) -> None:
    write_directory(emitted(network(rows, columns), TILES), tmp_path / "out")
    assert run_host(tmp_path / "out").bit_exact
    assert run_iss(tmp_path / "out", simulator=iss).bit_exact


@NETWORKS
def test_every_op_is_bit_exact_on_gvsoc(tmp_path: Path, gvsoc_program: Path, network: Network) -> None:
    write_directory(emitted(network(19, 20), TILES), tmp_path / "out")
    assert run_gvsoc(tmp_path / "out", gvsoc=gvsoc_program).bit_exact


@NETWORKS
def test_every_change_of_a_call_is_caught(network: Network) -> None:
    planned = simple_plan(network(20, 24), TILES)
    assert uncaught_in_all_stages(planned) == set()
