/* Clocks and voltage. */
#include "gap9_clocks.h"

#include "tmc_platform.h"

#include "pmsis.h"

int gap9_set_clocks(void)
{
    /* A clock that was set is answered by 0 or by its frequency, as the SDK has it. */
#if TMC_FREQUENCY_HZ != 0
    if (pi_pmu_voltage_set(PI_PMU_VOLTAGE_DOMAIN_CHIP, TMC_VOLTAGE_MV) < 0 ||
        pi_freq_set(PI_FREQ_DOMAIN_FC, TMC_FREQUENCY_HZ) < 0 || pi_freq_set(PI_FREQ_DOMAIN_CL, TMC_FREQUENCY_HZ) < 0 ||
        pi_freq_set(PI_FREQ_DOMAIN_PERIPH, TMC_FREQUENCY_HZ) < 0)
        return TMC_ERROR_DEVICE;
#endif
    return TMC_OK;
}
