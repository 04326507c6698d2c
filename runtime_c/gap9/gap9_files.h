/* Files in the read-only file system of GAP9's flash. */
#ifndef GAP9_FILES_H
#define GAP9_FILES_H

#include <stdint.h>

/** Read a file of exactly `bytes` bytes to L2; a session must be open. TMC_OK or a tmc_status below 0. */
int gap9_read_file(const char *name, void *l2, uint32_t bytes);

#endif
