/* Jobs on a cluster with NE16, which core 0 drives itself. A kernel of portable C has done its job when it returns. */
#ifndef TMC_NE16_SLOT_H
#define TMC_NE16_SLOT_H

#include "tmc_ne16_job.h"
#include "tmc_ne16_kernels.h"

/** The state of a job's slot. */
typedef struct {
    uint32_t number; /* of the last job of NE16 that it takes */
} tmc_job;


/** A kernel that is a job. */
typedef void tmc_job_kernel(const tmc_ne16_linear_args *args);

/** As tmc_jobs.h says. Inline, so that the kernel is called by its name: the check of stacks follows no pointers. */
__attribute__((always_inline)) static inline void tmc_job_start(tmc_job *job, tmc_job_kernel *kernel,
                                                                const tmc_ne16_linear_args *args)
{
    kernel(args);
    job->number = tmc_ne16_last;
}

/** As tmc_jobs.h says. */
static inline void tmc_job_wait(tmc_job *job)
{
    tmc_ne16_wait(job->number);
}

#endif
