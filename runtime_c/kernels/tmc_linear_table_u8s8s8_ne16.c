#include "tmc_arithmetic.h"
#include "tmc_ne16_run.h"

void tmc_linear_table_u8s8s8_ne16(const tmc_ne16_linear_args *args)
{
    const int8_t *middle = args->table + 128;
    const uint32_t channels = args->head_channels;
    const tmc_share rows = tmc_my_share(args->channels / channels * args->rows);
    if (tmc_core_id() == 0u) {
        tmc_ne16_start_linear(args, TMC_NE16_OUTPUT_SIGNED);
        tmc_ne16_wait(tmc_ne16_last);
    }
    tmc_barrier();
    for (uint32_t r = rows.begin; r < rows.end; ++r) {
        int8_t *y = (int8_t *)args->y + r * args->y_pitch;
        for (uint32_t fours = channels / 4u; fours != 0u; --fours, y += 4) {
            const int8_t a = middle[y[0]], b = middle[y[1]], c = middle[y[2]], d = middle[y[3]];
            y[0] = a, y[1] = b, y[2] = c, y[3] = d;
        }
        for (uint32_t n = 0; n < channels % 4u; ++n)
            y[n] = middle[y[n]];
    }
}
