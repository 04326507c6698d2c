/* Jobs on the host. */
#ifndef TMC_JOB_H
#define TMC_JOB_H

#include <pthread.h>
#include <stdint.h>

#include "tmc_ne16_kernels.h"

/** A kernel that is a job. */
typedef void tmc_job_kernel(const tmc_ne16_linear_args *args);

/** The state of a job's slot. All zero is idle. */
typedef struct {
    tmc_job_kernel *kernel; /* NULL: no job is in flight */
    tmc_ne16_linear_args args;
    uint32_t number; /* of jobs since the program began */
#ifdef TMC_DMA_THREADS
    pthread_t thread;
#else
    uint32_t bytes;   /* of the three, from the first result to the last */
    uint8_t *result;  /* what the job computes */
    uint8_t *is_ours; /* 1 where it writes, 0 in gaps */
    uint8_t *before;  /* what lay there before its start */
#endif
} tmc_job;


void tmc_job_start(tmc_job *job, tmc_job_kernel *kernel, const tmc_ne16_linear_args *args);
void tmc_job_wait(tmc_job *job);

#endif
