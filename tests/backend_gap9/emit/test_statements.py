"""Expressions and statements as C."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.networks import small_output
from tests.networks.integer_networks import integer_network
from tests.networks.simple_plan import Tiles, simple_plan
from tmc.backend_gap9.emit.names import names_of
from tmc.backend_gap9.emit.statements import StagePrinter, expression, has_transfers, takes_smaller
from tmc.backend_gap9.program.program import (
    Address,
    Argument,
    Barrier,
    Binary,
    Call,
    Compare,
    Const,
    Dma,
    Expr,
    If,
    Job,
    JobEnd,
    Let,
    Lookup,
    Loop,
    Operand,
    Part,
    Slot,
    Stmt,
    Var,
    Wait,
)
from tmc.backend_gap9.prove.place import Numbers, Place

VARIABLES = {"t": 7, "k": 3}
TABLES = {"rows": (4, 9, 2, 5)}


def with_operator(operands: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    """Return expressions one level deeper, without differences below 0 and divisions by 0."""
    positive = st.integers(1, 9).map(Const)
    return st.one_of(
        st.builds(Binary, st.sampled_from(["+", "*", "min"]), operands, operands),
        st.builds(Binary, st.sampled_from(["/", "%"]), operands, positive),
        st.builds(lambda a, b: Binary("-", Binary("+", a, b), b), operands, operands),
        st.builds(lambda a: Lookup("rows", Binary("%", a, Const(4))), operands),
    )


EXPRESSIONS = st.recursive(
    st.one_of(st.integers(0, 50).map(Const), st.sampled_from([Var("t"), Var("k")])),
    with_operator,
    max_leaves=12,
)


@given(EXPRESSIONS)
def test_expressions_mean_in_c_what_they_mean_here(expr: Expr) -> None:
    text = re.sub(r"(\d)u", r"\1", expression(expr)).replace("/", "//")
    found = eval(text, {"smaller": min, "rows": TABLES["rows"], **VARIABLES})
    place = Place("stage", Barrier(), VARIABLES)
    assert found == Numbers(TABLES).value(expr, place)


def test_brackets_only_where_they_help() -> None:
    t, two = Var("t"), Const(2)
    assert expression(Binary("+", Binary("*", t, two), Const(1))) == "t * 2u + 1u"
    assert expression(Binary("-", Const(9), Binary("-", t, two))) == "9u - (t - 2u)"
    assert expression(Binary("%", Binary("*", t, two), two)) == "(t * 2u) % 2u"
    assert expression(Binary("+", t, Const(-3))) == "t - 3u"
    assert expression(Const(-3)) == "-3"


def printed(*body: Stmt) -> list[str]:
    """Return statements as printed in a stage of the small program."""
    program = small_output.program()
    names = names_of(program, small_output.graph())
    names = replace(names, slots={**names.slots, "job": "small_job"})
    return StagePrinter(names, {"x": "L1_X"}, {**program.slots, "job": 2}, program.views).lines(body, 0)


def wait(name: str, index: Expr | None = None) -> Wait:
    """Wait for a transfer between L2 and L1."""
    return Wait(Slot(name, index or Const(0)), "l2")


def test_transfers_stand_together_for_core_0() -> None:
    assert printed(wait("x"), wait("n", Var("t")), Barrier(), wait("x")) == [
        "if (core == 0u) {",
        "    tmc_dma_wait(&small_dma_x[0u]);",
        "    tmc_dma_wait(&small_dma_n[t]);",
        "}",
        "tmc_barrier();",
        "if (core == 0u)",
        "    tmc_dma_wait(&small_dma_x[0u]);",
    ]


def test_loops_of_transfers_are_for_core_0() -> None:
    assert printed(Loop("t", 3, (wait("x"), wait("n")))) == [
        "if (core == 0u) {",
        "    for (uint32_t t = 0; t < 3u; ++t) {",
        "        tmc_dma_wait(&small_dma_x[0u]);",
        "        tmc_dma_wait(&small_dma_n[0u]);",
        "    }",
        "}",
    ]


def test_conditions_are_joined() -> None:
    late, last = Compare("<", Const(1), Var("t")), Compare("==", Var("k"), Const(2))
    nested = If(late, (If(last, (wait("x"),)),))
    assert printed(nested) == [
        "if (core == 0u && t > 1u && k == 2u)",
        "    tmc_dma_wait(&small_dma_x[0u]);",
    ]
    assert printed(If(last, (wait("x"),)), If(last, (wait("n"),))) == [
        "if (core == 0u && k == 2u) {",
        "    tmc_dma_wait(&small_dma_x[0u]);",
        "    tmc_dma_wait(&small_dma_n[0u]);",
        "}",
    ]
    assert printed(If(late, (Barrier(),))) == ["if (t > 1u)", "    tmc_barrier();"]


def test_a_name_is_for_all_cores() -> None:
    assert printed(wait("x"), Let("half", Binary("%", Var("t"), Const(2))), wait("n", Var("half"))) == [
        "if (core == 0u)",
        "    tmc_dma_wait(&small_dma_x[0u]);",
        "const uint32_t half = t % 2u;",
        "if (core == 0u)",
        "    tmc_dma_wait(&small_dma_n[half]);",
    ]


def test_ends_of_transfers() -> None:
    inwards = Dma(
        Slot("x", Const(1)),
        "in",
        Address("x", Const(0)),
        Address("input", Var("t")),
        Const(2),
        Const(8),
        Const(16),
    )
    outwards = Dma(
        Slot("x", Const(1)),
        "out",
        Address("x", Const(4)),
        Address("n", Const(32)),
        Const(1),
        Const(8),
        Const(16),
    )
    assert printed(inwards, outwards) == [
        "if (core == 0u) {",
        "    tmc_dma_in(&small_dma_x[1u], &context->l1[L1_X], &context->inputs[0][t], 2u, 8u, 16u);",
        "    tmc_dma_out(&small_dma_x[1u], &context->l2[L2_N + 32u], &context->l1[L1_X + 4u], 1u, 8u, 0u);",
        "}",
    ]


def test_a_job_is_started_and_awaited_by_core_0_and_traced_by_all() -> None:
    """In the numbers of its end, and only what is a value of the graph."""

    def call(tile: Expr, value: str) -> Call:
        operands = tuple(
            Operand(field, Address("x", Const(at)), Part(of, tile, Const(0)))
            for at, (field, of) in enumerate((("x", "in"), ("y", value)))
        )
        numbers = {"rows": Const(9), "channels": Const(32), "head_channels": Const(32), "y_pitch": Const(40)}
        return Call(
            "tmc_linear_u8s8s8",
            "n",
            operands,
            tuple(Argument(field, number) for field, number in numbers.items()),
        )

    this, before = Slot("job", Var("half")), Slot("job", Binary("-", Const(1), Var("half")))
    start = [
        "if (core == 0u) {",
        "    tmc_dma_wait(&small_dma_x[0u]);",
        "    {",
        "        const tmc_ne16_linear_args args = {",
        "            .x = (void *)&context->l1[L1_X],",
        "            .y = (void *)&context->l1[L1_X + 1u],",
        "            .rows = 9u, .channels = 32u, .head_channels = 32u, .y_pitch = 40u,",
        "        };",
        "        tmc_job_start(&small_job[half], tmc_linear_u8s8s8, &args);",
        "    }",
        "}",
    ]
    end = ["if (core == 0u)", "    tmc_job_wait(&small_job[1u - half]);"]
    trace = "tmc_trace(VALUE_N, &context->l1[L1_X + 1u], 9u, 32u, 40u, t - 1u, 0u);"
    earlier = Binary("-", Var("t"), Const(1))
    assert printed(wait("x"), Job(this, call(Var("t"), "n"))) == start
    assert printed(JobEnd(before, call(earlier, "n"))) == [*end, trace]
    assert printed(JobEnd(before, call(earlier, "scratch"))) == end
    body = (Job(this, call(Var("t"), "n")), JobEnd(before, call(earlier, "n")))
    assert has_transfers(body[:1]) and has_transfers(body[1:])
    late = Compare("<", Const(0), Var("t"))
    assert printed(If(late, body[1:])) == ["if (t > 0u) {", *("    " + line for line in (*end, trace)), "}"]


@pytest.mark.parametrize("rows", [8, 7])
def test_what_a_body_uses_is_what_its_text_has(rows: int) -> None:
    graph = integer_network(20, 1, 4, 40, 5, seed=3, rope_period=5, dim=24, heads=3, hidden=32)
    program = simple_plan(graph, Tiles(rows, 16, 2, rows, 12, 8)).program
    names = names_of(program, graph)
    uses = set()
    for stage in (program.init, *program.stages):
        l1 = {buffer.name: "L1" for buffer in stage.buffers}
        text = "\n".join(StagePrinter(names, l1, program.slots, program.views).lines(stage.body, 4))
        assert takes_smaller(stage.body) == ("smaller(" in text)
        assert has_transfers(stage.body) == ("core == 0u" in text)
        uses.add((takes_smaller(stage.body), has_transfers(stage.body)))
    assert (True, True) in uses and (False, True) in uses
