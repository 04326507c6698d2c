/* One channel to a word. */
#include "tmc_clip.h"
#include "tmc_xpulp.h"

void tmc_clip_s32s32_xpulp(const tmc_clip_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        tmc_clip_row row = tmc_clip_row_of(args, r);
        for (uint32_t words = args->channels; words != 0u; --words, row.y += 4) {
            const int32_t x = (int32_t)tmc_next_word(&row.x), low = (int32_t)tmc_next_word(&row.low);
            *(int32_t *)(void *)row.y = tmc_between(x, low, (int32_t)tmc_next_word(&row.high));
        }
    }
}
