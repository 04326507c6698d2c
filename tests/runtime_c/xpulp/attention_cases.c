/* The kernels of attention, xpulp against scalar. */
#include <stdbool.h>

#include "cases.h"
#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

/** Return a number of heads that a kernel takes at once: one mostly, up to 4 of few rows. */
static uint32_t some_heads(uint32_t rows)
{
    const uint32_t drawn = case_number(4);
    return rows > 10u ? 1u : 1u + drawn;
}

/** Return queries or keys: bytes, or halves whose sums of products fit 32 bits. */
static const void *random_codes(uint32_t size_bytes, uint32_t width, bool wide)
{
    int16_t *codes = case_random(size_bytes);
    for (uint32_t i = tmc_core_id(); wide && i < size_bytes / 2u; i += TMC_CORES)
        codes[i] = (int16_t)(codes[i] >> (tmc_bit_length(width) + 2u) / 2u);
    tmc_barrier();
    return codes;
}

static void scores_case(uint32_t rows, uint32_t keys, uint32_t width, bool wide)
{
    case_begin(wide ? "tmc_attention_scores_s16s16s16" : "tmc_attention_scores_s8s8s16", rows, keys, width);
    const uint32_t depth_bytes = wide ? 2u * width : width;
    tmc_attention_scores_args args = {
        .q_pitch = case_pitch(depth_bytes), .k_pitch = case_pitch(depth_bytes), .key0 = 2u * case_number(5),
        .rows = rows, .keys = keys, .width = width, .heads = some_heads(rows), .limit = case_number(32768u),
    };
    for (uint32_t head = 0; head < args.heads; ++head)
        args.shift |= (case_number(4) == 0u ? case_number(4) : 6u + case_number(20)) << 8u * head;
    const uint32_t row_bytes = 2u * (args.key0 + keys + case_number(3));
    args.scores_pitch = case_pitch(row_bytes);
    args.q = random_codes(args.heads * rows * args.q_pitch, width, wide);
    args.k = random_codes(args.heads * keys * args.k_pitch, width, wide);
    const uint32_t all_rows = args.heads * rows;
    int16_t *expected = case_take(all_rows * args.scores_pitch), *result = case_take(all_rows * args.scores_pitch);
    args.scores = expected;
    (wide ? tmc_attention_scores_s16s16s16_scalar : tmc_attention_scores_s8s8s16_scalar)(&args);
    args.scores = result;
    (wide ? tmc_attention_scores_s16s16s16_xpulp : tmc_attention_scores_s8s8s16_xpulp)(&args);
    case_compare(expected, result, all_rows, row_bytes, args.scores_pitch);
}

/** Return scores: over the whole range, or within the table. */
static void random_scores(int16_t *a, int16_t *b, uint32_t rows, uint32_t keys, uint32_t pitch)
{
    const int16_t *draws = case_random_halves(rows * keys);
    const uint32_t narrow = case_number(3), centre = case_number(65536u);
    for (uint32_t r = tmc_core_id(); r < rows; r += TMC_CORES) {
        for (uint32_t i = 0; i < keys; ++i) {
            const int32_t draw = draws[r * keys + i];
            const int32_t value = narrow == 0u ? draw : tmc_clip16((draw >> (4u + narrow)) + (int32_t)centre - 32768);
            a[r * pitch / 2u + i] = (int16_t)value;
            b[r * pitch / 2u + i] = (int16_t)value;
        }
    }
    tmc_barrier();
}

/** Compare probabilities; what a row holds behind them is undefined. */
static void compare_weights(int16_t *expected, int16_t *result, uint32_t rows, uint32_t keys, uint32_t pitch)
{
    for (uint32_t r = tmc_core_id(); r < rows; r += TMC_CORES)
        for (uint32_t i = keys; i < 2u * keys; ++i)
            ((uint8_t *)expected)[r * pitch + i] = ((uint8_t *)result)[r * pitch + i];
    case_compare(expected, result, rows, 2u * keys, pitch);
}

static void softmax_case(uint32_t rows, uint32_t keys)
{
    case_begin("tmc_attention_softmax_s16u8", rows, keys, 0);
    const uint32_t pitch = case_pitch(2u * keys), heads = some_heads(rows), all_rows = heads * rows;
    int16_t *expected = case_take(all_rows * pitch), *result = case_take(all_rows * pitch);
    random_scores(expected, result, all_rows, keys, pitch);
    uint8_t *table = case_random(heads * 1024u);
    tmc_attention_norm *expected_norm = case_take(8u * all_rows), *result_norm = case_take(8u * all_rows);
    tmc_attention_softmax_args args = {
        .exp_table = table, .scores_pitch = pitch, .rows = rows, .keys = keys, .heads = heads,
        .out_multiplier = 1u + case_number(32767),
    };
    for (uint32_t head = 0; tmc_core_id() == 0u && head < heads; ++head)
        table[head * 1024u] = 255;
    tmc_barrier();
    args.scores = expected, args.norm = expected_norm;
    tmc_attention_softmax_s16u8_scalar(&args);
    args.scores = result, args.norm = result_norm;
    tmc_attention_softmax_s16u8_xpulp(&args);
    tmc_barrier();
    compare_weights(expected, result, all_rows, keys, pitch);
    case_compare(expected_norm, result_norm, all_rows, 8, 8);
}

