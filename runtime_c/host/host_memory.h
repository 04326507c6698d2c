/* What the parts of the host platform share: the memories of the current run. */
#ifndef HOST_MEMORY_H
#define HOST_MEMORY_H

#include <stdint.h>

#include "tmc_platform.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(address, bytes) ASAN_POISON_MEMORY_REGION(address, bytes)
#define UNPOISON(address, bytes) ASAN_UNPOISON_MEMORY_REGION(address, bytes)
#else
#define POISON(address, bytes) ((void)(address), (void)(bytes))
#define UNPOISON(address, bytes) ((void)(address), (void)(bytes))
#endif

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

/** Fail if the caller is no core 0 of a run; `call` is what it has called. */
void host_expect_core_0(const char *call);

/** Tell whether a span lies in the L1 arena of the run. */
int host_lies_in_l1(const void *address, uint64_t bytes);

/** Fail if a transfer is in flight. */
void host_expect_idle(void);

/** Fail if a job is in flight. */
void host_expect_no_jobs(void);

#endif
