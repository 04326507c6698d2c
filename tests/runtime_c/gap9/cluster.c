/* The cluster: its heap, tasks, teams, DMA and counter.
 *
 * The simulators have no ninth core: the fabric controller, which would sleep until the task ends, runs the controller
 * itself, on the controller's stack in L1, and serves requests while the team runs. A wait for the DMA polls.
 */
#include <stddef.h>

#include "bare_metal.h"
#include "pmsis.h"
#include "pmsis_parts.h"
#include "registers.h"

#define CORES 8u
#define ACCELERATOR 0x18u /* word of cluster control: the accelerator's clock, and how it gets to L1 */
/* The heap begins behind the run time's own data: __l1_heapsram_size is 130,944 of 131,072 [BUILD: 5.15]. */
#define L1_HEAP_START 0x10000080u
#define L1_END 0x10020000u

extern void _start(void);

static struct {
    uint32_t open;
    heap heap;
    uint8_t *controller_stack; /* at the start of L1's heap [BUILD: pi_cluster_open] */
    void *stacks;              /* kept from task to task while they have the same size [OS, BUILD] */
    uint32_t stacks_bytes;
} cluster;

/** What the team runs. The cores read stacks and size when they wake (start.S knows the first two). */
struct {
    uint8_t *stacks;
    uint32_t stack_bytes;
    void (*entry)(void *);
    void *argument;
    volatile uint32_t finished;
    uint32_t cores;
    uint32_t cycles;
} team;

static struct {
    uint32_t counting;
    uint32_t cycles;
} counter;

void pi_cluster_conf_init(struct pi_cluster_conf *conf)
{
    *conf = (struct pi_cluster_conf){.cc_stack_size = 0x800};
}

int pi_cluster_open(struct pi_device *device)
{
    const struct pi_cluster_conf *conf = device->config;
    const uint32_t stack_bytes = (uint32_t)conf->cc_stack_size;
    if (stack_bytes > L1_END - L1_HEAP_START)
        return -1;
    cluster.controller_stack = (uint8_t *)(uintptr_t)(L1_HEAP_START + stack_bytes);
    heap_open(&cluster.heap, L1_HEAP_START + stack_bytes, L1_END);
    cluster.stacks = NULL;
    if (cluster.open == 0u) {
        register_store(CLUSTER_CACHE_ADDRESS, 0xFFFFFFFFu);
        for (uint32_t i = 0; i < CORES; ++i)
            register_store(CLUSTER_CONTROL_ADDRESS + CLUSTER_BOOT_ADDRESS + 4u * i, (uint32_t)(uintptr_t)_start);
        register_store(CLUSTER_CONTROL_ADDRESS + CLUSTER_FETCH_ENABLE, (1u << CORES) - 1u);
    }
    cluster.open = 1u;
    return 0;
}

int pi_cluster_close(struct pi_device *device)
{
    if (cluster.stacks != NULL)
        pi_cl_l1_free(device, cluster.stacks, (int)cluster.stacks_bytes);
    if (!heap_is_whole(&cluster.heap))
        pmsis_fail("L1 that nobody has given back");
    return 0;
}

void *pi_cl_l1_malloc(struct pi_device *device, uint32_t size)
{
    (void)device;
    return heap_take(&cluster.heap, size);
}

void pi_cl_l1_free(struct pi_device *device, void *chunk, int size)
{
    (void)device;
    heap_give(&cluster.heap, chunk, (uint32_t)size);
}

struct pi_cluster_task *pi_cluster_task(struct pi_cluster_task *task, void (*entry)(void *), void *arg)
{
    *task = (struct pi_cluster_task){.entry = entry, .arg = arg, .slave_stack_size = 0x400, .nb_cores = (int)CORES};
    return task;
}

pi_cluster_task_t *pi_cluster_task_stacks(pi_cluster_task_t *task, void *stacks, int stack_size)
{
    task->stacks = stacks;
    task->slave_stack_size = (uint32_t)stack_size;
    return task;
}

/** Give a task without stacks those of the driver; -1 if there is no room [BUILD: __pi_cluster_task_set_stack]. */
static int set_stacks(struct pi_device *device, struct pi_cluster_task *task)
{
    const uint32_t bytes = task->slave_stack_size * (uint32_t)task->nb_cores;
    if (cluster.stacks == NULL || cluster.stacks_bytes != bytes) {
        if (cluster.stacks != NULL)
            pi_cl_l1_free(device, cluster.stacks, (int)cluster.stacks_bytes);
        cluster.stacks_bytes = bytes;
        cluster.stacks = pi_cl_l1_malloc(device, bytes);
    }
    task->stacks = cluster.stacks;
    return cluster.stacks == NULL ? -1 : 0;
}

