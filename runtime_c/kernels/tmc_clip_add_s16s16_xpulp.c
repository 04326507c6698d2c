/* Two channels to a word; their sums one by one, for halves would wrap. */
#include "tmc_clip.h"
#include "tmc_xpulp.h"

void tmc_clip_add_s16s16_xpulp(const tmc_clip_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    for (uint32_t r = share.begin; r < share.end; ++r) {
        tmc_clip_row row = tmc_clip_row_of(args, r);
        for (uint32_t words = args->channels / 2u; words != 0u; --words, row.y += 4) {
            const uint32_t x = tmc_next_word(&row.x), low = tmc_next_word(&row.low), high = tmc_next_word(&row.high);
            const uint32_t clipped = tmc_min_halves(tmc_max_halves(x, low), high), y = tmc_word(row.y);
            const int32_t first = tmc_clip_s16(tmc_half_of(y, 0) + tmc_half_of(clipped, 0));
            const int32_t second = tmc_clip_s16(tmc_half_of(y, 1) + tmc_half_of(clipped, 1));
            *(uint32_t *)(void *)row.y = tmc_pack_halves(first, second);
        }
        if (args->channels % 2u != 0u) {
            const int32_t clipped = tmc_between(tmc_half_of(tmc_word(row.x), 0), tmc_half_of(tmc_word(row.low), 0),
                                                tmc_half_of(tmc_word(row.high), 0));
            *(int16_t *)(void *)row.y = (int16_t)tmc_clip_s16(tmc_half_of(tmc_word(row.y), 0) + clipped);
        }
    }
}
