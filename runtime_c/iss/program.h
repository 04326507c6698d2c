/* The program: segments, what is executable, and names for addresses. */
#ifndef TMC_ISS_PROGRAM_H
#define TMC_ISS_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Span {
    uint32_t begin, end; /* end is the first address after it. */
} Span;

/* Load a 32-bit RISC-V executable into the memories and return its entry point; usage_error if it is none. */
uint32_t program_load(const char *path);

/* Return the smallest span that holds all code. */
Span program_code(void);

/* Return whether an address lies in a section (without sections: a segment) marked executable. */
bool program_is_code(uint32_t address);

/* Return whether the program has a symbol, and its address. */
bool program_address(const char *name, uint32_t *address);

/* Return the name of the last symbol at or before an address in its section, or null; offset from it. */
const char *program_symbol(uint32_t address, uint32_t *offset);

#endif
