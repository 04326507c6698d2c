/* What cores do of attention beside jobs, xpulp against scalar. */
#include "cases.h"
#include "tmc_arithmetic.h"
#include "tmc_ne16_kernels.h"

static void pack_case(uint32_t rows, uint32_t depth)
{
    case_begin("tmc_attention_pack_s8u8", rows, depth, 0);
    const uint32_t row_bytes = (depth + 15u) / 16u * 16u;
    tmc_attention_pack_args args = {
        .x_pitch = case_pitch(depth), .rows = rows, .depth = depth, .offset = (int32_t)(128u * case_number(2)),
        .half = (int32_t)case_number(1u << 20),
    };
    args.x = case_random(rows * args.x_pitch);
    uint8_t *expected = case_take(rows * row_bytes), *result = case_take(rows * row_bytes);
    int32_t *expected_bias = case_take(4u * rows), *result_bias = case_take(4u * rows);
    args.weight = expected, args.bias = expected_bias;
    tmc_attention_pack_s8u8_scalar(&args);
    args.weight = result, args.bias = result_bias;
    tmc_attention_pack_s8u8_xpulp(&args);
    case_compare(expected, result, rows, row_bytes, row_bytes);
    case_compare(expected_bias, result_bias, rows, 4, 4);
}

static void wide_softmax_case(uint32_t rows, uint32_t keys)
{
    case_begin("tmc_attention_softmax_s32u8", rows, keys, 0);
    const uint32_t narrow = case_number(3), centre = case_number(65536u);
    tmc_attention_softmax_wide_args args = {
        .scores_pitch = case_pitch(4u * keys), .p_pitch = case_pitch(keys), .rows = rows, .keys = keys,
        .out_multiplier = 1u + case_number(32767),
    };
    int32_t *scores = case_take(rows * args.scores_pitch);
    const int16_t *draws = case_random_halves(rows * keys);
    for (uint32_t r = tmc_core_id(); r < rows; r += TMC_CORES) {
        for (uint32_t i = 0; i < keys; ++i) {
            const int32_t draw = draws[r * keys + i];
            scores[r * args.scores_pitch / 4u + i] =
                narrow == 0u ? draw : tmc_clip16((draw >> (4u + narrow)) + (int32_t)centre - 32768);
        }
    }
    uint8_t *table = case_random(1024);
    if (tmc_core_id() == 0u)
        table[1023] = 255;
    tmc_barrier();
    uint8_t *expected = case_take(rows * args.p_pitch), *result = case_take(rows * args.p_pitch);
    tmc_attention_norm *expected_norm = case_take(8u * rows), *result_norm = case_take(8u * rows);
    args.scores = scores, args.exp_table = table;
    args.p = expected, args.norm = expected_norm;
    tmc_attention_softmax_s32u8_scalar(&args);
    args.p = result, args.norm = result_norm;
    tmc_attention_softmax_s32u8_xpulp(&args);
    case_compare(expected, result, rows, keys, args.p_pitch);
    case_compare(expected_norm, result_norm, rows, 8, 8);
}

static void divide_case(uint32_t rows, uint32_t channels)
{
    case_begin("tmc_attention_divide_s32s8", rows, channels, 0);
    tmc_attention_divide_args args = {
        .sums_pitch = case_pitch(4u * channels), .y_pitch = case_pitch(channels), .rows = rows, .channels = channels,
        .out_shift = (int32_t)case_number(24) - 7,
    };
    int32_t *sums = case_random(rows * args.sums_pitch);
    tmc_attention_norm *norm = case_take(8u * rows);
    for (uint32_t r = tmc_core_id(); r < rows; r += TMC_CORES) {
        norm[r] = (tmc_attention_norm){8 + (int32_t)(sums[r * args.sums_pitch / 4u] & 3), 32767 - (int32_t)(977u * r)};
        for (uint32_t c = 0; c < channels; ++c)
            sums[r * args.sums_pitch / 4u + c] >>= 8u + c % 8u;
    }
    tmc_barrier();
    args.sums = sums, args.norm = norm;
    int8_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    args.y = expected;
    tmc_attention_divide_s32s8_scalar(&args);
    args.y = result;
    tmc_attention_divide_s32s8_xpulp(&args);
    case_compare(expected, result, rows, channels, args.y_pitch);
}

void all_cases(void)
{
    static const uint32_t rows[] = {1, 8, 9, 20};
    static const uint32_t keys[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 32, 33, 50};
    for (uint32_t r = 0; r < sizeof rows / sizeof *rows; ++r) {
        for (uint32_t k = 0; k < sizeof keys / sizeof *keys; ++k) {
            for (uint32_t round = 0; round < 3u; ++round) {
                wide_softmax_case(rows[r], keys[k]);
                pack_case(rows[r], keys[k]);
                divide_case(rows[r], keys[k]);
            }
        }
    }
    wide_softmax_case(9, 400);
    pack_case(16, 400);
    pack_case(40, 64);
    divide_case(9, 64);
}
