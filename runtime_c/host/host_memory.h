/* What the parts of the host platform share: the memories of the current run. */
#ifndef HOST_MEMORY_H
#define HOST_MEMORY_H

#include <stdint.h>

#include "tmc_platform.h"

/* Content of memory that nobody wrote, and of a destination before its wait. */
#define HOST_GARBAGE 0xA5

/** The network that runs, and the buffers of its caller, NULL for init; session is NULL between runs. */
typedef struct {
    const tmc_session *session;
    const uint8_t *const *inputs;
    uint8_t *const *outputs;
} host_run;

extern host_run host_current;

/** Print a message about a misuse of the platform and abort: generated code must never get here. */
#if defined(__GNUC__)
__attribute__((noreturn, format(printf, 1, 2)))
#endif
void host_fail(const char *format, ...);

/** Fail if a transfer is in flight. */
void host_expect_idle(void);

#endif
