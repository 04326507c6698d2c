/* Devices of the board: flash, and external memory; see pmsis.h. */
#ifndef BSP_BSP_H
#define BSP_BSP_H

#include "pmsis.h"

struct pi_default_flash_conf {
    uint32_t baudrate;
};

struct pi_mram_conf {
    int itf;
};

struct pi_default_ram_conf {
    uint32_t baudrate;
};

void pi_default_flash_conf_init(struct pi_default_flash_conf *conf);
void pi_mram_conf_init(struct pi_mram_conf *conf);
int pi_flash_open(struct pi_device *device);
void pi_flash_close(struct pi_device *device);

/** A read that a core of the cluster asked for. */
typedef struct pi_cl_ram_req_s {
    void *addr;
    uint32_t pi_ram_addr;
    uint32_t size;
    struct pi_cl_ram_req_s *next;
    uint8_t done;
} pi_cl_ram_req_t;

void pi_default_ram_conf_init(struct pi_default_ram_conf *conf);
int32_t pi_ram_open(struct pi_device *device);
void pi_ram_close(struct pi_device *device);
int pi_ram_alloc(struct pi_device *device, uint32_t *addr, uint32_t size);
int pi_ram_free(struct pi_device *device, uint32_t addr, uint32_t size);
void pi_ram_write(struct pi_device *device, uint32_t pi_ram_addr, void *data, uint32_t size);
void pi_cl_ram_read(struct pi_device *device, uint32_t pi_ram_addr, void *addr, uint32_t size, pi_cl_ram_req_t *req);
void pi_cl_ram_read_wait(pi_cl_ram_req_t *req);

#endif
