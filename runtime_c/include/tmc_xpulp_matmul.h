/* The xpulp products of computed matrices, for both types of result: a row of x with 4 rows of z at a time.
 *
 * Codes are multiplied as they are: sum (x - x0) (z - z0) = sum x z - z0 sum x - x0 sum z + depth x0 z0. */
#ifndef TMC_XPULP_MATMUL_H
#define TMC_XPULP_MATMUL_H

#include "tmc_kernels.h"
#include "tmc_xpulp_codes.h"

/** Sums over the elements of a row of x: of the products with 4 rows of z, and of x itself. */
typedef struct {
    int32_t products[4];
    int32_t of_x;
} tmc_row_sums;

/** Return the sums of 4 elements times `rounds`, at least 1. 10 instructions a round. */
static inline tmc_row_sums tmc_sum_fours(const int8_t *x, const int8_t *z, uint32_t pitch, uint32_t rounds)
{
    tmc_row_sums sums = {{0, 0, 0, 0}, 0};
    const uint8_t *words = (const uint8_t *)x, *z0 = (const uint8_t *)z;
    const uint8_t *z1 = z0 + pitch, *z2 = z1 + pitch, *z3 = z2 + pitch;
#if defined(__riscv)
    uint32_t word, a, b, c, d;
    __asm__(".balign 4\n"
            TMC_LOOP(0, "%[rounds]", 10, 7)
            TMC_LW_POST("%[word]", "%[words]", 4) TMC_LW_POST("%[a]", "%[z0]", 4) TMC_LW_POST("%[b]", "%[z1]", 4)
            TMC_LW_POST("%[c]", "%[z2]", 4) TMC_LW_POST("%[d]", "%[z3]", 4)
            TMC_SDOT_S8S8("%[sum0]", "%[word]", "%[a]") TMC_SDOT_S8S8("%[sum1]", "%[word]", "%[b]")
            TMC_SDOT_S8S8("%[sum2]", "%[word]", "%[c]") TMC_SDOT_S8S8("%[sum3]", "%[word]", "%[d]")
            "7: " TMC_SDOT_S8S8("%[of_x]", "%[word]", "%[ones]")
            : [words] "+r"(words), [z0] "+r"(z0), [z1] "+r"(z1), [z2] "+r"(z2), [z3] "+r"(z3), [word] "=&r"(word),
              [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [sum0] "+r"(sums.products[0]),
              [sum1] "+r"(sums.products[1]), [sum2] "+r"(sums.products[2]), [sum3] "+r"(sums.products[3]),
              [of_x] "+r"(sums.of_x)
            : [rounds] "r"(rounds), [ones] "r"(0x01010101u)
            : "memory");
#else
    for (uint32_t i = 0; i < rounds; ++i) {
        const uint32_t word = tmc_next_word(&words);
        sums.products[0] = tmc_sdot_s8s8(sums.products[0], word, tmc_next_word(&z0));
        sums.products[1] = tmc_sdot_s8s8(sums.products[1], word, tmc_next_word(&z1));
        sums.products[2] = tmc_sdot_s8s8(sums.products[2], word, tmc_next_word(&z2));
        sums.products[3] = tmc_sdot_s8s8(sums.products[3], word, tmc_next_word(&z3));
        sums.of_x = tmc_sdot_s8s8(sums.of_x, word, 0x01010101u);
    }
#endif
    return sums;
}

/** Return the sum of a row. */
static inline int32_t tmc_sum_of_row(const int8_t *row, uint32_t depth)
{
    const uint8_t *words = (const uint8_t *)row;
    int32_t sum = 0;
    for (uint32_t left = depth / 4u; left != 0u; --left)
        sum = tmc_sdot_s8s8(sum, tmc_next_word(&words), 0x01010101u);
    for (uint32_t k = depth & ~3u; k < depth; ++k)
        sum += row[k];
    return sum;
}

/** Store the result of a sum of products of codes, less what the zero points make of it. */
static inline void tmc_store_product(const tmc_matmul_args *args, void *y, uint32_t c, uint32_t y_bytes, int32_t sum)
{
    const int32_t narrow = tmc_rounded(sum, args->narrowing);
    tmc_store_clipped(y, c, y_bytes, tmc_mac(args->bias, narrow, args->multiplier) >> args->shift);
}

/** Compute 4 columns of some rows, from column c on. */
static inline void tmc_matmul_fours(const tmc_matmul_args *args, tmc_share rows, uint32_t c, uint32_t y_bytes)
{
    const uint32_t depth = args->depth, pitch = args->z_pitch;
    const int8_t *z = args->z + c * pitch;
    int32_t of_z[4];
    for (uint32_t i = 0; i < 4u; ++i)
        of_z[i] = args->x_zero_point * ((int32_t)depth * args->z_zero_point - tmc_sum_of_row(z + i * pitch, depth));
    for (uint32_t r = rows.begin; r < rows.end; ++r) {
        const int8_t *x = args->x + r * args->x_pitch;
        tmc_row_sums sums = {{0, 0, 0, 0}, 0};
        if (depth >= 4u)
            sums = tmc_sum_fours(x, z, pitch, depth / 4u);
        for (uint32_t k = depth & ~3u; k < depth; ++k) {
            for (uint32_t i = 0; i < 4u; ++i)
                sums.products[i] += x[k] * z[k + i * pitch];
            sums.of_x += x[k];
        }
        const int32_t of_x = args->z_zero_point * sums.of_x;
        void *y = (uint8_t *)args->y + r * args->y_pitch;
        for (uint32_t i = 0; i < 4u; ++i)
            tmc_store_product(args, y, c + i, y_bytes, sums.products[i] + of_z[i] - of_x);
    }
}

/** Compute one column of some rows. */
static inline void tmc_matmul_one(const tmc_matmul_args *args, tmc_share rows, uint32_t c, uint32_t y_bytes)
{
    const uint32_t depth = args->depth;
    const int32_t x_zero = args->x_zero_point, z_zero = args->z_zero_point;
    const int8_t *z = args->z + c * args->z_pitch;
    const int32_t of_z = x_zero * ((int32_t)depth * z_zero - tmc_sum_of_row(z, depth));
    for (uint32_t r = rows.begin; r < rows.end; ++r) {
        const int8_t *x = args->x + r * args->x_pitch;
        const uint8_t *words = (const uint8_t *)x, *others = (const uint8_t *)z;
        int32_t sum = of_z, of_x = 0;
        for (uint32_t left = depth / 4u; left != 0u; --left) {
            const uint32_t word = tmc_next_word(&words);
            sum = tmc_sdot_s8s8(sum, word, tmc_next_word(&others));
            of_x = tmc_sdot_s8s8(of_x, word, 0x01010101u);
        }
        for (uint32_t k = depth & ~3u; k < depth; ++k) {
            sum += x[k] * z[k];
            of_x += x[k];
        }
        tmc_store_product(args, (uint8_t *)args->y + r * args->y_pitch, c, y_bytes, sum - z_zero * of_x);
    }
}

/** Compute the calling core's results: rows of x, or of z where these are more. */
static inline void tmc_matmul_fast(const tmc_matmul_args *args, uint32_t y_bytes)
{
    const tmc_share all_rows = {0, args->rows}, all_columns = {0, args->z_rows};
    const uint32_t by_rows = args->rows >= args->z_rows;
    const tmc_share rows = by_rows ? tmc_my_share(args->rows) : all_rows;
    const tmc_share columns = by_rows ? all_columns : tmc_my_share(args->z_rows);
    uint32_t c = columns.begin;
    for (; c + 4u <= columns.end; c += 4u)
        tmc_matmul_fours(args, rows, c, y_bytes);
    for (; c < columns.end; ++c)
        tmc_matmul_one(args, rows, c, y_bytes);
}

#endif
