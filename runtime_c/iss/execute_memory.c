/* Loads and stores, with every way to form and to advance the address; p.elw. */
#include "cluster.h"
#include "execute.h"
#include "memory.h"

#define LOADED_s8 (uint32_t)(int8_t)
#define LOADED_s16 (uint32_t)(int16_t)
#define LOADED_u8
#define LOADED_u16
#define LOADED_32

/* A load in all its forms. The load writes last: where base and destination are one register, it wins. */
#define LOADS(name, bytes, type)                                                                    \
    EXECUTE(name) { RD = LOADED_##type load(hart, RS1 + UIMM, bytes); }                             \
    EXECUTE(p_##name##_rr) { RD = LOADED_##type load(hart, RS1 + RS2, bytes); }                     \
    EXECUTE(p_##name##_post)                                                                        \
    {                                                                                               \
        uint32_t value = LOADED_##type load(hart, RS1, bytes);                                      \
        RS1 += UIMM;                                                                                \
        RD = value;                                                                                 \
    }                                                                                               \
    EXECUTE(p_##name##_rr_post)                                                                     \
    {                                                                                               \
        uint32_t value = LOADED_##type load(hart, RS1, bytes);                                      \
        RS1 += RS2;                                                                                 \
        RD = value;                                                                                 \
    }

LOADS(lb, 1, s8)
LOADS(lh, 2, s16)
LOADS(lw, 4, 32)
LOADS(lbu, 1, u8)
LOADS(lhu, 2, u16)

/* A store in all its forms; with a register offset, that register is in the place of rd. */
#define STORES(name, bytes)                                                                         \
    EXECUTE(name) { store(hart, RS1 + UIMM, RS2, bytes); }                                          \
    EXECUTE(p_##name##_rr) { store(hart, RS1 + RD, RS2, bytes); }                                   \
    EXECUTE(p_##name##_post)                                                                        \
    {                                                                                               \
        store(hart, RS1, RS2, bytes);                                                               \
        RS1 += UIMM;                                                                                \
    }                                                                                               \
    EXECUTE(p_##name##_rr_post)                                                                     \
    {                                                                                               \
        store(hart, RS1, RS2, bytes);                                                               \
        RS1 += RD;                                                                                  \
    }

STORES(sb, 1)
STORES(sh, 2)
STORES(sw, 4)

/* The instruction is repeated after the hart has slept; it completes when the event unit answers. */
EXECUTE(p_elw)
{
    uint32_t value;
    if (event_unit_wait(hart, RS1 + UIMM, &value)) {
        RD = value;
    } else {
        hart_sleep(hart);
    }
}
