/* Flash; see pmsis.h. */
#ifndef BSP_FLASH_SPIFLASH_H
#define BSP_FLASH_SPIFLASH_H

#include "pmsis.h"

struct pi_mx25u51245g_conf {
    uint32_t baudrate;
};

void pi_mx25u51245g_conf_init(struct pi_mx25u51245g_conf *conf);
int pi_flash_open(struct pi_device *device);
void pi_flash_close(struct pi_device *device);

#endif
