/* Four columns at a time: all of them are read before anything is stored. */
#include "tmc_kernels.h"
#include "tmc_xpulp.h"

void tmc_gather_columns_s32s32_xpulp(const tmc_gather_columns_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const void *x_row = (const uint8_t *)args->x + r * args->x_pitch;
        void *y_row = (uint8_t *)args->y + r * args->y_pitch;
        const int32_t *x = (const int32_t *)x_row;
        int32_t *y = (int32_t *)y_row;
        const uint16_t *table = args->table;
        for (uint32_t fours = args->channels / 4u; fours != 0u; --fours, table += 4, y += 4) {
            const int32_t a = x[table[0]], b = x[table[1]], c = x[table[2]], d = x[table[3]];
            y[0] = a, y[1] = b, y[2] = c, y[3] = d;
        }
        for (uint32_t c = 0; c < args->channels % 4u; ++c)
            y[c] = x[table[c]];
    }
}
