/* The cores: jobs from the fabric controller, barriers, the log of stages. */
#include "bare_metal.h"
#include "registers.h"

#define ALL_CORES ((1u << TMC_CORES) - 1u)
/* At the far end of every core's stack. */
#define STACK_MARK 0x5AFE57ACu

#ifndef TMC_WORKER_STACK_BYTES
#error "TMC_WORKER_STACK_BYTES is the size of each core's stack: network.mk has it"
#endif

extern void _start(void);
extern uint8_t l1_stacks_start[];

static struct {
    void (*entry)(void *);
    void *argument;
    volatile uint32_t finished;
    uint32_t start_cycles; /* core 0's counter */
    uint32_t end_cycles;
    uint8_t overflowed[TMC_CORES];
} job;

stage_log stages;
static uint32_t cores_started;

uint32_t tmc_core_id(void)
{
    return hart_id() & 31u;
}

void tmc_barrier(void)
{
    event_wait(EVENT_ADDRESS + EVENT_BARRIER_WAIT_CLEAR);
}

void tmc_stage(uint32_t number)
{
    if (tmc_core_id() == 0u && stages.begun < STAGES_MAX) {
        const uint32_t index = stages.begun;
        stages.numbers[index] = number;
        stages.cycles[index] = cycle_count();
        stages.begun = index + 1u;
    }
}

static volatile uint32_t *stack_mark(uint32_t core)
{
    return (volatile uint32_t *)(void *)&l1_stacks_start[core * TMC_WORKER_STACK_BYTES];
}

/** What a core does for ever: wait for a job, run it with the others. */
_Noreturn void cluster_serve(void)
{
    const uint32_t core = tmc_core_id();
    *stack_mark(core) = STACK_MARK;
    register_store(EVENT_ADDRESS + EVENT_BARRIER_TRIGGER, ALL_CORES);
    register_store(EVENT_ADDRESS + EVENT_BARRIER_TARGET, ALL_CORES);
    for (;;) {
        register_store(EVENT_ADDRESS + EVENT_MASK, EVENT_BIT_SOFTWARE);
        event_wait(EVENT_ADDRESS + EVENT_WAIT_CLEAR);
        /* In a run nothing but a barrier may wake a core: another event would let it pass one too early. */
        register_store(EVENT_ADDRESS + EVENT_MASK, EVENT_BIT_BARRIER);
        if (core == 0u)
            transfers_reset();
        tmc_barrier();
        const uint32_t start = cycle_count();
        job.entry(job.argument);
        tmc_barrier();
        const uint32_t end = cycle_count();
        job.overflowed[core] = *stack_mark(core) != STACK_MARK;
        tmc_barrier();
        if (core == 0u) {
            job.start_cycles = start;
            job.end_cycles = end;
            job.finished = 1u;
        }
    }
}

static void start_cores(void)
{
    register_store(CLUSTER_CACHE_ADDRESS, 0xFFFFFFFFu);
    for (uint32_t i = 0; i < TMC_CORES; ++i)
        register_store(CLUSTER_CONTROL_ADDRESS + CLUSTER_BOOT_ADDRESS + 4u * i, (uint32_t)(uintptr_t)_start);
    register_store(CLUSTER_CONTROL_ADDRESS + CLUSTER_FETCH_ENABLE, ALL_CORES);
    cores_started = 1u;
}

/** Wait for the end of the job and print each stage that begins. Divisions fill the time: they keep the
 *  simulator from executing a load in every cycle. */
static void watch(void)
{
    uint32_t shown = 0;
    while (job.finished == 0u) {
        uint32_t quotient = 0xFFFFFFFFu;
        for (uint32_t i = 0; i < 16u; ++i)
            __asm__ volatile("divu %0, %0, %1" : "+r"(quotient) : "r"(1u));
        while (shown < stages.begun) {
            console_text("stage ");
            console_decimal(stages.numbers[shown++]);
            console_text("\n");
        }
    }
}

int tmc_cluster_run(void (*entry)(void *), void *argument)
{
    if (!cores_started)
        start_cores();
    stages.begun = 0;
    job.entry = entry;
    job.argument = argument;
    job.finished = 0;
    __asm__ volatile("" ::: "memory");
    register_store(SOFTWARE_EVENT_ADDRESS, ALL_CORES);
    watch();
    for (uint32_t i = 0; i < TMC_CORES; ++i) {
        if (job.overflowed[i]) {
            console_text("error: the stack of core ");
            console_decimal(i);
            console_text(" has overflowed\n");
            return TMC_ERROR_DEVICE;
        }
    }
    return TMC_OK;
}

uint32_t cluster_cycles(void)
{
    return job.end_cycles - job.start_cycles;
}

uint32_t cluster_stage_cycles(uint32_t index)
{
    const uint32_t end = index + 1u < stages.begun ? stages.cycles[index + 1u] : job.end_cycles;
    return end - stages.cycles[index];
}
