/* Jobs on bare metal: what the driver of NE16 remembers. */
#include "bare_metal.h"
#include "tmc_ne16_job.h"

IN_L1 uint32_t tmc_ne16_last;
