#include "tmc_xpulp_max_rows.h"

void tmc_max_rows_s16s16_xpulp(const tmc_max_rows_args *args)
{
    tmc_max_rows(args, 2u, tmc_max_halves);
}
