#include "trap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "console.h"
#include "program.h"
#include "stacks.h"

uint32_t cluster_cores;
Hart harts[HARTS];

const char *place(uint32_t address)
{
    static char buffers[4][192];
    static unsigned turn;
    char *buffer = buffers[turn++ % 4];
    uint32_t offset;
    const char *symbol = program_symbol(address, &offset);
    if (symbol == NULL) {
        snprintf(buffer, sizeof buffers[0], "0x%08x <no symbol>", address);
    } else {
        snprintf(buffer, sizeof buffers[0], "0x%08x <%.160s+0x%x>", address, symbol, offset);
    }
    return buffer;
}

static void print_hart(const Hart *hart)
{
    if (hart->index == FABRIC_CONTROLLER) {
        fprintf(stderr, "hart 0x%x (fabric controller)", hart->mhartid);
    } else {
        fprintf(stderr, "hart 0x%x (cluster core %u)", hart->mhartid, hart->index);
    }
    fprintf(stderr, " at pc %s", place(hart->pc));
}

_Noreturn void trap(const Hart *hart, const char *format, ...)
{
    va_list arguments;
    console_flush();
    fputs("iss: trap: ", stderr);
    print_hart(hart);
    fputs(": ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (stacks_overflowed(hart)) {
        fprintf(stderr, "; the stack of core %u has overflowed", hart->index);
    }
    fputc('\n', stderr);
    exit(STATUS_TRAP);
}

_Noreturn void trap_all(const char *format, ...)
{
    static const char *const STATES[] = {"off", "running", "asleep"};
    va_list arguments;
    console_flush();
    fputs("iss: trap: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    for (unsigned i = 0; i < HARTS; i++) {
        if (harts[i].state != HART_OFF) {
            fputs("iss: note: ", stderr);
            print_hart(&harts[i]);
            fprintf(stderr, ": %s\n", STATES[harts[i].state]);
        }
    }
    exit(STATUS_TRAP);
}

_Noreturn void usage_error(const char *format, ...)
{
    va_list arguments;
    fputs("iss: error: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(STATUS_USAGE);
}
