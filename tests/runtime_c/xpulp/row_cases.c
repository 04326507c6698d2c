/* The kernels that work element by element, xpulp against scalar. */
#include <stdbool.h>

#include "cases.h"
#include "tmc_arithmetic.h"
#include "tmc_kernels.h"
#include "tmc_ne16_kernels.h"

/* round(2^30 / sqrt((i + 32.5) 2^24)) */
static const uint16_t RSQRT[96] = {
    45983, 45292, 44630, 43997, 43390, 42808, 42248, 41710, 41192, 40693, 40211, 39746,
    39297, 38863, 38443, 38036, 37642, 37260, 36889, 36529, 36179, 35840, 35509, 35188,
    34875, 34571, 34274, 33985, 33703, 33427, 33159, 32897, 32641, 32391, 32146, 31907,
    31673, 31445, 31221, 31002, 30787, 30577, 30371, 30169, 29972, 29778, 29587, 29401,
    29217, 29038, 28861, 28688, 28518, 28350, 28186, 28024, 27866, 27709, 27556, 27405,
    27256, 27110, 26966, 26825, 26686, 26548, 26413, 26280, 26149, 26020, 25893, 25767,
    25644, 25522, 25402, 25283, 25167, 25051, 24938, 24826, 24715, 24606, 24498, 24392,
    24287, 24184, 24081, 23980, 23881, 23782, 23685, 23589, 23494, 23400, 23307, 23216,
};

/** Fill epsilon[h] with value / 4^h, so that sums of squares below 2^30 stay below 2^31 with it. */
static const int32_t *epsilons(uint32_t entries, uint32_t value)
{
    int32_t *epsilon = case_take(4u * entries);
    for (uint32_t h = tmc_core_id(); h < entries; h += TMC_CORES)
        epsilon[h] = (int32_t)(h < 16u ? value >> (2u * h) : 0u);
    tmc_barrier();
    return epsilon;
}

typedef enum { S8, U8, S16 } result_type;

/** spread: rows of x are shifted right by up to this. The first row is constant. Half of the cases are not centred,
 *  and in a third of them epsilon takes bits of the squares. */
static void layernorm_case(uint32_t rows, uint32_t channels, uint32_t spread, result_type result_of)
{
    static const struct {
        const char *name;
        void (*scalar)(const tmc_layernorm_args *), (*xpulp)(const tmc_layernorm_args *);
    } kernels[] = {
        {"tmc_layernorm_s16s8", tmc_layernorm_s16s8_scalar, tmc_layernorm_s16s8_xpulp},
        {"tmc_layernorm_s16u8", tmc_layernorm_s16u8_scalar, tmc_layernorm_s16u8_xpulp},
        {"tmc_layernorm_s16s16", tmc_layernorm_s16s16_scalar, tmc_layernorm_s16s16_xpulp},
    };
    const bool wide = result_of == S16;
    case_begin(kernels[result_of].name, rows, channels, spread);
    const uint32_t row_bytes = wide ? 2u * channels : channels;
    const uint32_t norm_bits = channels <= 256u ? 11u : 10u;
    tmc_layernorm_args args = {
        .x_pitch = case_pitch(2u * channels), .y_pitch = case_pitch(row_bytes), .rows = rows, .channels = channels,
        .center_bits = (30u - tmc_bit_length(channels - 1u)) / 2u, .norm_bits = norm_bits,
        .gamma_shift = wide ? case_number(16) : 8u + case_number(13),
        .centred = case_number(2), .epsilon_shift = case_number(3) == 0u ? case_number(36) : 0u,
    };
    /* 2^15 sqrt(channels / 256) or a fourth of it, near enough. */
    const uint32_t square = channels < 1024u ? channels << 16 : channels << 12;
    while ((args.root + 1u) * (args.root + 1u) <= square)
        ++args.root;
    args.root *= 8u;
    int16_t *x = case_random_halves(rows * args.x_pitch / 2u);
    const uint32_t half_pitch = args.x_pitch / 2u;
    const int32_t centre = spread == 0u ? 0 : (int32_t)case_number(20000) - 10000;
    for (uint32_t r = tmc_core_id(); r < rows; r += TMC_CORES)
        for (uint32_t c = 0; c < channels; ++c)
            x[r * half_pitch + c] =
                tmc_clip16(r == 0u ? x[0] : (x[r * half_pitch + c] >> (spread == 0u ? 0u : r % spread)) + centre);
    args.x = x;
    int16_t *gamma = case_random_halves(channels);
    int32_t *beta = case_random(4u * channels);
    const uint32_t smaller = 2u + case_number(12);
    for (uint32_t c = tmc_core_id(); c < channels; c += TMC_CORES) {
        gamma[c] = (int16_t)(gamma[c] >> 1);
        beta[c] >>= smaller;
    }
    args.gamma = gamma, args.beta = beta;
    args.epsilon = epsilons(32u - args.center_bits, case_number(2) * case_number(1u << 29));
    args.rsqrt = RSQRT;
    int8_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    args.y = expected;
    kernels[result_of].scalar(&args);
    args.y = result;
    kernels[result_of].xpulp(&args);
    case_compare(expected, result, rows, row_bytes, args.y_pitch);
}

