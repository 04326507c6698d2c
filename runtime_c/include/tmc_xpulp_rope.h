/* Rotation of pairs of int16 for one type of result. The kernel that includes this defines first:
 *   TMC_ROPE_TYPE   the C type of the result
 *   TMC_ROPE_CLIP   the function that saturates to it; (value, limit)
 *   TMC_ROPE_STORE  instructions: saturate u0, t0, u1, t1, to `limit` if they are wide, and store them at y; label 7 at the last one
 *   TMC_ROPE_TURNED the bits that are to be turned in 4 results, `turned` of these instructions
 *   TMC_ROPE_ROUND  instructions for two pairs: 16, and those
 *
 * a cos - b sin is two products and one instruction that subtracts, rounds and shifts; a sin + b cos a dot product with
 * the table's pair turned round. */
#ifndef TMC_XPULP_ROPE_H
#define TMC_XPULP_ROPE_H

#include "tmc_kernels.h"
#include "tmc_xpulp.h"

#if defined(__riscv)

/** Rotate 2 pairs times `rounds`, at least 1. */
static void rotate_twos(const uint8_t *x, const uint8_t *table, uint8_t *y, uint32_t shift, uint32_t limit,
                        uint32_t rounds)
{
    uint32_t x0, x1, t0, t1, u0, u1, v0, v1;
    __asm__ volatile(
        ".balign 4\n"
        TMC_LOOP(0, "%[rounds]", TMC_ROPE_ROUND, 7)
        TMC_LW_POST("%[x0]", "%[x]", 4) TMC_LW_POST("%[t0]", "%[table]", 4)
        TMC_LW_POST("%[x1]", "%[x]", 4) TMC_LW_POST("%[t1]", "%[table]", 4)
        TMC_MUL_LOW("%[u0]", "%[x0]", "%[t0]") TMC_MUL_HIGH("%[v0]", "%[x0]", "%[t0]")
        TMC_MUL_LOW("%[u1]", "%[x1]", "%[t1]") TMC_MUL_HIGH("%[v1]", "%[x1]", "%[t1]")
        TMC_ROTATE("%[t0]", "%[t0]", "%[sixteen]") TMC_ROTATE("%[t1]", "%[t1]", "%[sixteen]")
        TMC_DOT_S16S16("%[t0]", "%[x0]", "%[t0]") TMC_DOT_S16S16("%[t1]", "%[x1]", "%[t1]")
        TMC_SUB_ROUND_SHIFT("%[u0]", "%[v0]", "%[shift]") TMC_SUB_ROUND_SHIFT("%[u1]", "%[v1]", "%[shift]")
        TMC_ADD_ROUND_SHIFT("%[t0]", "x0", "%[shift]") TMC_ADD_ROUND_SHIFT("%[t1]", "x0", "%[shift]")
        TMC_ROPE_STORE
        : [x] "+r"(x), [table] "+r"(table), [y] "+r"(y), [x0] "=&r"(x0), [x1] "=&r"(x1), [t0] "=&r"(t0),
          [t1] "=&r"(t1), [u0] "=&r"(u0), [u1] "=&r"(u1), [v0] "=&r"(v0), [v1] "=&r"(v1)
        : [rounds] "r"(rounds), [shift] "r"(shift), [sixteen] "r"(16), [limit] "r"(limit), [turned] "rJ"(TMC_ROPE_TURNED)
        : "memory");
}

#endif

/** Rotate one pair. */
static void rotate_one(const uint8_t *x, const uint8_t *table, uint8_t *to, uint32_t shift, uint32_t limit)
{
    void *at = to;
    TMC_ROPE_TYPE *y = (TMC_ROPE_TYPE *)at;
    const uint32_t pair = tmc_word(x), line = tmc_word(table);
    const int32_t a = tmc_half_of(pair, 0), b = tmc_half_of(pair, 1);
    const int32_t cosine = tmc_half_of(line, 0), sine = tmc_half_of(line, 1);
    y[0] = (TMC_ROPE_TYPE)TMC_ROPE_CLIP(tmc_rounded(a * cosine - b * sine, shift), limit);
    y[1] = (TMC_ROPE_TYPE)TMC_ROPE_CLIP(tmc_rounded(a * sine + b * cosine, shift), limit);
}

#if !defined(__riscv)

static void rotate_twos(const uint8_t *x, const uint8_t *table, uint8_t *y, uint32_t shift, uint32_t limit,
                        uint32_t rounds)
{
    for (uint32_t i = 0; i < 2u * rounds; ++i)
        rotate_one(x + 4u * i, table + 4u * i, y + 2u * sizeof(TMC_ROPE_TYPE) * i, shift, limit);
}

#endif

/** Rotate the calling core's rows. */
static void rotate_rows(const tmc_rope_args *args)
{
    const tmc_share share = tmc_my_share(args->rows);
    const uint32_t width = args->width, twos = width / 4u, period = args->period;
    const uint32_t shift = args->shift, limit = args->limit;
    const uint32_t x_pitch = args->x_pitch, y_pitch = args->y_pitch, table_pitch = args->table_pitch;
    const uint8_t *x = (const uint8_t *)args->x + share.begin * x_pitch;
    uint8_t *y = (uint8_t *)args->y + share.begin * y_pitch;
    uint32_t line = (args->row0 + share.begin) % period;
    const uint8_t *table = (const uint8_t *)args->table + line * table_pitch;
    for (uint32_t rows = share.end - share.begin; rows != 0u; --rows) {
        if (twos != 0u)
            rotate_twos(x, table, y, shift, limit, twos);
        if (width % 4u != 0u)
            rotate_one(x + 8u * twos, table + 8u * twos, y + 4u * sizeof(TMC_ROPE_TYPE) * twos, shift, limit);
        x += x_pitch;
        y += y_pitch;
        if (++line < period) {
            table += table_pitch;
        } else {
            line = 0;
            table = (const uint8_t *)args->table;
        }
    }
}

#endif
