/* Cycles of the attention kernels on tiles in L1: 40 queries, one head of width 64. Warm, with the barriers.
 *
 * 400 and 80 keys: K and V^T whole. 800 keys: K in tiles of 200 keys, V^T in tiles of 16 channels.
 */
#include "cycles.h"
#include "tmc_ne16_kernels.h"

enum { ROWS = 40, WIDTH = 64, Q_PITCH = 68, WIDE_PITCH = 132 };

typedef struct {
    const char *name;
    uint32_t keys;
    uint32_t tile_keys;
    uint32_t tile_channels;
    uint32_t scores_pitch;
    uint32_t vt_pitch;
} attention;

static const attention SHAPES[] = {
    {"400", 400, 400, 64, 804, 404}, {"800", 800, 200, 16, 1604, 804}, {"80", 80, 80, 64, 164, 84},
};

IN_L1 static int8_t q[ROWS * WIDE_PITCH] __attribute__((aligned(4)));
/* K, V^T and the scores of a shape, one after the other. */
IN_L1 static int8_t operands[92 * 1024] __attribute__((aligned(4)));
/* For 80 keys a line for each query, else one for all. */
IN_L1 static int16_t bias[ROWS * 82] __attribute__((aligned(4)));
IN_L1 static uint8_t exp_table[1024] __attribute__((aligned(4)));
IN_L1 static int16_t y[ROWS * WIDTH] __attribute__((aligned(4)));
IN_L1 static tmc_attention_norm norm[ROWS];

static int8_t *vt_of(const attention *shape)
{
    return operands + shape->tile_keys * Q_PITCH;
}

static void *scores_of(const attention *shape)
{
    return vt_of(shape) + shape->tile_channels * shape->vt_pitch;
}

static void compute_scores(const attention *shape)
{
    tmc_attention_scores_args args = {
        .q = q, .k = operands, .scores = scores_of(shape), .q_pitch = Q_PITCH, .k_pitch = Q_PITCH,
        .scores_pitch = shape->scores_pitch, .rows = ROWS, .keys = shape->tile_keys, .width = WIDTH, .heads = 1, .shift = 8,
    };
    for (args.key0 = 0; args.key0 < shape->keys; args.key0 += shape->tile_keys) {
        tmc_attention_scores_s8s8s16_xpulp(&args);
        if (shape->tile_keys < shape->keys)
            tmc_barrier();
    }
}

/** The same of int16; the scores lie behind K. */
static void compute_wide_scores(const attention *shape)
{
    tmc_attention_scores_args args = {
        .q = q, .k = operands, .scores = (void *)(operands + shape->tile_keys * WIDE_PITCH), .q_pitch = WIDE_PITCH,
        .k_pitch = WIDE_PITCH, .scores_pitch = shape->scores_pitch, .rows = ROWS, .keys = shape->tile_keys, .width = WIDTH,
        .heads = 1, .shift = 16, .limit = 32767,
    };
    for (args.key0 = 0; args.key0 < shape->keys; args.key0 += shape->tile_keys) {
        tmc_attention_scores_s16s16s16_xpulp(&args);
        if (shape->tile_keys < shape->keys)
            tmc_barrier();
    }
}

static void compute_softmax(const attention *shape)
{
    const tmc_attention_softmax_args args = {
        .scores = scores_of(shape), .exp_table = exp_table, .norm = norm, .scores_pitch = shape->scores_pitch,
        .rows = ROWS, .keys = shape->keys, .heads = 1, .out_multiplier = 20000,
    };
    tmc_attention_softmax_s16u8_xpulp(&args);
}

static void compute_softmax_bias(const attention *shape)
{
    const tmc_attention_softmax_bias_args args = {
        .scores = scores_of(shape), .bias = bias, .exp_table = exp_table, .norm = norm,
        .scores_pitch = shape->scores_pitch, .bias_pitch = shape->scores_pitch, .rows = ROWS,
        .bias_rows = shape->keys <= 80u ? ROWS : 1u, .keys = shape->keys, .out_multiplier = 20000,
    };
    tmc_attention_softmax_bias_s16s16u8_xpulp(&args);
}

