"""Damaged programs, and whether the proof rejects them, starting from the first damaged stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise

from tests.networks.integer_networks import integer_network
from tests.networks.simple_plan import Planned, Tiles, simple_plan
from tests.networks.small_program import with_stage
from tmc.backend_gap9.plan.planning import make_plan
from tmc.backend_gap9.program.buffers import Buffer
from tmc.backend_gap9.program.program import Program
from tmc.backend_gap9.prove.check_program import check_end, check_program
from tmc.backend_gap9.prove.walk import ProgramWalk
from tmc.backend_gap9.schedule.schedule import build_program
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.errors import CheckError

STAGES = 15
SMALLER_BYTES = 4
TARGET = target_named("gap9")


@cache
def tinyissimo(solved: bool) -> Subject:
    """Return TinyissimoMyo, 8 channels x 200 samples: 80 tokens, 4 layers, cyclic positions.

    solved: planned by the solvers. Otherwise small tiles, so that every buffer is used to its end.
    """
    graph = integer_network(80, 4, 8, 200, 6, seed=0, rope_period=10)
    if not solved:
        return Subject(simple_plan(graph, Tiles(16, 64, 2, 16, 40, 32)))
    plan = make_plan(stage_graph(graph, TARGET), TARGET)
    return Subject(Planned(graph, plan, build_program(plan), plan.staged.contents))


class Subject:
    """An undamaged program, and walks that stand before each of its stages."""

    def __init__(self, planned: Planned) -> None:
        """Run init."""
        self.planned = planned
        walk = ProgramWalk(planned.program, planned.graph, planned.plan, planned.contents, TARGET)
        walk.run_init()
        self._walks = [walk]

    def caught(self, program: Program) -> bool:
        """Tell whether the checker rejects a program."""
        try:
            check_program(program, self.planned.graph, self.planned.plan, self.planned.contents, TARGET)
        except CheckError:
            return True
        return False

    def proof_fails(self, program: Program, first: int = -1) -> bool:
        """Tell whether the proof alone rejects a program, whose damage begins in stage `first` (-1: init)."""
        try:
            if first < 0:
                walk = ProgramWalk(
                    program, self.planned.graph, self.planned.plan, self.planned.contents, TARGET
                )
                walk.run_init()
            else:
                walk = self._walk_before(first).fork(program)
            for number in range(max(0, first), len(program.stages)):
                walk.run_stage(number)
            check_end(walk, self.planned.graph)
        except CheckError:
            return True
        return False

    def _walk_before(self, number: int) -> ProgramWalk:
        while len(self._walks) <= number:
            walk = self._walks[-1].fork(self.planned.program)
            walk.run_stage(len(self._walks) - 1)
            self._walks.append(walk)
        return self._walks[number]

    def with_l1(self, number: int, buffers: tuple[Buffer, ...]) -> Program:
        """Return the program with other L1 buffers in a stage."""
        program = self.planned.program
        return with_stage(program, number, replace(program.stages[number], buffers=buffers))


def exchanged(buffers: tuple[Buffer, ...], a: Buffer, b: Buffer) -> tuple[Buffer, ...]:
    """Return buffers with the offsets of two of them exchanged."""
    offsets = {id(a): b.offset_bytes, id(b): a.offset_bytes}
    return tuple(replace(each, offset_bytes=offsets.get(id(each), each.offset_bytes)) for each in buffers)


def shrunk(buffers: tuple[Buffer, ...], buffer: Buffer) -> tuple[Buffer, ...]:
    """Return buffers with one of them 4 bytes smaller."""
    return tuple(
        replace(each, size_bytes=each.size_bytes - SMALLER_BYTES) if each is buffer else each
        for each in buffers
    )


def pairs(buffers: tuple[Buffer, ...]) -> Iterator[tuple[Buffer, Buffer]]:
    """Yield all pairs of buffers in the same memory, at different offsets."""
    own = [each for each in buffers if not each.external]
    return (
        (a, b) for a, b in combinations(own, 2) if a.memory == b.memory and a.offset_bytes != b.offset_bytes
    )


def overlap(buffers: tuple[Buffer, ...]) -> bool:
    """Tell whether any two buffers share a byte."""
    in_order = sorted(buffers, key=lambda each: each.offset_bytes)
    return any(a.offset_bytes + a.size_bytes > b.offset_bytes for a, b in pairwise(in_order))
