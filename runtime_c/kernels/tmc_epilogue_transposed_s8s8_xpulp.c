/* Four rows at a time: a word of each channel. */
#include "tmc_kernels.h"
#include "tmc_xpulp.h"

/** Turn four rows of `channels` channels, at least 1. */
static void turn_four(const int8_t *x, uint32_t x_pitch, int8_t *y, uint32_t y_pitch, uint32_t channels)
{
    const int8_t *second = x + x_pitch, *third = second + x_pitch, *fourth = third + x_pitch;
#if defined(__riscv)
    uint32_t a, b, c, d;
    __asm__ volatile(
        ".balign 4\n"
        TMC_LOOP(0, "%[channels]", 7, 7)
        TMC_LB_POST("%[a]", "%[x]", 1) TMC_LB_POST("%[b]", "%[second]", 1)
        TMC_LB_POST("%[c]", "%[third]", 1) TMC_LB_POST("%[d]", "%[fourth]", 1)
        TMC_PACK_LOW("%[a]", "%[b]", "%[a]") TMC_PACK_HIGH("%[a]", "%[d]", "%[c]")
        "7: " TMC_SW_STEP("%[a]", "%[y]", "%[y_pitch]")
        : [x] "+r"(x), [second] "+r"(second), [third] "+r"(third), [fourth] "+r"(fourth), [y] "+r"(y),
          [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)
        : [channels] "r"(channels), [y_pitch] "r"(y_pitch)
        : "memory");
#else
    for (uint32_t n = 0; n < channels; ++n, y += y_pitch) {
        const int8_t a = x[n], b = second[n], c = third[n], d = fourth[n];
        y[0] = a, y[1] = b, y[2] = c, y[3] = d;
    }
#endif
}

void tmc_epilogue_transposed_s8s8_xpulp(const tmc_epilogue_args *args)
{
    const tmc_share share = tmc_my_share(args->channels);
    const uint32_t x_pitch = args->x_pitch, y_pitch = args->y_pitch, channels = share.end - share.begin;
    const int8_t *x = (const int8_t *)args->x + share.begin;
    int8_t *y = (int8_t *)args->y + share.begin * y_pitch;
    if (channels == 0u)
        return;
    for (uint32_t fours = args->rows / 4u; fours != 0u; --fours) {
        turn_four(x, x_pitch, y, y_pitch, channels);
        x += 4u * x_pitch;
        y += 4;
    }
    for (uint32_t left = args->rows % 4u; left != 0u; --left) {
        int8_t *to = y++;
        for (uint32_t n = 0; n < channels; ++n, to += y_pitch)
            *to = x[n];
        x += x_pitch;
    }
}
