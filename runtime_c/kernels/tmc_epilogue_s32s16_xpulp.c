/* Two channels a round. */
#include "tmc_kernels.h"
#include "tmc_xpulp.h"

/** Narrow 2 channels times `rounds`, at least 1. */
static void narrow_twos(const uint8_t *x, uint8_t *y, uint32_t rounds)
{
#if defined(__riscv)
    uint32_t a, b;
    __asm__ volatile(
        ".balign 4\n"
        TMC_LOOP(0, "%[rounds]", 6, 7)
        TMC_LW_POST("%[a]", "%[x]", 4) TMC_LW_POST("%[b]", "%[x]", 4)
        TMC_CLIP("%[a]", "%[a]", 16) TMC_CLIP("%[b]", "%[b]", 16)
        TMC_PACK_HALVES("%[a]", "%[b]", "%[a]") "7: " TMC_SW_POST("%[a]", "%[y]", 4)
        : [x] "+r"(x), [y] "+r"(y), [a] "=&r"(a), [b] "=&r"(b)
        : [rounds] "r"(rounds)
        : "memory");
#else
    for (; rounds != 0u; --rounds, y += 4) {
        const int32_t a = tmc_clip16((int32_t)tmc_next_word(&x)), b = tmc_clip16((int32_t)tmc_next_word(&x));
        *(uint32_t *)(void *)y = tmc_pack_halves(a, b);
    }
#endif
}

void tmc_epilogue_s32s16_xpulp(const tmc_epilogue_args *args)
{
    const tmc_part part = tmc_my_part(args->rows, args->channels, args->split);
    const uint32_t channels = part.channels.end - part.channels.begin, twos = channels / 2u;
    const uint8_t *x = (const uint8_t *)args->x + part.rows.begin * args->x_pitch + 4u * part.channels.begin;
    uint8_t *y = (uint8_t *)args->y + part.rows.begin * args->y_pitch + 2u * part.channels.begin;
    for (uint32_t rows = part.rows.end - part.rows.begin; rows != 0u; --rows) {
        if (twos != 0u)
            narrow_twos(x, y, twos);
        if (channels % 2u != 0u)
            *(int16_t *)(void *)(y + 4u * twos) = (int16_t)tmc_clip_s16((int32_t)tmc_word(x + 8u * twos));
        x += args->x_pitch;
        y += args->y_pitch;
    }
}
