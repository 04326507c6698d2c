"""Linears for the accelerator: codes + 128 in front of them, the same numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.networks.emitted_network import some_inputs
from tests.networks.small_transformer import Size, transformer, windows
from tmc.backend_gap9.kernels.ne16 import ne16_tables, offset_bias, packed_bits
from tmc.backend_gap9.prove.relations.wanted import bit_lines
from tmc.backend_gap9.stages.offload import offload
from tmc.backend_gap9.target.targets import target_named
from tmc.ir.build import GraphBuilder
from tmc.ir.graph import Graph, Op, OpKind
from tmc.ir.integer.qconvert import TO_UNSIGNED
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.interpret import interpret
from tmc.ir.text import parse_graph, print_graph
from tmc.ir.types import Array, DType, Quant, TensorType
from tmc.ir.verify import verify
from tmc.passes.calibrate.calibrate import calibrate
from tmc.passes.quantise import quantise
from tmc.passes.scales.choose_scales import choose_scales

NE16 = target_named("gap9-ne16")
GAP9 = target_named("gap9")


@pytest.fixture(scope="module")
def before() -> Graph:
    """Return an integer encoder whose queries and keys are not turned."""
    graph = transformer(Size(rotary=False, layers=2))
    return quantise(graph, choose_scales(graph, calibrate(graph, {"emg": windows(graph, 4)})))


def accelerated(graph: Graph) -> list[Op]:
    return [
        op for op in graph.ops if op.kind is OpKind.QLINEAR and graph.types[op.inputs[0]].dtype is DType.U8
    ]


def test_linears_of_the_same_rows_share_what_is_unsigned(before: Graph) -> None:
    after = offload(before, NE16)
    verify(after)
    converts = [op for op in after.ops if op.kind is OpKind.QCONVERT]
    assert [(op.inputs, op.attrs) for op in converts] == [((f"{i}.attended",), TO_UNSIGNED) for i in range(2)]
    read = {op.output: op.inputs[0] for op in accelerated(after)}
    assert read == {
        f"{i}.{name}": f"{i}.{x}"
        for i in range(2)
        for x, names in (
            ("norm1", "qkv"),
            ("attended.unsigned", ("after_attention",)),
            ("norm2", ("gelu",)),
            ("gelu", ("after_mlp",)),
        )
        for name in names
    }
    originals = {op.output: op for op in before.ops}
    for op in accelerated(after):
        was = originals[op.output]
        assert (op.loc, op.inputs[1:3]) == (was.loc, was.inputs[1:3])
        if isinstance(op.attrs, QLinearAttrs) and op.attrs.dtype != "u8":
            assert (op.attrs, op.inputs[4:]) == (was.attrs, was.inputs[4:])  # the residual
    assert parse_graph(print_graph(after), after.constants) == after


def values(graph: Graph) -> dict[str, Array]:
    """Return every value that an op makes of some input."""
    found: dict[str, Array] = {}
    interpret(graph, some_inputs(graph), found.__setitem__)
    return found


def check_values(before: Graph, after: Graph, made_unsigned: set[str]) -> None:
    """Hold every value to what it was; those of the accelerator alone are 128 more."""
    found, wanted = values(after), values(before)
    assert wanted.keys() <= found.keys()
    for name, array in wanted.items():
        more = 128 if name in made_unsigned else 0
        np.testing.assert_array_equal(found[name], array.astype(np.int32) + more)
        assert (found[name].dtype == np.uint8) == (name in made_unsigned)
        was, quant = before.types[name].quant, after.types[name].quant
        assert quant == (None if was is None else replace(was, zero_point=was.zero_point + more))


def test_every_value_is_the_same(before: Graph) -> None:
    check_values(
        before,
        offload(before, NE16),
        {f"{i}.{name}" for i in range(2) for name in ("norm1", "norm2", "gelu")},
    )


def chain() -> Graph:
    """Return three linears in a row, tables behind the first two."""
    random = np.random.default_rng(1)
    builder = GraphBuilder("chain", {"x": TensorType(DType.S8, (6, 20))}, ["c"])
    value = "x"
    for name, channels, table in (("a", 32, True), ("b", 12, True), ("c", 8, False)):
        depth = builder.type_of(value).shape[1]
        operands = [
            value,
            builder.constant(random.integers(-127, 128, (channels, depth)).astype(np.int8), f"{name}.w"),
            builder.constant(random.integers(1, 9, channels).astype(np.int32), f"{name}.m"),
            builder.constant(random.integers(-5000, 5000, (1, channels)).astype(np.int32), f"{name}.b"),
        ]
        if table:
            operands.append(builder.constant(random.integers(-128, 128, 256).astype(np.int8), f"{name}.t"))
        attrs = QLinearAttrs(shift=10, dtype="s8" if table else "s16", table=table)
        value = builder.op(OpKind.QLINEAR, operands, attrs, f"/{name}/MatMul", name, Quant((0.5,), -3))
    return builder.graph()


def test_a_table_makes_what_the_accelerator_alone_reads() -> None:
    graph = chain()
    after = offload(graph, NE16)
    verify(after)
    assert [(op.kind, op.output, op.inputs[0]) for op in after.ops] == [
        (OpKind.QCONVERT, "x.unsigned", "x"),
        (OpKind.QLINEAR, "a", "x.unsigned"),
        (OpKind.QLINEAR, "b", "a"),
        (OpKind.QLINEAR, "c", "b"),
    ]
    check_values(graph, after, {"a", "b"})
    assert parse_graph(print_graph(after), after.constants) == after


def test_what_the_caller_reads_too_stays_as_it_is() -> None:
    graph = replace(chain(), outputs=("a", "c"))
    after = offload(graph, NE16)
    assert [op.output for op in after.ops if op.kind is OpKind.QCONVERT] == ["x.unsigned", "a.unsigned"]
    check_values(graph, after, {"b"})


def test_what_takes_the_cores_no_longer_stays_there() -> None:
    """Large linears of one row: the accelerator takes 9 at once."""
    graph = transformer(Size(rotary=False, layers=1, width=192, channels=1, patches=1))
    integer = quantise(graph, choose_scales(graph, calibrate(graph, {"emg": windows(graph, 4)})))
    assert accelerated(offload(integer, NE16)) == []


def test_a_target_without_it_keeps_the_graph(before: Graph) -> None:
    assert offload(before, GAP9) is before


def test_sums_that_may_leave_int32_stay_on_the_cores() -> None:
    """Of 768 weights of 100 sums go up to 255 * 76,800; times 109 they fit, times 110 they do not."""
    weight = np.full((1, 768), 100, np.int8)
    zero = np.zeros(1, np.int32)
    assert 255 * 76_800 * 109 < 2**31 <= 255 * 76_800 * 110
    fits = offset_bias(weight, np.array([109], np.int32), zero)
    assert fits is not None and list(fits) == [-128 * 76_800 * 109]
    assert offset_bias(weight, np.array([110], np.int32), zero) is None
    # The bias that takes 128 off again, and what is left with it.
    assert offset_bias(-weight, np.array([109], np.int32), np.array([2**30], np.int32)) is not None
    assert offset_bias(-weight, np.array([109], np.int32), np.array([2**31 - 1], np.int32)) is None


@pytest.mark.parametrize("multiplier", [0, 256])
def test_multipliers_that_have_no_byte_stay_on_the_cores(multiplier: int) -> None:
    zero = np.zeros(1, np.int32)
    assert offset_bias(np.ones((1, 4), np.int8), np.array([multiplier], np.int32), zero) is None


def test_packed_weights_are_what_the_proof_wants() -> None:
    weight = np.random.default_rng(0).integers(-128, 128, (5, 37)).astype(np.int8)
    np.testing.assert_array_equal(packed_bits(weight), bit_lines(weight).data)
    # Bit 7 of weight + 128 is set from 0 on; of weight 0 of channel 0 it is bit 0 of byte 14.
    assert packed_bits(np.zeros((1, 1), np.int8))[0].tolist() == [0] * 14 + [1, 0]


def test_tables_have_room_for_all_that_is_read() -> None:
    """From any channel in fours on, 32 at a time."""
    for channels in (4, 28, 32, 36, 100):
        tables = ne16_tables(np.ones(channels, np.int32), np.ones(channels, np.int32))
        for first in range(0, channels, 4):
            read = first + -(-(channels - first) // 32) * 32
            assert min(len(table) for table in tables.values()) >= read
