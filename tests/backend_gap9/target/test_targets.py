"""Target data: it is read as it stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tmc.backend_gap9.target.target import Memory, Stacks
from tmc.backend_gap9.target.targets import TARGETS, target_named
from tmc.ir.errors import TmcError

GAP9 = TARGETS["gap9"]


def test_targets() -> None:
    assert list(TARGETS) == ["gap9", "gap9-cores", "gap9-8mb"]
    assert all(name == target.name for name, target in TARGETS.items())
    assert target_named("gap9-cores") is TARGETS["gap9-cores"]
    same = replace(TARGETS["gap9-cores"], name=GAP9.name, description=GAP9.description)
    assert same == GAP9
    small = TARGETS["gap9-8mb"]
    assert (GAP9.l3.size_bytes, small.l3.size_bytes) == (32 << 20, 8 << 20)
    assert replace(small, name=GAP9.name, description=GAP9.description, l3=GAP9.l3) == GAP9


def test_unknown_target_is_named() -> None:
    with pytest.raises(TmcError, match="target: found gap8, allowed gap9, gap9-cores, gap9-8mb"):
        target_named("gap8")


def test_memories_leave_room_for_stacks_and_code() -> None:
    assert (GAP9.l1.size_bytes, GAP9.l2.size_bytes, GAP9.l3.size_bytes) == (128 * 1024, 1536 * 1024, 32 << 20)
    assert GAP9.l1_usable_bytes == 128 * 1024 - 8 * 1024 - 2048 - 1024 == 119_808
    assert replace(GAP9, stacks=Stacks(2048, 4096)).l1_usable_bytes == 128 * 1024 - 8 * 2048 - 4096 - 1024
    assert Memory(100, 30).usable_bytes == 70
    assert all(memory.usable_bytes % 4 == 0 for memory in (GAP9.l2, GAP9.l3))
    assert GAP9.l1_usable_bytes % 4 == 0