static void rope_case(uint32_t rows, uint32_t width, uint32_t period, result_type result_of)
{
    static const struct {
        const char *name;
        void (*scalar)(const tmc_rope_args *), (*xpulp)(const tmc_rope_args *);
    } kernels[] = {
        {"tmc_rope_s16s8", tmc_rope_s16s8_scalar, tmc_rope_s16s8_xpulp},
        {"tmc_rope_s16u8", tmc_rope_s16u8_scalar, tmc_rope_s16u8_xpulp},
        {"tmc_rope_s16s16", tmc_rope_s16s16_scalar, tmc_rope_s16s16_xpulp},
    };
    case_begin(kernels[result_of].name, rows, width, period);
    const uint32_t row_bytes = result_of == S16 ? 2u * width : width;
    tmc_rope_args args = {
        .x_pitch = case_pitch(2u * width), .y_pitch = case_pitch(row_bytes), .table_pitch = case_pitch(2u * width),
        .rows = rows, .width = width, .period = period, .row0 = case_number(3u * period),
        .shift = case_number(3) == 0u ? case_number(22) : 14u + case_number(10), .limit = case_number(32768u),
    };
    int16_t *table = case_random_halves(period * args.table_pitch / 2u);
    /* |cosine| + |sine| below 2^15. */
    for (uint32_t i = tmc_core_id(); i < period * args.table_pitch / 2u; i += TMC_CORES)
        table[i] = (int16_t)(table[i] >> 1);
    args.table = table;
    args.x = case_random_halves(rows * args.x_pitch / 2u);
    int8_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    args.y = expected;
    kernels[result_of].scalar(&args);
    args.y = result;
    kernels[result_of].xpulp(&args);
    case_compare(expected, result, rows, row_bytes, args.y_pitch);
}

/** wide: x is s32, else s8. Multiplier and shift are such that results fit 32 bits; ties are frequent. */
static void requantise_case(uint32_t rows, uint32_t channels, bool wide)
{
    const uint32_t size = wide ? 4u : 1u;
    case_begin(wide ? "tmc_requantise_s32s8" : "tmc_requantise_s8s8", rows, channels, size);
    tmc_requantise_args args = {
        .x_pitch = case_pitch(size * channels), .y_pitch = case_pitch(channels), .rows = rows,
        .channels = channels, .zero_point = (int32_t)case_number(256) - 128, .ties_to_even = case_number(2),
    };
    int32_t *x = case_random(rows * args.x_pitch);
    if (wide)
        for (uint32_t i = tmc_core_id(); i < rows * args.x_pitch / 4u; i += TMC_CORES)
            x[i] >>= i % 24u;
    args.x = x;
    args.table = case_random(256);
    tmc_factors *factors = case_random((uint32_t)sizeof(tmc_factors) * channels);
    for (uint32_t c = tmc_core_id(); c < channels; c += TMC_CORES) {
        const uint32_t shift = 2u + (uint32_t)factors[c].multiplier % 61u;
        const uint64_t half = (uint64_t)1 << (shift - 1u);
        const uint64_t whole = (uint64_t)((int64_t)(factors[c].addend_high >> 8) * 2 + 1) * half;
        const uint32_t bits = wide ? (shift < 30u ? shift - 1u : 29u) : (shift < 30u ? shift + 1u : 30u);
        const int32_t any = (int32_t)(factors[c].addend_low >> 1) & ((1 << bits) - 1);
        factors[c].multiplier = c % 3u == 0u ? 1 << (bits - 1u) : c % 3u == 1u ? any : -any;
        factors[c].shift = shift;
        factors[c].addend_high = shift > 31u ? (int32_t)((1u << (shift - 32u)) >> 1) : (int32_t)(whole >> 32);
        factors[c].addend_low = shift > 31u ? (uint32_t)(shift == 32u) << 31 : (uint32_t)whole;
    }
    args.factors = factors;
    int8_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    tmc_barrier();
    args.y = expected;
    (wide ? tmc_requantise_s32s8_scalar : tmc_requantise_s8s8_scalar)(&args);
    args.y = result;
    (wide ? tmc_requantise_s32s8_xpulp : tmc_requantise_s8s8_xpulp)(&args);
    case_compare(expected, result, rows, channels, args.y_pitch);
}

