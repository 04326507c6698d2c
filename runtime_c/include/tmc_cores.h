/* The cores of the cluster, as kernels and generated code see them.
 *
 * Generated code is single program, multiple data: all TMC_CORES cores run every stage function with the
 * same arguments. A kernel takes its own share of the work by tmc_core_id() and does not synchronise.
 */
#ifndef TMC_CORES_H
#define TMC_CORES_H

#include <stdint.h>

#include "tmc_target.h"

/** Return the number of the calling core, 0 to TMC_CORES - 1. */
uint32_t tmc_core_id(void);

/** Meet the other cores: what any core wrote before is visible to every core after. All cores call it. */
void tmc_barrier(void);

#endif