int pi_cluster_send_task_to_cl(struct pi_device *device, struct pi_cluster_task *task)
{
    if (task->stacks == NULL && set_stacks(device, task) != 0)
        return -1;
    team.stacks = task->stacks;
    team.stack_bytes = task->slave_stack_size;
    call_on_stack(task->entry, task->arg, cluster.controller_stack);
    return 0;
}

uint32_t pi_core_id(void)
{
    return hart_id() & 31u;
}

void pi_cl_team_barrier(void)
{
    event_wait(EVENT_ADDRESS + EVENT_BARRIER_WAIT_CLEAR);
}

/** What a core does when the team wakes it, on its stack. */
void team_member(void)
{
    const uint32_t core = pi_core_id();
    register_store(EVENT_ADDRESS + EVENT_BARRIER_TRIGGER, (1u << team.cores) - 1u);
    register_store(EVENT_ADDRESS + EVENT_BARRIER_TARGET, (1u << team.cores) - 1u);
    /* In a run nothing but a barrier may wake a core: another event would let it pass one too early. */
    register_store(EVENT_ADDRESS + EVENT_MASK, EVENT_BIT_BARRIER);
    pi_cl_team_barrier();
    const uint32_t start = cycle_count();
    team.entry(team.argument);
    pi_cl_team_barrier();
    if (core == 0u) {
        team.cycles = cycle_count() - start;
        team.finished = 1u;
    }
}

void pi_cl_team_fork(int nb_cores, void (*entry)(void *), void *arg)
{
    team.entry = entry;
    team.argument = arg;
    team.cores = (uint32_t)nb_cores;
    team.finished = 0;
    __asm__ volatile("" ::: "memory");
    register_store(SOFTWARE_EVENT_ADDRESS, (1u << (uint32_t)nb_cores) - 1u);
    while (team.finished == 0u)
        ram_serve();
    /* What is set in a register that GVSoC does not have. */
    if (register_load(CLUSTER_CONTROL_ADDRESS + ACCELERATOR) != 0u) {
        console_text("accelerator ");
        console_hex(register_load(CLUSTER_CONTROL_ADDRESS + ACCELERATOR), 3);
        console_text("\n");
    }
    if (counter.counting != 0u)
        counter.cycles += team.cycles;
}

void pi_perf_conf(unsigned events)
{
    if (events != 1u << PI_PERF_CYCLES)
        pmsis_fail("a counter that the small PMSIS does not have");
}

void pi_perf_reset(void)
{
    counter.cycles = 0;
}

void pi_perf_start(void)
{
    counter.counting = 1u;
}

void pi_perf_stop(void)
{
    counter.counting = 0;
}

unsigned int pi_perf_read(int id)
{
    (void)id;
    return counter.cycles;
}

/* An id and a command per transfer, and no look whether there is an id: simulators trap where there is none [OS: dma.h;
 * sizes of 17 bits as in gap_sdk release-v4.13.0, rtos/pulp/pulpos-2/include/pos/implem/dma.h]. */
static void command(pi_cl_dma_copy_t *copy, uint32_t lines)
{
    if (copy->merge != 0u)
        pmsis_fail("a merged transfer");
    copy->id = register_load(DMA_QUEUE_ADDRESS);
    const uint32_t direction = copy->dir == PI_CL_DMA_DIR_EXT2LOC ? DMA_TO_L1 : 0u;
    __asm__ volatile("" ::: "memory");
    register_store(DMA_QUEUE_ADDRESS, copy->size | direction | DMA_INCREMENT | lines);
    register_store(DMA_QUEUE_ADDRESS, copy->loc);
    register_store(DMA_QUEUE_ADDRESS, copy->ext);
    if (lines != 0u) {
        register_store(DMA_QUEUE_ADDRESS, copy->length);
        register_store(DMA_QUEUE_ADDRESS, copy->stride);
    }
}

void pi_cl_dma_memcpy(pi_cl_dma_copy_t *copy)
{
    command(copy, 0u);
}

void pi_cl_dma_memcpy_2d(pi_cl_dma_copy_2d_t *copy)
{
    command(copy, DMA_LINES);
}

void pi_cl_dma_wait(void *copy)
{
    const uint32_t id = ((pi_cl_dma_copy_t *)copy)->id;
    while ((register_load(DMA_STATUS_ADDRESS) >> id & 1u) != 0u)
        ;
    register_store(DMA_STATUS_ADDRESS, 1u << id);
    __asm__ volatile("" ::: "memory");
}
