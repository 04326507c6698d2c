# Reset: the fabric controller runs main, each cluster core core_main. Registers hold rubbish.
    .section .text.start, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    csrr a0, 0xf14
    srli a1, a0, 5
    li a2, 31
    bne a1, a2, cluster_core
    la sp, fabric_stack_end
    la t0, bss_start
    la t1, bss_end
clear:
    bgeu t0, t1, cleared
    sw zero, 0(t0)
    addi t0, t0, 4
    j clear
cleared:
    call main
    call finish
cluster_core:
    la sp, l1_stacks_start + 0x200
    slli t0, a0, 9
    add sp, sp, t0
    call core_main
idle:
    wfi
    j idle

# A program without cluster code has this one.
    .weak core_main
core_main:
    j core_main
