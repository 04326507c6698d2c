/* Measuring kernels on the cluster: every core runs measure(), whose cases are timed by core 0 between barriers. */
#ifndef CYCLES_H
#define CYCLES_H

#include <stdint.h>

#include "tmc_cores.h"

#define IN_L1 __attribute__((section(".l1")))

/** Fill memory with random bytes; all cores, a barrier at the end. */
void fill_random(void *to, uint32_t bytes);

/** End the case that runs and begin another; all cores. elements: what one call works on; macs: 0 if there are none.
 *  Of cases of one name and size the last counts. */
void begin_case(const char *name, const char *size, uint32_t elements, uint32_t macs);

/** End the case that runs; all cores. */
void end_cases(void);

/** The program's own: all cases. All cores. */
void measure(void);

#endif
