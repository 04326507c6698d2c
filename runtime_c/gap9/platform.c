/* Sessions and cores on GAP9, by PMSIS: flash and file system, external memory, cluster. */
#include "gap9_clocks.h"
#include "gap9_files.h"
#include "gap9_jobs.h"
#include "gap9_memory.h"
#include "tmc_checksum.h"
#include "tmc_platform.h"

/* These declare the devices of the board too: newer SDKs have no other names for them. */
#include "bsp/bsp.h"
#include "bsp/fs.h"
#include "bsp/fs/readfs.h"

#ifdef TMC_TRACE
#error "GAP9 has no room for traced values: trace on the host"
#endif

#if !defined(TMC_CONTROLLER_STACK_BYTES) || !defined(TMC_WORKER_STACK_BYTES)
#error "TMC_CONTROLLER_STACK_BYTES and TMC_WORKER_STACK_BYTES are sizes of stacks: network.mk has them"
#endif

#define WORKER_STACKS_BYTES (TMC_CORES * TMC_WORKER_STACK_BYTES)
/* Buffer in L2 between the flash and the external memory. */
#define CHUNK_BYTES 8192u
/* In the RAM of the evaluation kit (APS256XXN) a burst that begins less than 5 bytes before the end of a page of 2 KiB
 * goes on at the start of that page. Offsets in the image are multiples of TMC_L3_ALIGNMENT_BYTES, and so is its
 * address: it takes so many bytes more, since the allocator only knows multiples of 8. */

struct pi_device gap9_ram;
uint32_t gap9_l3_image;

static struct pi_device flash;
static struct pi_device file_system;
static struct pi_device cluster;
static void *worker_stacks;
static uint32_t open_sessions;

uint32_t tmc_core_id(void)
{
    return (uint32_t)pi_core_id();
}

void tmc_barrier(void)
{
    pi_cl_team_barrier();
}

static int open_memories(void)
{
#ifdef TMC_FILES_IN_MRAM
    static struct pi_mram_conf flash_conf;
    pi_mram_conf_init(&flash_conf);
#else
    static struct pi_default_flash_conf flash_conf;
    pi_default_flash_conf_init(&flash_conf);
#endif
    static struct pi_readfs_conf file_system_conf;
    static struct pi_default_ram_conf ram_conf;
    pi_open_from_conf(&flash, &flash_conf);
    if (pi_flash_open(&flash) != 0)
        return TMC_ERROR_DEVICE;
    pi_readfs_conf_init(&file_system_conf);
    file_system_conf.fs.flash = &flash;
    pi_open_from_conf(&file_system, &file_system_conf);
    if (pi_fs_mount(&file_system) != 0) {
        pi_flash_close(&flash);
        return TMC_ERROR_DEVICE;
    }
    pi_default_ram_conf_init(&ram_conf);
    pi_open_from_conf(&gap9_ram, &ram_conf);
    if (pi_ram_open(&gap9_ram) != 0) {
        pi_fs_unmount(&file_system);
        pi_flash_close(&flash);
        return TMC_ERROR_DEVICE;
    }
    return TMC_OK;
}

static void close_memories(void)
{
    pi_ram_close(&gap9_ram);
    pi_fs_unmount(&file_system);
    pi_flash_close(&flash);
}

static void close_cluster(void)
{
    if (worker_stacks != NULL)
        pi_cl_l1_free(&cluster, worker_stacks, WORKER_STACKS_BYTES);
    pi_cluster_close(&cluster);
}

/** Open the cluster and take its stacks, so that an arena that leaves no room for them fails at once, and as memory. */
static int open_cluster(void)
{
    static struct pi_cluster_conf conf;
    pi_cluster_conf_init(&conf);
    conf.id = 0;
    conf.cc_stack_size = TMC_CONTROLLER_STACK_BYTES;
    conf.icache_conf =
        PI_CLUSTER_MASTER_CORE_ICACHE_ENABLE | PI_CLUSTER_ICACHE_PREFETCH_ENABLE | PI_CLUSTER_ICACHE_ENABLE;
    pi_open_from_conf(&cluster, &conf);
    if (pi_cluster_open(&cluster) != 0)
        return TMC_ERROR_DEVICE;
    worker_stacks = pi_cl_l1_malloc(&cluster, WORKER_STACKS_BYTES);
    if (worker_stacks != NULL && gap9_set_clocks() == TMC_OK)
        return TMC_OK;
    const int status = worker_stacks == NULL ? TMC_ERROR_MEMORY : TMC_ERROR_DEVICE;
    close_cluster();
    return status;
}

/** Open the devices for the first session; TMC_OK or a tmc_status below 0. */
static int enter(void)
{
    if (open_sessions == 0u) {
        int status = open_memories();
        if (status != TMC_OK)
            return status;
        status = open_cluster();
        if (status != TMC_OK) {
            close_memories();
            return status;
        }
    }
    ++open_sessions;
    return TMC_OK;
}

/** Close the devices after the last session. */
static void leave(void)
{
    if (--open_sessions == 0u) {
        close_cluster();
        close_memories();
    }
}

int gap9_read_file(const char *name, void *l2, uint32_t bytes)
{
    pi_fs_file_t *file = pi_fs_open(&file_system, name, 0);
    if (file == NULL)
        return TMC_ERROR_WEIGHTS;
    const int complete = file->size == bytes && pi_fs_read(file, l2, bytes) == (int32_t)bytes;
    pi_fs_close(file);
    return complete ? TMC_OK : TMC_ERROR_WEIGHTS;
}

