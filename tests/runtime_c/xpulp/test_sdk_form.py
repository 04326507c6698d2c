"""What the GAP9 SDK's assembler would make of the xpulp kernels is what the simulators run, word by word.

The SDK takes mnemonics and labels, stock binutils the same instructions through .insn and counts; only the
latter form runs in the other tests. Each kernel is compiled both ways; `sdk_assembler` stands in for the
SDK's assembler.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.runtime_c.building import RUNTIME, XPULP_KERNELS
from tests.runtime_c.iss.engines import GCC, run_quietly, tool
from tests.runtime_c.target_header import header_folder
from tests.runtime_c.xpulp.case_programs import HERE
from tests.runtime_c.xpulp.sdk_assembler import ROWS, Instruction, translated

FLAGS = (
    "-march=rv32imc_zicsr",
    "-mabi=ilp32",
    "-std=gnu11",
    "-ffreestanding",
    "-fno-common",
    "-O2",
    "-fno-tree-loop-distribute-patterns",
)
SDK = ("-D__pulp__", "-D__gap9__")
# Fields of the decoder that count; of other formats rd, rs1 and rs2.
FIELDS = {
    "R": ("rd", "rs1"),
    "I": ("rd", "rs1", "imm"),
    "S": ("rs1", "rs2", "imm"),
    "UIMM5": ("rd", "rs1", "imm"),
}
LINEAR = "tmc_linear_s8s8s8"

# Faults of the SDK's form alone, each with a kernel that shows it: (kernel, file, from, to).
MUTATIONS = (
    # The end of a loop: one label per row, none at the last instruction, another loop's.
    (LINEAR, "tmc_xpulp_linear_text.h", 'dot(sum2, x, "a2") last dot', 'dot(sum2, x, "a2") "7: " dot'),
    (LINEAR, "tmc_xpulp_linear_text.h", 'dot(sum2, x, "a2") last dot(sum3, x, "a3")',
     'last dot(sum2, x, "a2") dot(sum3, x, "a3")'),
    (LINEAR, "tmc_xpulp_linear_text.h",
     'TMC_LOOP(0, "a0", TMC_LINEAR_LENGTH_##rows, 7)', 'TMC_LOOP(0, "a0", TMC_LINEAR_LENGTH_##rows, 8)'),
    ("tmc_attention_values_u8s8s8", "tmc_xpulp_attention.h", '"7: " DOT("%[s3]", "%[a]", "%[b3]")',
     'DOT("%[s3]", "%[a]", "%[b3]") "7:"'),
    ("tmc_layernorm_s16s8", "tmc_xpulp_layernorm.h", '"7: " TMC_MAC("%[squares]", "%[d]", "%[d]")',
     'TMC_MAC("%[squares]", "%[d]", "%[d]") "7:\\n"'),
    # Loops: number, register, kind.
    (LINEAR, "tmc_xpulp_text.h",
     'count_number, last) "lp.setup x" #number', 'count_number, last) "lp.setup x0"'),
    ("tmc_attention_scores_s8s8s16", "tmc_xpulp_text.h", '"lp.endi x" #number', '"lp.starti x" #number'),
    ("tmc_attention_scores_s8s8s16", "tmc_xpulp_text.h", '"lp.count x" #number', '"lp.count x1"'),
    # Operands: order, bang, offset, number.
    (LINEAR, "tmc_xpulp_text.h", 'mnemonic " " d ", " a ", " b "\\n"', 'mnemonic " " d ", " b ", " a "\\n"'),
    (LINEAR, "tmc_xpulp_text.h", 'd ", " step "(" base "!)\\n"', 'd ", " step "(" base ")\\n"'),
    (LINEAR, "tmc_xpulp_text.h", 'value ", " step "(" base "!)\\n"', 'value ", " base "(" step "!)\\n"'),
    ("tmc_layernorm_s16s8", "tmc_xpulp_text.h", 'd ", " #n "(" base "!)\\n"', 'd ", 2(" base "!)\\n"'),
    ("tmc_layernorm_s16s8", "tmc_xpulp_text.h",
     'value ", " #n "(" base "!)\\n"', 'base ", " #n "(" value "!)\\n"'),
    ("tmc_linear_table_s8s8s8", "tmc_xpulp_text.h",
     'd ", " offset "(" base ")\\n"', 'd ", " base "(" offset ")\\n"'),
    (LINEAR, "tmc_xpulp_text.h", 'd ", " a ", " #n "\\n"', 'd ", " a ", 7\\n"'),
    # Mnemonics.
    (LINEAR, "tmc_xpulp_text.h", '"pv.sdotsp.b"', '"pv.sdotusp.b"'),
    (LINEAR, "tmc_xpulp_text.h", '"p.addNr"', '"p.addRNr"'),
    (LINEAR, "tmc_xpulp_text.h", '"pv.packlo.b"', '"pv.packhi.b"'),
    ("tmc_layernorm_s16s8", "tmc_xpulp_text.h", '"p.mulhhs"', '"p.muls"'),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Code:
    """Machine code of a kernel: instructions of 2 or 4 bytes each; relocations and constants as text."""

    words: tuple[int, ...]
    relocations: str


def compiled(kernel: Path, include: Path, *flags: str) -> str:
    """Return the compiler's assembly text of a kernel."""
    gcc = tool(GCC, "gcc-riscv64-unknown-elf")
    return run_quietly([gcc, *FLAGS, *flags, f"-I{include}", f"-I{header_folder()}", "-S", "-o", "-", kernel])


