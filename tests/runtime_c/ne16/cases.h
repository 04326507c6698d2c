/* Linear layers for NE16 with the results that they must have: cases.py writes cases.c. */
#ifndef CASES_H
#define CASES_H

#include "tmc_ne16_job.h"

typedef struct {
    tmc_ne16_layer layer; /* Pointers are to L2, of y to what it must be after the job. */
    uint32_t x_bytes, weight_bytes, y_bytes;
} ne16_case;

extern const ne16_case cases[];
extern const uint32_t case_count;

#endif
