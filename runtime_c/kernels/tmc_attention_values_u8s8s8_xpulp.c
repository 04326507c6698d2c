#include "tmc_xpulp.h"

#define TMC_VALUES_TYPE int8_t
#define TMC_VALUES_CLIP tmc_clip_s8
#define TMC_VALUES_BITS 8
#define TMC_VALUES_STORE(r0, r1, r2, r3, step) \
    TMC_PACK_LOW(r0, r1, r0) TMC_PACK_HIGH(r0, r3, r2) TMC_SW_STEP(r0, "a0", step)
#include "tmc_xpulp_attention_values.h"

void tmc_attention_values_u8s8s8_xpulp(const tmc_attention_values_args *args)
{
    compute_means(args);
}
