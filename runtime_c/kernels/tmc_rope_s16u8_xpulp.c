/* 24 instructions for two pairs: 6 an element. To add 128 is to turn the highest bit. */
#include "tmc_xpulp.h"

#define TMC_ROPE_TYPE uint8_t
#define TMC_ROPE_CLIP(value, limit) ((void)(limit), tmc_clip_s8(value) + 128)
#define TMC_ROPE_TURNED 0x80808080u
#define TMC_ROPE_ROUND 24
#define TMC_ROPE_STORE \
    TMC_CLIP("%[u0]", "%[u0]", 8) TMC_CLIP("%[t0]", "%[t0]", 8) \
    TMC_CLIP("%[u1]", "%[u1]", 8) TMC_CLIP("%[t1]", "%[t1]", 8) \
    TMC_PACK_LOW("%[u0]", "%[t0]", "%[u0]") TMC_PACK_HIGH("%[u0]", "%[t1]", "%[u1]") \
    TMC_XOR("%[u0]", "%[u0]", "%[turned]") \
    "7: " TMC_SW_POST("%[u0]", "%[y]", 4)
#include "tmc_xpulp_rope.h"

void tmc_rope_s16u8_xpulp(const tmc_rope_args *args)
{
    rotate_rows(args);
}
