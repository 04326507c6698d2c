/* 23 instructions for two pairs: 5.75 an element. */
#include "tmc_xpulp.h"

#define TMC_ROPE_TYPE int8_t
#define TMC_ROPE_CLIP(value, limit) ((void)(limit), tmc_clip_s8(value))
#define TMC_ROPE_TURNED 0u
#define TMC_ROPE_ROUND 23
#define TMC_ROPE_STORE \
    TMC_CLIP("%[u0]", "%[u0]", 8) TMC_CLIP("%[t0]", "%[t0]", 8) \
    TMC_CLIP("%[u1]", "%[u1]", 8) TMC_CLIP("%[t1]", "%[t1]", 8) \
    TMC_PACK_LOW("%[u0]", "%[t0]", "%[u0]") TMC_PACK_HIGH("%[u0]", "%[t1]", "%[u1]") \
    "7: " TMC_SW_POST("%[u0]", "%[y]", 4)
#include "tmc_xpulp_rope.h"

void tmc_rope_s16s8_xpulp(const tmc_rope_args *args)
{
    rotate_rows(args);
}
