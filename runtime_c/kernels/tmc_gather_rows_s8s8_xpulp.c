/* Whole rows each, or a part of every row where there are fewer of them than cores. */
#include "tmc_kernels.h"
#include "tmc_xpulp_copy.h"

void tmc_gather_rows_s8s8_xpulp(const tmc_gather_rows_args *args)
{
    const bool whole = args->rows >= TMC_CORES;
    const tmc_share all_rows = {0, args->rows}, all_bytes = {0, args->row_bytes};
    const tmc_share rows = whole ? tmc_my_share(args->rows) : all_rows;
    const tmc_share bytes = whole ? all_bytes : tmc_my_bytes(args->row_bytes);
    for (uint32_t r = rows.begin; r < rows.end; ++r) {
        const uint32_t row = args->table[r] - args->first;
        const uint8_t *x = (const uint8_t *)args->x + row * args->x_pitch + bytes.begin;
        uint8_t *y = (uint8_t *)args->y + r * args->y_pitch + bytes.begin;
        tmc_copy_bytes(x, y, bytes.end - bytes.begin, args->step_bytes);
    }
}
