"""Target data: it is read as it stands, from the compiler's own files and from anybody's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.repository import ROOT
from tmc.backend_gap9.kernels.costs import check_costs, costs_of
from tmc.backend_gap9.kernels.linear import LinearCosts
from tmc.backend_gap9.kernels.table import COSTS
from tmc.backend_gap9.target.target import Memory, Stacks
from tmc.backend_gap9.target.target_file import read_target, shipped_file, shipped_names
from tmc.backend_gap9.target.targets import TARGETS, target_named
from tmc.ir.errors import TmcError

GAP9 = TARGETS["gap9"]
FOUR_CORES = ROOT / "tests" / "networks" / "four-cores.toml"


def test_targets() -> None:
    assert list(TARGETS) == ["gap9", "gap9-cores", "gap9-ne16", "gap9-8mb", "pulp-open"]
    assert tuple(sorted(TARGETS)) == shipped_names()
    assert all(name == target.name for name, target in TARGETS.items())
    assert target_named("gap9-cores") is TARGETS["gap9-cores"]
    assert target_named(str(shipped_file("gap9"))) == GAP9
    same = replace(TARGETS["gap9-cores"], name=GAP9.name, description=GAP9.description)
    assert same == GAP9
    small = TARGETS["gap9-8mb"]
    assert (GAP9.l3.size_bytes, small.l3.size_bytes) == (32 << 20, 8 << 20)
    assert replace(small, name=GAP9.name, description=GAP9.description, l3=GAP9.l3) == GAP9


def test_pulp_open_is_gap9_s_cluster_with_less_memory() -> None:
    pulp = TARGETS["pulp-open"]
    assert (pulp.cores, pulp.l1.size_bytes, pulp.l2.size_bytes) == (8, 64 << 10, 512 << 10)
    assert (pulp.kernels, pulp.dma, pulp.stacks) == (GAP9.kernels, GAP9.dma, GAP9.stacks)


def test_memories_leave_room_for_stacks_and_code() -> None:
    assert (GAP9.l1.size_bytes, GAP9.l2.size_bytes, GAP9.l3.size_bytes) == (128 * 1024, 1536 * 1024, 32 << 20)
    assert GAP9.l1_usable_bytes == 128 * 1024 - 8 * 1024 - 2048 - 1024 == 119_808
    assert replace(GAP9, stacks=Stacks(2048, 4096)).l1_usable_bytes == 128 * 1024 - 8 * 2048 - 4096 - 1024
    assert Memory(100, 30).usable_bytes == 70


def test_a_file_says_what_differs_from_its_base() -> None:
    target = target_named(str(FOUR_CORES))
    assert (target.name, target.description) == ("four-cores", "four cores, 48 KiB of L1")
    assert (target.cores, target.l1.size_bytes, target.dma.max_bytes) == (4, 48 << 10, 16_383)
    assert (target.kernels, target.stacks, target.dma.startup_cycles) == (GAP9.kernels, GAP9.stacks, 32)


def test_a_base_may_be_a_file_and_have_a_base(tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_text('base = "gap9-8mb"\ncores = 2\n[dma]\nbytes_per_cycle = 4\n')
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mine.toml").write_text(
        'base = "../board.toml"\n[kernels.linear.rows]\nblock_cycles = 0\n'
    )
    target = read_target(tmp_path / "sub" / "mine.toml")
    assert (target.name, target.cores, target.l3.size_bytes) == ("mine", 2, 8 << 20)
    assert (target.dma.bytes_per_cycle, costs_of(target, "linear", LinearCosts).rows.block_cycles) == (
        4.0,
        0.0,
    )


@pytest.mark.parametrize(
    ("text", "found", "note"),
    [
        (
            "gap8",
            "found gap8, allowed gap9, gap9-cores, gap9-ne16, gap9-8mb, pulp-open, or the path of a",
            "gap9?",
        ),
        ("pulp_open", "found pulp_open, allowed ", "did you mean pulp-open?"),
        ("a moon", "found a moon, allowed ", "`tmc targets` lists them"),
        ("mine", "found mine, allowed ", "did you mean mine.toml?"),
        ("./gap9.toml", "found no file ./gap9.toml", "`tmc targets` lists the names that need none"),
        ("folder/gap9", "found no file folder/gap9", "`tmc targets` lists the names that need none"),
    ],
)
def test_unknown_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, found: str, note: str
) -> None:
    (tmp_path / "mine.toml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TmcError) as caught:
        target_named(text)
    assert str(caught.value).startswith(f"--target: {found}")
    assert note in caught.value.notes[0]


@pytest.mark.parametrize(
    ("text", "found", "note"),
    [
        ('base = "gap9"\n[l1]\nsize = 1', "l1.size: found an unknown key, allowed size_bytes", "size_bytes?"),
        ('base = "gap9"\nname = "x"', "name: found an unknown key, allowed description, cores, ", ""),
        ("cores = 4", "description: found no such key, and no base that has it", 'base = "gap9"'),
        ('base = "gap8"', "base: found no target gap8, allowed gap9, ", "did you mean gap9?"),
        ('base = "x.toml"', "base: found no target x.toml, allowed ", ""),
        ('base = "mine.toml"', "a base that rests on itself: mine.toml on mine.toml", "another base"),
        ("base = 9", "base: found 9, allowed a name or a path", 'such as base = "gap9"'),
        ('base = "gap9"\naccelerator = "ne32"', "accelerator: found 'ne32', allowed '', 'ne16'", ""),
        ('base = "gap9"\ncores = 0', "cores: found 0, allowed 1 to 8", ""),
        ('base = "gap9"\ncores = 12', "cores: found 12, allowed 1 to 8", ""),
        ('base = "gap9"\ncores = "8"', "cores: found '8', allowed an integer", ""),
        ('base = "gap9"\ncores = true', "cores: found True, allowed an integer", ""),
        ('base = "gap9"\nl1 = 65536', "l1: found 65,536, allowed a table [l1]", ""),
        ('base = "gap9"\ndescription = 1', "description: found 1, allowed a text", ""),
        (
            'base = "gap9"\n[l1]\nsize_bytes = 100_000',
            "l1.size_bytes: found 100,000, allowed 1,024 to 1,048,576, multiples of 1,024",
            "",
        ),
        ('base = "gap9"\n[dma]\nmax_bytes = 131_072', "found 131,072, allowed 1,024 to 131,071", ""),
        (
            'base = "gap9"\n[dma]\nbytes_per_cycle = "8"',
            "dma.bytes_per_cycle: found '8', allowed a number",
            "",
        ),
        ('base = "gap9"\n[dma]\nbytes_per_cycle = 0', "found 0.0, allowed more than 0", ""),
        ('base = "gap9"\n[dma]\nline_cycles = -1', "dma.line_cycles: found -1, allowed 0 or more", ""),
        ('base = "gap9"\n[calls]\nstartup_cycles = -1', "found -1, allowed 0 or more", ""),
        (
            'base = "gap9"\n[l1]\nsize_bytes = 10_240',
            "l1: found 10,240 bytes, of which stacks of all cores and l1.runtime_bytes take 11,264",
            "a plan needs some of them",
        ),
        (
            'base = "gap9"\n[l2]\nsize_bytes = 65_536',
            "l2: found 65,536 bytes, of which l2.reserved_bytes",
            "",
        ),
        ('base = "gap9"\n[l3]\nreserved_bytes = 2', "allowed multiples of 4", "change l3.reserved_bytes"),
        ('base = "gap9"\n[l3_channel]\nalignment_bytes = 12', "found 12, allowed powers of two", ""),
        ("cores = ", "found no TOML: ", "toml.io"),
        ("\udcff", "found bytes that are no UTF-8, allowed a TOML file", ""),
    ],
)
def test_a_wrong_file_is_refused_in_words(tmp_path: Path, text: str, found: str, note: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(TmcError) as caught:
        read_target(path)
    assert str(caught.value).startswith(f"{path}: ") and found in str(caught.value)
    assert note in " ".join(caught.value.notes)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TmcError, match="cannot be read: Is a directory"):
        read_target(tmp_path)


@pytest.mark.parametrize(
    ("text", "found", "note"),
    [
        (
            "[kernels.linear.rows]\nstep_cycles = nan",
            "kernels.linear.rows.step_cycles: found nan, allowed 0 or",
            "",
        ),
        ("[kernels.linear.rows]\nrows = 0", "kernels.linear.rows.rows: found 0, allowed more than 0", ""),
        ("[kernels.rope]\nrow = 1", "kernels.rope.row: found an unknown key, allowed element_cycles", ""),
        (
            "[kernels.rop]\nrow = 1",
            "found the table [kernels.rop], allowed those of linear, ",
            "did you mean rope?",
        ),
        ("[kernels]\nrope = 3", "kernels.rope: found 3, allowed a table [kernels.rope]", ""),
    ],
)
def test_wrong_costs_are_refused_in_words(tmp_path: Path, text: str, found: str, note: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'base = "gap9"\n{text}\n')
    with pytest.raises(TmcError) as caught:
        check_costs(read_target(path), COSTS)
    assert caught.value.where == str(path)
    assert found in caught.value.what
    assert caught.value.notes == ((note,) if note else ())
