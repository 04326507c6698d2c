/* Tracing without room for images: a sum of every traced value that shows any wrong byte.
 *
 * The sum of a value is that of byte[p] * MULTIPLIER^p over all positions p of its image, modulo 2^32. It does
 * not depend on the order of the tiles. The multiplier is odd, so a single wrong byte always shows; a byte that
 * is traced twice or never shows too, unless it is 0.
 */
#include "bare_metal.h"

#ifdef TMC_TRACE

#include <stddef.h>

#define MULTIPLIER 0x9E3779B5u

static const tmc_network *traced;
static uint32_t *sums; /* [TMC_CORES][value_count] */

int trace_reset(const tmc_network *network)
{
    const uint32_t count = TMC_CORES * network->value_count;
    if (traced != network)
        sums = (uint32_t *)(void *)take_l2(4u * count);
    if (sums == NULL)
        return TMC_ERROR_MEMORY;
    traced = network;
    for (uint32_t i = 0; i < count; ++i)
        sums[i] = 0;
    return TMC_OK;
}

void trace_forget(void)
{
    traced = NULL;
}

uint32_t trace_sum(uint32_t value)
{
    uint32_t sum = 0;
    for (uint32_t core = 0; core < TMC_CORES; ++core)
        sum += sums[core * traced->value_count + value];
    return sum;
}

static uint32_t power(uint32_t exponent)
{
    uint32_t result = 1, square = MULTIPLIER;
    for (; exponent != 0u; exponent >>= 1) {
        if ((exponent & 1u) != 0u)
            result *= square;
        square *= square;
    }
    return result;
}

void tmc_trace(uint32_t value, const void *data, uint32_t rows, uint32_t row_bytes, uint32_t pitch,
               uint32_t row0, uint32_t column0_bytes)
{
    const uint32_t core = tmc_core_id();
    const uint32_t image_row_bytes = traced->values[value].row_bytes;
    tmc_barrier();
    uint32_t sum = 0;
    if (core < rows) {
        uint32_t first_weight = power((row0 + core) * image_row_bytes + column0_bytes);
        const uint32_t step = power(TMC_CORES * image_row_bytes);
        for (uint32_t r = core; r < rows; r += TMC_CORES) {
            const uint8_t *bytes = (const uint8_t *)data + r * pitch;
            uint32_t weight = first_weight;
            for (uint32_t i = 0; i < row_bytes; ++i) {
                sum += bytes[i] * weight;
                weight *= MULTIPLIER;
            }
            first_weight *= step;
        }
    }
    sums[core * traced->value_count + value] += sum;
    tmc_barrier();
}

#endif
