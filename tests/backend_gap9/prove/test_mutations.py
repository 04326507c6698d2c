"""Every single damage of a real program is caught: a wait dropped, a buffer shrunk, two buffers exchanged.

Smaller and exchanged buffers are caught by the comparison with the plan. The tests of the proof alone show
what it would catch without: whatever leads to a wrong byte, and nothing else.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.backend_gap9.prove.damage import STAGES, TARGET, exchanged, overlap, pairs, shrunk, tinyissimo
from tests.networks.small_program import edited, statements, with_stage
from tmc.backend_gap9.program.program import Wait
from tmc.backend_gap9.prove.check_program import check_program

# The last stage has one turn: the second halves of its double buffers are never used.
STAGES_OF_SEVERAL_TURNS = STAGES - 1


@pytest.mark.parametrize("solved", [True, False])
def test_the_undamaged_program_passes(solved: bool) -> None:
    subject = tinyissimo(solved)
    its = subject.planned
    assert check_program(its.program, its.graph, its.plan, its.contents, TARGET).stages == STAGES
    assert not subject.proof_fails(its.program)
    assert not subject.proof_fails(its.program, STAGES // 2)


@pytest.mark.parametrize("solved", [True, False])
@pytest.mark.parametrize("number", range(-1, STAGES))
def test_every_dropped_wait_is_caught(number: int, solved: bool) -> None:
    subject = tinyissimo(solved)
    program = subject.planned.program
    stage = program.init if number < 0 else program.stages[number]
    waits = [path for path, statement in statements(stage.body) if isinstance(statement, Wait)]
    damaged = {
        path: with_stage(program, number, replace(stage, body=edited(stage.body, path))) for path in waits
    }
    assert waits
    assert [path for path in waits if not subject.proof_fails(damaged[path], number)] == []


@pytest.mark.parametrize("number", range(STAGES))
def test_every_damage_of_l1_buffers_is_caught(number: int) -> None:
    subject = tinyissimo(True)
    buffers = subject.planned.program.stages[number].buffers
    damaged = [shrunk(buffers, each) for each in buffers] + [
        exchanged(buffers, *pair) for pair in pairs(buffers)
    ]
    assert [each for each in damaged if not subject.caught(subject.with_l1(number, each))] == []


def test_every_damage_of_l2_and_l3_buffers_is_caught() -> None:
    subject = tinyissimo(True)
    program = subject.planned.program
    buffers = program.buffers
    assert [
        each for each in buffers if not subject.caught(replace(program, buffers=shrunk(buffers, each)))
    ] == []
    moved = ((a.name, b.name, exchanged(buffers, a, b)) for a, b in pairs(buffers))
    assert [(a, b) for a, b, damaged in moved if not subject.caught(replace(program, buffers=damaged))] == []


@pytest.mark.parametrize("number", range(STAGES_OF_SEVERAL_TURNS))
def test_the_proof_needs_every_byte_of_l1_buffers(number: int) -> None:
    subject = tinyissimo(False)
    buffers = subject.planned.program.stages[number].buffers
    damaged = {each.name: subject.with_l1(number, shrunk(buffers, each)) for each in buffers}
    assert [name for name, program in damaged.items() if not subject.proof_fails(program, number)] == []


def test_the_proof_needs_every_byte_of_l2_and_l3_buffers() -> None:
    subject = tinyissimo(False)
    program = subject.planned.program
    buffers = program.buffers
    uncaught = [
        (each.memory, each.name)
        for each in buffers
        if not subject.proof_fails(replace(program, buffers=shrunk(buffers, each)))
    ]
    assert uncaught == []


@pytest.mark.parametrize("number", range(STAGES))
def test_the_proof_rejects_exactly_the_harmful_exchanges(number: int) -> None:
    subject = tinyissimo(False)
    program = subject.planned.program
    buffers = program.stages[number].buffers
    for a, b in pairs(buffers):
        moved = exchanged(buffers, a, b)
        outside = any(each.offset_bytes + each.size_bytes > program.l1_bytes for each in moved)
        harmful = overlap(moved) or outside
        assert subject.proof_fails(subject.with_l1(number, moved), number) is harmful, (a, b)
