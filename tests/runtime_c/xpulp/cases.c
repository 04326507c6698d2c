/* The main program: runs all cases on all cores and prints what differed. */
#include "cases.h"

#include <stddef.h>

#include "tmc_platform.h"

#define ARENA_BYTES 600000u
#define FAILURES_SHOWN 20u

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(16)));

/* Every core keeps its own copy of the state of a case: they agree. */
static struct {
    const char *kernel;
    uint32_t sizes[3];
    uint32_t used;
    uint32_t seed;
    uint32_t drawn;
} state[TMC_CORES];

static struct {
    const char *kernel;
    uint32_t sizes[3];
    uint32_t differences;
} failures[TMC_CORES][FAILURES_SHOWN];
static uint32_t failure_count[TMC_CORES], case_count[TMC_CORES];

static uint32_t hash(uint32_t a, uint32_t b)
{
    uint32_t h = a * 0x9E3779B1u ^ (b + 0x7F4A7C15u) * 0x85EBCA77u;
    h = (h ^ h >> 15) * 0x2C1B3C6Du;
    h = (h ^ h >> 12) * 0x297A2D39u;
    return h ^ h >> 15;
}

void case_begin(const char *kernel, uint32_t a, uint32_t b, uint32_t c)
{
    const uint32_t core = tmc_core_id();
    tmc_barrier();
    state[core].kernel = kernel;
    state[core].sizes[0] = a, state[core].sizes[1] = b, state[core].sizes[2] = c;
    state[core].used = 0;
    state[core].seed = hash(hash(a, b), c + 77u * case_count[core]);
    state[core].drawn = 0;
    ++case_count[core];
}

uint32_t case_number(uint32_t limit)
{
    const uint32_t core = tmc_core_id();
    return hash(state[core].seed, 0xABC00000u + state[core].drawn++) % limit;
}

void *case_take(uint32_t bytes)
{
    const uint32_t core = tmc_core_id(), start = state[core].used;
    /* An odd number of words apart, so that not every buffer is aligned to more than it need be. */
    const uint32_t end = start + (bytes + 3u) / 4u * 4u + 20u;
    if (end > ARENA_BYTES)
        __builtin_trap();
    for (uint32_t i = start / 4u + core; i < end / 4u; i += TMC_CORES)
        *(uint32_t *)(void *)&arena[4u * i] = UNTOUCHED * 0x01010101u;
    state[core].used = end;
    tmc_barrier();
    return &arena[start];
}

static uint32_t shaped(uint32_t word, uint32_t kind, uint32_t bits)
{
    uint32_t result = 0;
    for (uint32_t i = 0; i < 32u; i += bits) {
        const uint32_t part = word >> i & (0xFFFFFFFFu >> (32u - bits));
        uint32_t value = part;
        if (kind == 0u)
            value = part & 1u ? 1u << (bits - 1u) : (1u << (bits - 1u)) - 1u;
        if (kind == 1u)
            value = (part & 3u) - 2u;
        if (kind == 2u)
            value = 0;
        if (kind == 3u)
            value = 1u << (bits - 1u);
        result |= (value & (0xFFFFFFFFu >> (32u - bits))) << i;
    }
    return result;
}

static void *random_words(uint32_t words, uint32_t bits)
{
    uint32_t *to = (uint32_t *)case_take(4u * words);
    const uint32_t kind = case_number(12), seed = case_number(0xFFFFFFFFu);
    for (uint32_t i = tmc_core_id(); i < words; i += TMC_CORES)
        to[i] = shaped(hash(seed, i), kind, bits);
    tmc_barrier();
    return to;
}

void *case_random(uint32_t bytes)
{
    return random_words((bytes + 3u) / 4u, 8);
}

void *case_random_halves(uint32_t halves)
{
    return random_words((halves + 1u) / 2u, 16);
}

uint32_t case_pitch(uint32_t row_bytes)
{
    return (row_bytes + 3u) / 4u * 4u + 4u * case_number(3);
}

void case_compare(const void *expected, const void *result, uint32_t rows, uint32_t row_bytes, uint32_t pitch)
{
    const uint32_t core = tmc_core_id();
    const uint8_t *a = expected, *b = result;
    uint32_t differences = 0;
    tmc_barrier();
    for (uint32_t r = core; r < rows; r += TMC_CORES) {
        for (uint32_t i = 0; i < row_bytes; ++i)
            differences += a[r * pitch + i] != b[r * pitch + i];
        for (uint32_t i = row_bytes; i < pitch; ++i)
            differences += b[r * pitch + i] != UNTOUCHED;
    }
    for (uint32_t i = rows * pitch; i < rows * pitch + 16u; ++i)
        differences += b[i] != UNTOUCHED;
    if (differences != 0u && failure_count[core] < FAILURES_SHOWN) {
        failures[core][failure_count[core]].kernel = state[core].kernel;
        for (uint32_t i = 0; i < 3u; ++i)
            failures[core][failure_count[core]].sizes[i] = state[core].sizes[i];
        failures[core][failure_count[core]++].differences = differences;
    }
    tmc_barrier();
}

#if defined(__riscv)
#include "bare_metal.h"

#define print_text console_text
#define print_number console_decimal
#else
#include <stdio.h>

static void print_text(const char *text)
{
    fputs(text, stdout);
}

static void print_number(uint32_t number)
{
    printf("%u", (unsigned)number);
}
#endif

static void run_all(void *argument)
{
    (void)argument;
    all_cases();
}

int main(void)
{
    if (tmc_cluster_run(run_all, NULL) != TMC_OK)
        return 1;
    uint32_t failed = 0;
    for (uint32_t core = 0; core < TMC_CORES; ++core) {
        for (uint32_t i = 0; i < failure_count[core]; ++i) {
            print_text("differs: ");
            print_text(failures[core][i].kernel);
            for (uint32_t j = 0; j < 3u; ++j) {
                print_text(" ");
                print_number(failures[core][i].sizes[j]);
            }
            print_text(", core ");
            print_number(core);
            print_text(": ");
            print_number(failures[core][i].differences);
            print_text("\n");
        }
        failed += failure_count[core];
    }
    print_text("cases ");
    print_number(case_count[0]);
    print_text("\nend\n");
    return failed != 0u;
}
