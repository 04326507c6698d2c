/* Cycles of the kernels that work element by element, on tiles in L1. Warm, with the barriers. */
#include "cycles.h"
#include "tmc_kernels.h"
#include "tmc_ne16_kernels.h"

enum { ROWS = 80, CHANNELS = 192, X_PITCH = 388, Y_PITCH = 196, WIDTH = 64, TABLE_PITCH = 132, PLACES = 500 };

IN_L1 static int16_t x[ROWS * X_PITCH / 2] __attribute__((aligned(4)));
IN_L1 static int8_t y[ROWS * Y_PITCH] __attribute__((aligned(4)));
IN_L1 static int16_t wide_y[ROWS * X_PITCH / 2] __attribute__((aligned(4)));
IN_L1 static int16_t gamma_[CHANNELS] __attribute__((aligned(4)));
IN_L1 static int32_t beta[CHANNELS];
IN_L1 static int16_t table[ROWS * TABLE_PITCH / 2] __attribute__((aligned(4)));
IN_L1 static tmc_factors factors[CHANNELS / 2];
IN_L1 static int32_t epsilon[21];
IN_L1 static uint16_t rsqrt[96];
IN_L1 static uint16_t rows_of_x[400];
IN_L1 static int16_t places[2 * PLACES] __attribute__((aligned(4)));

static void measure_layernorm(void)
{
    const tmc_layernorm_args args = {
        .x = x, .y = y, .gamma = gamma_, .beta = beta, .epsilon = epsilon, .rsqrt = rsqrt, .x_pitch = X_PITCH,
        .y_pitch = Y_PITCH, .rows = ROWS, .channels = CHANNELS, .center_bits = 11, .norm_bits = 11, .root = 28378,
        .gamma_shift = 20, .centred = 1,
    };
    begin_case("layernorm", "192", ROWS * CHANNELS, 0);
    tmc_layernorm_s16s8_xpulp(&args);
    end_cases();
    tmc_layernorm_args wide = args;
    wide.y = wide_y, wide.y_pitch = X_PITCH;
    begin_case("layernorm_wide", "192", ROWS * CHANNELS, 0);
    tmc_layernorm_s16s16_xpulp(&wide);
    end_cases();
    tmc_layernorm_args uncentred = args;
    uncentred.centred = 0;
    begin_case("rmsnorm", "192", ROWS * CHANNELS, 0);
    tmc_layernorm_s16s8_xpulp(&uncentred);
    end_cases();
}

static void measure_requantise(void)
{
    static const tmc_factors usual = {.multiplier = 0x40000001, .shift = 40, .addend_high = 1 << 7};
    for (uint32_t c = tmc_core_id(); c < CHANNELS / 2; c += TMC_CORES)
        factors[c] = usual;
    tmc_barrier();
    const tmc_requantise_args args = {
        .x = x, .factors = factors, .table = (const int8_t *)table, .y = y, .x_pitch = X_PITCH,
        .y_pitch = Y_PITCH, .rows = ROWS, .channels = CHANNELS / 2, .ties_to_even = 1,
    };
    begin_case("requantise", "80x96", ROWS * CHANNELS / 2, 0);
    tmc_requantise_s32s8_xpulp(&args);
    end_cases();
}

static void measure_clip(void)
{
    const tmc_clip_args args = {
        .x = x, .low = gamma_, .high = beta, .y = wide_y, .x_pitch = X_PITCH, .limit_pitch = 2 * CHANNELS,
        .y_pitch = X_PITCH, .rows = ROWS, .channels = CHANNELS, .group_rows = ROWS,
    };
    begin_case("clip", "192", ROWS * CHANNELS, 0);
    tmc_clip_s16s16_xpulp(&args);
    end_cases();
    begin_case("clip_add", "192", ROWS * CHANNELS, 0);
    tmc_clip_add_s16s16_xpulp(&args);
    end_cases();
    begin_case("clip_bytes", "192", ROWS * CHANNELS, 0);
    tmc_clip_s8s8_xpulp(&args);
    end_cases();
}

static void measure_convert(void)
{
    tmc_convert_args args = {
        .x = x, .y = y, .x_pitch = X_PITCH, .y_pitch = Y_PITCH, .rows = ROWS, .channels = CHANNELS,
        .multiplier = 20000, .bias = 1 << 22, .shift = 23,
    };
    begin_case("convert_narrow", "192", ROWS * CHANNELS, 0);
    tmc_convert_s16s8_xpulp(&args);
    end_cases();
    args.x = y, args.x_pitch = Y_PITCH, args.y = wide_y, args.y_pitch = X_PITCH;
    begin_case("convert_wide", "192", ROWS * CHANNELS, 0);
    tmc_convert_s8s16_xpulp(&args);
    end_cases();
    args.y = x;
    begin_case("convert", "192", ROWS * CHANNELS, 0);
    tmc_convert_s8s8_xpulp(&args);
    end_cases();
    const tmc_offset_args offset = {
        .x = (const int8_t *)x, .y = (uint8_t *)y, .x_pitch = X_PITCH, .y_pitch = Y_PITCH, .rows = ROWS, .channels = CHANNELS,
    };
    begin_case("convert_unsigned", "192", ROWS * CHANNELS, 0);
    tmc_convert_s8u8_xpulp(&offset);
    end_cases();
}

