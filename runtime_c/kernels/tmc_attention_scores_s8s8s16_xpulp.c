#include "tmc_xpulp.h"

#define TMC_SCORES_TYPE int8_t
#define TMC_SCORES_DOT_FIRST TMC_DOT_S8S8
#define TMC_SCORES_DOT TMC_SDOT_S8S8
#define tmc_scores_dot tmc_sdot_s8s8
#define TMC_SCORES_CLIP
#define tmc_scores_clip(sum, limit) (sum)
#include "tmc_xpulp_attention_scores.h"

void tmc_attention_scores_s8s8s16_xpulp(const tmc_attention_scores_args *args)
{
    compute_scores(args);
}
