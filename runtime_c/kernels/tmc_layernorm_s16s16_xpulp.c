#include "tmc_xpulp.h"

#define TMC_LAYERNORM_TYPE int16_t
#define TMC_LAYERNORM_CLIP tmc_clip_s16
#define TMC_LAYERNORM_TURNED 0u
#define TMC_LAYERNORM_ROUND 42
#define TMC_LAYERNORM_STORE \
    TMC_CLIP("%[t0]", "%[t0]", 16) TMC_CLIP("%[t1]", "%[t1]", 16) \
    TMC_CLIP("%[t2]", "%[t2]", 16) TMC_CLIP("%[t3]", "%[t3]", 16) \
    TMC_PACK_HALVES("%[t0]", "%[t1]", "%[t0]") TMC_PACK_HALVES("%[t2]", "%[t3]", "%[t2]") \
    TMC_SW_POST("%[t0]", "%[y]", 4) "7: " TMC_SW_POST("%[t2]", "%[y]", 4)
#include "tmc_xpulp_layernorm.h"

void tmc_layernorm_s16s16_xpulp(const tmc_layernorm_args *args)
{
    normalise_rows(args);
}
