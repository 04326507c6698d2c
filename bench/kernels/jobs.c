/* Cycles of jobs of NE16: alone, one behind the other, and beside cores and transfers that work in L1. */
#include "cycles.h"
#include "tmc_jobs.h"
#include "tmc_kernels.h"
#include "tmc_platform.h"

enum { ROWS = 63, DEPTH = 192, CHANNELS = 96, MACS = ROWS * DEPTH * CHANNELS };
enum { CODE_PITCH = 196, SUM_PITCH = 388, WEIGHT_BYTES = CHANNELS * DEPTH, TIMES = 6 };

IN_L1 static uint8_t x[ROWS * CODE_PITCH] __attribute__((aligned(4)));
IN_L1 static uint8_t weight[WEIGHT_BYTES] __attribute__((aligned(4)));
IN_L1 static uint8_t moved[WEIGHT_BYTES] __attribute__((aligned(4)));
IN_L1 static int32_t sums[ROWS * SUM_PITCH / 4];
IN_L1 static uint8_t multiplier[CHANNELS + 32];
IN_L1 static int32_t bias[CHANNELS + 32];
/* What the cores work on: int32, int16, or codes. */
IN_L1 static int32_t left[ROWS * SUM_PITCH / 4];
IN_L1 static int16_t made[ROWS * CODE_PITCH / 2] __attribute__((aligned(4)));
IN_L1 static int8_t table[256] __attribute__((aligned(4)));
IN_L1 static int16_t gamma_[DEPTH] __attribute__((aligned(4)));
IN_L1 static int32_t beta[DEPTH];
IN_L1 static int32_t epsilon[21];
IN_L1 static uint16_t rsqrt[96];
static uint8_t in_l2[WEIGHT_BYTES] __attribute__((aligned(4)));

static tmc_job first, second;
static tmc_transfer transfer;

static void nothing(void)
{
}

/* Of the rows of a tile, what cores do with a third of its channels, as with those of a smaller tile of a linear. */
#define EPILOGUE(name, x_bytes, y_bytes) \
    static void name(void) \
    { \
        const tmc_epilogue_args args = { \
            .x = left, .y = made, .table = table, .x_pitch = x_bytes, .y_pitch = y_bytes, .rows = ROWS, \
            .channels = CHANNELS / 3, \
        }; \
        for (uint32_t i = 0; i < TIMES; ++i) { \
            tmc_epilogue_##name##_xpulp(&args); \
            tmc_barrier(); \
        } \
    }
EPILOGUE(table_s8s8, CODE_PITCH, CODE_PITCH)
EPILOGUE(add_s32s16, SUM_PITCH, CODE_PITCH)
EPILOGUE(s32s16, SUM_PITCH, CODE_PITCH)
EPILOGUE(transposed_s8s8, CODE_PITCH, 68)

static void layernorm_s16u8(void)
{
    const tmc_layernorm_args args = {
        .x = (const int16_t *)left, .y = made, .gamma = gamma_, .beta = beta, .epsilon = epsilon, .rsqrt = rsqrt, .x_pitch = SUM_PITCH,
        .y_pitch = CODE_PITCH, .rows = 32, .channels = DEPTH, .center_bits = 11, .norm_bits = 11,
        .root = 28378, .gamma_shift = 20, .centred = 1,
    };
    tmc_layernorm_s16u8_xpulp(&args);
}

static void transfers_in(void)
{
    if (tmc_core_id() == 0u)
        for (uint32_t i = 0; i < TIMES; ++i) {
            tmc_dma_in(&transfer, moved, in_l2, 1u, WEIGHT_BYTES, 0u);
            tmc_dma_wait(&transfer);
        }
}

static void transfers_out(void)
{
    if (tmc_core_id() == 0u)
        for (uint32_t i = 0; i < TIMES; ++i) {
            tmc_dma_out(&transfer, in_l2, moved, 1u, WEIGHT_BYTES, 0u);
            tmc_dma_wait(&transfer);
        }
}

typedef void work(void);

static const struct {
    const char *name;
    work *compute;
} beside[] = {
    {"nothing", nothing},
    {"epilogue_table_s8s8", table_s8s8},
    {"epilogue_add_s32s16", add_s32s16},
    {"epilogue_s32s16", s32s16},
    {"epilogue_transposed_s8s8", transposed_s8s8},
    {"layernorm_s16u8", layernorm_s16u8},
    {"transfers_in", transfers_in},
    {"transfers_out", transfers_out},
};

static void start(tmc_job *job, uint32_t rows)
{
    const tmc_ne16_linear_args args = {
        .x = x, .weight = weight, .multiplier = multiplier, .bias = bias, .y = sums, .rows = rows, .depth = DEPTH,
        .channels = CHANNELS, .x_pitch = CODE_PITCH, .y_pitch = SUM_PITCH, .shift = 8, .head_channels = CHANNELS,
    };
    if (tmc_core_id() == 0u)
        tmc_job_start(job, tmc_linear_u8s8s32_ne16, &args);
}

static void wait(tmc_job *job)
{
    if (tmc_core_id() == 0u)
        tmc_job_wait(job);
}

void measure(void)
{
    for (uint32_t i = tmc_core_id(); i < 96u; i += TMC_CORES)
        rsqrt[i] = (uint16_t)(46000u - 240u * i);
    for (uint32_t i = tmc_core_id(); i < 21u; i += TMC_CORES)
        epsilon[i] = 1;
    fill_random(x, sizeof x);
    fill_random(weight, sizeof weight);
    fill_random(multiplier, sizeof multiplier);
    fill_random(bias, sizeof bias);
    fill_random(left, sizeof left);
    fill_random(gamma_, sizeof gamma_);
    fill_random(beta, sizeof beta);
    fill_random(table, sizeof table);
    for (uint32_t round = 0; round < 2u; ++round) {
        for (uint32_t i = 0; i < sizeof beside / sizeof *beside; ++i) {
            begin_case(beside[i].name, "alone", ROWS * CHANNELS, 0);
            beside[i].compute();
            end_cases();
            begin_case(beside[i].name, "beside_a_job", ROWS * CHANNELS, MACS);
            start(&first, ROWS);
            beside[i].compute();
            wait(&first);
            end_cases();
        }
        begin_case("one_job", "9x192x96", 9 * CHANNELS, 0);
        start(&first, 9);
        wait(&first);
        end_cases();
        begin_case("two_jobs", "9x192x96", 9 * CHANNELS, 0);
        start(&first, 9);
        start(&second, 9);
        wait(&first);
        wait(&second);
        end_cases();
        start(&first, ROWS);
        begin_case("start_of_a_second_job", "9x192x96", 9 * CHANNELS, 0);
        start(&second, 9);
        end_cases();
        wait(&first);
        wait(&second);
    }
}
