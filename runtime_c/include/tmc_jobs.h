/* Jobs of an accelerator, for generated code: linear layers that run beside the cores.
 *
 *   void tmc_job_start(tmc_job *job, tmc_job_kernel *kernel, const tmc_ne16_linear_args *args);
 *
 * Start a job of a kernel that is one. All operands lie in L1. Where the accelerator takes no more it blocks until a job
 * before has ended; `args` is read before it returns.
 *
 *   void tmc_job_wait(tmc_job *job);
 *
 * Return when the job that was started on this slot has ended, while later ones may run.
 *
 * Jobs run one after the other in the order of their starts, and at most two are in flight. As with transfers, what a
 * job reads must not change and what it writes must not be touched between its start and its wait; but the
 * job behind may write what it reads. One `tmc_job` is one slot: at most one job is in flight on
 * it. Every start has exactly one wait, in the order of the starts. A slot of static storage is idle at the start. Only
 * core 0 starts jobs and waits for them; a barrier hands the results to the other cores.
 */
#ifndef TMC_JOBS_H
#define TMC_JOBS_H
/* Defines what is described above; each platform has its own. */
#include "tmc_job.h"

#endif