/** half: taps are 1, 1, 3, 3, 5 .. */
static void depthwise_case(uint32_t rows, uint32_t half, uint32_t channels)
{
    const uint32_t has_table = case_number(2);
    case_begin(has_table ? "tmc_depthwise_rows_table_s8s8" : "tmc_depthwise_rows_s8s8", rows, half, channels);
    const uint32_t taps = half / 2u * 2u + 1u, words = (taps + 3u) / 4u;
    tmc_depthwise_rows_args args = {
        .x_pitch = case_pitch(channels), .weight_pitch = case_pitch(4u * words + 8u), .y_pitch = case_pitch(channels),
        .rows = rows, .channels = channels, .taps = taps, .zero_point = (int32_t)case_number(256) - 128,
        .shift = 8u + case_number(12),
    };
    args.x = case_random(rows * args.x_pitch), args.table = case_random(256);
    int8_t *weight = case_random(channels * args.weight_pitch);
    const uint32_t widest = 0x7FFFFFFFu / (taps << 14);
    const uint32_t multiplier = 1u + case_number(widest < 256u ? widest - 1u : 255u), smaller = 3u + case_number(12);
    for (uint32_t c = tmc_core_id(); c < channels; c += TMC_CORES) {
        void *behind = weight + c * args.weight_pitch + 4u * words;
        int32_t *constants = (int32_t *)behind;
        constants[0] = (int32_t)(multiplier - c % multiplier / 2u);
        constants[1] = taps * multiplier > 50000u ? 0 : constants[1] >> smaller;
    }
    args.weight = weight;
    int8_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    tmc_barrier();
    args.y = expected;
    has_table ? tmc_depthwise_rows_table_s8s8_scalar(&args) : tmc_depthwise_rows_s8s8_scalar(&args);
    args.y = result;
    has_table ? tmc_depthwise_rows_table_s8s8_xpulp(&args) : tmc_depthwise_rows_s8s8_xpulp(&args);
    case_compare(expected, result, rows, channels, args.y_pitch);
}

static void interpolate_case(uint32_t rows, uint32_t x_rows, uint32_t channels)
{
    const uint32_t transposed = case_number(2);
    case_begin(transposed ? "tmc_interpolate_rows_transposed_s16s16" : "tmc_interpolate_rows_s16s16", rows, x_rows,
               channels);
    const uint32_t y_rows = transposed ? channels : rows, y_bytes = 2u * (transposed ? rows : channels);
    tmc_interpolate_rows_args args = {
        .x_pitch = case_pitch(2u * channels), .y_pitch = case_pitch(y_bytes), .x_rows = x_rows, .rows = rows,
        .channels = channels,
    };
    if (!transposed && case_number(2) == 0u)
        args.y_pitch = y_bytes;
    args.x = case_random_halves(x_rows * args.x_pitch / 2u);
    int16_t *table = case_random_halves(2u * rows);
    for (uint32_t t = tmc_core_id(); t < rows; t += TMC_CORES) {
        table[2u * t] = (int16_t)((uint16_t)table[2u * t] % (x_rows - 1u));
        table[2u * t + 1u] = (int16_t)((uint16_t)table[2u * t + 1u] % 16385u);
    }
    args.table = table;
    int16_t *expected = case_take(y_rows * args.y_pitch), *result = case_take(y_rows * args.y_pitch);
    tmc_barrier();
    args.y = expected;
    transposed ? tmc_interpolate_rows_transposed_s16s16_scalar(&args) : tmc_interpolate_rows_s16s16_scalar(&args);
    args.y = result;
    transposed ? tmc_interpolate_rows_transposed_s16s16_xpulp(&args) : tmc_interpolate_rows_s16s16_xpulp(&args);
    case_compare(expected, result, y_rows, y_bytes, args.y_pitch);
}

