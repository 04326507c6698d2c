/* Declarations of the PMSIS calls that the gap9 platform makes, for -fsyntax-only where no SDK is at hand.
 *
 * Names, parameters and results follow the public PMSIS interface; structures have the fields that callers
 * set or read, and no other. Nothing here can be linked.
 */
#ifndef PMSIS_H
#define PMSIS_H

#include <stddef.h>
#include <stdint.h>

struct pi_device {
    void *config;
};

void pi_open_from_conf(struct pi_device *device, void *conf);
void pmsis_exit(int status);

/* Memory. */
void *pi_l2_malloc(int size);
void pi_l2_free(void *chunk, int size);
void *pi_cl_l1_malloc(struct pi_device *device, uint32_t size);
void pi_cl_l1_free(struct pi_device *device, void *chunk, int size);

/* Cluster, from the fabric controller. */
enum {
    PI_CLUSTER_MASTER_CORE_ICACHE_ENABLE = 1 << 0,
    PI_CLUSTER_ICACHE_PREFETCH_ENABLE = 1 << 1,
    PI_CLUSTER_ICACHE_ENABLE = 1 << 2
};

struct pi_cluster_conf {
    int id;
    uint32_t cc_stack_size;
    uint32_t icache_conf;
};

struct pi_cluster_task {
    void (*entry)(void *);
    void *arg;
};

void pi_cluster_conf_init(struct pi_cluster_conf *conf);
int pi_cluster_open(struct pi_device *device);
int pi_cluster_close(struct pi_device *device);
struct pi_cluster_task *pi_cluster_task(struct pi_cluster_task *task, void (*entry)(void *), void *arg);
int pi_cluster_send_task_to_cl(struct pi_device *device, struct pi_cluster_task *task);

/* Cluster, from its cores. */
uint32_t pi_core_id(void);
void pi_cl_team_fork(int nb_cores, void (*entry)(void *), void *arg);
void pi_cl_team_barrier(void);

/* DMA between L2 and L1. */
typedef enum { PI_CL_DMA_DIR_LOC2EXT = 0, PI_CL_DMA_DIR_EXT2LOC = 1 } pi_cl_dma_dir_e;

typedef struct {
    uint32_t ext;
    uint32_t loc;
    uint16_t size;
    pi_cl_dma_dir_e dir;
    uint8_t merge;
} pi_cl_dma_copy_t;

typedef struct {
    uint32_t ext;
    uint32_t loc;
    uint16_t size;
    pi_cl_dma_dir_e dir;
    uint8_t merge;
    uint32_t stride;
    uint32_t length;
} pi_cl_dma_copy_2d_t;

void pi_cl_dma_memcpy(pi_cl_dma_copy_t *copy);
void pi_cl_dma_memcpy_2d(pi_cl_dma_copy_2d_t *copy);
void pi_cl_dma_wait(void *copy);

/* Performance counters. */
typedef enum { PI_PERF_CYCLES = 0 } pi_perf_event_e;

void pi_perf_conf(unsigned int events);
void pi_perf_reset(void);
void pi_perf_start(void);
void pi_perf_stop(void);
unsigned int pi_perf_read(int event);

#endif
