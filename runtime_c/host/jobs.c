/* Jobs on the host: complete at their wait and not before.
 *
 * A job is computed at its start, aside, to know what it will write; until its wait that memory holds garbage and is
 * poisoned for AddressSanitizer. At the wait the job is computed once more, as if the job behind it had not started: if
 * the result differs, an operand has changed meanwhile, or was a result of the job before. With TMC_DMA_THREADS each job
 * is a thread of its own instead, behind that of the job before, which shows a missing wait or barrier to ThreadSanitizer.
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "host_memory.h"
#include "tmc_jobs.h"

#define IN_FLIGHT_MAX 2u

/** The jobs in flight: job number i is slots[i % IN_FLIGHT_MAX]. */
static struct {
    uint32_t started, ended;
    tmc_job *slots[IN_FLIGHT_MAX];
} queue;

void host_expect_no_jobs(void)
{
    if (queue.started != queue.ended)
        host_fail("run finished with %u jobs in flight", queue.started - queue.ended);
}

static uint32_t round_up(uint32_t value, uint32_t step)
{
    return (value + step - 1u) / step * step;
}

/** Fail if an operand that is read lies outside of L1. */
static void expect_operands_in_l1(const tmc_ne16_linear_args *args)
{
    const uint64_t x_bytes = (uint64_t)(args->rows - 1u) * args->x_pitch + args->depth;
    const uint64_t weight_bytes = (uint64_t)args->channels * round_up(args->depth, 16u);
    if (!host_lies_in_l1(args->x, x_bytes) || !host_lies_in_l1(args->weight, weight_bytes) ||
        !host_lies_in_l1(args->multiplier, args->channels) || !host_lies_in_l1(args->bias, 4u * (uint64_t)args->channels))
        host_fail("tmc_job_start with operands outside of the L1 arena");
}

#ifdef TMC_DMA_THREADS

/** turns[i % TURNS] lets job number i run. There are more of them than jobs in flight. */
#define TURNS (IN_FLIGHT_MAX + 1u)
static sem_t turns[TURNS];

static void *job_thread(void *slot)
{
    const tmc_job *job = slot;
    sem_wait(&turns[job->number % TURNS]);
    job->kernel(&job->args);
    sem_post(&turns[(job->number + 1u) % TURNS]);
    return NULL;
}

static void start(tmc_job *job)
{
    for (uint32_t i = 0; job->number == 0u && i < TURNS; ++i)
        sem_init(&turns[i], 0, i == 0u);
    if (pthread_create(&job->thread, NULL, job_thread, job) != 0)
        host_fail("no thread for a job");
}

static void finish(tmc_job *job)
{
    pthread_join(job->thread, NULL);
}

#else

/** What to do with a run of bytes of a job's result: offset and size. */
typedef void on_run(tmc_job *job, uint32_t first, uint32_t bytes);

static void for_each_run(tmc_job *job, on_run *act)
{
    uint32_t first = 0;
    for (uint32_t end = 1; end <= job->bytes; ++end) {
        if (end < job->bytes && job->is_ours[end] == job->is_ours[first])
            continue;
        if (job->is_ours[first])
            act(job, first, end - first);
        first = end;
    }
}

static uint8_t *destination(const tmc_job *job)
{
    return job->args.y;
}

static void keep_run(tmc_job *job, uint32_t first, uint32_t bytes)
{
    memcpy(job->before + first, destination(job) + first, bytes);
}

static void hide_run(tmc_job *job, uint32_t first, uint32_t bytes)
{
    memset(destination(job) + first, HOST_GARBAGE, bytes);
    POISON(destination(job) + first, bytes);
}

static void restore_run(tmc_job *job, uint32_t first, uint32_t bytes)
{
    UNPOISON(destination(job) + first, bytes);
    for (uint32_t i = first; i < first + bytes; ++i)
        if (destination(job)[i] != HOST_GARBAGE)
            host_fail("result of a job was written before its wait, byte %u", i);
    memcpy(destination(job) + first, job->before + first, bytes);
}

static void store_run(tmc_job *job, uint32_t first, uint32_t bytes)
{
    memcpy(destination(job) + first, job->result + first, bytes);
}

/** Return the size of all rows of a job's results, gaps included. */
static uint32_t rows_bytes(const tmc_job *job)
{
    return job->args.channels / job->args.head_channels * job->args.rows * job->args.y_pitch;
}

static uint8_t *allocate(uint32_t bytes)
{
    uint8_t *memory = malloc(bytes);
    if (memory == NULL)
        host_fail("no memory for a job");
    return memory;
}

/** Compute a job aside, into memory filled with `content`. */
static uint8_t *computed(const tmc_job *job, uint8_t content)
{
    uint8_t *result = allocate(rows_bytes(job));
    memset(result, content, rows_bytes(job));
    tmc_ne16_linear_args args = job->args;
    args.y = result;
    job->kernel(&args);
    return result;
}

/** Compute what a job writes, and where: bytes that do not depend on what was there. */
static void compute(tmc_job *job)
{
    job->result = computed(job, 0x00);
    job->is_ours = computed(job, 0xFF);
    job->before = allocate(rows_bytes(job));
    job->bytes = 0;
    for (uint32_t i = 0; i < rows_bytes(job); ++i) {
        job->is_ours[i] = job->is_ours[i] == job->result[i];
        if (job->is_ours[i])
            job->bytes = i + 1u;
    }
    if (!host_lies_in_l1(job->args.y, job->bytes))
        host_fail("tmc_job_start with results outside of the L1 arena");
}

static void start(tmc_job *job)
{
    compute(job);
    for_each_run(job, keep_run);
    for_each_run(job, hide_run);
}

static void finish(tmc_job *job)
{
    /* It may write what this one reads. */
    tmc_job *behind = queue.started - job->number > 1u ? queue.slots[(job->number + 1u) % IN_FLIGHT_MAX] : NULL;
    if (behind != NULL)
        for_each_run(behind, restore_run);
    for_each_run(job, restore_run);
    uint8_t *again = computed(job, 0x00);
    if (memcmp(again, job->result, job->bytes) != 0)
        host_fail("operand of a job changed before its wait");
    for_each_run(job, store_run);
    if (behind != NULL)
        for_each_run(behind, hide_run);
    free(again);
    free(job->result);
    free(job->is_ours);
    free(job->before);
}

#endif

void tmc_job_start(tmc_job *job, tmc_job_kernel *kernel, const tmc_ne16_linear_args *args)
{
    host_expect_core_0("tmc_job_start");
    if (job->kernel != NULL)
        host_fail("tmc_job_start on a slot whose job is still in flight");
    if (queue.started - queue.ended == IN_FLIGHT_MAX)
        host_fail("tmc_job_start with %u jobs in flight, allowed %u", IN_FLIGHT_MAX, IN_FLIGHT_MAX - 1u);
    expect_operands_in_l1(args);
    job->kernel = kernel;
    job->args = *args;
    job->number = queue.started;
    start(job);
    queue.slots[queue.started++ % IN_FLIGHT_MAX] = job;
}

void tmc_job_wait(tmc_job *job)
{
    host_expect_core_0("tmc_job_wait");
    if (job->kernel == NULL)
        host_fail("tmc_job_wait on a slot without a job");
    if (job->number != queue.ended)
        host_fail("tmc_job_wait while the job before was not waited for");
    finish(job);
    job->kernel = NULL;
    ++queue.ended;
}