def assembled(text: str, folder: Path) -> Code:
    """Assemble with the stock assembler. Distances are those of the text: nothing is left to the linker."""
    source, code = folder / "code.s", folder / "code.o"
    source.write_text(text)
    run_quietly(["riscv64-unknown-elf-as", "-mabi=ilp32", "-mno-relax", "-mno-arch-attr", source, "-o", code])
    run_quietly(["riscv64-unknown-elf-objcopy", "-O", "binary", "-j", ".text", code, folder / "text.bin"])
    dump = run_quietly(["riscv64-unknown-elf-objdump", "-r", "-s", "-j", ".text", "-j", ".rodata", code])
    data = (folder / "text.bin").read_bytes()
    words, at = [], 0
    while at < len(data):
        size = 4 if data[at] & 3 == 3 else 2
        words.append(int.from_bytes(data[at : at + size], "little"))
        at += size
    return Code(tuple(words), dump)


@cache
def both_forms(kernel: Path, include: Path = RUNTIME / "include") -> tuple[str, str]:
    """Return the texts of a kernel with .insn, and with the SDK's mnemonics."""
    return compiled(kernel, include), compiled(kernel, include, *SDK)


@pytest.mark.parametrize("kernel", XPULP_KERNELS, ids=lambda path: path.stem)
def test_the_sdk_gets_the_same_words(kernel: Path, tmp_path: Path) -> None:
    with_insn, with_mnemonics = both_forms(kernel)
    text, instructions = translated(with_mnemonics)
    assert ".insn" not in text
    assert assembled(text, tmp_path) == assembled(with_insn, tmp_path)
    assert instructions or "TMC_" not in kernel.read_text().replace("TMC_CORES", "")


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the simulator's decoder into a program that reads words."""
    folder = RUNTIME / "iss"
    program = tmp_path_factory.mktemp("decoder") / "decode_words"
    sources = [path for path in sorted(folder.glob("*.c")) if path.name != "main.c"]
    run_quietly(["gcc", "-std=c11", "-O0", f"-I{folder}", HERE / "decode_words.c", *sources, "-o", program])
    return program


def test_the_simulator_reads_the_same_instructions(decoder: Path, tmp_path: Path) -> None:
    written: list[Instruction] = []
    words: list[int] = []
    for kernel in XPULP_KERNELS:
        text, instructions = translated(both_forms(kernel)[1])
        written += instructions
        words += (word for word in assembled(text, tmp_path).words if word & 3 == 3)
    assert len(written) > 1000
    listing = tmp_path / "words"
    listing.write_text("".join(f"{word:#x}\n" for word in words))
    read = [line.split() for line in run_quietly(["sh", "-c", f"{decoder} < {listing}"]).splitlines()]
    extensions = [line for line in read if line[0] in ROWS]
    assert [line[0] for line in extensions] == [instruction.mnemonic for instruction in written]
    for instruction, (_, *fields) in zip(written, extensions, strict=True):
        found = dict(zip(("rd", "rs1", "rs2", "imm"), map(int, fields), strict=True))
        if instruction.imm is None:
            assert (found["rd"], found["rs1"], found["imm"] > 0) == (instruction.rd, instruction.rs1, True)
        else:
            names = FIELDS.get(ROWS[instruction.mnemonic].operands, ("rd", "rs1", "rs2"))
            assert [found[name] for name in names] == [getattr(instruction, name) for name in names]


@pytest.mark.parametrize(("kernel", "file", "was", "becomes"), MUTATIONS)
def test_a_wrong_form_is_found(kernel: str, file: str, was: str, becomes: str, tmp_path: Path) -> None:
    include = tmp_path / "include"
    shutil.copytree(RUNTIME / "include", include)
    original = (include / file).read_text()
    first = original.index(was)
    (include / file).write_text(original[:first] + becomes + original[first + len(was) :])
    source = RUNTIME / "kernels" / f"{kernel}_xpulp.c"
    changed = compiled(source, include, *SDK)
    assert changed != both_forms(source)[1]
    with_insn = both_forms(source)[0]
    text, _ = translated(changed)
    assert assembled(text, tmp_path) != assembled(with_insn, tmp_path)


@pytest.mark.parametrize(
    "line",
    ["pv.nonsense.b t0, t1, t2", "p.mac t0, t1, 4", "p.lw t0, 4 (t1)", "lp.setup x2, t0, 7f", "p.clip t0"],
)
def test_the_assembler_refuses_what_it_does_not_know(line: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        translated(line)
