"""What XpulpV2 instructions do, by example: operands, and results worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass

from tests.runtime_c.iss.instruction_table import SIMD, XPULP, encode

# Bytes 0x80 0xff 0x7f 0x01 = -128 -1 127 1, and 0x7f 0x02 0xfd 0x84 = 127 2 -3 -124, highest first.
A, B = 0x80FF7F01, 0x7F02FD84
ROWS = {row.mnemonic: row for row in (*XPULP, *SIMD)}


@dataclass(frozen=True, slots=True)
class Case:
    """An instruction with the old destination, two operands and an immediate, and the new destination."""

    mnemonic: str
    result: int
    rs1: int = A
    rs2: int = B
    rd: int = 0
    imm: int = 0


def bits(position: int, width: int) -> int:
    """Return the immediate of a bit field."""
    return position + 32 * (width - 1)


CASES = (
    Case("p.min", A),
    Case("p.max", B),
    Case("p.minu", B),
    Case("p.maxu", A),
    Case("p.abs", 0x7F0080FF),
    Case("p.abs", 5, rs1=5),
    Case("p.abs", 0x80000000, rs1=0x80000000),
    Case("p.slet", 1),
    Case("p.slet", 1, rs1=7, rs2=7),
    Case("p.slet", 0, rs1=8, rs2=7),
    Case("p.sletu", 0),
    Case("p.exths", 0xFFFFFD84, rs1=B),
    Case("p.exthz", 0xFD84, rs1=B),
    Case("p.extbs", 0xFFFFFF84, rs1=B),
    Case("p.extbz", 0x84, rs1=B),
    Case("p.clipi", 127, rs1=300, imm=8),
    Case("p.clipi", 0xFFFFFF80, rs1=-300, imm=8),
    Case("p.clipi", 5, rs1=5, imm=8),
    Case("p.clipi", 0, rs1=300, imm=0),
    Case("p.clipi", 0xFFFFFFFF, rs1=-3, imm=1),
    Case("p.clipui", 255, rs1=300, imm=9),
    Case("p.clipui", 0, rs1=-5, imm=9),
    Case("p.clip", 127, rs1=500, rs2=127),
    Case("p.clip", 0xFFFFFF80, rs1=-500, rs2=127),
    Case("p.clipu", 255, rs1=500, rs2=255),
    Case("p.clipu", 0, rs1=-500, rs2=255),
    Case("p.cnt", 17),
    Case("p.ff1", 8, rs1=0x100),
    Case("p.ff1", 32, rs1=0),
    Case("p.fl1", 8, rs1=0x180),
    Case("p.fl1", 32, rs1=0),
    Case("p.clb", 19, rs1=0xFFF),
    Case("p.clb", 0, rs1=0),
    Case("p.clb", 31, rs1=-1),
    Case("p.ror", 0x78123456, rs1=0x12345678, rs2=8),
    Case("p.ror", 0x12345678, rs1=0x12345678, rs2=32),
    Case("p.extracti", 0xFFFFFFF7, imm=bits(12, 8)),
    Case("p.extractui", 0xF7, imm=bits(12, 8)),
    Case("p.extract", 0xFFFFFFF7, rs2=bits(12, 8)),
    Case("p.extractu", 0xF7, rs2=bits(12, 8)),
    Case("p.extracti", 0xFFFFFFF8, imm=bits(28, 16)),
    Case("p.extractui", 0x8, imm=bits(28, 16)),
    Case("p.inserti", 0xFFFA5FFF, rs1=0xA5, rd=-1, imm=bits(12, 8)),
    Case("p.insert", 0xFFFA5FFF, rs1=0xA5, rs2=bits(12, 8), rd=-1),
    Case("p.bseti", 0xF00, rs1=0, imm=bits(8, 4)),
    Case("p.bclri", 0xFFFFF0FF, rs1=-1, imm=bits(8, 4)),
    Case("p.bset", 0xF00, rs1=0, rs2=bits(8, 4)),
    Case("p.bclr", 0xFFFFF0FF, rs1=-1, rs2=bits(8, 4)),
    Case("p.addNi", 16, rs1=100, rs2=29, imm=3),
    Case("p.addRNi", 17, rs1=101, rs2=31, imm=3),
    Case("p.addNi", 0xFFFFFFFE, rs1=-20, rs2=4, imm=3),
    Case("p.adduNi", 0x1FFFFFFE, rs1=-20, rs2=4, imm=3),
    Case("p.subNi", 17, rs1=100, rs2=29, imm=2),
    Case("p.subRNi", 18, rs1=100, rs2=29, imm=2),
    Case("p.subuNi", 0x3FFFFFFF, rs1=0, rs2=1, imm=2),
    Case("p.addRNi", 7, rs1=3, rs2=4, imm=0),
    Case("p.addN", 16, rd=100, rs1=29, rs2=3),
    Case("p.addRN", 17, rd=101, rs1=31, rs2=3),
    Case("p.subN", 17, rd=100, rs1=29, rs2=2),
    Case("p.subRN", 18, rd=100, rs1=29, rs2=2),
    Case("p.mac", 79, rd=100, rs1=7, rs2=-3),
    Case("p.msu", 121, rd=100, rs1=7, rs2=-3),
    # 0x7f01 = 32513, 0xfd84 = -636; 0x80ff = -32513, 0x7f02 = 32514.
    Case("p.muls", -32513 * 636),
    Case("p.mulhhs", -32513 * 32514),
    Case("p.mulu", 32513 * 64900),
    Case("p.mulhhu", 33023 * 32514),
    Case("p.mulsN", -1292392, imm=4),
    Case("p.mulsRN", -1292392, imm=4),
    Case("p.mulsN", -41, rs1=-81, rs2=1, imm=1),
    Case("p.mulsRN", -40, rs1=-81, rs2=1, imm=1),
    Case("p.macs", 1000 - 32513 * 636, rd=1000),
    Case("p.macsN", 2, rd=-1, rs1=3, rs2=3, imm=2),
    Case("p.macsRN", 3, rd=1, rs1=3, rs2=3, imm=2),
    Case("p.macuN", 0x3FFFFFFF, rd=-2, rs1=1, rs2=1, imm=2),
    Case("p.machhs", 7, rd=1, rs1=0x00020009, rs2=0x00030009),
    Case("pv.add.b", 0xFF017C85),
    Case("pv.add.h", 0x00017C85),
    Case("pv.sub.b", 0x01FD827D),
    Case("pv.sub.h", 0x01FD817D),
    Case("pv.add.sc.b", 0x04830385),
    Case("pv.add.sci.b", 0x7DFC7CFE, imm=-3),
    Case("pv.avg.b", 0xFF003EC2),
    Case("pv.avg.h", 0x00003E42),
    Case("pv.avgu.b", 0x7F003E42),
    Case("pv.avg.b", 0xC0, rs1=0x7F, rs2=0x02),
    Case("pv.min.b", 0x80FFFD84),
    Case("pv.max.b", 0x7F027F01),
    Case("pv.minu.b", 0x7F027F01),
    Case("pv.maxu.b", 0x80FFFD84),
    Case("pv.max.sc.b", 0x00007F01, rs2=0),
    Case("pv.max.h", 0x7F027F01),
    Case("pv.max.sci.h", 0x00057F01, imm=5),
    Case("pv.maxu.sci.b", 0x80FF7F3F, imm=63),
    Case("pv.abs.b", 0x8001037C, rs1=0x80FFFD84),
    Case("pv.abs.h", 0x7F01027C, rs1=0x80FFFD84),
    Case("pv.sra.h", 0xF01F1FC0, rs2=0x00030002),
    Case("pv.sra.sci.h", 0xF01F0FE0, imm=3),
    Case("pv.srl.b", 0x401F0F00, rs2=0x01030304),
    Case("pv.sll.b", 0x00FEFC08, rs2=0x01010203),
    Case("pv.or.b", 0xFFFFFF85),
    Case("pv.xor.h", 0xFFFD8285),
    Case("pv.and.b", 0x00027D00),
    Case("pv.dotsp.b", -128 * 127 - 2 - 127 * 3 - 124),
    Case("pv.dotup.b", 128 * 127 + 255 * 2 + 127 * 253 + 132),
    Case("pv.dotusp.b", 128 * 127 + 255 * 2 - 127 * 3 - 124),
    Case("pv.dotsp.h", -32513 * 32514 - 32513 * 636),
    Case("pv.sdotsp.b", 1000 - 128 * 127 - 2 - 127 * 3 - 124, rd=1000),
    Case("pv.sdotup.b", 1000 + 128 * 127 + 255 * 2 + 127 * 253 + 132, rd=1000),
    Case("pv.sdotusp.b", 1000 + 128 * 127 + 255 * 2 - 127 * 3 - 124, rd=1000),
    Case("pv.sdotusp.h", 1000 + 33023 * 32514 - 32513 * 636, rd=1000),
    Case("pv.sdotsp.sc.b", 1000 + 124, rd=1000),
    Case("pv.sdotsp.sci.b", 1000 + 2, rd=1000, imm=-2),
    Case("pv.shuffle.b", 0x11223344, rs1=0x44332211, rs2=0x00010203),
    Case("pv.shuffle.h", 0x22114433, rs1=0x44332211, rs2=0x00000001),
    Case("pv.shufflei1.sci.b", 0x22441133, rs1=0x44332211, imm=0b110010),
    Case("pv.shuffle2.b", 0xD1D23344, rd=0xD4D3D2D1, rs1=0x44332211, rs2=0x00010607),
    Case("pv.shuffle2.h", 0xD2D14433, rd=0xD4D3D2D1, rs1=0x44332211, rs2=0x00000003),
    Case("pv.pack.h", 0x11112222, rs1=0x1111, rs2=0x2222),
    Case("pv.packlo.b", 0xAABB1122, rd=0xAABBCCDD, rs1=0x11, rs2=0x22),
    Case("pv.packhi.b", 0x1122CCDD, rd=0xAABBCCDD, rs1=0x11, rs2=0x22),
    Case("pv.extract.b", 0xFFFFFFFF, imm=2),
    Case("pv.extractu.b", 0x80, imm=3),
    Case("pv.extract.h", 0xFFFF80FF, imm=1),
    Case("pv.insert.b", 0xFF5AFFFF, rs1=0x5A, rd=-1, imm=2),
    Case("pv.insert.h", 0x12345678, rs1=0x1234, rd=0x5678, imm=1),
    Case("pv.cmpgt.b", 0x0000FFFF),
    Case("pv.cmpgtu.b", 0xFFFF0000),
    Case("pv.cmpeq.sci.b", 0x000000FF, imm=1),
    Case("pv.cmple.h", 0xFFFF0000),
    Case("pv.cmpne.sc.b", 0xFFFFFFFF),
)


def assembly() -> str:
    """Return a program that prints the result of each case."""
    lines = [".text", ".globl main", "main:", "addi sp, sp, -16", "sw ra, 0(sp)"]
    for i, case in enumerate(CASES):
        word = encode(ROWS[case.mnemonic], rd=12, rs1=10, rs2=11, imm=case.imm)
        lines += [f"li a0, {case.rs1 & 0xFFFFFFFF:#x}", f"li a1, {case.rs2 & 0xFFFFFFFF:#x}"]
        lines += [f"li a2, {case.rd & 0xFFFFFFFF:#x}", f".word {word:#010x}", "mv a1, a2", f"la a0, text_{i}"]
        lines += ["call report"]
    lines += ["li a0, 0", "lw ra, 0(sp)", "addi sp, sp, 16", "ret", ".section .rodata"]
    lines += [f'text_{i}: .string "{i}:{case.mnemonic}"' for i, case in enumerate(CASES)]
    return "\n".join(lines) + "\n"


def expected() -> list[str]:
    """Return the lines that the program has to print."""
    return [f"{i}:{case.mnemonic} {case.result & 0xFFFFFFFF:08x}" for i, case in enumerate(CASES)]
