/* Where every hart starts: the fabric controller clears .bss and runs main, a core of the cluster waits for teams. It
 * has no stack until a task gives it one. */
    .option arch, +zicsr
    .section .text.start, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    la      gp, __global_pointer$
    .option pop
    csrr    a0, mhartid
    srli    a1, a0, 5
    bnez    a1, fabric_controller

    li      s0, 0x00204000      /* its event unit */
wait:
    li      t0, 1               /* the software event */
    sw      t0, 0(s0)
    .insn i 0x03, 6, t0, s0, 0x3c
    csrr    a0, mhartid
    la      t0, team
    lw      sp, 0(t0)
    lw      t1, 4(t0)
    addi    a0, a0, 1
    mul     a0, a0, t1
    add     sp, sp, a0
    call    team_member
    j       wait

fabric_controller:
    la      sp, fabric_stack_end
    la      t0, bss_start
    la      t1, bss_end
clear:
    bgeu    t0, t1, cleared
    sw      zero, 0(t0)
    addi    t0, t0, 4
    j       clear
cleared:
    call    main
    j       pmsis_exit

    .globl call_on_stack
call_on_stack:
    addi    a2, a2, -16
    sw      sp, 0(a2)
    sw      ra, 4(a2)
    mv      sp, a2
    mv      t0, a0
    mv      a0, a1
    jalr    t0
    lw      ra, 4(sp)
    lw      sp, 0(sp)
    ret
