#include "tmc_xpulp_argmax_columns.h"

static inline int32_t next_byte(const uint8_t **address)
{
    const void *at = *address;
    *address += sizeof(int8_t);
    return *(const int8_t *)at;
}

void tmc_argmax_columns_s8s32_xpulp(const tmc_argmax_columns_args *args)
{
    tmc_argmax_columns(args, next_byte);
}
