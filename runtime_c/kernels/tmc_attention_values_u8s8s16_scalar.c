#include "tmc_arithmetic.h"
#include "tmc_kernels.h"

void tmc_attention_values_u8s8s16_scalar(const tmc_attention_values_args *args)
{
    const tmc_share share = tmc_my_share(args->heads * args->rows);
    const uint32_t shift = (uint32_t)(7 + args->out_shift);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        const uint8_t *p = args->p + r * args->p_pitch;
        const tmc_attention_norm norm = args->norm[r];
        const uint32_t head = r / args->rows, first = head * args->channels;
        void *row = (uint8_t *)args->y + (r - head * args->rows) * args->y_pitch;
        int16_t *y = (int16_t *)row + first;
        for (uint32_t c = 0; c < args->channels; ++c) {
            const int32_t sum = tmc_dot_u8s8(p, args->vt + (first + c) * args->vt_pitch, args->keys);
            const int32_t narrowed = tmc_round_shift(sum, (uint32_t)norm.shift);
            y[c] = tmc_clip16(tmc_round_shift(narrowed * norm.factor, shift));
        }
    }
}
