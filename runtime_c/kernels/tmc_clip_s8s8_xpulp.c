/* Four channels to a word. */
#include "tmc_clip.h"
#include "tmc_xpulp.h"

void tmc_clip_s8s8_xpulp(const tmc_clip_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        tmc_clip_row row = tmc_clip_row_of(args, r);
        for (uint32_t words = args->channels / 4u; words != 0u; --words, row.y += 4) {
            const uint32_t x = tmc_next_word(&row.x), low = tmc_next_word(&row.low), high = tmc_next_word(&row.high);
            *(uint32_t *)(void *)row.y = tmc_min_bytes(tmc_max_bytes(x, low), high);
        }
        for (uint32_t c = 0; c < args->channels % 4u; ++c)
            row.y[c] = (uint8_t)tmc_between((int8_t)row.x[c], (int8_t)row.low[c], (int8_t)row.high[c]);
    }
}
