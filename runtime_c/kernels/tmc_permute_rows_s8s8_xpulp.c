/* Four bytes at a time. */
#include "tmc_kernels.h"
#include "tmc_xpulp.h"

void tmc_permute_rows_s8s8_xpulp(const tmc_permute_rows_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    const uint32_t run = args->rows / args->groups, words = args->row_bytes / 4u;
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint8_t *x = (const uint8_t *)args->x + r * args->x_pitch;
        int8_t *y = args->y + (r % run * args->groups + r / run) * args->y_pitch;
        for (uint32_t i = 0; i < words; ++i, y += 4)
            *(uint32_t *)(void *)y = tmc_next_word(&x);
        for (uint32_t i = 4u * words; i < args->row_bytes; ++i)
            *y++ = (int8_t)*x++;
    }
}
