/* Devices of the board; see pmsis.h. */
#ifndef BSP_BSP_H
#define BSP_BSP_H

#include "pmsis.h"

struct pi_default_ram_conf {
    uint32_t baudrate;
};

void pi_default_ram_conf_init(struct pi_default_ram_conf *conf);

#endif
