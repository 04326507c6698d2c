"""Alike stages share a function; others do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.networks.branching_networks import branching_network
from tests.networks.integer_networks import integer_network
from tests.networks.simple_plan import Tiles, simple_plan
from tmc.backend_gap9.emit.names import names_of
from tmc.backend_gap9.emit.shared import common_name, shared_stages, split_stage
from tmc.backend_gap9.program.program import Fetch, Loop, Program, Wait

TILES = Tiles(rows=8, channels=16, buffers=2, queries=8, keys=12, values=8)
GRAPH = integer_network(20, 4, 4, 40, 5, seed=3, rope_period=5, dim=24, heads=3, hidden=32)
PROGRAM = simple_plan(GRAPH, TILES).program


def groups(program: Program) -> list[tuple[int, ...]]:
    """Return the numbers of the stages that share."""
    return [shared.members for shared in shared_stages(program, names_of(program, GRAPH))]


def test_layers_are_alike() -> None:
    # patch; then norm-QKV, attention, projection-MLP of each layer, the last with one more norm; mean; logits
    assert groups(PROGRAM) == [(1, 4, 7, 10), (2, 5, 8, 11), (3, 6, 9)]


def test_zero_points_of_convolutions_are_own() -> None:
    graph = branching_network(3)
    program = simple_plan(graph, TILES).program
    alike = [shared.members for shared in shared_stages(program, names_of(program, graph))]
    # Three convolutions in each block; the wide one has a shape of its own.
    assert sorted(map(len, alike))[-1] >= 6
    convolutions = [n for n, stage in enumerate(program.stages) if "qdepthwise_rows" in stage.title[0]]
    assert all(any(number in members for members in alike) for number in convolutions)


def test_other_tiles_are_not_alike() -> None:
    stage = PROGRAM.stages[4]
    loop = next(each for each in stage.body if isinstance(each, Loop))
    body = tuple(replace(each, count=each.count + 1) if each is loop else each for each in stage.body)
    stages = (*PROGRAM.stages[:4], replace(stage, body=body), *PROGRAM.stages[5:])
    assert groups(replace(PROGRAM, stages=stages))[0] == (1, 7, 10)


def test_other_places_in_l1_are_not_alike() -> None:
    stage = PROGRAM.stages[4]
    first, *others = stage.buffers
    moved = replace(first, offset_bytes=first.offset_bytes + 4)
    stages = (*PROGRAM.stages[:4], replace(stage, buffers=(moved, *others)), *PROGRAM.stages[5:])
    assert groups(replace(PROGRAM, stages=stages))[0] == (1, 7, 10)


def test_what_is_own() -> None:
    shared = shared_stages(PROGRAM, names_of(PROGRAM, GRAPH))[1]
    fields = {constant.name: (constant.kind, constant.entries[1]) for constant in shared.constants}
    assert fields["block_attn_q"] == ("l2", ("L2_BLOCK1_ATTN_Q",))
    assert fields["out_block_attn_mixed"] == ("l2", ("L2_BLOCK1_ATTN_MIXED",))
    assert fields["value_block_attn_mixed"] == ("value", ("VALUE_BLOCK1_ATTN_MIXED",))
    assert fields["score_shift"] == ("table", tuple(str(s) for s in PROGRAM.stages[5].tables["score_shift"]))


def test_numbers_that_differ_are_own() -> None:
    ops = list(GRAPH.ops)
    index = next(i for i, op in enumerate(ops) if op.output == "block1.mlp.fc2")
    ops[index] = replace(ops[index], attrs=replace(ops[index].attrs, shift=ops[index].attrs.shift + 1))
    changed = replace(GRAPH, ops=tuple(ops))
    program = simple_plan(changed, TILES).program
    shared = shared_stages(program, names_of(program, changed))[2]
    (number,) = [constant for constant in shared.constants if constant.kind == "number"]
    shift = int(number.entries[0][0])
    assert number.name == "block_mlp_fc2_shift"
    assert number.entries == ((str(shift),), (str(shift + 1),), (str(shift),))


def test_transfers_from_l3_stay_in_the_stage() -> None:
    for stage in PROGRAM.stages:
        fetches, rest = split_stage(stage)
        assert (*fetches, *rest) == stage.body
        assert not any(
            isinstance(each, Fetch) or (isinstance(each, Wait) and each.memory == "l3") for each in rest
        )


@pytest.mark.parametrize(
    ("names", "common"),
    [
        (["block0.q", "block1.q"], "block.q"),
        (["layers.0.q", "layers.11.q"], "layers.q"),
        (["patch", "block0.fc2", "block1.fc2"], "block.fc2"),
        (["patch", "block0.fc2"], "block0.fc2"),
        (["same", "same"], "same"),
        (["embed", "other", "other"], "other"),
    ],
)
def test_common_name(names: list[str], common: str) -> None:
    assert common_name(names) == common
