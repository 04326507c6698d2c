/* Cycles of the kernels that work element by element, on tiles in L1. Warm, with the barriers. */
#include "cycles.h"
#include "tmc_kernels.h"

enum { ROWS = 80, CHANNELS = 192, X_PITCH = 388, Y_PITCH = 196, WIDTH = 64, TABLE_PITCH = 132 };

IN_L1 static int16_t x[ROWS * X_PITCH / 2] __attribute__((aligned(4)));
IN_L1 static int8_t y[ROWS * Y_PITCH] __attribute__((aligned(4)));
IN_L1 static int16_t gamma_[CHANNELS] __attribute__((aligned(4)));
IN_L1 static int32_t beta[CHANNELS];
IN_L1 static int16_t table[ROWS * TABLE_PITCH / 2] __attribute__((aligned(4)));
IN_L1 static int32_t epsilon[21];
IN_L1 static uint16_t rsqrt[96];

static void measure_layernorm(void)
{
    const tmc_layernorm_args args = {
        .x = x, .y = y, .gamma = gamma_, .beta = beta, .epsilon = epsilon, .rsqrt = rsqrt, .x_pitch = X_PITCH,
        .y_pitch = Y_PITCH, .rows = ROWS, .channels = CHANNELS, .center_bits = 11, .norm_bits = 11, .root = 28378,
        .gamma_shift = 20,
    };
    begin_case("layernorm", "192", ROWS * CHANNELS, 0);
    tmc_layernorm_s16s8_xpulp(&args);
    end_cases();
}

static void measure_rope(void)
{
    const tmc_rope_args args = {
        .x = x, .y = y, .table = table, .x_pitch = TABLE_PITCH, .y_pitch = 68, .table_pitch = TABLE_PITCH,
        .rows = ROWS, .width = WIDTH, .period = 400, .row0 = 320, .shift = 20,
    };
    begin_case("rope", "64", ROWS * WIDTH, 0);
    tmc_rope_s16s8_xpulp(&args);
    end_cases();
}

static void measure_mean(void)
{
    const tmc_mean_rows_args args = {
        .x = (const int8_t *)x, .y = (int16_t *)y, .x_pitch = Y_PITCH, .y_pitch = 2 * CHANNELS, .rows = ROWS,
        .channels = CHANNELS, .group_rows = ROWS, .multiplier = 20000, .shift = 15,
    };
    begin_case("mean_rows", "80x192", ROWS * CHANNELS, 0);
    tmc_mean_rows_s8s16_xpulp(&args);
    end_cases();
}

void measure(void)
{
    fill_random(x, sizeof x);
    fill_random(gamma_, sizeof gamma_);
    fill_random(beta, sizeof beta);
    fill_random(table, sizeof table);
    for (uint32_t i = tmc_core_id(); i < 96u; i += TMC_CORES)
        rsqrt[i] = (uint16_t)(46000u - 240u * i);
    for (uint32_t i = tmc_core_id(); i < 21u; i += TMC_CORES)
        epsilon[i] = 1;
    for (uint32_t i = tmc_core_id(); i < ROWS * X_PITCH / 2; i += TMC_CORES)
        x[i] = (int16_t)(x[i] >> 3);
    for (uint32_t round = 0; round < 2u; ++round) {
        measure_layernorm();
        measure_rope();
        measure_mean();
    }
}
