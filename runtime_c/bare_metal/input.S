/* The inputs of the run: the file that INPUT_FILE names. */
    .section .rodata
    .balign 16
    .globl network_input
    .globl network_input_end
network_input:
    .incbin INPUT_FILE
network_input_end:
    .balign 4
