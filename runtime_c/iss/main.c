/* iss: run a bare-metal program of a PULP cluster. See README.md for what it models. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "device.h"
#include "dma.h"
#include "hart.h"
#include "hyper.h"
#include "memory.h"
#include "program.h"
#include "run.h"
#include "trap.h"

static const char USAGE[] =
    "usage: iss --cores N --l1-kib N --l2-kib N --hyperram-kib N --dma-ids N --dma-bytes N [options] PROGRAM.elf\n"
    "  --cores N            cores of the cluster, 8 or fewer\n"
    "  --l1-kib N           L1 in KiB\n"
    "  --l2-kib N           shared banks of L2 in KiB; private ones of 64 KiB come on top\n"
    "  --hyperram-kib N     HyperRAM in KiB\n"
    "  --dma-ids N          transfers that the DMA has in flight, 16 or fewer\n"
    "  --dma-bytes N        bytes of the largest one, 131071 or fewer\n"
    "  --hyperram FILE      contents of the HyperRAM from address 0\n"
    "  --hyperflash FILE    contents of the HyperFlash from address 0\n"
    "  --no-strict-align    allow misaligned loads and stores of L1 and L2\n"
    "  --no-races           do not look for races between cluster cores\n"
    "  --turn N             instructions a hart executes before the next one's turn (64)\n"
    "  --limit N            instructions of all harts before the run is stopped (100000000000)\n"
    "  --stats              print instructions per hart to standard error at the end\n"
    "Exit status: the program's own (124 if larger); 125 after a trap; 126 for a wrong command line or file.\n";

typedef struct Options {
    uint64_t cores, l1_kib, l2_kib, hyperram_kib, dma_ids, dma_bytes, turn, limit;
    const char *hyperram, *hyperflash, *program;
    bool races, stats;
} Options;

static uint64_t parse_number(const char *option, const char *text, uint64_t maximum)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value == 0 || value > maximum) {
        usage_error("%s: found %s, allowed 1 to %llu", option, text, (unsigned long long)maximum);
    }
    return value;
}

/* Return the argument of the option at position *i, and step over it. */
static const char *argument(int count, char **words, int *i)
{
    if (*i + 1 >= count) {
        usage_error("%s: needs an argument", words[*i]);
    }
    return words[++*i];
}

static Options parse(int count, char **words)
{
    Options options = {.turn = 64, .limit = 100000000000u, .races = true};
    const struct {
        const char *name;
        uint64_t *number;
        uint64_t maximum;
        const char **text;
    } with_argument[] = {
        {"--cores", &options.cores, CLUSTER_CORES_MAX, NULL},
        {"--l1-kib", &options.l1_kib, 65536, NULL},
        {"--l2-kib", &options.l2_kib, 65536, NULL},
        {"--hyperram-kib", &options.hyperram_kib, 1048576, NULL},
        {"--dma-ids", &options.dma_ids, DMA_IDS_MAX, NULL},
        {"--dma-bytes", &options.dma_bytes, DMA_BYTES_MAX, NULL},
        {"--turn", &options.turn, 1000000000, NULL},
        {"--limit", &options.limit, UINT64_MAX, NULL},
        {"--hyperram", NULL, 0, &options.hyperram},
        {"--hyperflash", NULL, 0, &options.hyperflash},
    };
    const size_t known = sizeof with_argument / sizeof with_argument[0];
    for (int i = 1; i < count; i++) {
        const char *word = words[i];
        size_t k = 0;
        while (k < known && strcmp(word, with_argument[k].name) != 0) {
            k++;
        }
        if (k < known && with_argument[k].number != NULL) {
            *with_argument[k].number = parse_number(word, argument(count, words, &i), with_argument[k].maximum);
        } else if (k < known) {
            *with_argument[k].text = argument(count, words, &i);
        } else if (strcmp(word, "--no-strict-align") == 0) {
            strict_align = false;
        } else if (strcmp(word, "--no-races") == 0) {
            options.races = false;
        } else if (strcmp(word, "--stats") == 0) {
            options.stats = true;
        } else if (strcmp(word, "--help") == 0) {
            fputs(USAGE, stdout);
            exit(0);
        } else if (word[0] == '-' || options.program != NULL) {
            usage_error("%s: not an option of iss, or a second program\n%s", word, USAGE);
        } else {
            options.program = word;
        }
    }
    if (options.program == NULL) {
        usage_error("no program given\n%s", USAGE);
    }
    for (size_t k = 0; k < known; k++) {
        if (with_argument[k].number != NULL && *with_argument[k].number == 0) {
            usage_error("%s: not given, and the simulator has no size of its own", with_argument[k].name);
        }
    }
    return options;
}

static void create_harts(bool races)
{
    for (uint32_t i = 0; i < HARTS; i++) {
        harts[i].index = i;
        harts[i].mhartid = i == FABRIC_CONTROLLER ? 31u << 5 : i;
        if (races && i != FABRIC_CONTROLLER) {
            harts[i].own_lanes = 0x01010101u << i;
            harts[i].other_lanes = ~harts[i].own_lanes;
        }
    }
}

static void print_stats(void)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < HARTS; i++) {
        total += harts[i].retired;
        fprintf(stderr, "iss: hart 0x%x: %llu instructions\n", harts[i].mhartid,
                (unsigned long long)harts[i].retired);
    }
    fprintf(stderr, "iss: total: %llu instructions\n", (unsigned long long)total);
}

int main(int count, char **words)
{
    Options options = parse(count, words);
    cluster_cores = (uint32_t)options.cores;
    dma_create((uint32_t)options.dma_ids, (uint32_t)options.dma_bytes);
    memory_create((uint32_t)options.l1_kib << 10, (uint32_t)options.l2_kib << 10);
    hyper_create((uint32_t)options.hyperram_kib << 10, options.hyperram, options.hyperflash);
    create_harts(options.races);
    hart_start(&harts[FABRIC_CONTROLLER], program_load(options.program));
    stacks_find();
    run((Limits){(int32_t)options.turn, options.limit});
    console_flush();
    if (options.stats) {
        print_stats();
    }
    if (program_status != 0) {
        fprintf(stderr, "iss: the program ended with status %u\n", program_status);
    }
    return program_status < STATUS_PROGRAM_MAX ? (int)program_status : STATUS_PROGRAM_MAX;
}