static void compute_values(const attention *shape, uint32_t element_bytes)
{
    tmc_attention_values_args args = {
        .p = scores_of(shape), .vt = vt_of(shape), .norm = norm, .p_pitch = shape->scores_pitch,
        .vt_pitch = shape->vt_pitch, .y_pitch = WIDTH * element_bytes, .rows = ROWS, .keys = shape->keys,
        .channels = shape->tile_channels, .heads = 1, .out_shift = 14,
    };
    for (uint32_t channel = 0; channel < WIDTH; channel += shape->tile_channels) {
        args.y = (int8_t *)y + channel * element_bytes;
        (element_bytes > 1u ? tmc_attention_values_u8s8s16_xpulp : tmc_attention_values_u8s8s8_xpulp)(&args);
        if (shape->tile_channels < WIDTH)
            tmc_barrier();
    }
}

/** What the cores do of 9 queries, or 40, where NE16 has the products: packing as K and as V^T, softmax, division. */
static void measure_beside_jobs(const attention *shape, uint32_t rows)
{
    uint8_t *const packed = (uint8_t *)operands + shape->keys * WIDTH;
    tmc_attention_pack_args pack = {
        .x = operands, .weight = packed, .bias = (int32_t *)(void *)y, .x_pitch = Q_PITCH, .rows = shape->keys / 2u,
        .depth = WIDTH, .offset = 128, .half = 64,
    };
    begin_case("pack_keys", shape->name, pack.rows * WIDTH, 0);
    tmc_attention_pack_s8u8_xpulp(&pack);
    end_cases();
    pack.x_pitch = shape->vt_pitch, pack.rows = WIDTH / 2u, pack.depth = shape->keys;
    begin_case("pack_values", shape->name, pack.rows * pack.depth, 0);
    tmc_attention_pack_s8u8_xpulp(&pack);
    end_cases();
    int32_t *const scores = (int32_t *)(void *)operands;
    const tmc_attention_softmax_wide_args softmax = {
        .scores = scores, .exp_table = exp_table, .p = (uint8_t *)(scores + rows * (shape->keys + 1u)), .norm = norm, .scores_pitch = 4u * shape->keys + 4u,
        .p_pitch = shape->keys + 4u, .rows = rows, .keys = shape->keys, .out_multiplier = 20000,
    };
    for (uint32_t i = tmc_core_id(); i < rows * (shape->keys + 1u); i += TMC_CORES)
        scores[i] = (int32_t)(i * 37u & 1023u);
    tmc_barrier();
    begin_case(rows == 9u ? "softmax_s32_9" : "softmax_s32_40", shape->name, rows * shape->keys, 0);
    tmc_attention_softmax_s32u8_xpulp(&softmax);
    end_cases();
    const tmc_attention_divide_args divide = {
        .sums = (const int32_t *)(const void *)operands, .norm = norm, .y = (int8_t *)y, .sums_pitch = 4u * WIDTH + 4u,
        .y_pitch = WIDTH, .rows = rows, .channels = WIDTH, .out_shift = 14,
    };
    begin_case(rows == 9u ? "divide_9" : "divide_40", shape->name, rows * WIDTH, 0);
    tmc_attention_divide_s32s8_xpulp(&divide);
    end_cases();
}

void measure(void)
{
    fill_random(q, sizeof q);
    fill_random(operands, sizeof operands);
    fill_random(exp_table, sizeof exp_table);
    for (uint32_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; ++i) {
        const attention *shape = &SHAPES[i];
        const uint32_t each = ROWS * shape->keys;
        for (uint32_t round = 0; round < 2u; ++round) {
            begin_case("scores", shape->name, each, each * WIDTH);
            compute_scores(shape);
            begin_case("softmax", shape->name, each, 0);
            compute_softmax(shape);
            begin_case("values", shape->name, each, each * WIDTH);
            compute_values(shape, 1);
            end_cases();
        }
        for (uint32_t round = 0; round < 2u; ++round) {
            begin_case("scores_wide", shape->name, each, each * WIDTH);
            compute_wide_scores(shape);
            begin_case("values_wide", shape->name, each, each * WIDTH);
            compute_values(shape, 2);
            end_cases();
        }
        for (uint32_t round = 0; round < 2u; ++round) {
            compute_scores(shape);
            tmc_barrier();
            begin_case("softmax_bias", shape->name, each, 0);
            compute_softmax_bias(shape);
            end_cases();
        }
        for (uint32_t round = 0; round < 2u && shape->keys <= 400u; ++round) {
            measure_beside_jobs(shape, 9u);
            measure_beside_jobs(shape, 40u);
        }
        for (uint32_t round = 0; round < 2u; ++round) {
            begin_case("attention", shape->name, each, 2u * each * WIDTH);
            compute_scores(shape);
            compute_softmax(shape);
            compute_values(shape, 1);
            end_cases();
        }
    }
}
