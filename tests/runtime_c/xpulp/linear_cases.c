/* The linear kernels, xpulp against scalar. */
#include "cases.h"
#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

typedef void kernel(const tmc_linear_args *args);

/* A kernel in both forms, and the shapes of its operands. */
typedef struct {
    const char *name;
    kernel *scalar, *xpulp;
    uint32_t x_bytes, weight_bytes, y_bytes;
    uint32_t in_place, transposed;
} form;

#define FORM(name, ...) {#name, name##_scalar, name##_xpulp, __VA_ARGS__}
static const form forms[] = {
    FORM(tmc_linear_s8s8s8, 1, 1, 1, 0, 0),
    FORM(tmc_linear_table_s8s8s8, 1, 1, 1, 0, 0),
    FORM(tmc_linear_s8s8s16, 1, 1, 2, 0, 0),
    FORM(tmc_linear_add_s8s8s16, 1, 1, 2, 1, 0),
    FORM(tmc_linear_transposed_s8s8s8, 1, 1, 1, 0, 1),
    FORM(tmc_linear_table_transposed_s8s8s8, 1, 1, 1, 0, 1),
    FORM(tmc_linear_grouped_s16s8s16, 2, 2, 2, 0, 0),
    FORM(tmc_linear_s8s8s32, 1, 1, 4, 0, 0),
    FORM(tmc_linear_s16s8s32, 2, 1, 4, 0, 0),
};
#define FORMS (sizeof forms / sizeof *forms)

/** Fill the constants of packed rows, and the zeros behind the weights, such that all sums fit 32 bits. */
static void constants(const form *of, int8_t *weight, uint32_t pitch, uint32_t channels, uint32_t depth)
{
    const uint32_t words = (depth * of->weight_bytes + 3u) & ~3u, seed = case_number(1u << 16);
    /* |sum| is at most depth 2^14 or depth 2^22: times the multiplier below 2^30. */
    const uint32_t room = (1u << 30) / (depth << (of->x_bytes == 1u ? 14 : 22));
    const uint32_t highest = room > 255u ? 255u : room < 1u ? 1u : room;
    for (uint32_t n = tmc_core_id(); n < channels; n += TMC_CORES) {
        int32_t *row = (int32_t *)(void *)(weight + n * pitch + words);
        for (uint32_t k = depth * of->weight_bytes; k < words; ++k)
            weight[n * pitch + k] = 0;
        /* Halves that hold a byte each. */
        for (uint32_t k = 0; of->weight_bytes == 2u && k < depth; ++k)
            weight[n * pitch + 2u * k + 1u] = (int8_t)(weight[n * pitch + 2u * k] >> 7);
        row[0] = (int32_t)(1u + (seed + n * 37u) % highest);
        row[1] = (int32_t)((seed + n) * 0x9E3779B1u) >> 2;
    }
    tmc_barrier();
}

/** Copy the values before the call, for a kernel that updates them. */
static void start(uint8_t *a, uint8_t *b, uint32_t rows, uint32_t row_bytes, uint32_t pitch)
{
    const uint8_t *before = case_random_halves(rows * row_bytes / 2u);
    for (uint32_t r = tmc_core_id(); r < rows; r += TMC_CORES)
        for (uint32_t i = 0; i < row_bytes; ++i)
            a[r * pitch + i] = b[r * pitch + i] = before[r * row_bytes + i];
    tmc_barrier();
}

static void linear_case(const form *of, uint32_t rows, uint32_t depth, uint32_t channels)
{
    case_begin(of->name, rows, depth, channels);
    const uint32_t heads = of->y_bytes == 1u && !of->transposed && channels % 8u == 0u ? channels / 8u : 1u;
    const uint32_t y_rows = of->transposed ? channels : heads * rows;
    const uint32_t y_row_bytes = (of->transposed ? rows : channels / heads) * of->y_bytes;
    const uint32_t constant_shift = case_number(4) == 0u;
    tmc_linear_args args = {
        .x_pitch = case_pitch(depth * of->x_bytes), .weight_pitch = case_pitch(((depth * of->weight_bytes + 3u) & ~3u) + 8u),
        .y_pitch = case_pitch(y_row_bytes), .rows = rows, .depth = depth, .channels = channels,
        .shift = constant_shift ? case_number(32) : 8u + case_number(16), .bias_channels = channels + case_number(3),
        .group_rows = 1u + case_number(rows + 2u), .row0 = case_number(2u * rows),
        .split = case_number(4),
    };
    if (1u << args.split > TMC_CORES)
        args.split = 0;
    args.head_channels = channels / heads; /* runs of channels one behind the other */
    const uint32_t groups = (args.row0 + rows - 1u) / args.group_rows + 1u;
    args.x = case_random(rows * args.x_pitch + 8u);
    int8_t *weight = case_random(channels * args.weight_pitch);
    constants(of, weight, args.weight_pitch, channels, depth);
    args.weight = weight;
    args.table = case_random(256);
    int32_t *bias = case_random(groups * args.bias_channels * 4u);
    for (uint32_t i = tmc_core_id(); i < groups * args.bias_channels; i += TMC_CORES)
        bias[i] >>= 2;
    args.bias = bias;
    uint8_t *expected = case_take(y_rows * args.y_pitch), *result = case_take(y_rows * args.y_pitch);
    if (of->in_place)
        start(expected, result, y_rows, y_row_bytes, args.y_pitch);
    args.y = expected;
    of->scalar(&args);
    args.y = result;
    of->xpulp(&args);
    case_compare(expected, result, y_rows, y_row_bytes, args.y_pitch);
}

void all_cases(void)
{
    static const uint32_t sizes[] = {1, 3, 4, 5, 31, 32, 33};
    /* Rows, depth, channels: blocks of registers, whole and not, on every core; tiles of the reference networks. */
    static const uint32_t tiles[][3] = {
        {40, 8, 32}, {45, 9, 36}, {80, 64, 40}, {67, 21, 39}, {64, 12, 48}, {80, 192, 64}, {40, 192, 96},
        {40, 768, 48}, {400, 20, 24}, {1, 192, 6}, {8, 24, 32}, {16, 20, 24}, {24, 16, 24}, {32, 12, 40},
    };
    enum { SIZES = sizeof sizes / sizeof *sizes, TILES = sizeof tiles / sizeof *tiles };
    for (uint32_t f = 0; f < FORMS; ++f) {
#ifdef TILES_ONLY
        const uint32_t ragged = 0;
#else
        const uint32_t ragged = SIZES * SIZES * SIZES;
#endif
        for (uint32_t i = 0; i < ragged; ++i)
            linear_case(&forms[f], sizes[i / (SIZES * SIZES)], sizes[i / SIZES % SIZES], sizes[i % SIZES]);
        for (uint32_t i = 0; i < 3u * TILES; ++i) {
            const uint32_t *tile = tiles[i % TILES];
            /* More than 511 products of halves and bytes need not fit 32 bits. */
            linear_case(&forms[f], tile[0], forms[f].x_bytes == 2u && tile[1] > 511u ? 511u : tile[1], tile[2]);
        }
    }
}
