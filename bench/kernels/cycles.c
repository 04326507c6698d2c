/* Prints a line per case: cycles NAME SIZE ELEMENTS MACS CYCLES. */
#include "cycles.h"

#include <stddef.h>

#include "bare_metal.h"
#include "registers.h"

#define CASES_MAX 128u

static struct {
    const char *name;
    const char *size;
    uint32_t elements;
    uint32_t macs;
    uint32_t cycles;
} cases[CASES_MAX];
static uint32_t case_count;
static uint32_t running, start_cycles;

void fill_random(void *to, uint32_t bytes)
{
    for (uint32_t i = tmc_core_id(); i < bytes; i += TMC_CORES) {
        uint32_t hash = ((uint32_t)(uintptr_t)to + i) * 0x9E3779B1u;
        hash = (hash ^ hash >> 15) * 0x2C1B3C6Du;
        ((uint8_t *)to)[i] = (uint8_t)(hash >> 24);
    }
    tmc_barrier();
}

void end_cases(void)
{
    tmc_barrier();
    const uint32_t now = cycle_count();
    if (tmc_core_id() == 0u && running) {
        cases[case_count++].cycles = now - start_cycles;
        running = 0;
    }
    tmc_barrier();
}

void begin_case(const char *name, const char *size, uint32_t elements, uint32_t macs)
{
    const uint32_t core = tmc_core_id();
    end_cases();
    if (core == 0u) {
        cases[case_count].name = name;
        cases[case_count].size = size;
        cases[case_count].elements = elements;
        cases[case_count].macs = macs;
        running = 1;
    }
    tmc_barrier();
    const uint32_t now = cycle_count();
    if (core == 0u)
        start_cycles = now;
}

static void print_case(uint32_t i)
{
    const uint32_t numbers[] = {cases[i].elements, cases[i].macs, cases[i].cycles};
    console_text("cycles ");
    console_text(cases[i].name);
    console_text(" ");
    console_text(cases[i].size);
    for (uint32_t j = 0; j < 3u; ++j) {
        console_text(" ");
        console_decimal(numbers[j]);
    }
    console_text("\n");
}

static void measure_all(void *argument)
{
    (void)argument;
    measure();
}

int main(void)
{
    register_store(FABRIC_CACHE_ADDRESS, 0xFFFFFFFFu);
    if (tmc_cluster_run(measure_all, NULL) != TMC_OK)
        return 1;
    for (uint32_t i = 0; i < case_count; ++i)
        print_case(i);
    console_text("end\n");
    return 0;
}
