/* What the programs share that compare xpulp kernels with scalar ones: they run on a host and on the cluster.
 *
 * All cores run every case. Operands come from a hash of their place, so that the cores fill them together.
 */
#ifndef CASES_H
#define CASES_H

#include <stdint.h>

#include "tmc_cores.h"

/* What bytes hold that no kernel may write. */
#define UNTOUCHED 0x5Cu

/** Start a case: all memory is free again. `kernel` and the sizes say what failed, if it does. */
void case_begin(const char *kernel, uint32_t a, uint32_t b, uint32_t c);

/** Return a number of the case, below `limit`. */
uint32_t case_number(uint32_t limit);

/** Take memory, and as much behind it that no kernel may write. */
void *case_take(uint32_t bytes);

/** Take memory full of random bytes; seldom of the extremes of bytes, of small bytes, of zeros, of the lowest. */
void *case_random(uint32_t bytes);

/** As case_random for halves. */
void *case_random_halves(uint32_t halves);

/** Count the differences of `rows` rows of row_bytes; what lies between the rows must be untouched. Barrier first. */
void case_compare(const void *expected, const void *result, uint32_t rows, uint32_t row_bytes, uint32_t pitch);

/** Return the pitch of rows: a multiple of 4, at random more than needed. */
uint32_t case_pitch(uint32_t row_bytes);

/** The program's own: run all cases. All cores. */
void all_cases(void);

#endif