static void permute_case(uint32_t run, uint32_t groups, uint32_t row_bytes)
{
    case_begin("tmc_permute_rows_s8s8", run, groups, row_bytes);
    const uint32_t rows = run * groups;
    tmc_permute_rows_args args = {
        .x_pitch = case_pitch(row_bytes), .y_pitch = case_pitch(row_bytes), .rows = rows, .row_bytes = row_bytes,
        .groups = groups,
    };
    args.x = case_random(rows * args.x_pitch);
    int8_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    args.y = expected;
    tmc_permute_rows_s8s8_scalar(&args);
    args.y = result;
    tmc_permute_rows_s8s8_xpulp(&args);
    case_compare(expected, result, rows, row_bytes, args.y_pitch);
}

/** bytes: of an element of x. Every line of limits serves `run` rows; limits may stand in either order. */
static void clip_case(uint32_t rows, uint32_t channels, uint32_t run, uint32_t bytes, bool add)
{
    case_begin(add ? "tmc_clip_add_s16s16" : "tmc_clip", rows, channels, bytes);
    tmc_clip_args args = {
        .x_pitch = case_pitch(bytes * channels), .limit_pitch = case_pitch(bytes * channels),
        .y_pitch = case_pitch(bytes * channels), .rows = rows, .channels = channels, .row0 = case_number(7),
        .group_rows = run,
    };
    const uint32_t lines = (args.row0 + rows - 1u) / run + 1u;
    args.x = case_random(rows * args.x_pitch);
    args.low = case_random(lines * args.limit_pitch);
    args.high = case_random(lines * args.limit_pitch);
    const uint8_t *before = case_random(rows * args.y_pitch);
    uint8_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    tmc_barrier();
    for (uint32_t r = tmc_core_id(); r < rows; r += TMC_CORES)
        for (uint32_t i = r * args.y_pitch; i < r * args.y_pitch + bytes * channels; ++i)
            result[i] = expected[i] = before[i];
    tmc_barrier();
    args.y = expected;
    (add ? tmc_clip_add_s16s16_scalar : bytes == 1u ? tmc_clip_s8s8_scalar
         : bytes == 2u ? tmc_clip_s16s16_scalar : tmc_clip_s32s32_scalar)(&args);
    args.y = result;
    (add ? tmc_clip_add_s16s16_xpulp : bytes == 1u ? tmc_clip_s8s8_xpulp
         : bytes == 2u ? tmc_clip_s16s16_xpulp : tmc_clip_s32s32_xpulp)(&args);
    case_compare(expected, result, rows, bytes * channels, args.y_pitch);
}

/** Return a multiplier of `bits` bits, of either sign. */
static int32_t multiplier_of(uint32_t bits)
{
    return (int32_t)case_number(2u << bits) - (1 << bits);
}

static void convert_case(uint32_t rows, uint32_t channels, uint32_t shift, uint32_t x_bytes, uint32_t y_bytes)
{
    static void (*const kernels[2][2][2])(const tmc_convert_args *) = {
        {{tmc_convert_s8s8_scalar, tmc_convert_s8s8_xpulp}, {tmc_convert_s8s16_scalar, tmc_convert_s8s16_xpulp}},
        {{tmc_convert_s16s8_scalar, tmc_convert_s16s8_xpulp}, {tmc_convert_s16s16_scalar, tmc_convert_s16s16_xpulp}},
    };
    case_begin(x_bytes == 1u ? "tmc_convert_s8" : "tmc_convert_s16", rows, channels, shift);
    tmc_convert_args args = {
        .x_pitch = case_pitch(x_bytes * channels), .y_pitch = case_pitch(y_bytes * channels), .rows = rows,
        .channels = channels, .shift = shift, .multiplier = multiplier_of(x_bytes == 1u ? 22u : 14u),
        .bias = multiplier_of(30),
    };
    args.x = x_bytes == 1u ? case_random(rows * args.x_pitch) : case_random_halves(rows * args.x_pitch / 2u);
    uint8_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    args.y = expected;
    kernels[x_bytes - 1u][y_bytes - 1u][0](&args);
    args.y = result;
    kernels[x_bytes - 1u][y_bytes - 1u][1](&args);
    case_compare(expected, result, rows, y_bytes * channels, args.y_pitch);
}

