"""A bias on the scores of attention, from integer graph to instruction set: bit-exact, every call proved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backend_gap9.prove.damage import Subject
from tests.backend_gap9.prove.test_relations import uncaught
from tests.e2e.test_host import planned
from tests.networks.emitted_network import emitted, some_inputs
from tests.networks.integer_networks import integer_network
from tests.networks.simple_plan import Tiles, simple_plan
from tmc.backend_gap9.emit.output_directory import write_directory
from tmc.backend_gap9.prove.check_program import check_program
from tmc.backend_gap9.run.build import build_iss
from tmc.backend_gap9.run.host import run_host
from tmc.backend_gap9.run.riscv import run_iss
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.errors import CheckError
from tmc.ir.graph import Graph, OpKind

BIASES = [(by_head, by_query) for by_head in (False, True) for by_query in (False, True)]
# Ragged tiles; and whole ones.
TILES = [
    Tiles(rows=8, channels=16, buffers=1, queries=8, keys=12, values=8),
    Tiles(rows=22, channels=12, buffers=2, queries=22, keys=22, values=4),
]


@pytest.fixture(scope="module")
def iss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the instruction-set simulator."""
    return build_iss(tmp_path_factory.mktemp("iss"))


def network(bias: tuple[bool, bool] | None, tokens: int = 22) -> Graph:
    """Return a network of one layer with three heads of 8 columns."""
    return integer_network(
        tokens, 1, 2, 2 * tokens, 5, seed=3, rope_period=0, dim=24, heads=3, hidden=40, bias=bias
    )


@pytest.mark.parametrize("bias", BIASES)
def test_every_op_is_bit_exact(tmp_path: Path, iss: Path, bias: tuple[bool, bool]) -> None:
    graph = network(bias)
    given = {"input": np.stack([some_inputs(graph, seed)["input"] for seed in range(2)])}
    for number, files in enumerate((*(emitted(graph, tiles) for tiles in TILES), planned(graph))):
        folder = tmp_path / str(number)
        write_directory(files, folder)
        assert run_host(folder, given).bit_exact
    assert run_iss(tmp_path / "0", simulator=iss).bit_exact
    assert run_iss(tmp_path / "2", simulator=iss).bit_exact


@pytest.mark.parametrize("bias", BIASES)
def test_every_claim_and_every_number_matters(bias: tuple[bool, bool]) -> None:
    graph = network(bias)
    attention = next(
        number
        for number, stage in enumerate(simple_plan(graph, TILES[0]).plan.staged.stages)
        if stage.op.kind is OpKind.QATTENTION
    )
    kernel = "tmc_attention_softmax_bias_s16s16u8"
    # A single line has no pitch.
    allowed = set() if bias[1] else {(kernel, "block0.attn.mixed", "bias_pitch")}
    assert set(uncaught(Subject(simple_plan(graph, TILES[0])), attention)) == allowed


@pytest.mark.parametrize(
    ("with_bias", "message"),
    [(True, "allowed one that adds a bias"), (False, "allowed one for scores without")],
)
def test_the_kernel_has_to_be_that_of_the_op(with_bias: bool, message: str) -> None:
    """A program for the one graph proves nothing of the other, which has the same values."""
    of, other = (
        simple_plan(network(bias), TILES[0]) for bias in ((None, (True, True))[:: 1 if with_bias else -1])
    )
    with pytest.raises(CheckError, match=message):
        check_program(of.program, other.graph, of.plan, of.contents, target_named("gap9"))
