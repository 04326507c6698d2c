# QEMU's virt machine, hart 0: UART and test device.
    .section .text.start, "ax"
    .globl _start
_start:
    la sp, stack_end
    call main
    .globl finish
finish:
    li t0, 0x100000
    slli a0, a0, 16
    li t1, 0x3333
    or a0, a0, t1
    bne a0, t1, failed
    li a0, 0x5555
failed:
    sw a0, 0(t0)
stop:
    j stop
    .globl put_char
put_char:
    li t0, 0x10000000
    sb a0, 0(t0)
    ret
