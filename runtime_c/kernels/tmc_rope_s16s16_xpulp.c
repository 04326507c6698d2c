/* 24 instructions for two pairs: 6 an element. */
#include "tmc_xpulp.h"

#define TMC_ROPE_TYPE int16_t
#define TMC_ROPE_CLIP tmc_clip_to
#define TMC_ROPE_TURNED 0u
#define TMC_ROPE_ROUND 24
#define TMC_ROPE_STORE \
    TMC_CLIP_TO("%[u0]", "%[u0]", "%[limit]") TMC_CLIP_TO("%[t0]", "%[t0]", "%[limit]") \
    TMC_CLIP_TO("%[u1]", "%[u1]", "%[limit]") TMC_CLIP_TO("%[t1]", "%[t1]", "%[limit]") \
    TMC_PACK_HALVES("%[u0]", "%[t0]", "%[u0]") TMC_PACK_HALVES("%[u1]", "%[t1]", "%[u1]") \
    TMC_SW_POST("%[u0]", "%[y]", 4) "7: " TMC_SW_POST("%[u1]", "%[y]", 4)
#include "tmc_xpulp_rope.h"

void tmc_rope_s16s16_xpulp(const tmc_rope_args *args)
{
    rotate_rows(args);
}
