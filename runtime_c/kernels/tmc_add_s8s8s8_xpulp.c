/* Four channels at a time; what they read is read before anything is stored. */
#include "tmc_kernels.h"
#include "tmc_xpulp.h"

static inline int8_t sum_of(int32_t x, int32_t z, const tmc_add_args *args)
{
    const int32_t sum = tmc_mac(tmc_mac(args->bias, x, args->x_multiplier), z, args->z_multiplier);
    return (int8_t)tmc_clip_s8(sum >> args->shift);
}

void tmc_add_s8s8s8_xpulp(const tmc_add_args *shared)
{
    const tmc_add_args args = *shared; /* nothing stored can change a copy */
    const tmc_share share = tmc_my_share(args.rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const int8_t *x = args.x + r * args.x_pitch, *z = args.z + r * args.z_pitch;
        int8_t *y = args.y + r * args.y_pitch;
        for (uint32_t fours = args.channels / 4u; fours != 0u; --fours, x += 4, z += 4, y += 4) {
            const int32_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
            const int32_t z0 = z[0], z1 = z[1], z2 = z[2], z3 = z[3];
            y[0] = sum_of(x0, z0, &args);
            y[1] = sum_of(x1, z1, &args);
            y[2] = sum_of(x2, z2, &args);
            y[3] = sum_of(x3, z3, &args);
        }
        for (uint32_t c = 0; c < args.channels % 4u; ++c)
            y[c] = sum_of(x[c], z[c], &args);
    }
}
