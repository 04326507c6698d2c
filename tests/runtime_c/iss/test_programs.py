"""Programs written by hand: instructions by example, hardware loops, the cluster, on every engine."""

from __future__ import annotations

from pathlib import Path

from tests.runtime_c.iss import isa_cases, random_rv32, random_xpulp
from tests.runtime_c.iss.engines import (
    HERE,
    UNCOMPRESSED,
    Engine,
    build_iss,
    compile_program,
    compile_text,
)
from tests.runtime_c.iss.instruction_table import ISS
from tests.runtime_c.target_header import GAP9
from tmc.backend_gap9.run.simulators import iss_options

EXPECTED_LOOPS: tuple[tuple[str, int, int], ...] = (
    ("setup", 10, 30),
    ("setupi", 7, 21),
    ("setupi_loop1", 4095, 4 * 4095),
    ("once", 1, 3),
    ("count_zero", 1, 3),
    ("nested", 6, 6 * (5 * 2 + 100)),
    ("one_by_one", 9, 90),
    ("counti", 11, 110),
    ("branch_inside", 5, 3 + 4 + 5 + 6 + 7 + 8 + 9 + 11),
    ("break_out", 4, 20),
    ("kernel", 9 + 16 + 25 + 36 + 49 + 64 + 81 + 121, 8),
)


def fnv(data: bytes) -> int:
    """Return the hash that cluster.c prints."""
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def expected_cluster() -> list[str]:
    """Compute what cluster.c has to print."""
    rows, columns, lines = 24, 40, []
    matrix = [(i * 7 + (i >> 6) * 13) & 0xFF for i in range(rows * 64)]
    for _ in range(2):
        tile = [matrix[row * 64 + column] for row in range(rows) for column in range(columns)]
        total = sum(value * (i % columns + 1) for i, value in enumerate(tile))
        tile = [value ^ 0x55 for value in tile]
        back = bytes(tile[: columns * 10 + 3])
        spread = bytearray((11 * 64) + columns)
        for line in range(12):
            spread[line * 64 : line * 64 + columns] = bytes(
                tile[480 + line * columns : 480 + (line + 1) * columns]
            )
        tile[3], tile[5] = 77, 78
        seen = b"".join((total + core).to_bytes(4, "little") for core in range(8))
        values = (fnv(bytes(tile)), total, fnv(seen), fnv(back), fnv(bytes(spread)), 78)
        names = ("tile", "total", "seen", "copied back", "copied back in lines", "after the event")
        lines += [f"{name} {value:08x}" for name, value in zip(names, values, strict=True)]
        matrix[0] += 1
    external = b"".join((i * 0x01234567 & 0xFFFFFFFF).to_bytes(4, "little") for i in range(16, 64))
    return [*lines, f"external {fnv(external):08x}", f"expected {fnv(external):08x}"]


EXPECTED = {
    "loops.S": [f"{name} {value:08x}" for name, *values in EXPECTED_LOOPS for value in values],
    "cluster.c": expected_cluster(),
}


def test_isa_cases(tmp_path: Path, iss: Engine) -> None:
    assert iss.output(compile_text(tmp_path, "isa.S", isa_cases.assembly())) == isa_cases.expected()


def test_isa_cases_on_the_rtl(tmp_path: Path, rtl: Engine) -> None:
    binary = compile_text(tmp_path, "isa.S", isa_cases.assembly(), march=UNCOMPRESSED)
    assert rtl.output(binary) == isa_cases.expected()


def test_isa_cases_on_gvsoc(tmp_path: Path, gvsoc: Engine) -> None:
    assert gvsoc.output(compile_text(tmp_path, "isa.S", isa_cases.assembly())) == isa_cases.expected()


def test_hardware_loops(tmp_path: Path, iss: Engine) -> None:
    binary = compile_program(tmp_path, [HERE / "programs" / "loops.S"])
    assert iss.output(binary) == EXPECTED["loops.S"]


def test_hardware_loops_on_gvsoc(tmp_path: Path, gvsoc: Engine) -> None:
    binary = compile_program(tmp_path, [HERE / "programs" / "loops.S"])
    assert gvsoc.output(binary) == EXPECTED["loops.S"]


def test_cluster(tmp_path: Path, iss: Engine) -> None:
    """The order in which the cores run must not matter."""
    binary = compile_program(tmp_path, [HERE / "programs" / "cluster.c"])
    for turn in ("1", "7", "64", "1000000"):
        assert iss.output(binary, "--turn", turn) == EXPECTED["cluster.c"]


def test_cluster_on_gvsoc(tmp_path: Path, gvsoc: Engine) -> None:
    binary = compile_program(tmp_path, [HERE / "programs" / "cluster.c"])
    assert gvsoc.output(binary) == EXPECTED["cluster.c"]


def test_no_undefined_behaviour(tmp_path: Path, iss: Engine) -> None:
    """The same results from a build with the compiler's checks of memory accesses and arithmetic."""
    checks = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    checked = build_iss(tmp_path, checks)
    checked_iss = Engine("checked iss", iss.platform, lambda program: (checked, *iss_options(GAP9), program))
    programs = (
        compile_text(tmp_path, "random.S", random_rv32.assembly(5, 40)),
        compile_text(tmp_path, "every.S", random_xpulp.every_instruction(5, 3, 4)),
        compile_program(tmp_path, [HERE / "programs" / "loops.S"]),
        compile_program(tmp_path, [HERE / "programs" / "cluster.c"]),
    )
    for program in programs:
        assert checked_iss.output(program) == iss.output(program)


def test_readme_names_every_source() -> None:
    text = (ISS / "README.md").read_text()
    stems = {path.name for path in ISS.glob("*.c")}
    assert {name for name in stems if f"`{name}`" not in text and not name.startswith("execute_")} == set()
