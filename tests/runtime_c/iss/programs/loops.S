# Hardware loops. The end offset counts from the loop instruction to the last instruction of the body, in halfwords.
# Expected results: EXPECTED_LOOPS in test_programs.py.

    .macro lp_starti loop, offset
    .insn i 0x7b, 0, x\loop, x0, \offset / 2
    .endm
    .macro lp_endi loop, offset
    .insn i 0x7b, 1, x\loop, x0, \offset / 2
    .endm
    .macro lp_count loop, count
    .insn i 0x7b, 2, x\loop, \count, 0
    .endm
    .macro lp_counti loop, count
    .insn i 0x7b, 3, x\loop, x0, \count
    .endm
    .macro lp_setup loop, count, offset
    .insn i 0x7b, 4, x\loop, \count, \offset / 2
    .endm
    # The offset goes into the rs1 field: 4, 8, 12, ... as the register number 2, 4, 6, ...
    .macro lp_setupi loop, count, offset_halfwords
    .insn i 0x7b, 5, x\loop, x\offset_halfwords, \count
    .endm
    .macro show name
    mv a1, s2
    la a0, name_\name
    call report
    mv a1, s3
    la a0, name_\name
    call report
    .section .rodata
name_\name: .string "\name"
    .text
    li s2, 0
    li s3, 0
    .endm

    .text
    .option norvc
    .globl main
main:
    addi sp, sp, -16
    sw ra, 0(sp)
    li s2, 0
    li s3, 0

    li t0, 10
    .balign 4
    lp_setup 0, t0, 8
    addi s2, s2, 1
    addi s3, s3, 3
    show setup

    lp_setupi 0, 7, 4
    addi s2, s2, 1
    addi s3, s3, 3
    show setupi

    # The count has 12 bits without a sign; the assembler wants 4095 written as -1.
    lp_setupi 1, -1, 6
    addi s2, s2, 1
    addi s3, s3, 3
    addi s3, s3, 1
    show setupi_loop1

    li t0, 1
    lp_setup 0, t0, 12
    addi s2, s2, 1
    addi s3, s3, 3
    nop
    show once

    # A count of 0 does not skip the body.
    li t0, 0
    lp_setup 0, t0, 12
    addi s2, s2, 1
    addi s3, s3, 3
    nop
    show count_zero

    # Nested, the inner loop set up anew each time: 6 times (1, then 5 times 2, then 100).
    li t0, 5
    li t1, 6
    lp_setup 1, t1, 28
    addi s2, s2, 1
    lp_setup 0, t0, 12
    addi s3, s3, 2
    addi s2, s2, 0
    addi s3, s3, 0
    nop
    addi s3, s3, 100
    show nested

    # Start, end and count one by one.
    li t0, 9
    lp_starti 0, 12
    lp_endi 0, 16
    lp_count 0, t0
    addi s2, s2, 1
    addi s3, s3, 10
    nop
    show one_by_one

    lp_starti 1, 12
    lp_endi 1, 16
    lp_counti 1, 11
    addi s2, s2, 1
    addi s3, s3, 10
    nop
    show counti

    # A branch inside the body, and a load as its last instruction.
    la t1, table
    li t0, 8
    lw t2, 0(t1)
    lp_setup 0, t0, 24
    andi t3, t2, 1
    beqz t3, even
    addi s2, s2, 1
even:
    add s3, s3, t2
    addi t1, t1, 4
    lw t2, 0(t1)
    show branch_inside

    # A taken branch out of the loop leaves it armed; it is only over when its end is passed again.
    li t0, 100
    lp_setup 0, t0, 20
    addi s2, s2, 1
    addi s3, s3, 5
    slti t1, s2, 4
    beqz t1, out
    nop
out:
    lp_counti 0, 0
    show break_out

    # A post-increment load feeding a multiply-accumulate, as in a kernel.
    la t1, table
    li t0, 8
    lp_setup 0, t0, 12
    .insn i 0x0b, 2, t2, t1, 4
    .insn r 0x33, 0, 0x21, s2, t2, t2
    addi s3, s3, 1
    show kernel

    li a0, 0
    lw ra, 0(sp)
    addi sp, sp, 16
    ret

    .section .rodata
    .balign 4
table: .word 3, 4, 5, 6, 7, 8, 9, 11, 0
