/* What the parts of the GAP9 platform share: the external memory and the image of the current run. */
#ifndef GAP9_MEMORY_H
#define GAP9_MEMORY_H

#include <stdint.h>

#include "pmsis.h"

extern struct pi_device gap9_ram;

/** Address of the running network's image in the external memory. */
extern uint32_t gap9_l3_image;

#endif
