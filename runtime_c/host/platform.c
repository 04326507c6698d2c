/* Sessions, cores and tracing on the host: one POSIX thread per core. */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_memory.h"
#include "tmc_checksum.h"
#include "tmc_platform.h"

host_run host_current;

static _Thread_local uint32_t core;
/* Not that of a target: frames of this machine, with sanitizers perhaps, say nothing about a target's. Small enough
 * that recursion without an end and large arrays reach the page behind it at once. */
#define CORE_STACK_BYTES 262144u

static pthread_barrier_t barrier;

void host_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("host platform: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    abort();
}

uint32_t tmc_core_id(void)
{
    return core;
}

void tmc_barrier(void)
{
    pthread_barrier_wait(&barrier);
}

typedef struct {
    void (*entry)(void *);
    void *argument;
    uint32_t core;
} core_job;

static void *core_thread(void *job_of_core)
{
    const core_job *job = job_of_core;
    core = job->core;
    job->entry(job->argument);
    return NULL;
}

int tmc_cluster_run(void (*entry)(void *), void *argument)
{
    pthread_t threads[TMC_CORES];
    core_job jobs[TMC_CORES];
    if (pthread_barrier_init(&barrier, NULL, TMC_CORES) != 0)
        return TMC_ERROR_DEVICE;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, CORE_STACK_BYTES) != 0)
        host_fail("no stacks for the cores");
    for (uint32_t i = 0; i < TMC_CORES; ++i) {
        jobs[i] = (core_job){entry, argument, i};
        /* Threads that have started would wait for this one at their first barrier. */
        if (pthread_create(&threads[i], &attributes, core_thread, &jobs[i]) != 0)
            host_fail("no thread for core %u", i);
    }
    for (uint32_t i = 0; i < TMC_CORES; ++i)
        pthread_join(threads[i], NULL);
    pthread_attr_destroy(&attributes);
    pthread_barrier_destroy(&barrier);
    host_expect_idle();
    host_expect_no_jobs();
    return TMC_OK;
}

/** Return the size of all images of traced values. */
static size_t traced_bytes(const tmc_network *network)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < network->value_count; ++i)
        bytes += (size_t)network->values[i].rows * network->values[i].row_bytes;
    return bytes;
}

/** Allocate exactly this many bytes, so that AddressSanitizer sees the end; NULL only where memory is out. */
static uint8_t *allocate(size_t bytes)
{
    return malloc(bytes == 0u ? 1u : bytes);
}

static int read_image(const char *path, uint8_t *image, uint32_t bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return TMC_ERROR_WEIGHTS;
    const size_t count = fread(image, 1, bytes, file);
    const int at_end = fgetc(file) == EOF;
    fclose(file);
    return count == bytes && at_end ? TMC_OK : TMC_ERROR_WEIGHTS;
}

static void fill_with_garbage(tmc_session *session)
{
    memset(session->l1, HOST_GARBAGE, session->network->l1_bytes);
    memset(session->l2, HOST_GARBAGE, session->network->l2_bytes);
}

/** Run an entry function of the network; inputs and outputs are NULL for init. */
static int run_entry(tmc_session *session, void (*entry)(void *), const uint8_t *const *inputs,
                     uint8_t *const *outputs)
{
    host_current = (host_run){session, inputs, outputs};
    tmc_context context = {session->l1, session->l2, inputs, outputs};
    const int status = tmc_cluster_run(entry, &context);
    host_current = (host_run){NULL, NULL, NULL};
    return status;
}

/** Run init and remember what it left: every byte of L2 that is no garbage is there to stay. */
static int run_init(tmc_session *session)
{
    fill_with_garbage(session);
    int status = TMC_OK;
    if (session->network->init != NULL)
        status = run_entry(session, session->network->init, NULL, NULL);
    memcpy(session->kept, session->l2, session->network->l2_bytes);
    return status;
}

static void expect_kept(const tmc_session *session)
{
    for (uint32_t i = 0; i < session->network->l2_bytes; ++i)
        if (session->kept[i] != HOST_GARBAGE && session->kept[i] != session->l2[i])
            host_fail("byte %u of L2, which init filled for good, has changed", i);
}

int tmc_open(tmc_session *session, const tmc_network *network, const char *weights)
{
    if (host_current.session != NULL)
        host_fail("tmc_open while a network runs");
    *session = (tmc_session){.network = network};
    uint8_t *image = allocate(network->l3_bytes);
    session->l1 = allocate(network->l1_bytes);
    session->l2 = allocate(network->l2_bytes);
    session->kept = allocate(network->l2_bytes);
    session->l3 = (uintptr_t)image;
    int status = TMC_OK;
#ifdef TMC_TRACE
    session->traced = allocate(traced_bytes(network));
    if (session->traced == NULL)
        status = TMC_ERROR_MEMORY;
#endif
    if (image == NULL || session->l1 == NULL || session->l2 == NULL || session->kept == NULL)
        status = TMC_ERROR_MEMORY;
    if (status == TMC_OK)
        status = read_image(weights, image, network->l3_bytes);
    if (status == TMC_OK && tmc_checksum(0, image, network->l3_bytes) != network->l3_checksum)
        status = TMC_ERROR_WEIGHTS;
    if (status == TMC_OK)
        status = run_init(session);
    if (status != TMC_OK)
        tmc_close(session);
    return status;
}

int tmc_run(tmc_session *session, const uint8_t *const *inputs, uint8_t *const *outputs)
{
    const tmc_network *network = session->network;
    if (host_current.session != NULL)
        host_fail("tmc_run while a network runs");
    /* Nothing is left from the run before but what init left. */
    fill_with_garbage(session);
    memcpy(session->l2, session->kept, network->l2_bytes);
    if (session->traced != NULL)
        memset(session->traced, HOST_GARBAGE, traced_bytes(network));
    const int status = run_entry(session, network->entry, inputs, outputs);
    expect_kept(session);
    return status;
}

void tmc_close(tmc_session *session)
{
    free(session->l1);
    free(session->l2);
    free(session->kept);
    free((void *)session->l3);
    free(session->traced);
    *session = (tmc_session){.network = NULL};
}

#ifdef TMC_TRACE
void tmc_trace(uint32_t value, const void *data, uint32_t rows, uint32_t row_bytes, uint32_t pitch,
               uint32_t row0, uint32_t column0_bytes)
{
    tmc_barrier();
    if (core == 0u) {
        const tmc_network *network = host_current.session->network;
        if (value >= network->value_count)
            host_fail("tmc_trace of value %u of %u", value, network->value_count);
        uint8_t *image = host_current.session->traced;
        for (uint32_t i = 0; i < value; ++i)
            image += (size_t)network->values[i].rows * network->values[i].row_bytes;
        const tmc_traced_value *traced = &network->values[value];
        if ((uint64_t)row0 + rows > traced->rows || (uint64_t)column0_bytes + row_bytes > traced->row_bytes)
            host_fail("tmc_trace of %s: rows %u + %u, bytes %u + %u of %u x %u", traced->name, row0, rows,
                      column0_bytes, row_bytes, traced->rows, traced->row_bytes);
        for (uint32_t r = 0; r < rows; ++r)
            memcpy(image + (size_t)(row0 + r) * traced->row_bytes + column0_bytes,
                   (const uint8_t *)data + (size_t)r * pitch, row_bytes);
    }
    tmc_barrier();
}
#endif
