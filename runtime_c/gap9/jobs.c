/* Jobs on GAP9: making NE16 ready, and what its driver remembers.
 *
 * The SDK has no driver of it below its own network compiler, so registers are written here. Their addresses and fields,
 * and what has to be set, are those of public drivers: pulp-platform/pulp-nnx (ne16/bsp) and, with the same values, the
 * headers of GreenWaves' kernels (NE16_Enable, NE16_SoftReset). None of it was tried on silicon.
 */
#include "gap9_jobs.h"

#include "tmc_ne16_job.h"
#include "tmc_target.h"

/* Of the cluster's control unit, as a core of the cluster sees it. */
#define ACCELERATOR_ADDRESS 0x00200018u
#define ACCELERATOR_CLOCK (1u << 11)   /* else its clock is off */
#define ACCELERATOR_FIRST (1u << 8)    /* its accesses to L1 go before those of cores and DMA */
#define OTHERS_STALL_CYCLES 8u         /* that those wait at most, one after the other: 8 bits */

uint32_t tmc_ne16_last;

void gap9_start_jobs(void)
{
#if TMC_NE16
    *(volatile uint32_t *)(uintptr_t)ACCELERATOR_ADDRESS = ACCELERATOR_CLOCK | ACCELERATOR_FIRST | OTHERS_STALL_CYCLES;
    *tmc_ne16_register(TMC_NE16_CLEAR) = 0;
    /* The controller takes some cycles to forget. */
    for (uint32_t i = 0; i < 16u; ++i)
        __asm__ volatile("nop");
#endif
}
