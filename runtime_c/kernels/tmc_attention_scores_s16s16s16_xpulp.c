#include "tmc_xpulp.h"

#define TMC_SCORES_TYPE int16_t
#define TMC_SCORES_DOT_FIRST TMC_DOT_S16S16
#define TMC_SCORES_DOT TMC_SDOT_S16S16
#define tmc_scores_dot tmc_sdot_s16s16
#define CLIP(r) TMC_CLIP_TO(r, r, "a3")
#define TMC_SCORES_CLIP "lw a3, 80(a5)\n" TMC_ATTENTION_ALL(CLIP)
#define tmc_scores_clip tmc_clip_to
#include "tmc_xpulp_attention_scores.h"

void tmc_attention_scores_s16s16s16_xpulp(const tmc_attention_scores_args *args)
{
    compute_scores(args);
}
