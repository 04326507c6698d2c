/* Cycles of the linear kernels on tiles in L1, with the pitches of the compiler. Warm, with the barriers. */
#include "cycles.h"
#include "tmc_kernels.h"

/* The smallest odd number of words. */
#define PITCH(bytes) ((((bytes) + 3u) / 4u | 1u) * 4u)

typedef void kernel(const tmc_linear_args *args);

typedef struct {
    const char *name;
    kernel *compute;
    const char *size; /* rows x channels x depth */
    uint32_t rows, channels, depth, split;
    uint32_t x_bytes, weight_bytes, y_bytes;
    uint32_t y_rows, y_columns;
} tile;

#define TILE_SPLIT(name, rows, channels, depth, split, x_bytes, y_bytes) \
    {"linear_" #name, tmc_linear_##name##_xpulp, #rows "x" #channels "x" #depth, rows, channels, depth, split, \
     x_bytes, 1, y_bytes, rows, channels}
#define TILE(name, rows, channels, depth, x_bytes, y_bytes) TILE_SPLIT(name, rows, channels, depth, 0, x_bytes, y_bytes)
#define TILE_TRANSPOSED(name, rows, channels, depth, split) \
    {"linear_" #name, tmc_linear_##name##_xpulp, #rows "x" #channels "x" #depth, rows, channels, depth, split, \
     1, 1, 1, channels, rows}
#define TILE_GROUPED(rows, channels, depth, split) \
    {"linear_grouped_s16s8s16", tmc_linear_grouped_s16s8s16_xpulp, #rows "x" #channels "x" #depth, rows, channels, depth, \
     split, 2, 2, 2, rows, channels}

static const tile tiles[] = {
    TILE(s8s8s8, 80, 192, 192, 1, 1),
    TILE(s8s8s8, 80, 64, 192, 1, 1),
    TILE(s8s8s8, 40, 64, 192, 1, 1),
    TILE(s8s8s8, 40, 48, 768, 1, 1),
    TILE(table_s8s8s8, 80, 64, 192, 1, 1),
    TILE(table_s8s8s8, 40, 96, 192, 1, 1),
    TILE(s8s8s16, 80, 64, 192, 1, 2),
    TILE(s8s8s16, 40, 64, 192, 1, 2),
    TILE(add_s8s8s16, 80, 64, 192, 1, 2),
    TILE(add_s8s8s16, 40, 64, 192, 1, 2),
    TILE(add_s8s8s16, 40, 48, 768, 1, 2),
    TILE_TRANSPOSED(transposed_s8s8s8, 80, 64, 192, 0),
    TILE_TRANSPOSED(transposed_s8s8s8, 40, 64, 192, 0),
    TILE_GROUPED(400, 64, 20, 0),
    /* Few rows: rows and channels are split, and blocks are not full. */
    TILE_SPLIT(s8s8s8, 8, 64, 192, 0, 1, 1),
    TILE_SPLIT(s8s8s8, 8, 64, 192, 3, 1, 1),
    TILE_SPLIT(s8s8s8, 16, 64, 192, 2, 1, 1),
    TILE_SPLIT(s8s8s8, 24, 64, 192, 0, 1, 1),
    TILE_SPLIT(s8s8s8, 10, 48, 48, 2, 1, 1),
    TILE_SPLIT(s8s8s8, 10, 192, 48, 2, 1, 1),
    TILE_SPLIT(s8s8s8, 4, 64, 64, 3, 1, 1),
    TILE_SPLIT(s8s8s8, 32, 64, 64, 0, 1, 1),
    TILE_SPLIT(table_s8s8s8, 10, 192, 48, 2, 1, 1),
    TILE_SPLIT(add_s8s8s16, 10, 48, 192, 2, 1, 2),
    TILE_SPLIT(add_s8s8s16, 16, 64, 64, 1, 1, 2),
    TILE_TRANSPOSED(transposed_s8s8s8, 10, 48, 48, 2),
    TILE_TRANSPOSED(transposed_s8s8s8, 32, 64, 64, 0),
    TILE_GROUPED(10, 48, 160, 2),
    TILE_GROUPED(40, 64, 32, 1),
    TILE_SPLIT(s8s8s32, 50, 8, 64, 0, 1, 4),
    TILE(s8s8s32, 1, 6, 192, 1, 4),
    TILE(s16s8s32, 1, 6, 192, 2, 4),
};

/* x, weights and y of a tile, one after the other; what a kernel reads may go a little beyond x. */
IN_L1 static uint8_t operands[100 * 1024] __attribute__((aligned(4)));
IN_L1 static int8_t table[256] __attribute__((aligned(4)));
IN_L1 static int32_t bias[8 * 192];

static void measure_tile(const tile *of)
{
    const uint32_t x_pitch = PITCH(of->depth * of->x_bytes), weight_pitch = PITCH((of->depth * of->weight_bytes + 3u) / 4u * 4u + 8u);
    const uint32_t y_pitch = PITCH(of->y_columns * of->y_bytes);
    uint8_t *weight = operands + of->rows * x_pitch + 8u, *y = weight + of->channels * weight_pitch;
    if (y + of->y_rows * y_pitch > operands + sizeof operands)
        __builtin_trap();
    const tmc_linear_args args = {
        .x = operands, .weight = (const int8_t *)weight, .y = y, .table = table, .bias = bias, .x_pitch = x_pitch,
        .weight_pitch = weight_pitch, .y_pitch = y_pitch, .rows = of->rows, .depth = of->depth,
        .channels = of->channels, .shift = 20, .bias_channels = 192, .group_rows = 50, .split = of->split, .head_channels = of->channels,
    };
    for (uint32_t round = 0; round < 2u; ++round) {
        begin_case(of->name, of->size, of->rows * of->channels, of->rows * of->channels * of->depth);
        of->compute(&args);
        end_cases();
    }
}

void measure(void)
{
    fill_random(operands, sizeof operands);
    fill_random(table, sizeof table);
    fill_random(bias, sizeof bias);
    for (uint32_t i = 0; i < sizeof tiles / sizeof *tiles; ++i)
        measure_tile(&tiles[i]);
}
