#include "tmc_xpulp.h"

#define TMC_VALUES_TYPE int16_t
#define TMC_VALUES_CLIP tmc_clip_s16
#define TMC_VALUES_BITS 16
#define TMC_VALUES_STORE(r0, r1, r2, r3, step) \
    TMC_PACK_HALVES(r0, r1, r0) TMC_PACK_HALVES(r2, r3, r2) "sw " r2 ", 4(a0)\n" TMC_SW_STEP(r0, "a0", step)
#include "tmc_xpulp_attention_values.h"

void tmc_attention_values_u8s8s16_xpulp(const tmc_attention_values_args *args)
{
    compute_means(args);
}
