/* NE16, the accelerator of GAP9's cluster. */
#ifndef GAP9_JOBS_H
#define GAP9_JOBS_H

/** Make the accelerator ready for jobs, if the network uses it; core 0, before its first job of a run. */
void gap9_start_jobs(void);

#endif
