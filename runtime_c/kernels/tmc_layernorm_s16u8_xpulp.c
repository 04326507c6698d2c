#include "tmc_xpulp.h"

#define TMC_LAYERNORM_TYPE uint8_t
#define TMC_LAYERNORM_CLIP(a) (tmc_clip_s8(a) + 128)
#define TMC_LAYERNORM_TURNED 0x80808080u /* to add 128 is to turn the highest bit */
#define TMC_LAYERNORM_ROUND 42
#define TMC_LAYERNORM_STORE \
    TMC_CLIP("%[t0]", "%[t0]", 8) TMC_CLIP("%[t1]", "%[t1]", 8) \
    TMC_CLIP("%[t2]", "%[t2]", 8) TMC_CLIP("%[t3]", "%[t3]", 8) \
    TMC_PACK_LOW("%[t0]", "%[t1]", "%[t0]") TMC_PACK_HIGH("%[t0]", "%[t3]", "%[t2]") \
    TMC_XOR("%[t0]", "%[t0]", "%[turned]") \
    "7: " TMC_SW_POST("%[t0]", "%[y]", 4)
#include "tmc_xpulp_layernorm.h"

void tmc_layernorm_s16u8_xpulp(const tmc_layernorm_args *args)
{
    normalise_rows(args);
}
