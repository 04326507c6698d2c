#include "tmc_arithmetic.h"
#include "tmc_ne16_kernels.h"

enum { TOGETHER = 16, OF_A_BYTE = 8 };

/** Return one bit of 8 inputs from k on, each + 128; those behind the row are zeros. */
static uint8_t bits_of(const int8_t *x, uint32_t k, uint32_t depth, uint32_t bit)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < OF_A_BYTE; ++i) {
        const int32_t value = k + i < depth ? x[k + i] : 0;
        bits |= ((uint32_t)(value + 128) >> bit & 1u) << i;
    }
    return (uint8_t)bits;
}

void tmc_attention_pack_s8u8_scalar(const tmc_attention_pack_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    const uint32_t row_bytes = (args->depth + TOGETHER - 1u) / TOGETHER * TOGETHER;
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const int8_t *x = args->x + r * args->x_pitch;
        for (uint32_t i = 0; i < row_bytes; ++i) {
            const uint32_t k = i / TOGETHER * TOGETHER + i % 2u * OF_A_BYTE;
            args->weight[r * row_bytes + i] = bits_of(x, k, args->depth, i % TOGETHER / 2u);
        }
        int32_t sum = 0;
        for (uint32_t k = 0; k < args->depth; ++k)
            sum += x[k];
        args->bias[r] = args->half - args->offset * sum;
    }
}
