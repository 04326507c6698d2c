/* Where every hart starts: the fabric controller clears .bss and runs main, a core of the cluster serves jobs. */
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

    /* Stacks from the bottom of L1, that of core 0 first. */
    la      sp, l1_stacks_start + TMC_WORKER_STACK_BYTES
    li      a1, TMC_WORKER_STACK_BYTES
    mul     a0, a0, a1
    add     sp, sp, a0
    j       cluster_serve

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
    j       bare_metal_exit