static void unsigned_case(uint32_t rows, uint32_t channels)
{
    case_begin("tmc_convert_s8u8", rows, channels, 0);
    tmc_offset_args args = {
        .x_pitch = case_pitch(channels), .y_pitch = case_pitch(channels), .rows = rows, .channels = channels,
    };
    args.x = case_random(rows * args.x_pitch);
    uint8_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    args.y = expected;
    tmc_convert_s8u8_scalar(&args);
    args.y = result;
    tmc_convert_s8u8_xpulp(&args);
    case_compare(expected, result, rows, channels, args.y_pitch);
}

/** types: bits 0, 1 and 2 tell that x, z and the result are of 16 bits. One row of z serves all where that is said. */
static void add_case(uint32_t rows, uint32_t channels, uint32_t shift, uint32_t types, bool one_row)
{
    static void (*const kernels[8][2])(const tmc_add_args *) = {
        {tmc_add_s8s8s8_scalar, tmc_add_s8s8s8_xpulp},       {tmc_add_s16s8s8_scalar, tmc_add_s16s8s8_xpulp},
        {tmc_add_s8s16s8_scalar, tmc_add_s8s16s8_xpulp},     {tmc_add_s16s16s8_scalar, tmc_add_s16s16s8_xpulp},
        {tmc_add_s8s8s16_scalar, tmc_add_s8s8s16_xpulp},     {tmc_add_s16s8s16_scalar, tmc_add_s16s8s16_xpulp},
        {tmc_add_s8s16s16_scalar, tmc_add_s8s16s16_xpulp},   {tmc_add_s16s16s16_scalar, tmc_add_s16s16s16_xpulp},
    };
    const uint32_t x_bits = types & 1u ? 13u : 21u, z_bits = types & 2u ? 13u : 21u;
    const uint32_t x_bytes = 1u + (types & 1u), z_bytes = 1u + (types >> 1 & 1u), y_bytes = 1u + (types >> 2 & 1u);
    case_begin("tmc_add", rows, channels, types);
    tmc_add_args args = {
        .x_pitch = case_pitch(x_bytes * channels), .z_pitch = case_pitch(z_bytes * channels),
        .y_pitch = case_pitch(y_bytes * channels), .rows = rows, .channels = channels, .shift = shift,
        .x_multiplier = multiplier_of(x_bits), .z_multiplier = multiplier_of(z_bits), .bias = multiplier_of(29),
    };
    args.x = x_bytes == 1u ? case_random(rows * args.x_pitch) : case_random_halves(rows * args.x_pitch / 2u);
    args.z = z_bytes == 1u ? case_random(rows * args.z_pitch) : case_random_halves(rows * args.z_pitch / 2u);
    args.z_pitch = one_row ? 0u : args.z_pitch;
    uint8_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    args.y = expected;
    kernels[types][0](&args);
    args.y = result;
    kernels[types][1](&args);
    case_compare(expected, result, rows, y_bytes * channels, args.y_pitch);
}

