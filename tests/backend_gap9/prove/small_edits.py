"""Single changes of the small program, for tests of the checker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.networks import small_program as small
from tests.networks.small_program import Path, edited, statements, with_stage
from tmc.backend_gap9.plan.plan import Plan
from tmc.backend_gap9.program.program import Argument, Call, Const, Program, Stmt
from tmc.backend_gap9.prove.check_program import CheckReport, check_program, prove_program
from tmc.backend_gap9.target.target import Target
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.errors import CheckError
from tmc.ir.graph import Graph

NORM, LINEAR = 0, 1
GAP9 = target_named("gap9")


def check(
    program: Program | None = None,
    graph: Graph | None = None,
    plan: Plan | None = None,
    contents: Mapping[str, bytes] | None = None,
    target: Target = GAP9,
) -> CheckReport:
    return check_program(
        program or small.program(),
        graph or small.graph(),
        plan or small.plan(),
        contents or small.contents(),
        target,
    )


def found_in(stage: int, wanted: Callable[[Stmt], bool], nth: int = 0) -> Path:
    """Return the path of the nth statement of a stage for which `wanted` holds."""
    program = small.program()
    body = (program.init if stage < 0 else program.stages[stage]).body
    return [path for path, statement in statements(body) if wanted(statement)][nth]


def replaced(stage: int, path: Path, *new: Stmt) -> Program:
    program = small.program()
    changed = program.init if stage < 0 else program.stages[stage]
    return with_stage(program, stage, replace(changed, body=edited(changed.body, path, *new)))


def changed(stage: int, kind: type[Any], nth: int = 0, **fields: Any) -> Program:
    """Return the program with some fields of the nth statement of a kind changed."""
    path = found_in(stage, lambda statement: isinstance(statement, kind), nth)
    program = small.program()
    body = (program.init if stage < 0 else program.stages[stage]).body
    statement = next(statement for place, statement in statements(body) if place == path)
    return replaced(stage, path, replace(statement, **fields))  # type: ignore[type-var]


def call_of(stage: int) -> Call:
    return next(s for _, s in statements(small.program().stages[stage].body) if isinstance(s, Call))


def with_operand(stage: int, field: str, **fields: Any) -> Program:
    operands = tuple(
        replace(each, **fields) if each.field == field else each for each in call_of(stage).operands
    )
    return changed(stage, Call, operands=operands)


def with_argument(stage: int, field: str, value: int) -> Program:
    arguments = tuple(
        Argument(field, Const(value)) if each.field == field else each for each in call_of(stage).arguments
    )
    return changed(stage, Call, arguments=arguments)


def without(stage: int, kind: type[Any], nth: int = 0) -> Program:
    return replaced(stage, found_in(stage, lambda statement: isinstance(statement, kind), nth))


def swapped(stage: int, path: Path) -> Program:
    """Return the program with a statement and the one behind it exchanged."""
    behind = (*path[:-1], path[-1] + 1)
    found = dict(statements(small.program().stages[stage].body))
    first = with_stage(
        small.program(),
        stage,
        replace(
            small.program().stages[stage],
            body=edited(small.program().stages[stage].body, path, found[behind]),
        ),
    )
    body = edited(first.stages[stage].body, behind, found[path])
    return with_stage(first, stage, replace(first.stages[stage], body=body))


def with_buffer(name: str, memory: str, **fields: Any) -> Program:
    program = small.program()
    buffers = tuple(
        replace(each, **fields) if (each.name, each.memory) == (name, memory) else each
        for each in program.buffers
    )
    return replace(program, buffers=buffers)


def with_l1(stage: int, name: str, **fields: Any) -> Program:
    program = small.program()
    buffers = tuple(
        replace(each, **fields) if each.name == name else each for each in program.stages[stage].buffers
    )
    return with_stage(program, stage, replace(program.stages[stage], buffers=buffers))


def rejects(message: str, program: Program, **others: Any) -> None:
    """Check that the proof alone, without the comparison with the plan, fails with a message."""
    with pytest.raises(CheckError, match=message):
        prove_program(
            program,
            others.get("graph", small.graph()),
            others.get("plan", small.plan()),
            others.get("contents", small.contents()),
            others.get("target", GAP9),
        )