static void measure_add(void)
{
    tmc_add_args args = {
        .x = x, .z = wide_y, .y = y, .x_pitch = Y_PITCH, .z_pitch = Y_PITCH,
        .y_pitch = Y_PITCH, .rows = ROWS, .channels = CHANNELS, .x_multiplier = 1 << 20, .z_multiplier = 1 << 19,
        .bias = 1 << 19, .shift = 20,
    };
    begin_case("add", "192", ROWS * CHANNELS, 0);
    tmc_add_s8s8s8_xpulp(&args);
    end_cases();
    tmc_add_args wide = args;
    wide.x_pitch = wide.z_pitch = wide.y_pitch = X_PITCH, wide.y = wide_y;
    wide.x_multiplier = 1 << 14, wide.z_multiplier = 1 << 13, wide.bias = 1 << 13, wide.shift = 14;
    begin_case("add_wide", "192", ROWS * CHANNELS, 0);
    tmc_add_s16s16s16_xpulp(&wide);
    end_cases();
}

static void measure_mul(void)
{
    tmc_mul_args args = {
        .x = x, .z = wide_y, .y = y, .x_pitch = Y_PITCH, .z_pitch = Y_PITCH, .y_pitch = Y_PITCH, .rows = ROWS,
        .channels = CHANNELS, .x_zero_point = 5, .z_zero_point = -3, .multiplier = 20000, .bias = 1 << 21,
        .shift = 22,
    };
    begin_case("mul", "192", ROWS * CHANNELS, 0);
    tmc_mul_s8s8s8_xpulp(&args);
    end_cases();
    args.x_zero_point = args.z_zero_point = 0;
    args.x_pitch = args.z_pitch = args.y_pitch = X_PITCH, args.y = wide_y;
    begin_case("mul_wide", "192", ROWS * CHANNELS, 0);
    tmc_mul_s16s16s16_xpulp(&args);
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
    const tmc_rope_args wide = {
        .x = x, .y = wide_y, .table = table, .x_pitch = TABLE_PITCH, .y_pitch = TABLE_PITCH,
        .table_pitch = TABLE_PITCH, .rows = ROWS, .width = WIDTH, .period = 400, .row0 = 320, .shift = 16, .limit = 4095,
    };
    begin_case("rope_wide", "64", ROWS * WIDTH, 0);
    tmc_rope_s16s16_xpulp(&wide);
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

static void measure_max(void)
{
    const tmc_max_rows_args args = {
        .x = x, .y = y, .x_pitch = Y_PITCH, .y_pitch = 2 * CHANNELS, .rows = ROWS, .channels = CHANNELS,
        .group_rows = ROWS,
    };
    begin_case("max_rows", "80x192", ROWS * CHANNELS, 0);
    tmc_max_rows_s8s8_xpulp(&args);
    end_cases();
    tmc_max_rows_args wide = args;
    wide.channels = CHANNELS / 2;
    begin_case("max_rows_wide", "80x96", ROWS * CHANNELS / 2, 0);
    tmc_max_rows_s16s16_xpulp(&wide);
    end_cases();
    tmc_max_rows_args runs = args;
    runs.group_rows = 10;
    begin_case("max_rows_runs", "8x10x192", ROWS * CHANNELS, 0);
    tmc_max_rows_s8s8_xpulp(&runs);
    end_cases();
}

static void measure_argmax(void)
{
    const tmc_argmax_columns_args args = {
        .x = x, .y = y, .x_pitch = Y_PITCH, .y_pitch = 4, .rows = ROWS, .x_channels = CHANNELS,
    };
    begin_case("argmax_columns", "80x192", ROWS * CHANNELS, 0);
    tmc_argmax_columns_s8s32_xpulp(&args);
    end_cases();
    tmc_argmax_columns_args wide = args;
    wide.x_pitch = X_PITCH;
    begin_case("argmax_columns_wide", "80x192", ROWS * CHANNELS, 0);
    tmc_argmax_columns_s16s32_xpulp(&wide);
    end_cases();
    wide.x_channels = 6;
    begin_case("argmax_columns_few", "80x6", ROWS * 6, 0);
    tmc_argmax_columns_s16s32_xpulp(&wide);
    end_cases();
}

static void measure_softmax(void)
{
    tmc_softmax_args args = {
        .x = x, .y = wide_y, .x_pitch = X_PITCH, .y_pitch = X_PITCH, .rows = ROWS, .channels = CHANNELS,
        .limit = 36968, .multiplier = 29045, .shift = 10,
    };
    begin_case("softmax_rows", "80x192", ROWS * CHANNELS, 0);
    tmc_softmax_s16s16_xpulp(&args);
    end_cases();
    args.channels = 6;
    begin_case("softmax_rows_few", "80x6", ROWS * 6, 0);
    tmc_softmax_s16s16_xpulp(&args);
    end_cases();
}

static void measure_matmul(void)
{
    tmc_matmul_args args = {
        .x = (const int8_t *)x, .z = (const int8_t *)table, .y = y, .x_pitch = X_PITCH, .z_pitch = TABLE_PITCH,
        .y_pitch = Y_PITCH, .rows = ROWS, .z_rows = 64, .depth = 64, .x_zero_point = 3, .z_zero_point = -5,
        .narrowing = 1, .multiplier = 1000, .shift = 20,
    };
    begin_case("matmul", "80x64x64", ROWS * 64, ROWS * 64 * 64);
    tmc_matmul_s8s8s8_xpulp(&args);
    end_cases();
    args.rows = 8, args.z_rows = 8, args.depth = 80;
    begin_case("matmul_few", "8x80x8", 8 * 8, 8 * 8 * 80);
    tmc_matmul_s8s8s8_xpulp(&args);
    end_cases();
    args.rows = 16, args.z_rows = 8, args.depth = 8;
    begin_case("matmul_flat", "16x8x8", 16 * 8, 16 * 8 * 8);
    tmc_matmul_s8s8s8_xpulp(&args);
    end_cases();
    args.rows = 80, args.z_rows = 1;
    begin_case("matmul_one", "80x8x1", 80, 80 * 8);
    tmc_matmul_s8s8s8_xpulp(&args);
    end_cases();
}

static void measure_depthwise(void)
{
    const tmc_depthwise_rows_args args = {
        .x = (const int8_t *)x, .weight = (const int8_t *)gamma_, .y = y, .table = (const int8_t *)beta,
        .x_pitch = WIDTH, .y_pitch = WIDTH, .weight_pitch = 4, .rows = 50, .channels = WIDTH, .taps = 3, .shift = 9,
    };
    begin_case("depthwise_rows", "50x64", 50 * WIDTH, 0);
    tmc_depthwise_rows_s8s8_xpulp(&args);
    end_cases();
    begin_case("depthwise_rows_table", "50x64", 50 * WIDTH, 0);
    tmc_depthwise_rows_table_s8s8_xpulp(&args);
    end_cases();
    tmc_depthwise_rows_args more = args;
    more.taps = 7;
    begin_case("depthwise_rows", "50x64,7taps", 50 * WIDTH, 0);
    tmc_depthwise_rows_s8s8_xpulp(&more);
    end_cases();
}

static void measure_interpolate(void)
{
    tmc_interpolate_rows_args args = {
        .x = x, .table = places, .y = (int16_t *)y, .x_pitch = 12, .y_pitch = 2 * PLACES, .x_rows = 50, .rows = PLACES,
        .channels = 5,
    };
    begin_case("interpolate_rows_transposed", "500x5", PLACES * 5, 0);
    tmc_interpolate_rows_transposed_s16s16_xpulp(&args);
    end_cases();
    args.x_pitch = args.y_pitch = 28, args.channels = 13;
    begin_case("interpolate_rows", "500x13", PLACES * 13, 0);
    tmc_interpolate_rows_s16s16_xpulp(&args);
    end_cases();
}

static void measure_permute(void)
{
    tmc_permute_rows_args args = {
        .x = (const int8_t *)x, .y = y, .x_pitch = 36, .y_pitch = 36, .rows = 400, .row_bytes = 32, .groups = 8,
    };
    begin_case("permute_rows", "400x32", 400 * 32, 0);
    tmc_permute_rows_s8s8_xpulp(&args);
    end_cases();
    args.x_pitch = args.y_pitch = Y_PITCH, args.rows = ROWS, args.row_bytes = CHANNELS;
    begin_case("permute_rows", "80x192", ROWS * CHANNELS, 0);
    tmc_permute_rows_s8s8_xpulp(&args);
    end_cases();
}

static void measure_moves(void)
{
    tmc_copy_rows_args copy = {
        .x = (const int8_t *)x, .y = y, .x_pitch = Y_PITCH, .y_pitch = Y_PITCH, .rows = ROWS, .row_bytes = CHANNELS,
        .step_bytes = 4,
    };
    begin_case("copy_rows", "80x192", ROWS * CHANNELS, 0);
    tmc_copy_rows_s8s8_xpulp(&copy);
    end_cases();
    copy.step_bytes = 2;
    begin_case("copy_rows", "80x192,halves", ROWS * CHANNELS, 0);
    tmc_copy_rows_s8s8_xpulp(&copy);
    end_cases();
    copy.step_bytes = 1;
    begin_case("copy_rows", "80x192,bytes", ROWS * CHANNELS, 0);
    tmc_copy_rows_s8s8_xpulp(&copy);
    end_cases();
    copy.rows = 400, copy.row_bytes = 32, copy.x_pitch = copy.y_pitch = 36, copy.step_bytes = 4;
    begin_case("copy_rows", "400x32", 400 * 32, 0);
    tmc_copy_rows_s8s8_xpulp(&copy);
    end_cases();
    copy.rows = 1, copy.row_bytes = 768;
    begin_case("copy_rows", "1x768", 768, 0);
    tmc_copy_rows_s8s8_xpulp(&copy);
    end_cases();
    tmc_gather_rows_args gather = {
        .x = (const int8_t *)x, .table = rows_of_x, .y = y, .x_pitch = Y_PITCH, .y_pitch = Y_PITCH, .x_rows = ROWS,
        .rows = ROWS, .row_bytes = CHANNELS, .step_bytes = 4,
    };
    begin_case("gather_rows", "80x192", ROWS * CHANNELS, 0);
    tmc_gather_rows_s8s8_xpulp(&gather);
    end_cases();
    const tmc_gather_columns_args columns = {
        .x = x, .table = rows_of_x, .y = wide_y, .x_pitch = X_PITCH, .y_pitch = X_PITCH, .rows = ROWS,
        .x_channels = CHANNELS, .channels = CHANNELS,
    };
    begin_case("gather_columns_s8s8", "80x192", ROWS * CHANNELS, 0);
    tmc_gather_columns_s8s8_xpulp(&columns);
    end_cases();
    begin_case("gather_columns_s16s16", "80x192", ROWS * CHANNELS, 0);
    tmc_gather_columns_s16s16_xpulp(&columns);
    end_cases();
    tmc_gather_columns_args wide = columns;
    wide.x_channels = wide.channels = CHANNELS / 2;
    begin_case("gather_columns_s32s32", "80x96", ROWS * CHANNELS / 2, 0);
    tmc_gather_columns_s32s32_xpulp(&wide);
    end_cases();
    gather.rows = 400, gather.row_bytes = 32, gather.x_pitch = gather.y_pitch = 36;
    begin_case("gather_rows", "400x32", 400 * 32, 0);
    tmc_gather_rows_s8s8_xpulp(&gather);
    end_cases();
}

static void measure_transpose(void)
{
    tmc_transpose_args args = {
        .x = x, .y = wide_y, .x_pitch = Y_PITCH, .y_pitch = ROWS + 4, .rows = ROWS, .channels = CHANNELS,
    };
    begin_case("transpose_s8s8", "80x192", ROWS * CHANNELS, 0);
    tmc_transpose_s8s8_xpulp(&args);
    end_cases();
    args.x_pitch = X_PITCH, args.y_pitch = 156, args.rows = 76;
    begin_case("transpose_s16s16", "76x192", 76 * CHANNELS, 0);
    tmc_transpose_s16s16_xpulp(&args);
    end_cases();
    args.y_pitch = 308, args.channels = CHANNELS / 2;
    begin_case("transpose_s32s32", "76x96", 76 * CHANNELS / 2, 0);
    tmc_transpose_s32s32_xpulp(&args);
    end_cases();
    args.x_pitch = 8, args.y_pitch = 400, args.rows = 400, args.channels = 6;
    begin_case("transpose_s8s8", "400x6", 400 * 6, 0);
    tmc_transpose_s8s8_xpulp(&args);
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
    for (uint32_t i = tmc_core_id(); i < PLACES; i += TMC_CORES)
        places[2u * i] = (int16_t)(i / 11u), places[2u * i + 1u] = (int16_t)(i * 31u);
    for (uint32_t i = tmc_core_id(); i < 400u; i += TMC_CORES)
        rows_of_x[i] = (uint16_t)(37u * i % ROWS);
    for (uint32_t i = tmc_core_id(); i < ROWS * X_PITCH / 2; i += TMC_CORES)
        x[i] = (int16_t)(x[i] >> 3);
    for (uint32_t round = 0; round < 2u; ++round) {
        measure_layernorm();
        measure_requantise();
        measure_clip();
        measure_convert();
        measure_add();
        measure_mul();
        measure_rope();
        measure_mean();
        measure_max();
        measure_argmax();
        measure_softmax();
        measure_matmul();
        measure_depthwise();
        measure_interpolate();
        measure_permute();
        measure_moves();
        measure_transpose();
    }
}