/** Copy an open file to the external memory through a buffer in L2. */
static int copy_image(pi_fs_file_t *file, uint8_t *buffer, uint32_t image, const tmc_network *network)
{
    if (file->size != network->l3_bytes)
        return TMC_ERROR_WEIGHTS;
    uint32_t checksum = 0;
    for (uint32_t done = 0; done < network->l3_bytes;) {
        const uint32_t left = network->l3_bytes - done;
        const uint32_t bytes = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        if (pi_fs_read(file, buffer, bytes) != (int32_t)bytes)
            return TMC_ERROR_WEIGHTS;
        checksum = tmc_checksum(checksum, buffer, bytes);
        pi_ram_write(&gap9_ram, image + done, buffer, bytes);
        done += bytes;
    }
    return checksum == network->l3_checksum ? TMC_OK : TMC_ERROR_WEIGHTS;
}

static int load_image(const char *name, uint32_t image, const tmc_network *network)
{
    uint8_t *buffer = pi_l2_malloc(CHUNK_BYTES);
    if (buffer == NULL)
        return TMC_ERROR_MEMORY;
    int status = TMC_ERROR_WEIGHTS;
    pi_fs_file_t *file = pi_fs_open(&file_system, name, 0);
    if (file != NULL) {
        status = copy_image(file, buffer, image, network);
        pi_fs_close(file);
    }
    pi_l2_free(buffer, CHUNK_BYTES);
    return status;
}

/** Return where a session's image begins in the external memory: inside the block that was allocated. */
static uint32_t aligned_image(const tmc_session *session)
{
    return ((uint32_t)session->l3 + TMC_L3_ALIGNMENT_BYTES - 1u) & ~(TMC_L3_ALIGNMENT_BYTES - 1u);
}

/** What the controller of the cluster gets; in L2, where both sides see it. */
static struct {
    void (*entry)(void *);
    void *argument;
    uint32_t cycles;
} job;

/** What each core runs. */
static void member(void *unused)
{
    (void)unused;
    if (tmc_core_id() == 0u)
        gap9_start_jobs();
    job.entry(job.argument);
}

static void controller(void *unused)
{
    (void)unused;
    pi_perf_conf(1u << PI_PERF_CYCLES);
    pi_perf_reset();
    pi_perf_start();
    pi_cl_team_fork((int)TMC_CORES, member, NULL);
    pi_perf_stop();
    job.cycles = pi_perf_read(PI_PERF_CYCLES);
}

int tmc_cluster_run(void (*entry)(void *), void *argument)
{
    static struct pi_cluster_task task;
    job.entry = entry;
    job.argument = argument;
    pi_cluster_task(&task, controller, NULL);
    pi_cluster_task_stacks(&task, worker_stacks, TMC_WORKER_STACK_BYTES);
    task.nb_cores = TMC_CORES;
    return pi_cluster_send_task_to_cl(&cluster, &task) == 0 ? TMC_OK : TMC_ERROR_DEVICE;
}

/** Run an entry function of the network; inputs and outputs are NULL for init. */
static int run_entry(tmc_session *session, void (*entry)(void *), const uint8_t *const *inputs,
                     uint8_t *const *outputs)
{
    static tmc_context context;
    context = (tmc_context){session->l1, session->l2, inputs, outputs};
    gap9_l3_image = aligned_image(session);
    const int status = tmc_cluster_run(entry, &context);
    session->cycles = job.cycles;
    return status;
}

static int fill(tmc_session *session, const char *weights)
{
    const tmc_network *network = session->network;
    uint32_t image;
    if (pi_ram_alloc(&gap9_ram, &image, network->l3_bytes + TMC_L3_ALIGNMENT_BYTES) != 0)
        return TMC_ERROR_MEMORY;
    session->l3 = image;
    /* The image goes through L2 before the arena takes most of it. */
    int status = load_image(weights, aligned_image(session), network);
    if (status == TMC_OK) {
        session->l2 = pi_l2_malloc((int)network->l2_bytes);
        session->l1 = pi_cl_l1_malloc(&cluster, network->l1_bytes);
        if (session->l2 == NULL || session->l1 == NULL)
            status = TMC_ERROR_MEMORY;
    }
    if (status == TMC_OK && network->init != NULL)
        status = run_entry(session, network->init, NULL, NULL);
    if (status != TMC_OK) {
        if (session->l1 != NULL)
            pi_cl_l1_free(&cluster, session->l1, (int)network->l1_bytes);
        if (session->l2 != NULL)
            pi_l2_free(session->l2, (int)network->l2_bytes);
        pi_ram_free(&gap9_ram, image, network->l3_bytes + TMC_L3_ALIGNMENT_BYTES);
    }
    return status;
}

int tmc_open(tmc_session *session, const tmc_network *network, const char *weights)
{
    *session = (tmc_session){.network = network};
    int status = enter();
    if (status != TMC_OK)
        return status;
    status = fill(session, weights);
    if (status != TMC_OK) {
        *session = (tmc_session){.network = NULL};
        leave();
    }
    return status;
}

void tmc_close(tmc_session *session)
{
    const tmc_network *network = session->network;
    pi_cl_l1_free(&cluster, session->l1, (int)network->l1_bytes);
    pi_l2_free(session->l2, (int)network->l2_bytes);
    pi_ram_free(&gap9_ram, (uint32_t)session->l3, network->l3_bytes + TMC_L3_ALIGNMENT_BYTES);
    *session = (tmc_session){.network = NULL};
    leave();
}

int tmc_run(tmc_session *session, const uint8_t *const *inputs, uint8_t *const *outputs)
{
    return run_entry(session, session->network->entry, inputs, outputs);
}
