/* Jobs on bare metal: those of NE16. */
#ifndef TMC_JOB_H
#define TMC_JOB_H

#include "tmc_ne16_slot.h"

#endif
