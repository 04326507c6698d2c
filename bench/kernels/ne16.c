/* Cycles of the kernels that finish tiles of NE16's results, and of a LayerNorm that makes what it reads, on tiles in
 * L1. Warm, with the barriers. */
#include "cycles.h"
#include "tmc_kernels.h"

enum { ROWS = 72, CHANNELS = 96, CODE_PITCH = 100, WIDE_PITCH = 196, SUM_PITCH = 388, TURNED_PITCH = 76 };
enum { NORM_ROWS = 80, NORM_CHANNELS = 192, NORM_X_PITCH = 388, NORM_Y_PITCH = 196 };

IN_L1 static int32_t x[ROWS * SUM_PITCH / 4];
IN_L1 static int16_t y[NORM_ROWS * NORM_Y_PITCH / 2] __attribute__((aligned(4)));
IN_L1 static int8_t table[256] __attribute__((aligned(4)));

IN_L1 static int16_t halves[NORM_ROWS * NORM_X_PITCH / 2] __attribute__((aligned(4)));
IN_L1 static int16_t gamma_[NORM_CHANNELS] __attribute__((aligned(4)));
IN_L1 static int32_t beta[NORM_CHANNELS];
IN_L1 static int32_t epsilon[21];
IN_L1 static uint16_t rsqrt[96];

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

static void measure_norm(void)
{
    const tmc_layernorm_args args = {
        .x = halves, .y = y, .gamma = gamma_, .beta = beta, .epsilon = epsilon, .rsqrt = rsqrt, .x_pitch = NORM_X_PITCH,
        .y_pitch = NORM_Y_PITCH, .rows = NORM_ROWS, .channels = NORM_CHANNELS, .center_bits = 11, .norm_bits = 11,
        .root = 28378, .gamma_shift = 20, .centred = 1,
    };
    begin_case("layernorm_unsigned", "80x192", NORM_ROWS * NORM_CHANNELS, 0);
    tmc_layernorm_s16u8_xpulp(&args);
    end_cases();
}

void measure(void)
{
    for (uint32_t i = tmc_core_id(); i < 96u; i += TMC_CORES)
        rsqrt[i] = (uint16_t)(46000u - 240u * i);
    for (uint32_t i = tmc_core_id(); i < 21u; i += TMC_CORES)
        epsilon[i] = 1;
    fill_random(halves, sizeof halves);
    fill_random(gamma_, sizeof gamma_);
    fill_random(beta, sizeof beta);
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
    measure_norm();
    measure_norm();
}
