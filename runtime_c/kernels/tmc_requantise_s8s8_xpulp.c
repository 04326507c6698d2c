/* Channel by channel, so that the factors of a channel are loaded once for all of a core's rows. */
#include "tmc_requantise.h"
#include "tmc_xpulp.h"

void tmc_requantise_s8s8_xpulp(const tmc_requantise_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    const int8_t *table = args->table + 128;
    for (uint32_t c = 0; c < args->channels; ++c) {
        const tmc_factors factors = args->factors[c];
        const uint8_t *x = (const uint8_t *)args->x + share.begin * args->x_pitch + c * sizeof(int8_t);
        int8_t *y = args->y + share.begin * args->y_pitch + c;
        for (uint32_t row = share.begin; row < share.end; ++row) {
            const void *element = x;
            const int32_t v = tmc_requantise(*(const int8_t *)element, &factors, args->ties_to_even);
            *y = table[tmc_clip_s8(v + args->zero_point)];
            x += args->x_pitch;
            y += args->y_pitch;
        }
    }
}
