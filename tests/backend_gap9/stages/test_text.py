"""The text of a staged graph."""

from __future__ import annotations

from tests.networks.branching_networks import branching_network
from tests.networks.integer_networks import integer_network
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.stages.text import print_staged
from tmc.backend_gap9.target.targets import target_named

TARGET = target_named("gap9")


def test_a_transformer_as_text() -> None:
    lines = print_staged(stage_graph(integer_network(20, 1, 4, 80, 6, 0, 5), TARGET)).splitlines()
    assert lines[0] == "staged: 6 stages of @network"
    assert not any(line.startswith("order") for line in lines)
    assert "stage 2: attention, 20 rows" in lines
    assert any(line.endswith(": within a channel tile") for line in lines)
    assert any(line.endswith(": stored tile by tile") for line in lines)
    assert any(", in the place of " in line for line in lines)
    assert any(line.startswith("  constants stage_1.tables: ") for line in lines)
    assert any(line.startswith("l2 ") and ", the bytes of " in line for line in lines)


def test_another_order_is_said() -> None:
    lines = print_staged(stage_graph(branching_network(1), TARGET)).splitlines()
    assert lines[1].startswith("order 0 3 4 5 1 2 6: ")
    assert " bytes of values live at once, in no order less than " in lines[1]
