/* The instruction cache and the turns of the harts. */
#ifndef TMC_ISS_RUN_H
#define TMC_ISS_RUN_H

#include <stdint.h>

typedef struct Limits {
    int32_t turn;          /* Instructions a hart executes before the next one's turn. */
    uint64_t instructions; /* Of all harts together; one more traps. */
} Limits;

/* Run all harts until the program exits; traps if it cannot go on. */
void run(Limits limits);

#endif