/** types and one_row: as of add_case. */
static void mul_case(uint32_t rows, uint32_t channels, uint32_t shift, uint32_t types, bool one_row)
{
    static void (*const kernels[8][2])(const tmc_mul_args *) = {
        {tmc_mul_s8s8s8_scalar, tmc_mul_s8s8s8_xpulp},       {tmc_mul_s16s8s8_scalar, tmc_mul_s16s8s8_xpulp},
        {tmc_mul_s8s16s8_scalar, tmc_mul_s8s16s8_xpulp},     {tmc_mul_s16s16s8_scalar, tmc_mul_s16s16s8_xpulp},
        {tmc_mul_s8s8s16_scalar, tmc_mul_s8s8s16_xpulp},     {tmc_mul_s16s8s16_scalar, tmc_mul_s16s8s16_xpulp},
        {tmc_mul_s8s16s16_scalar, tmc_mul_s8s16s16_xpulp},   {tmc_mul_s16s16s16_scalar, tmc_mul_s16s16s16_xpulp},
    };
    const uint32_t x_bytes = 1u + (types & 1u), z_bytes = 1u + (types >> 1 & 1u), y_bytes = 1u + (types >> 2 & 1u);
    case_begin("tmc_mul", rows, channels, types);
    tmc_mul_args args = {
        .x_pitch = case_pitch(x_bytes * channels), .z_pitch = case_pitch(z_bytes * channels),
        .y_pitch = case_pitch(y_bytes * channels), .rows = rows, .channels = channels, .shift = shift,
        .x_zero_point = x_bytes == 1u ? (int32_t)case_number(256) - 128 : 0,
        .z_zero_point = z_bytes == 1u ? (int32_t)case_number(256) - 128 : 0,
        .multiplier = multiplier_of(14), .bias = multiplier_of(29),
    };
    args.x = x_bytes == 1u ? case_random(rows * args.x_pitch) : case_random_halves(rows * args.x_pitch / 2u);
    args.z = z_bytes == 1u ? case_random(rows * args.z_pitch) : case_random_halves(rows * args.z_pitch / 2u);
    args.z_pitch = one_row ? 0u : args.z_pitch;
    uint8_t *expected = case_take(rows * args.y_pitch), *result = case_take(rows * args.y_pitch);
    args.y = expected;
    kernels[types][0](&args);
    args.y = result;
    kernels[types][1](&args);
    case_compare(expected, result, rows, y_bytes * channels, args.y_pitch);
}

void all_cases(void)
{
    static const uint32_t rows[] = {1, 8, 9, 17, 40};
    static const uint32_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 23, 32, 33, 50};
    for (uint32_t r = 0; r < sizeof rows / sizeof *rows; ++r) {
        for (uint32_t s = 0; s < sizeof sizes / sizeof *sizes; ++s) {
            unsigned_case(rows[r], sizes[s]);
            for (uint32_t third = 0; third < 4u; ++third) {
                layernorm_case(rows[r], sizes[s], 4u * third, S8);
                layernorm_case(rows[r], sizes[s], 4u * third, U8);
                layernorm_case(rows[r], sizes[s], 4u * third, S16);
                rope_case(rows[r], 2u * sizes[s], 1u + 7u * third, (result_type)(third % 3u));
                requantise_case(rows[r], sizes[s], third % 2u == 0u);
                for (uint32_t bytes = 1; bytes <= 4u; bytes *= 2u)
                    clip_case(rows[r], sizes[s], 1u + 7u * third, bytes, false);
                clip_case(rows[r], sizes[s], 1u + 7u * third, 2, true);
                for (uint32_t types = 0; types < 4u; ++types)
                    convert_case(rows[r], sizes[s], 6u + 6u * third, 1u + types / 2u, 1u + types % 2u);
                for (uint32_t types = 0; types < 8u; ++types)
                    add_case(rows[r], sizes[s], 8u + 4u * third, types, third == 3u);
                for (uint32_t types = 0; types < 8u; ++types)
                    mul_case(rows[r], sizes[s], 13u + 4u * third, types, third == 3u);
                depthwise_case(rows[r], 2u * third, sizes[s]);
                interpolate_case(rows[r], 2u + 7u * third, sizes[s]);
                permute_case(rows[r], 1u + third, sizes[s]);
            }
        }
    }
    for (uint32_t round = 0; round < 4u; ++round) {
        layernorm_case(80, 192, 6u * round, S8);
        layernorm_case(80, 192, 6u * round, U8);
        layernorm_case(32, 384, 6u * round, S16);
        layernorm_case(9, 768, 6u * round, U8);
        layernorm_case(9, 1024, 6u * round, round % 2u != 0u ? S16 : S8);
        layernorm_case(2, 5001, 6u * round, round % 2u == 0u ? S16 : S8);
        rope_case(80, 64, 400, S8);
        for (uint32_t each = S8; each <= S16; ++each)
            rope_case(100, 6, 3, (result_type)each);
        depthwise_case(50, 3, 64);
        interpolate_case(1000, 50, 40);
        permute_case(50, 8, 48);
    }
}
