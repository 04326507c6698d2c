#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_add_s8s8s8_scalar(const tmc_add_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const int8_t *x = args->x + r * args->x_pitch, *z = args->z + r * args->z_pitch;
        int8_t *y = args->y + r * args->y_pitch;
        for (uint32_t c = 0; c < args->channels; ++c) {
            const int32_t sum = x[c] * args->x_multiplier + z[c] * args->z_multiplier + args->bias;
            y[c] = tmc_clip8(sum >> args->shift);
        }
    }
}
