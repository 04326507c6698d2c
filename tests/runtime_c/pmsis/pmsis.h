/* Declarations of the PMSIS calls that the gap9 platform makes, for where no SDK is at hand: for -fsyntax-only, and
 * for the small PMSIS in tests/runtime_c/gap9, which implements them.
 *
 * Names, parameters and results follow the public interface: GreenWaves-Technologies/gap_sdk, tag release-v4.13.0
 * (rtos/pmsis), and what public applications of 5.x SDKs call. Structures have the fields that callers set or read, and
 * those that the small PMSIS keeps there. What differs from 4.13:
 *   - most of these are static inline there; structures have more fields, and others that only the runtime reads
 *   - pi_cluster_conf.icache_conf and its flags, pi_cluster_task_stacks: later SDKs have them
 *   - pi_gpio_pin_configure and pi_gpio_pin_write take a device as well there; pi_pad_function_set is
 *     pi_pad_set_function there. Later SDKs number pads, as here
 *   - pi_default_flash_conf and pi_default_ram_conf are other names of the board's devices there
 *   - pi_pad_e, pi_pad_func_e and pi_gpio_e are numbers here; values of flags and of PI_PERF_CYCLES are other ones
 */
#ifndef PMSIS_H
#define PMSIS_H

#include <stddef.h>
#include <stdint.h>

struct pi_device {
    void *config;
    void *data;
};

void pi_open_from_conf(struct pi_device *device, void *conf);
void pmsis_exit(int err);

/* Memory. */
void *pi_l2_malloc(int size);
void pi_l2_free(void *chunk, int size);
void *pi_cl_l1_malloc(struct pi_device *device, uint32_t size);
void pi_cl_l1_free(struct pi_device *device, void *chunk, int size);

/* Clocks, voltage, pads. */
typedef enum { PI_FREQ_DOMAIN_PERIPH = 0, PI_FREQ_DOMAIN_FC = 1, PI_FREQ_DOMAIN_CL = 2 } pi_freq_domain_e;
typedef enum { PI_PMU_VOLTAGE_DOMAIN_CHIP = 0 } pi_pmu_voltage_domain_e;
typedef enum { PI_GPIO_INPUT = 0, PI_GPIO_OUTPUT = 1 } pi_gpio_flags_e;

uint32_t pi_freq_get(pi_freq_domain_e domain);
int32_t pi_freq_set(pi_freq_domain_e domain, uint32_t freq);
int pi_pmu_voltage_set(pi_pmu_voltage_domain_e domain, uint32_t voltage);
void pi_pad_function_set(uint32_t pad, uint32_t function);
int pi_gpio_pin_configure(uint32_t pin, pi_gpio_flags_e flags);
int pi_gpio_pin_write(uint32_t pin, uint32_t value);

/* Cluster, from the fabric controller. */
enum {
    PI_CLUSTER_MASTER_CORE_ICACHE_ENABLE = 1 << 0,
    PI_CLUSTER_ICACHE_PREFETCH_ENABLE = 1 << 1,
    PI_CLUSTER_ICACHE_ENABLE = 1 << 2
};

struct pi_cluster_conf {
    int id;
    int cc_stack_size;
    uint32_t icache_conf;
};

typedef struct pi_cluster_task {
    void (*entry)(void *);
    void *arg;
    void *stacks;
    uint32_t slave_stack_size;
    int nb_cores;
} pi_cluster_task_t;

void pi_cluster_conf_init(struct pi_cluster_conf *conf);
int pi_cluster_open(struct pi_device *device);
int pi_cluster_close(struct pi_device *device);
struct pi_cluster_task *pi_cluster_task(struct pi_cluster_task *task, void (*entry)(void *), void *arg);
pi_cluster_task_t *pi_cluster_task_stacks(pi_cluster_task_t *task, void *stacks, int stack_size);
int pi_cluster_send_task_to_cl(struct pi_device *device, struct pi_cluster_task *task);

/* Cluster, from its cores. */
uint32_t pi_core_id(void);
void pi_cl_team_fork(int nb_cores, void (*entry)(void *), void *arg);
void pi_cl_team_barrier(void);

/* DMA between L2 and L1. */
typedef enum { PI_CL_DMA_DIR_LOC2EXT = 0, PI_CL_DMA_DIR_EXT2LOC = 1 } pi_cl_dma_dir_e;

typedef struct pi_cl_dma_copy_s {
    uint32_t ext;
    uint32_t loc;
    uint32_t id;
    uint32_t size;
    pi_cl_dma_dir_e dir;
    uint8_t merge;
    uint32_t stride;
    uint32_t length;
} pi_cl_dma_copy_t;

typedef pi_cl_dma_copy_t pi_cl_dma_copy_2d_t;

void pi_cl_dma_memcpy(pi_cl_dma_copy_t *copy);
void pi_cl_dma_memcpy_2d(pi_cl_dma_copy_2d_t *copy);
void pi_cl_dma_wait(void *copy);

/* Performance counters. */
enum { PI_PERF_CYCLES = 0 };

void pi_perf_conf(unsigned events);
void pi_perf_reset(void);
void pi_perf_start(void);
void pi_perf_stop(void);
unsigned int pi_perf_read(int id);

#endif
