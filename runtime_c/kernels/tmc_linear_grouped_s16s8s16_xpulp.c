#include "tmc_xpulp_linear.h"

static void put(uintptr_t y, uintptr_t y_pitch, uint32_t r, uint32_t n, int32_t value, const int8_t *table)
{
    (void)table;
    ((int16_t *)(y + r * y_pitch))[n] = (int16_t)tmc_clip_s16(value);
}

/* 40 instructions for 5 rows. */
#define FINISH(rows) TMC_LINEAR_EACH(rows, TMC_LINEAR_CLIP16) TMC_LINEAR_EACH_ROW(rows, TMC_LINEAR_STORE16)
TMC_LINEAR_RUN_GROUPED(run, FINISH, put)

/* Computes channels [n, end) of row r, whose biases begin at `bias`. */
static __attribute__((noinline)) void rest(const tmc_linear_args *args, const int32_t *bias, uint32_t r, uint32_t n,
                                           uint32_t end)
{
    const uint32_t words = (args->depth + 1u) / 2u;
    const uint8_t *x = (const uint8_t *)args->x + r * args->x_pitch;
    for (; n < end; ++n) {
        const int8_t *weight = args->weight + n * args->weight_pitch;
        int32_t sum = 0;
        for (uint32_t k = 0; k < words; ++k)
            sum = tmc_sdot_s16s16(sum, tmc_word(x + 4u * k), tmc_word(weight + 4u * k));
        sum = tmc_mac(bias[n], sum, (int32_t)tmc_word(weight + 4u * words)) >> args->shift;
        put((uintptr_t)args->y, args->y_pitch, r, n, sum, NULL);
    }
}

void tmc_linear_grouped_s16s8s16_xpulp(const tmc_linear_args *args)
{
    const tmc_part part = tmc_my_part(args->rows, args->channels, args->split);
    const uint32_t n = part.channels.begin, blocks = (part.channels.end - n) / TMC_BLOCK_CHANNELS;
    const uint32_t done = n + blocks * TMC_BLOCK_CHANNELS;
    for (uint32_t r = part.rows.begin; r < part.rows.end;) {
        /* Rows of a block have a bias each, or all the same. */
        const uint32_t group = args->group_rows != 1u ? (args->row0 + r) / args->group_rows : args->row0 + r;
        const uint32_t group_end = (group + 1u) * args->group_rows - args->row0;
        const uint32_t end = args->group_rows != 1u && group_end < part.rows.end ? group_end : part.rows.end;
        const uint32_t rows = end - r < TMC_BLOCK_ROWS ? end - r : TMC_BLOCK_ROWS;
        const uint32_t bias_step = args->group_rows == 1u ? args->bias_channels : 0u;
        const int32_t *bias = args->bias + group * args->bias_channels;
        if (blocks != 0u) {
            tmc_linear_blocks chain;
            tmc_linear_begin(&chain, args, r, rows, n, blocks, (args->depth + 1u) / 2u, (uintptr_t)args->y,
                             args->y_pitch, 2);
            chain.bias = (uintptr_t)(bias + n);
            chain.bias_pitch = 4u * bias_step;
            run(&chain, rows);
        }
        for (uint32_t i = 0; done < part.channels.end && i < rows; ++i)
            rest(args, bias + i * bias_step, r + i, done, part.channels.end);
        r += rows;
    }
}