/** The bias of a score keeps the sum within int16: scores of the upper half, a bias of at most half. */
static void softmax_bias_case(uint32_t rows, uint32_t keys, uint32_t one_line)
{
    case_begin("tmc_attention_softmax_bias_s16s16u8", rows, keys, one_line);
    const uint32_t pitch = case_pitch(2u * keys), bias_rows = one_line != 0u ? 1u : rows;
    int16_t *expected = case_take(rows * pitch), *result = case_take(rows * pitch);
    random_scores(expected, result, rows, keys, pitch);
    uint8_t *table = case_random(1024);
    tmc_attention_norm *expected_norm = case_take(8u * rows), *result_norm = case_take(8u * rows);
    tmc_attention_softmax_bias_args args = {
        .exp_table = table, .scores_pitch = pitch, .bias_pitch = case_pitch(2u * keys), .rows = rows,
        .bias_rows = bias_rows, .keys = keys, .out_multiplier = 1u + case_number(32767),
    };
    int16_t *bias = case_random(bias_rows * args.bias_pitch);
    if (tmc_core_id() == 0u) {
        table[0] = 255;
        for (uint32_t i = 0; i < bias_rows * args.bias_pitch / 2u; ++i)
            bias[i] = (int16_t)(bias[i] / 2);
        for (uint32_t r = 0; r < rows; ++r)
            for (uint32_t i = 0; i < keys; ++i)
                expected[r * pitch / 2u + i] = result[r * pitch / 2u + i] = (int16_t)(expected[r * pitch / 2u + i] / 2);
    }
    tmc_barrier();
    args.bias = bias, args.scores = expected, args.norm = expected_norm;
    tmc_attention_softmax_bias_s16s16u8_scalar(&args);
    args.scores = result, args.norm = result_norm;
    tmc_attention_softmax_bias_s16s16u8_xpulp(&args);
    tmc_barrier();
    compare_weights(expected, result, rows, keys, pitch);
    case_compare(expected_norm, result_norm, rows, 8, 8);
}

static void values_case(uint32_t rows, uint32_t keys, uint32_t channels, bool wide)
{
    case_begin(wide ? "tmc_attention_values_u8s8s16" : "tmc_attention_values_u8s8s8", rows, keys, channels);
    const uint32_t heads = channels % 4u == 0u ? some_heads(rows) : 1u, all_rows = heads * rows;
    const uint32_t row_bytes = (wide ? 2u : 1u) * heads * channels;
    tmc_attention_values_args args = {
        .p_pitch = case_pitch(2u * keys), .vt_pitch = case_pitch(keys), .y_pitch = case_pitch(row_bytes),
        .rows = rows, .keys = keys, .channels = channels, .heads = heads, .out_shift = (int32_t)case_number(24) - 7,
    };
    tmc_attention_norm *norm = case_take(8u * all_rows);
    const uint32_t bits = tmc_bit_length(255u * keys);
    for (uint32_t r = 0; r < all_rows; ++r) {
        const uint32_t shift = (bits > 8u ? bits - 8u : 0u) + case_number(4), factor = case_number(32768u);
        if (r % TMC_CORES == tmc_core_id())
            norm[r] = (tmc_attention_norm){(int32_t)shift, (int32_t)factor};
    }
    args.norm = norm;
    args.p = case_random(all_rows * args.p_pitch);
    args.vt = case_random(heads * channels * args.vt_pitch);
    int8_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    args.y = expected;
    (wide ? tmc_attention_values_u8s8s16_scalar : tmc_attention_values_u8s8s8_scalar)(&args);
    args.y = result;
    (wide ? tmc_attention_values_u8s8s16_xpulp : tmc_attention_values_u8s8s8_xpulp)(&args);
    case_compare(expected, result, rows, row_bytes, args.y_pitch);
}

void all_cases(void)
{
    static const uint32_t rows[] = {1, 8, 9, 10, 33, 40, 41, 47, 56, 88};
    static const uint32_t keys[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 18, 31, 32};
    static const uint32_t widths[] = {2, 4, 6, 8, 12, 33, 64};
    for (uint32_t r = 0; r < sizeof rows / sizeof *rows; ++r) {
        for (uint32_t k = 0; k < sizeof keys / sizeof *keys; ++k) {
            softmax_case(rows[r], keys[k]);
            softmax_bias_case(rows[r], keys[k], 0);
            softmax_bias_case(rows[r], keys[k], 1);
            for (uint32_t w = 0; w < sizeof widths / sizeof *widths; ++w) {
                for (uint32_t wide = 0; wide < 2u; ++wide) {
                    scores_case(rows[r], keys[k], widths[w], wide != 0u);
                    values_case(rows[r], keys[k], widths[w], wide != 0u);
                }
            }
        }
    }
    for (uint32_t round = 0; round < 3u; ++round) {
        scores_case(40, 400, 64, false);
        scores_case(40, 200, 64, true);
        softmax_case(40, 400);
        softmax_case(40, 800);
        softmax_case(40, 80);
        softmax_bias_case(40, 400, 0);
        softmax_bias_case(40, 80, 1);
        values_case(40, 400, 64, false);
        values_case(40, 800, 16, false);
        values_case(80, 80, 64, true);
    }
}
