"""Target data: it is read as it stands, and its cost figures give back what was measured."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import pytest

from tmc.backend_gap9.targets import TARGETS, target_named
from tmc.ir.errors import TmcError
from tmc.ir.target import BlockCost, Memory

GAP9 = TARGETS["gap9"]


def block_cycles(cost: BlockCost, depth: int) -> float:
    return ceil(depth / 4) * cost.step_cycles + cost.block_cycles


def macs_per_cycle(cost: BlockCost, depth: int, extra_cycles: float = 0.0) -> float:
    """Return the rate of eight cores; extra_cycles come on top of each output."""
    outputs = cost.rows * cost.channels
    return GAP9.cores * outputs * depth / (block_cycles(cost, depth) + outputs * extra_cycles)


def test_targets() -> None:
    assert list(TARGETS) == ["gap9", "gap9-cores"]
    assert all(name == target.name for name, target in TARGETS.items())
    assert target_named("gap9-cores") is TARGETS["gap9-cores"]
    same = replace(TARGETS["gap9-cores"], name=GAP9.name, description=GAP9.description)
    assert same == GAP9


def test_unknown_target_is_named() -> None:
    with pytest.raises(TmcError, match="target: found gap8, allowed gap9, gap9-cores"):
        target_named("gap8")


def test_memories_leave_room_for_stacks_and_code() -> None:
    assert (GAP9.l1.size_bytes, GAP9.l2.size_bytes, GAP9.l3.size_bytes) == (128 * 1024, 1536 * 1024, 8 << 20)
    assert GAP9.l1.reserved_bytes >= (GAP9.cores + 2) * 1024
    assert Memory(100, 30).usable_bytes == 70
    assert all(memory.usable_bytes % 4 == 0 for memory in (GAP9.l1, GAP9.l2, GAP9.l3))


@pytest.mark.parametrize(("depth", "measured"), [(768, 21.27), (192, 19.7), (64, 16.8), (20, 11.7)])
def test_rate_of_a_linear(depth: int, measured: float) -> None:
    assert macs_per_cycle(GAP9.costs.linear, depth) == pytest.approx(measured, rel=0.02)


@pytest.mark.parametrize(("depth", "measured"), [(768, 20.6), (192, 19.25)])
def test_rate_of_a_transposed_linear(depth: int, measured: float) -> None:
    assert macs_per_cycle(GAP9.costs.linear_transposed, depth) == pytest.approx(measured, rel=0.01)


def test_rates_of_the_epilogues() -> None:
    plain = macs_per_cycle(GAP9.costs.linear, 192)
    table = macs_per_cycle(GAP9.costs.linear, 192, GAP9.costs.table_cycles)
    residual = macs_per_cycle(GAP9.costs.linear, 192, GAP9.costs.residual_cycles)
    assert table / plain == pytest.approx(19.1 / 19.7, rel=0.002)
    assert residual / plain == pytest.approx(19.5 / 19.7, rel=0.002)


@pytest.mark.parametrize(
    ("keys", "products_and_softmax", "values"), [(400, 31.9, 24.4), (200, 32.5, 25.7), (80, 33.9, 29.0)]
)
def test_cycles_of_attention_per_score(keys: int, products_and_softmax: float, values: float) -> None:
    costs, width = GAP9.costs, 64
    outputs = costs.linear.rows * costs.linear.channels
    products = block_cycles(replace(costs.linear, block_cycles=costs.score_block_cycles), width) / outputs
    softmax = costs.softmax_cycles + costs.attention_row_cycles / keys
    assert products + softmax == pytest.approx(products_and_softmax, rel=0.01)
    assert block_cycles(costs.linear, keys) * width / (outputs * keys) == pytest.approx(values, rel=0.01)
