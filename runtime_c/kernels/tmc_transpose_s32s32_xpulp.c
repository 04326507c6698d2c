/* Four rows at a time: all of them are read before anything is stored. */
#include "tmc_kernels.h"
#include "tmc_xpulp.h"

void tmc_transpose_s32s32_xpulp(const tmc_transpose_args *args)
{
    const uint32_t x_step = args->x_pitch / 4u, y_step = args->y_pitch / 4u;
    const uint32_t few = args->channels < TMC_CORES;
    const tmc_share share = tmc_my_share(few ? args->rows : args->channels);
    const uint32_t first = few ? share.begin : 0u, rows = few ? share.end - share.begin : args->rows;
    const uint32_t begin = few ? 0u : share.begin, end = few ? args->channels : share.end;
    for (uint32_t column = begin; column < end; ++column) {
        const int32_t *x = (const int32_t *)args->x + first * x_step + column;
        int32_t *y = (int32_t *)args->y + column * y_step + first;
        for (uint32_t fours = rows / 4u; fours != 0u; --fours, x += 4u * x_step, y += 4) {
            const int32_t a = x[0], b = x[x_step], c = x[2u * x_step], d = x[3u * x_step];
            y[0] = a, y[1] = b, y[2] = c, y[3] = d;
        }
        for (uint32_t r = 0; r < rows % 4u; ++r, x += x_step)
            y[r] = *x;
    }
}
