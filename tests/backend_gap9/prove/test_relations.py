"""Every claim and every number of every kernel call matters: each one changed is caught by the proof."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.backend_gap9.prove.damage import TARGET, Subject, tinyissimo
from tests.networks import small_program as small
from tests.networks.integer_networks import integer_network
from tests.networks.simple_plan import Planned
from tests.networks.small_program import edited, statements, with_stage
from tmc.backend_gap9.plan.planning import make_plan
from tmc.backend_gap9.program.expressions import add
from tmc.backend_gap9.program.program import Argument, Call, Const, Expr, Part, Program
from tmc.backend_gap9.prove.check_program import prove_program
from tmc.backend_gap9.schedule.schedule import build_program
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.ir.errors import CheckError
from tmc.ir.integer.qlayernorm import QLayerNormAttrs
from tmc.ir.types import DType

ROW_STAGES = [0, 1, 3]
ATTENTION, MEAN, HEAD = 2, 13, 14


def calls_with_changes(call: Call) -> Iterator[tuple[str, Call]]:
    """Yield a call with each of its claims, addresses and numbers changed in turn."""

    def operands(index: int, **fields: object) -> Call:
        changed = replace(call.operands[index], **fields)  # type: ignore[arg-type]
        return replace(call, operands=(*call.operands[:index], changed, *call.operands[index + 1 :]))

    for index, operand in enumerate(call.operands):
        part, address = operand.part, operand.address
        yield f"{operand.field} row", operands(index, part=replace(part, row=add(part.row, 1)))
        yield (
            f"{operand.field} column",
            operands(index, part=replace(part, column_bytes=add(part.column_bytes, 4))),
        )
        yield f"{operand.field} value", operands(index, part=replace(part, value="input"))
        offset: Expr = add(address.offset_bytes, 4)
        yield f"{operand.field} address", operands(index, address=replace(address, offset_bytes=offset))
    for index, argument in enumerate(call.arguments):
        changed = replace(argument, value=add(argument.value, 4))
        yield (
            argument.field,
            replace(call, arguments=(*call.arguments[:index], changed, *call.arguments[index + 1 :])),
        )


def uncaught(subject: Subject, number: int) -> list[tuple[str, str, str]]:
    program = subject.planned.program
    stage = program.stages[number]
    return [
        (call.kernel, call.op, what)
        for path, call in statements(stage.body)
        if isinstance(call, Call)
        for what, changed in calls_with_changes(call)
        if not subject.proof_fails(
            with_stage(program, number, replace(stage, body=edited(stage.body, path, changed))), number
        )
    ]


def uncaught_in_all_stages(planned: Planned) -> set[tuple[str, str]]:
    """Return the op and the change of every call of a program whose change the proof does not see."""
    subject = Subject(planned)
    stages = range(len(planned.program.stages))
    return {(op, what) for number in stages for _, op, what in uncaught(subject, number)}


@pytest.mark.parametrize("number", [*ROW_STAGES, ATTENTION])
def test_every_claim_and_every_number_matters(number: int) -> None:
    assert uncaught(tinyissimo(False), number) == []


def test_only_the_pitches_of_a_single_row_do_not_matter() -> None:
    mean, linear = "tmc_mean_rows_s8s16", "tmc_linear_s16s8s32"
    assert uncaught(tinyissimo(False), MEAN) == [(mean, "pooled", "y_pitch")]
    assert uncaught(tinyissimo(False), HEAD) == [(linear, "logits", "x_pitch"), (linear, "logits", "y_pitch")]


def with_call(
    kernel: str, number: int, field: str, column_bytes: int = 0, value: str = "", **arguments: int
) -> Program:
    """Return TinyissimoMyo with a claim and some numbers of the first call of a kernel changed."""
    program = tinyissimo(False).planned.program
    stage = program.stages[number]
    path, call = next(
        (path, call)
        for path, call in statements(stage.body)
        if isinstance(call, Call) and call.kernel == kernel
    )
    operands = tuple(
        replace(
            each,
            part=Part(value or each.part.value, each.part.row, add(each.part.column_bytes, column_bytes)),
        )
        if each.field == field
        else each
        for each in call.operands
    )
    numbers = tuple(
        replace(each, value=add(each.value, arguments.get(each.field, 0))) for each in call.arguments
    )
    changed = replace(call, operands=operands, arguments=numbers)
    return with_stage(program, number, replace(stage, body=edited(stage.body, path, changed)))


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (
            lambda: with_call("tmc_linear_grouped_s16s8s16", 0, "y", 1),
            "found a write from byte 1 on, allowed whole",
        ),
        (lambda: with_call("tmc_attention_scores_s8s8s16", 2, "scores", 1), "found scores from byte 1 on"),
        (
            lambda: with_call("tmc_mean_rows_s8s16", MEAN, "", rows=5),
            "found 15 rows, allowed whole groups of 10",
        ),
        (
            lambda: with_call("tmc_attention_values_u8s8s8", 2, "y", 40),
            "found channels 40 to 71, allowed those of one",
        ),
        (
            lambda: with_call("tmc_linear_grouped_s16s8s16", 0, "", group_rows=-10),
            "operand bias: found a division by 0 in its extent",
        ),
        (
            lambda: with_call("tmc_attention_softmax_s16u8", 2, "p", value="block0.attn.mixed.scores"),
            "operand p: found block0.attn.mixed.scores, allowed a value of its own in this stage",
        ),
        (
            lambda: with_call("tmc_attention_softmax_s16u8", 2, "norm", value="block0.attn.mixed"),
            "operand norm: found",
        ),
    ],
)
def test_parts_that_no_input_gives(program: Callable[[], Program], message: str) -> None:
    its = tinyissimo(False).planned
    with pytest.raises(CheckError, match=message):
        prove_program(program(), its.graph, its.plan, its.contents, TARGET)


def test_a_bias_for_groups_of_rows_needs_its_kernel() -> None:
    graph = small.graph()
    constants = {**graph.constants, "b": np.ones((2, small.CHANNELS), np.int32)}
    with pytest.raises(
        CheckError, match="found 2 groups of rows with a bias each, allowed 1 for this kernel"
    ):
        prove_program(
            small.program(), replace(graph, constants=constants), small.plan(), small.contents(), TARGET
        )


def test_a_norm_needs_the_kernel_of_its_result() -> None:
    graph = small.graph()
    norm = graph.ops[0]
    assert isinstance(norm.attrs, QLayerNormAttrs)
    wide = replace(norm, attrs=replace(norm.attrs, dtype="s16"))
    types = {**graph.types, "n": replace(graph.types["n"], dtype=DType.S16)}
    with pytest.raises(CheckError, match="found kernel tmc_layernorm_s16s8, allowed one from s16 to s16"):
        prove_program(
            small.program(),
            replace(graph, ops=(wide, graph.ops[1]), types=types),
            small.plan(),
            small.contents(),
            TARGET,
        )


def test_a_kernel_reads_no_more_than_the_constant() -> None:
    graph = small.graph()
    norm = graph.ops[0]
    assert isinstance(norm.attrs, QLayerNormAttrs)
    short = replace(norm, attrs=replace(norm.attrs, epsilon_by_shift=(0, 1)))
    with pytest.raises(CheckError, match="operand epsilon: found a read of 24 bytes, allowed 8"):
        prove_program(
            small.program(),
            replace(graph, ops=(short, graph.ops[1])),
            small.plan(),
            small.contents(),
            TARGET,
        )


@cache
def heads_at_once() -> Subject:
    """Return a network of 8 tokens whose 3 heads of width 8 are computed at once."""
    graph = integer_network(8, 1, 4, 40, 4, seed=0, rope_period=0, dim=24, heads=3, hidden=32)
    plan = make_plan(stage_graph(graph, TARGET), TARGET)
    return Subject(Planned(graph, plan, build_program(plan), plan.staged.contents))


@pytest.mark.parametrize("number", [1, 2])
def test_every_number_of_heads_at_once_matters(number: int) -> None:
    assert uncaught(heads_at_once(), number) == []


@pytest.mark.parametrize(
    ("number", "kernel", "field", "before", "value", "message"),
    [
        (1, "linear_s8s8s8", "rows", 8, 7, "found 24 channels of 7 rows, allowed 8, or whole heads with all"),
        (2, "attention_scores_s8s8s16", "rows", 8, 7, "found rows 0 to 6 of 3 heads, allowed whole heads"),
        (2, "attention_scores_s8s8s16", "keys", 8, 7, "found 7 keys of 3 heads, allowed whole heads"),
        (2, "attention_values_u8s8s8", "rows", 8, 7, "found 7 rows of 3 heads, allowed whole heads"),
        (2, "attention_values_u8s8s8", "channels", 8, 4, "found channels 0 to 3 of 3 heads, allowed whole"),
    ],
)
def test_several_heads_are_whole(
    number: int, kernel: str, field: str, before: int, value: int, message: str
) -> None:
    its = heads_at_once().planned
    stage = its.program.stages[number]
    path, call = next(
        (path, call)
        for path, call in statements(stage.body)
        if isinstance(call, Call) and call.kernel == f"tmc_{kernel}"
    )
    assert Argument(field, Const(before)) in call.arguments
    fewer = tuple(Argument(field, Const(value)) if each.field == field else each for each in call.arguments)
    body = edited(stage.body, path, replace(call, arguments=fewer))
    damaged = with_stage(its.program, number, replace(stage, body=body))
    with pytest.raises(CheckError, match=message):
        prove_program(damaged, its.graph, its.plan, its.contents, TARGET)
