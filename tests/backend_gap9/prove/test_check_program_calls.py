"""The program checker: addresses, expressions, calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.backend_gap9.prove.small_edits import (
    GAP9,
    LINEAR,
    NORM,
    call_of,
    changed,
    check,
    found_in,
    rejects,
    replaced,
    with_argument,
    with_buffer,
    with_l1,
    with_operand,
)
from tests.networks import small_program as small
from tests.networks.small_program import CHANNELS, PITCH, TABLE_BYTES, with_stage
from tmc.backend_gap9.program.buffers import Buffer, ValueShape
from tmc.backend_gap9.program.program import (
    Address,
    Binary,
    Call,
    Compare,
    Const,
    Dma,
    Fetch,
    If,
    Let,
    Lookup,
    Loop,
    Part,
    Var,
)
from tmc.ir.errors import CheckError

# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize("stage", [NORM, LINEAR])
def test_every_l1_buffer_has_its_size(stage: int) -> None:
    for buffer in small.program().stages[stage].buffers:
        rejects("allowed 0 to", with_l1(stage, buffer.name, size_bytes=buffer.size_bytes - 4))


def test_every_l2_and_l3_buffer_has_its_size() -> None:
    for buffer in small.program().buffers:
        shorter = with_buffer(buffer.name, buffer.memory, size_bytes=buffer.size_bytes - 4)
        rejects("allowed (0 to|at least)", shorter)


def test_every_memory_has_its_size() -> None:
    for memory in ("l1_bytes", "l2_bytes", "l3_bytes"):
        rejects(
            "found buffer .* at bytes .*, allowed 0 to 300 of l[123]",
            replace(small.program(), **{memory: 300}),
        )


def test_a_buffer_has_one_name() -> None:
    program = small.program()
    rejects(
        "found the buffer n twice in l2",
        replace(program, buffers=(*program.buffers, Buffer("n", "l2", 0, 4))),
    )


def test_stages_have_l1_buffers_only() -> None:
    rejects("found buffer n in l2, allowed l1", with_l1(LINEAR, "n", memory="l2"))


def test_buffers_that_share_bytes_lose_their_values() -> None:
    rejects("operand weight: found n row 0 byte 0 at l1 byte 192", with_l1(LINEAR, "n", offset_bytes=192))
    overlapping = with_buffer("n", "l2", offset_bytes=small.TABLE_BYTES)
    rejects("is also written by .*, fetch y.weight to y.weight .*, still in flight", overlapping)
    rejects("operand .*: found", with_buffer("y.weight", "l3", offset_bytes=0))


def test_addresses_name_a_buffer_of_the_right_memory() -> None:
    rejects(
        "found the buffer input, allowed a buffer in l1",
        changed(LINEAR, Dma, 0, l1=Address("input", Const(0))),
    )
    rejects(
        "operand x: found the buffer m, allowed", with_operand(LINEAR, "x", address=Address("m", Const(0)))
    )


def test_operands_are_aligned() -> None:
    rejects(
        "operand x: found byte 194, rows 16", with_operand(LINEAR, "x", address=Address("weight", Const(2)))
    )
    rejects("rows 34 bytes apart, allowed multiples of 4", with_argument(NORM, "x_pitch", 34))


@pytest.mark.parametrize(("lines", "line_bytes"), [(0, 16), (1, 0), (1, 131072)])
def test_a_transfer_has_1_to_131071_bytes(lines: int, line_bytes: int) -> None:
    program = changed(LINEAR, Dma, 1, lines=Const(lines), line_bytes=Const(line_bytes))
    rejects("allowed 1 to 131071 in all", program)


@pytest.mark.parametrize("stage", [NORM, LINEAR])
def test_transfers_keep_to_the_target_s_own_length(stage: int) -> None:
    longest = {NORM: TABLE_BYTES, LINEAR: CHANNELS * PITCH}[stage]
    fits = replace(GAP9, dma=replace(GAP9.dma, max_bytes=max(TABLE_BYTES, CHANNELS * PITCH)))
    assert check(target=fits).transfers > 0
    smaller = replace(GAP9, dma=replace(GAP9.dma, max_bytes=longest - 1))
    with pytest.raises(CheckError, match=f"allowed 1 to {longest - 1} in all"):
        check(target=smaller)


def test_no_more_transfers_are_in_flight_than_the_target_queues() -> None:
    most = check().in_flight_max  # while the fetch of the next stage's weights is in flight too
    assert check(target=replace(GAP9, dma=replace(GAP9.dma, queue_entries=most))).in_flight_max == most
    fewer = replace(GAP9, dma=replace(GAP9.dma, queue_entries=most - 1))
    with pytest.raises(CheckError) as caught:
        check(target=fewer)
    allowed = f"found {most} transfers between L2 and L1 in flight, allowed {most - 1}"
    assert str(caught.value).startswith("stage s0_n, dma ") and str(caught.value).endswith(allowed)
    assert "dma.queue_entries" in caught.value.notes[0]


def test_lines_of_a_transfer_do_not_overlap() -> None:
    rejects("found 4 rows of 16 bytes, 12 apart", changed(LINEAR, Dma, 1, l2_pitch_bytes=Const(12)))


def test_a_fetch_moves_words() -> None:
    rejects("found 30 bytes from byte 0 to byte 0, allowed multiples of 4", changed(-1, Fetch, size_bytes=30))


def test_the_input_is_not_written() -> None:
    rejects("into the caller's input input", changed(LINEAR, Dma, 3, l2=Address("input", Const(0))))


def test_undefined_bytes_are_not_copied() -> None:
    rejects(
        "found only undefined bytes to copy from l2 byte",
        changed(NORM, Dma, 0, l2=Address("n", Const(0)), line_bytes=Const(32)),
    )


# ---------------------------------------------------------------- expressions


def test_names_are_bound_once() -> None:
    rejects("found the name t bound again", replaced(LINEAR, (3, 0), Let("t", Const(0))))
    rejects("found the name t bound again", replaced(LINEAR, (3, 0), Loop("t", 1, ())))


def test_names_are_bound_before_use() -> None:
    rejects("found the name 'z' without a value", changed(LINEAR, Dma, 1, lines=Var("z")))
    path = found_in(NORM, lambda statement: isinstance(statement, Let))
    inner = If(Compare("==", Const(1), Const(1)), (Let("half", Const(0)),))
    rejects("found the name 'half' without a value", replaced(NORM, path, inner))


def test_table_indices_are_inside() -> None:
    program = small.program()
    tables = {"rows": (4, 4)}
    rejects(
        "found index 2 of table rows, allowed 0 to 1",
        with_stage(program, NORM, replace(program.stages[NORM], tables=tables)),
    )
    rejects("found the name 'none' without", changed(LINEAR, Dma, 1, lines=Lookup("none", Const(0))))


@pytest.mark.parametrize("sign", ["/", "%"])
def test_divisors_are_positive(sign: Any) -> None:
    rejects(f"found 4 {sign} 0, allowed", changed(LINEAR, Dma, 1, lines=Binary(sign, Const(4), Const(0))))


def test_operands_are_not_negative() -> None:
    negative = Binary("%", Binary("-", Const(1), Const(2)), Const(4))
    rejects("found -1 % 4, allowed operands from 0 on", changed(LINEAR, Dma, 1, lines=negative))


# ---------------------------------------------------------------- calls


def test_a_call_has_a_kernel_for_its_op() -> None:
    rejects("found tmc_nothing for qlinear, allowed", changed(LINEAR, Call, kernel="tmc_nothing"))
    rejects("found tmc_linear_add_s8s8s16 for no op", changed(LINEAR, Call, op="x"))
    rejects("found tmc_linear_add_s8s8s16 for qlayernorm", changed(LINEAR, Call, op="n"))
    rejects(
        "found kernel tmc_linear_s8s8s16, allowed one from s8 to s16",
        changed(LINEAR, Call, kernel="tmc_linear_s8s8s16"),
    )


def test_a_call_has_the_fields_of_its_kernel() -> None:
    call = call_of(LINEAR)
    rejects("found fields x, weight, allowed x, weight, y", changed(LINEAR, Call, operands=call.operands[:2]))
    rejects("found fields rows, depth", changed(LINEAR, Call, arguments=call.arguments[:2]))


@pytest.mark.parametrize(
    ("stage", "field", "value", "message"),
    [
        (LINEAR, "shift", 8, "found shift 8, allowed 9"),
        (LINEAR, "depth", 12, "found depth 12, allowed 16"),
        (LINEAR, "split", 4, "found split 4, allowed groups of at most 8 cores"),
        (LINEAR, "rows", 0, "found 0 rows of 16 bytes"),
        (LINEAR, "x_pitch", 12, "allowed rows that do not overlap"),
        (LINEAR, "x_pitch", 20, "operand x: found .*, allowed"),
        (LINEAR, "rows", 5, "operand x: found bytes 0 to 80 of buffer n, allowed 0 to 64"),
        (NORM, "root", 4, "found root 4, allowed 3"),
        (NORM, "channels", 8, "found channels 8, allowed 16"),
        (NORM, "center_bits", 14, "found center_bits 14, allowed 15"),
    ],
)
def test_numbers_are_those_of_the_op(stage: int, field: str, value: int, message: str) -> None:
    rejects(message, with_argument(stage, field, value))


def test_operands_are_those_of_the_op() -> None:
    def part(value: str, row: int = 0, column: int = 0) -> Part:
        return Part(value, Const(row), Const(column))

    rejects("found the value z, allowed a value", with_operand(LINEAR, "x", part=part("z")))
    rejects(
        "operand y: found %n, allowed %y",
        with_operand(LINEAR, "y", part=part("n"), address=Address("y", Const(0))),
    )
    rejects("found row 0 byte 0 of n, allowed row 4 byte 0", with_operand(LINEAR, "x", part=part("n")))
    rejects("found 4 rows of 16 bytes from row 8 byte 0 of n", with_operand(LINEAR, "x", part=part("n", 8)))
    rejects(
        "found 4 rows of 16 bytes from row 0 byte 4 of n", with_operand(LINEAR, "x", part=part("n", 0, 4))
    )
    plan = small.plan()
    other_stage = replace(plan.residency[1], block=replace(plan.residency[1].block, stage=0))
    rejects(
        "operand weight: found y.weight, allowed constants of stage 1",
        small.program(),
        plan=replace(plan, residency=(plan.residency[0], other_stage)),
    )
    rejects(
        "operand gamma: found other bytes in tables than the constants of the graph, from byte 32",
        with_operand(NORM, "gamma", part=part("tables", 0, small.BETA)),
    )
    rejects(
        "operand gamma: found tables row 0 byte 4 at l1 byte 388, allowed tables row 0 byte 0",
        with_operand(NORM, "gamma", address=Address("tables", Const(4))),
    )


def test_a_scratch_value_has_one_role() -> None:
    program = small.program()
    values = {**program.values, "s": ValueShape(10, 32)}
    program = replace(with_operand(LINEAR, "y", part=Part("s", Const(0), Const(0))), values=values)
    rejects("operand y: found %s, allowed %y", program)


def test_a_sum_in_place_needs_a_residual() -> None:
    graph = small.graph()
    linear = replace(graph.ops[1], inputs=graph.ops[1].inputs[:4])
    rejects(
        "operand y: found an op without a residual",
        small.program(),
        graph=replace(graph, ops=(graph.ops[0], linear)),
    )


def test_constants_are_packed_as_the_kernels_read_them() -> None:
    contents = small.contents()
    for name, message in (
        ("tables", "operand gamma: found other"),
        ("y.weight", "operand weight: found other"),
    ):
        data = bytearray(contents[name])
        data[0] ^= 1
        rejects(message, small.program(), contents={**contents, name: bytes(data)})
    rejects("operand gamma: found no contents for tables", small.program(), contents={})
    rejects(
        "operand weight: found no contents for y.weight, allowed",
        small.program(),
        contents={**contents, "y.weight": b""},
    )
