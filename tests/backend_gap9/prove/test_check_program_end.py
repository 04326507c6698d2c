"""The program checker: the end of a run, agreement with graph and plan, regions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.backend_gap9.prove.small_edits import (
    LINEAR,
    NORM,
    changed,
    check,
    found_in,
    rejects,
    replaced,
    with_buffer,
    with_l1,
    with_operand,
)
from tests.networks import small_program as small
from tests.networks.small_program import edited, statements, with_stage
from tmc.backend_gap9.plan.plan import Plan
from tmc.backend_gap9.program.buffers import ValueShape
from tmc.backend_gap9.program.program import (
    Address,
    Binary,
    Compare,
    Const,
    Dma,
    If,
    Loop,
    Part,
    Program,
    Slot,
    Var,
    Wait,
)
from tmc.backend_gap9.prove.memory import Region, shared_byte
from tmc.ir.attrs import ReshapeAttrs
from tmc.ir.errors import CheckError
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.types import DType, TensorType

# ---------------------------------------------------------------- the end of the run


def test_every_op_is_called() -> None:
    path = found_in(NORM, lambda statement: isinstance(statement, Loop))
    program = replaced(NORM, path)
    stages = (
        replace(program.stages[NORM], body=program.stages[NORM].body[:3]),
        replace(program.stages[1], body=(Wait(Slot("fetch", Const(0)), "l3"),)),
    )
    rejects("/norm/LayerNormalization: found no call of %n", replace(program, stages=stages))


def test_every_byte_is_computed() -> None:
    loop = found_in(LINEAR, lambda statement: isinstance(statement, Loop))
    program = small.program()
    body = dict(statements(program.stages[LINEAR].body))[loop]
    assert isinstance(body, Loop)
    rejects(
        "/fc/MatMul: found 64 bytes never computed, the first is y row 8 byte 0",
        replaced(LINEAR, loop, replace(body, count=2)),
    )


def test_every_output_is_complete() -> None:
    rejects(
        "buffer output: found y row 8 byte 0 at byte 0 at the end, allowed y row 0 byte 0",
        changed(LINEAR, Dma, 3, l2=Address("output", Const(0))),
    )
    larger = with_buffer("output", "l2", size_bytes=small.ROWS * 32 + 32)
    shifted = Address("output", Binary("+", Binary("*", Var("t"), Const(128)), Const(32)))
    path = found_in(LINEAR, lambda statement: isinstance(statement, Dma), 3)
    dma = dict(statements(larger.stages[LINEAR].body))[path]
    assert isinstance(dma, Dma)
    stage = larger.stages[LINEAR]
    moved = with_stage(
        larger, LINEAR, replace(stage, body=edited(stage.body, path, replace(dma, l2=shifted)))
    )
    rejects("buffer output: found undefined bytes at byte 0 at the end, allowed y row 0 byte 0", moved)


def test_an_output_has_room_for_its_value() -> None:
    path = found_in(LINEAR, lambda statement: isinstance(statement, Dma), 3)
    stage = with_buffer("output", "l2", size_bytes=128).stages[LINEAR]
    first = Compare("==", Var("t"), Const(0))
    found = dict(statements(stage.body))
    behind = (*path[:-1], path[-1] + 1)
    body = edited(edited(stage.body, behind), path, If(first, (found[path], found[behind])))
    rejects(
        "buffer output: found 128 bytes, allowed at least 320",
        with_stage(with_buffer("output", "l2", size_bytes=128), LINEAR, replace(stage, body=body)),
    )


def test_weights_are_still_there_for_the_next_run() -> None:
    path = found_in(LINEAR, lambda statement: isinstance(statement, Dma), 3)
    also = Dma(
        Slot("n", Const(1)),
        "out",
        Address("y", Const(0)),
        Address("tables", Const(0)),
        Const(1),
        Const(32),
        Const(32),
    )
    dma = dict(statements(small.program().stages[LINEAR].body))[path]
    rejects(
        "found l2 byte 0 overwritten, allowed tables row 0 byte 0 for the next run",
        replaced(LINEAR, path, dma, also, Wait(Slot("n", Const(1)), "l2")),
    )


# ---------------------------------------------------------------- agreement with graph and plan


def disagrees(
    message: str, program: Program | None = None, graph: Graph | None = None, plan: Plan | None = None
) -> None:
    with pytest.raises(CheckError, match=message):
        check(program, graph, plan)


def test_buffers_are_those_of_the_plan() -> None:
    disagrees("stage s1_y: found Buffer.*, the plan has", with_l1(LINEAR, "n", offset_bytes=4))
    disagrees("program: found Buffer.*, the plan has", with_buffer("n", "l2", offset_bytes=4))
    program = small.program()
    fewer = replace(program.stages[LINEAR], buffers=program.stages[LINEAR].buffers[:2])
    disagrees("found 2 buffers, the plan has 3", with_stage(program, LINEAR, fewer))
    disagrees("found 1 stages, the plan has 2", replace(program, stages=program.stages[:1]))


def test_peaks_are_those_of_the_plan() -> None:
    plan = small.plan()
    low = replace(plan.stages[0], l1_peak_bytes=100)
    disagrees(
        "found buffer x up to byte 256, the plan states a peak of 100",
        plan=replace(plan, stages=(low, plan.stages[1])),
    )
    disagrees("found a peak of .* bytes in l1, allowed 100", plan=replace(plan, l1_peak_bytes=100))
    disagrees(
        "found buffer .* up to byte .*, the plan states a peak of 100", plan=replace(plan, l2_peak_bytes=100)
    )
    disagrees("found 100 bytes of l2, allowed the 920", replace(small.program(), l2_bytes=100))


def test_values_are_those_of_the_graph() -> None:
    program = small.program()
    wrong = {**program.values, "n": ValueShape(16, 10)}
    disagrees("found %n as .*, allowed 10 rows of 16 bytes", replace(program, values=wrong))
    missing = {name: shape for name, shape in program.values.items() if name != "tables"}
    disagrees("found %tables as None", replace(program, values=missing))


def test_views_are_those_of_the_graph() -> None:
    disagrees("found %y as a view of n, allowed none", replace(small.program(), views={"y": "n"}))
    graph = small.graph()
    view = Op(OpKind.RESHAPE, ("n",), "flat", ReshapeAttrs((160,)), "/Reshape")
    again = Op(OpKind.RESHAPE, ("flat",), "square", ReshapeAttrs((16, 10)), "/Reshape_1")
    types = {**graph.types, "flat": TensorType(DType.S8, (160,)), "square": TensorType(DType.S8, (16, 10))}
    graph = replace(graph, ops=(graph.ops[0], view, again, graph.ops[1]), types=types)
    disagrees("found %flat as a view of None, allowed %n", graph=graph)
    values = {**small.program().values, "flat": ValueShape(1, 160), "square": ValueShape(16, 10)}
    for root in ("n", "flat"):
        check(replace(small.program(), values=values, views={"flat": "n", "square": root}), graph)


def test_inputs_and_outputs_are_those_of_the_graph() -> None:
    program = small.program()
    disagrees("found inputs {}, allowed", replace(program, inputs={}))
    disagrees("found outputs {'y': 'n'}, allowed external", replace(program, outputs={"y": "n"}))
    disagrees("found buffers input, input of the caller", replace(program, outputs={"y": "input"}))


# ---------------------------------------------------------------- regions


def test_shared_bytes_are_found_exactly() -> None:
    random = np.random.default_rng(1)
    for _ in range(2000):
        a, b = (
            Region("l1", int(start), int(rows), int(width), int(width + gap))
            for start, rows, width, gap in zip(
                random.integers(0, 30, 2),
                random.integers(1, 6, 2),
                random.integers(1, 9, 2),
                random.integers(0, 9, 2),
                strict=True,
            )
        )
        common = _bytes_of(a) & _bytes_of(b)
        assert shared_byte(a, b) == (min(common) if common else None)
    assert shared_byte(Region("l1", 0, 1, 4, 4), Region("l2", 0, 1, 4, 4)) is None


def _bytes_of(region: Region) -> set[int]:
    return {
        region.start + row * region.pitch_bytes + byte
        for row in range(region.rows)
        for byte in range(region.row_bytes)
    }


def test_a_later_turn_of_a_loop_is_checked_too() -> None:
    rejects("at t=1: operand x", with_operand(LINEAR, "x", part=Part("n", Const(0), Const(0))))
