/* Two channels a round. A dot product with (1, 0) or (0, 1) adds one half of a word. */
#include "tmc_kernels.h"
#include "tmc_xpulp.h"

/** Add 2 channels times `rounds`, at least 1, of x to y. 17 bits of x are enough to saturate, whatever the residual;
 *  more could overflow the sum. */
static void add_twos(const uint8_t *x, uint8_t *y, uint32_t rounds)
{
#if defined(__riscv)
    uint32_t a, b, before;
    __asm__ volatile(
        ".balign 4\n"
        TMC_LOOP(0, "%[rounds]", 11, 7)
        TMC_LW_POST("%[a]", "%[x]", 4) TMC_LW_POST("%[b]", "%[x]", 4) TMC_LW_AT("%[before]", "%[y]", "x0")
        TMC_CLIP("%[a]", "%[a]", 17) TMC_CLIP("%[b]", "%[b]", 17)
        TMC_SDOT_S16S16("%[a]", "%[before]", "%[low]") TMC_SDOT_S16S16("%[b]", "%[before]", "%[high]")
        TMC_CLIP("%[a]", "%[a]", 16) TMC_CLIP("%[b]", "%[b]", 16)
        TMC_PACK_HALVES("%[a]", "%[b]", "%[a]") "7: " TMC_SW_POST("%[a]", "%[y]", 4)
        : [x] "+r"(x), [y] "+r"(y), [a] "=&r"(a), [b] "=&r"(b), [before] "=&r"(before)
        : [rounds] "r"(rounds), [low] "r"(1), [high] "r"(0x10000)
        : "memory");
#else
    for (; rounds != 0u; --rounds, y += 4) {
        const int32_t a = tmc_clip((int32_t)tmc_next_word(&x), -65536, 65535);
        const int32_t b = tmc_clip((int32_t)tmc_next_word(&x), -65536, 65535);
        const uint32_t before = tmc_word(y);
        *(uint32_t *)(void *)y =
            tmc_pack_halves(tmc_clip16(a + tmc_half_of(before, 0)), tmc_clip16(b + tmc_half_of(before, 1)));
    }
#endif
}

void tmc_epilogue_add_s32s16_xpulp(const tmc_epilogue_args *args)
{
    const tmc_part part = tmc_my_part(args->rows, args->channels, args->split);
    const uint32_t channels = part.channels.end - part.channels.begin, twos = channels / 2u;
    const uint8_t *x = (const uint8_t *)args->x + part.rows.begin * args->x_pitch + 4u * part.channels.begin;
    uint8_t *y = (uint8_t *)args->y + part.rows.begin * args->y_pitch + 2u * part.channels.begin;
    for (uint32_t rows = part.rows.end - part.rows.begin; rows != 0u; --rows) {
        if (twos != 0u)
            add_twos(x, y, twos);
        if (channels % 2u != 0u) {
            int16_t *last = (int16_t *)(void *)(y + 4u * twos);
            *last = (int16_t)tmc_clip_s16(*last + tmc_clip((int32_t)tmc_word(x + 8u * twos), -65536, 65535));
        }
        x += args->x_pitch;
        y += args->y_pitch;
    }
}
