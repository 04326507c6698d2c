/* Eight channels a round: words, whose bytes are taken apart, leave more of L1 to the accelerator than bytes would. */
#include "tmc_kernels.h"
#include "tmc_xpulp.h"

#define BYTE_AT(bit) (7u << 5 | (bit)) /* 8 bits from a bit on */

static uint8_t look_up(uint8_t code, const int8_t *middle)
{
    return (uint8_t)middle[(int8_t)code];
}

static void look_up_four(const uint8_t *x, uint8_t *y, const int8_t *middle)
{
    const uint8_t a = look_up(x[0], middle), b = look_up(x[1], middle);
    const uint8_t c = look_up(x[2], middle), d = look_up(x[3], middle);
    y[0] = a, y[1] = b, y[2] = c, y[3] = d;
}

/** Look up 8 channels times `rounds`, at least 1. middle: the entry of 0. */
static void look_up_eights(const uint8_t *x, uint8_t *y, const int8_t *middle, uint32_t rounds)
{
#if defined(__riscv)
    uint32_t a, b, c, d, e, f, g, h;
    __asm__ volatile(
        ".balign 4\n"
        TMC_LOOP(0, "%[rounds]", 24, 7)
        TMC_LW_POST("%[d]", "%[x]", 4) TMC_LW_POST("%[h]", "%[x]", 4)
        TMC_EXTRACT("%[a]", "%[d]", "%[first]") TMC_EXTRACT("%[b]", "%[d]", "%[second]")
        TMC_EXTRACT("%[c]", "%[d]", "%[third]") TMC_EXTRACT("%[d]", "%[d]", "%[fourth]")
        TMC_EXTRACT("%[e]", "%[h]", "%[first]") TMC_EXTRACT("%[f]", "%[h]", "%[second]")
        TMC_EXTRACT("%[g]", "%[h]", "%[third]") TMC_EXTRACT("%[h]", "%[h]", "%[fourth]")
        TMC_LB_AT("%[a]", "%[middle]", "%[a]") TMC_LB_AT("%[b]", "%[middle]", "%[b]")
        TMC_LB_AT("%[c]", "%[middle]", "%[c]") TMC_LB_AT("%[d]", "%[middle]", "%[d]")
        TMC_LB_AT("%[e]", "%[middle]", "%[e]") TMC_LB_AT("%[f]", "%[middle]", "%[f]")
        TMC_LB_AT("%[g]", "%[middle]", "%[g]") TMC_LB_AT("%[h]", "%[middle]", "%[h]")
        TMC_PACK_LOW("%[a]", "%[b]", "%[a]") TMC_PACK_HIGH("%[a]", "%[d]", "%[c]")
        TMC_PACK_LOW("%[e]", "%[f]", "%[e]") TMC_PACK_HIGH("%[e]", "%[h]", "%[g]")
        TMC_SW_POST("%[a]", "%[y]", 4) "7: " TMC_SW_POST("%[e]", "%[y]", 4)
        : [x] "+r"(x), [y] "+r"(y), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e),
          [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h)
        : [rounds] "r"(rounds), [middle] "r"(middle), [first] "r"(BYTE_AT(0u)), [second] "r"(BYTE_AT(8u)),
          [third] "r"(BYTE_AT(16u)), [fourth] "r"(BYTE_AT(24u))
        : "memory");
#else
    for (uint32_t i = 0; i < 8u * rounds; ++i)
        y[i] = look_up(x[i], middle);
#endif
}

void tmc_epilogue_table_s8s8_xpulp(const tmc_epilogue_args *args)
{
    const tmc_part part = tmc_my_part(args->rows, args->channels, args->split);
    const uint32_t channels = part.channels.end - part.channels.begin, eights = channels / 8u;
    const int8_t *middle = args->table + 128;
    const uint8_t *x = (const uint8_t *)args->x + part.rows.begin * args->x_pitch + part.channels.begin;
    uint8_t *y = (uint8_t *)args->y + part.rows.begin * args->y_pitch + part.channels.begin;
    for (uint32_t rows = part.rows.end - part.rows.begin; rows != 0u; --rows) {
        uint32_t c = 8u * eights;
        if (eights != 0u)
            look_up_eights(x, y, middle, eights);
        if ((channels & 4u) != 0u) {
            look_up_four(x + c, y + c, middle);
            c += 4u;
        }
        for (; c < channels; ++c)
            y[c] = look_up(x[c], middle);
        x += args->x_pitch;
        y += args->y_pitch;
    }
}
