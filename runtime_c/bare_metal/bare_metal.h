/* What the parts of the bare-metal platform share. */
#ifndef BARE_METAL_H
#define BARE_METAL_H

#include <stdint.h>

#include "tmc_platform.h"

/* Data that core 0 needs often: in L1, where nothing clears it. */
#define IN_L1 __attribute__((section(".l1")))
/* In the private banks of L2. */
#define IN_PRIVATE __attribute__((section(".private")))

/** End the simulation with a status: 0 is success. */
_Noreturn void bare_metal_exit(int status);

/** Print a text; of all harts only the fabric controller prints. */
void console_text(const char *text);
void console_decimal(uint32_t number);
void console_hex(uint32_t number, uint32_t digits);

/** Take 16-byte aligned memory of L2 for the rest of the program; NULL if there is not enough. */
uint8_t *take_l2(uint32_t bytes);

/** Switch the HyperBus on. */
void hyper_start(void);

/** Copy the first `bytes` bytes of the flash to the start of the RAM and return their checksum. */
uint32_t hyper_copy_flash(uint32_t bytes);

/** Forget all transfers; core 0. */
void transfers_reset(void);

/** Return the cycles of the last job, from the barrier before its first instruction to the one after its last. */
uint32_t cluster_cycles(void);

/** Return the cycles of the stage that began as number `index` of the last job; it ends where the next begins. */
uint32_t cluster_stage_cycles(uint32_t index);

/** The stage that runs and when each began; core 0 writes, the fabric controller watches. More than STAGES_MAX are
 *  not logged: their cycles count as the last one's. */
#define STAGES_MAX 256u
typedef struct {
    volatile uint32_t begun; /* stages begun so far */
    uint32_t numbers[STAGES_MAX];
    uint32_t cycles[STAGES_MAX]; /* core 0's counter at the beginning */
} stage_log;
extern stage_log stages;

#ifdef TMC_TRACE
/** Allocate and clear the sums of a network's traced values; TMC_OK or TMC_ERROR_MEMORY. */
int trace_reset(const tmc_network *network);

/** Forget the sums: their memory is given back. */
void trace_forget(void);

/** Return the sum of a traced value. */
uint32_t trace_sum(uint32_t value);
#endif

#endif
