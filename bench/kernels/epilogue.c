/* Cycles of the kernels that finish tiles of NE16's results, on tiles in L1. Warm, with the barriers. */
#include "cycles.h"
#include "tmc_kernels.h"

enum { ROWS = 72, CHANNELS = 96, CODE_PITCH = 100, WIDE_PITCH = 196, SUM_PITCH = 388, TURNED_PITCH = 76 };

IN_L1 static int32_t x[ROWS * SUM_PITCH / 4];
IN_L1 static int16_t y[ROWS * WIDE_PITCH / 2] __attribute__((aligned(4)));
IN_L1 static int8_t table[256] __attribute__((aligned(4)));

typedef void kernel(const tmc_epilogue_args *args);

typedef struct {
    const char *name;
    kernel *compute;
    const char *size;
    uint32_t rows, channels, split, x_pitch, y_pitch;
} tile;

#define TILE(name, rows, channels, split, x_pitch, y_pitch) \
    {"epilogue_" #name, tmc_epilogue_##name##_xpulp, #rows "x" #channels ",split" #split, rows, channels, split, \
     x_pitch, y_pitch}
#define TILES(name, x_pitch, y_pitch) \
    TILE(name, 72, 96, 0, x_pitch, y_pitch), TILE(name, 72, 32, 0, x_pitch, y_pitch), \
    TILE(name, 9, 96, 0, x_pitch, y_pitch), TILE(name, 9, 96, 3, x_pitch, y_pitch), \
    TILE(name, 27, 32, 1, x_pitch, y_pitch)

static const tile tiles[] = {
    TILES(table_s8s8, CODE_PITCH, CODE_PITCH),
    TILES(add_s32s16, SUM_PITCH, WIDE_PITCH),
    TILES(s32s16, SUM_PITCH, WIDE_PITCH),
    TILES(transposed_s8s8, CODE_PITCH, TURNED_PITCH),
    TILE(transposed_s8s8, 75, 96, 0, CODE_PITCH, TURNED_PITCH),
};

void measure(void)
{
    fill_random(x, sizeof x);
    fill_random(y, sizeof y);
    fill_random(table, sizeof table);
    for (uint32_t i = 0; i < sizeof tiles / sizeof *tiles; ++i) {
        const tile *of = &tiles[i];
        const tmc_epilogue_args args = {
            .x = x, .y = y, .table = table, .x_pitch = of->x_pitch, .y_pitch = of->y_pitch, .rows = of->rows,
            .channels = of->channels, .split = of->split,
        };
        for (uint32_t round = 0; round < 2u; ++round) {
            begin_case(of->name, of->size, of->rows * of->channels, 0);
            of->compute(&args);
            end_cases();
        }
    }
}
