"""Whatever a program says, its proof ends and takes a stated amount of memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest

from tests.backend_gap9.prove.damage import TARGET, tinyissimo
from tests.backend_gap9.prove.small_edits import LINEAR, check
from tests.networks import small_program as small
from tests.networks.small_program import with_stage
from tmc.backend_gap9.program.buffers import Buffer, ValueShape
from tmc.backend_gap9.program.program import Const, Let, Loop, Program, Stmt
from tmc.backend_gap9.prove import memory as program_memory
from tmc.backend_gap9.prove.check_program import prove_program
from tmc.backend_gap9.prove.walk import SPARE_STEPS
from tmc.ir.attrs import ReshapeAttrs
from tmc.ir.errors import CheckError, PlanError, VerifyError
from tmc.ir.graph import Op, OpKind, follow

HUGE = 2**40


def refuses(message: str, program: Program) -> None:
    with pytest.raises(CheckError, match=message):
        check(program)


@pytest.mark.parametrize(
    "views", [{"y": "y"}, {"y": "n", "n": "y"}, {"y": "n", "n": "tables", "tables": "n"}]
)
def test_views_that_lead_back_are_found(views: dict[str, str]) -> None:
    program = replace(small.program(), views=views)
    refuses("as a view of", program)
    with pytest.raises(VerifyError, match="leads back to it"):
        prove_program(program, small.graph(), small.plan(), small.contents(), TARGET)


def test_a_graph_whose_views_lead_back_is_found() -> None:
    graph = small.graph()
    views = tuple(Op(OpKind.RESHAPE, (of,), to, ReshapeAttrs((10, 16)), to) for of, to in ("ny", "yn"))
    with pytest.raises(VerifyError, match="%n: found a way along views that leads back to it"):
        check(graph=replace(graph, ops=views))


def test_a_way_ends_at_the_first_value_without_a_step() -> None:
    assert follow("a", {"a": "b", "b": "c"}.get) == ("a", "b", "c")
    assert follow("a", {}.get) == ("a",)


NOTHING: tuple[Stmt, ...] = ()
LET = Let("u", Const(1))


@pytest.mark.parametrize(
    "loop",
    [
        Loop("i", HUGE, NOTHING),
        Loop("i", HUGE, (LET,)),
        Loop("i", SPARE_STEPS, (Loop("k", SPARE_STEPS, (LET,)),)),
    ],
    ids=["empty", "let", "nested"],
)
def test_loops_without_end_are_found(loop: Loop) -> None:
    program = small.program()
    stage = program.stages[LINEAR]
    refuses(
        "s1_y.*found more than .* steps",
        with_stage(program, LINEAR, replace(stage, body=(loop, *stage.body))),
    )


@pytest.mark.parametrize("memory", ["l1_bytes", "l2_bytes", "l3_bytes"])
def test_memories_are_those_of_the_plan(memory: str) -> None:
    refuses(f"found {HUGE} bytes of {memory[:2]}", replace(small.program(), **{memory: HUGE}))  # type: ignore[arg-type]


def test_buffers_of_the_caller_hold_their_values() -> None:
    program = small.program()
    larger = [replace(each, size_bytes=HUGE) if each.name == "output" else each for each in program.buffers]
    refuses(
        f"buffer output: found {HUGE} bytes, allowed the 320 of %y", replace(program, buffers=tuple(larger))
    )
    more = (*program.buffers, Buffer("third", "l2", 0, HUGE, True))
    refuses("allowed each once", replace(program, buffers=more))


def test_values_of_the_program_alone_are_those_of_attention() -> None:
    program = small.program()
    values = {**program.values, "scores": ValueShape(HUGE, 1)}
    refuses(
        f"found {HUGE} bytes of values that the graph does not know, allowed 0",
        replace(program, values=values),
    )


def test_a_network_too_large_for_the_proof_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_memory, "MOST_TAGS", 1000)
    with pytest.raises(PlanError, match=r"found values of .* bytes in all, .*, allowed 1,000"):
        check()


def test_the_proof_takes_the_memory_that_it_states() -> None:
    planned = tinyissimo(solved=False).planned
    program = planned.program
    external = sum(each.size_bytes for each in program.buffers if each.external)
    values = sum(
        shape.rows * shape.row_bytes for name, shape in program.values.items() if name not in program.views
    )
    stated = 4 * (program.l1_bytes + program.l3_bytes + external) + 10 * program.l2_bytes + 5 * values
    tracemalloc.start()
    prove_program(program, planned.graph, planned.plan, planned.contents, TARGET)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.9 * stated < peak_bytes < stated + 2**20
