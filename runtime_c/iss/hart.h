/* The state of one hardware thread, and the cluster they form. */
#ifndef TMC_ISS_HART_H
#define TMC_ISS_HART_H

#include <stdbool.h>
#include <stdint.h>

/* As many as a lane word has bits for. */
#define CLUSTER_CORES_MAX 8
#define FABRIC_CONTROLLER CLUSTER_CORES_MAX
#define HARTS (CLUSTER_CORES_MAX + 1)

/* An armed_end that no program counter can equal. */
#define LOOP_IDLE 1u

typedef struct Loop {
    uint32_t start;     /* First instruction of the body. */
    uint32_t end;       /* Last instruction of the body. */
    uint32_t count;     /* Iterations left, the one under way included. */
    uint32_t armed_end; /* end while count is not 0, else LOOP_IDLE: one comparison per instruction. */
} Loop;

typedef enum HartState { HART_OFF, HART_RUNNING, HART_ASLEEP } HartState;

typedef struct Hart {
    uint32_t x[32];
    uint32_t pc;
    uint32_t next_pc;
    Loop loop[2];

    int32_t budget;    /* Instructions left in this turn. */
    int32_t turn;      /* Instructions of this turn, past and left. */
    uint64_t retired;  /* Instructions before this turn. */
    uint32_t index;    /* 0 to 7: cluster core; FABRIC_CONTROLLER. */
    uint32_t mhartid;  /* What CSR 0xF14 reads. */
    HartState state;
    bool gated; /* Was asleep when it was switched off: the event unit still holds its clock. */

    /* Synchronisation that this hart has seen, for the detection of races: see memory.h. */
    uint32_t epoch;
    uint32_t own_lanes;   /* This hart's bit in each byte of a lane word; 0: not tracked. */
    uint32_t other_lanes; /* The bits of all other harts. */

    uint32_t boot_address;
    uint32_t csr_scratch[5]; /* mstatus, mtvec, mscratch, mepc, mcause: stored, never acted upon. */
    uint32_t cycle_offset;   /* What a write of mcycle added. */
    uint32_t counter_offset; /* The same for the performance counters. */
} Hart;

/* Cores of the cluster: harts 0 to cluster_cores - 1. */
extern uint32_t cluster_cores;
extern Hart harts[HARTS];

/* Return the instructions that a hart has completed so far. */
static inline uint64_t hart_retired(const Hart *hart)
{
    return hart->retired + (uint64_t)(hart->turn - hart->budget);
}

/* Give the rest of the turn away. */
static inline void hart_end_turn(Hart *hart)
{
    hart->turn -= hart->budget;
    hart->budget = 0;
}

/* Sleep, and execute the current instruction again after waking up; it does not count as completed. */
static inline void hart_sleep(Hart *hart)
{
    hart_end_turn(hart);
    hart->turn--;
    hart->next_pc = hart->pc;
    hart->state = HART_ASLEEP;
}

/* Set the program counter and state of a hart at its boot address; registers hold rubbish, as after power-up. */
void hart_start(Hart *hart, uint32_t address);

#endif
