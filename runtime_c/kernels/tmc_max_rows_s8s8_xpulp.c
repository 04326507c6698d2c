#include "tmc_xpulp_max_rows.h"

void tmc_max_rows_s8s8_xpulp(const tmc_max_rows_args *args)
{
    tmc_max_rows(args, 1u, tmc_max_bytes);
}
