/* External memory. A core of the cluster hands a request to the fabric controller through one box, which is empty
 * again when that has seen it; the driver keeps any number and makes one transfer at a time, each with its own address
 * [OS: ram.c, cl_to_fc_delegate; VEGA: cl_to_fc_delegate.c; the driver of GAP9's RAM queues, BUILD: 5.15].
 */
#include <stddef.h>

#include "bare_metal.h"
#include "bsp/bsp.h"
#include "pmsis_parts.h"
#include "registers.h"

/* [gap_sdk release-v4.13.0: bsp/gap9_evk.h, CONFIG_APS25XXXN_SIZE] */
#define RAM_BYTES 0x2000000u
/* The first address that is given out: any multiple of 8, as if something else had been allocated [OS:
 * alloc_extern.c]. */
#define RAM_START 0x18u

static struct {
    uint32_t taken; /* end of what is taken; memory is given back in the order of a stack */
    pi_cl_ram_req_t *volatile box;
    pi_cl_ram_req_t *first, *last;
    uint32_t busy; /* the first is under way */
} ram;

void pi_default_ram_conf_init(struct pi_default_ram_conf *conf)
{
    conf->baudrate = 0;
}

int32_t pi_ram_open(struct pi_device *device)
{
    (void)device;
    hyper_start();
    ram.taken = RAM_START;
    return 0;
}

void pi_ram_close(struct pi_device *device)
{
    (void)device;
    if (ram.taken != RAM_START)
        pmsis_fail("external memory that nobody has given back");
}

static uint32_t rounded(uint32_t bytes)
{
    return (bytes + 7u) & ~7u;
}

int pi_ram_alloc(struct pi_device *device, uint32_t *addr, uint32_t size)
{
    (void)device;
    if (rounded(size) > RAM_BYTES - ram.taken)
        return -1;
    *addr = ram.taken;
    ram.taken += rounded(size);
    return 0;
}

int pi_ram_free(struct pi_device *device, uint32_t addr, uint32_t size)
{
    (void)device;
    if (addr + rounded(size) != ram.taken)
        pmsis_fail("external memory given back with another size");
    ram.taken = addr;
    return 0;
}

static uint32_t hyper_is_busy(void)
{
    return register_load(HYPER_ADDRESS + HYPER_STATUS) & HYPER_BUSY;
}

static void await(void)
{
    while (hyper_is_busy() != 0u)
        ;
    __asm__ volatile("" ::: "memory");
}

void pi_ram_write(struct pi_device *device, uint32_t pi_ram_addr, void *data, uint32_t size)
{
    (void)device;
    register_store(HYPER_SHARED_ADDRESS + HYPER_MEMORY_SELECT, 0u);
    register_store(HYPER_ADDRESS + HYPER_WRITE_ADDRESS, (uint32_t)(uintptr_t)data);
    register_store(HYPER_ADDRESS + HYPER_WRITE_BYTES, size);
    register_store(HYPER_ADDRESS + HYPER_COMMAND, HYPER_COMMAND_WRITE);
    register_store(HYPER_ADDRESS + HYPER_EXTERNAL, pi_ram_addr);
    register_store(HYPER_ADDRESS + HYPER_WRITE_START, HYPER_START);
    await();
}

/** Start a read. A burst that begins less than 5 bytes before the end of a page of 2 KiB would go wrong on the board. */
static void start_read(const pi_cl_ram_req_t *request)
{
    if (request->pi_ram_addr % 2048u > 2043u)
        pmsis_fail("a burst that the external memory wraps");
    register_store(HYPER_SHARED_ADDRESS + HYPER_MEMORY_SELECT, 0u);
    register_store(HYPER_ADDRESS + HYPER_READ_ADDRESS, (uint32_t)(uintptr_t)request->addr);
    register_store(HYPER_ADDRESS + HYPER_READ_BYTES, request->size);
    register_store(HYPER_ADDRESS + HYPER_COMMAND, HYPER_COMMAND_READ);
    register_store(HYPER_ADDRESS + HYPER_EXTERNAL, request->pi_ram_addr);
    register_store(HYPER_ADDRESS + HYPER_READ_START, HYPER_START);
}

void ram_serve(void)
{
    pi_cl_ram_req_t *request = ram.box;
    if (request != NULL) {
        request->next = NULL;
        if (ram.first == NULL)
            ram.first = request;
        else
            ram.last->next = request;
        ram.last = request;
        ram.box = NULL;
    }
    if (ram.busy != 0u && hyper_is_busy() == 0u) {
        pi_cl_ram_req_t *done = ram.first;
        ram.first = done->next;
        ram.busy = 0;
        *(volatile uint8_t *)&done->done = 1u;
    }
    if (ram.busy == 0u && ram.first != NULL) {
        start_read(ram.first);
        ram.busy = 1u;
    }
}

void pi_cl_ram_read(struct pi_device *device, uint32_t pi_ram_addr, void *addr, uint32_t size, pi_cl_ram_req_t *req)
{
    (void)device;
    *req = (pi_cl_ram_req_t){.addr = addr, .pi_ram_addr = pi_ram_addr, .size = size};
    while (ram.box != NULL)
        ;
    __asm__ volatile("" ::: "memory");
    ram.box = req;
}

void pi_cl_ram_read_wait(pi_cl_ram_req_t *req)
{
    while (*(volatile uint8_t *)&req->done == 0u)
        ;
    __asm__ volatile("" ::: "memory");
}
