/* Stopping the simulation: what hardware would not forgive, and what this simulator does not know. */
#ifndef TMC_ISS_TRAP_H
#define TMC_ISS_TRAP_H

#include <stdint.h>

#include "hart.h"

/* Exit statuses of the simulator; a program's own status is below. */
enum { STATUS_TRAP = 125, STATUS_USAGE = 126, STATUS_PROGRAM_MAX = 124 };

/* Print hart, program counter, symbol and a message to standard error, and exit with STATUS_TRAP. */
_Noreturn void trap(const Hart *hart, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Print a message and every hart's place to standard error, and exit with STATUS_TRAP. */
_Noreturn void trap_all(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print a message about the command line or a file to standard error, and exit with STATUS_USAGE. */
_Noreturn void usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Return "0x1c010000 <symbol+0x4>" in one of a few static buffers, for up to four uses in one message. */
const char *place(uint32_t address);

#endif
