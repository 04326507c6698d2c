#include "tmc_xpulp.h"

#define TMC_LAYERNORM_TYPE int8_t
#define TMC_LAYERNORM_CLIP tmc_clip_s8
#define TMC_LAYERNORM_TURNED 0u
#define TMC_LAYERNORM_ROUND 41
#define TMC_LAYERNORM_STORE \
    TMC_CLIP("%[t0]", "%[t0]", 8) TMC_CLIP("%[t1]", "%[t1]", 8) \
    TMC_CLIP("%[t2]", "%[t2]", 8) TMC_CLIP("%[t3]", "%[t3]", 8) \
    TMC_PACK_LOW("%[t0]", "%[t1]", "%[t0]") TMC_PACK_HIGH("%[t0]", "%[t3]", "%[t2]") \
    "7: " TMC_SW_POST("%[t0]", "%[y]", 4)
#include "tmc_xpulp_layernorm.h"

void tmc_layernorm_s16s8_xpulp(const tmc_layernorm_args *args)
{
    normalise_rows(args);
}
