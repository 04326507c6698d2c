/* XpulpV2 instructions as functions: one instruction each on the cluster, portable C on a host.
 *
 * A word holds 4 bytes or 2 halves, the first in memory lowest. 32-bit results wrap.
 */
#ifndef TMC_XPULP_H
#define TMC_XPULP_H

#include <stdint.h>

#include "tmc_arithmetic.h"

#if defined(__riscv)
#include "tmc_xpulp_text.h"

/* d, a, b: lvalues and values of 32-bit types. */
#define TMC_XPULP_ACCUMULATE(text, d, a, b) __asm__(text("%0", "%1", "%2") : "+r"(d) : "r"(a), "r"(b))
#define TMC_XPULP_RESULT(text, d, a, b) __asm__(text("%0", "%1", "%2") : "=r"(d) : "r"(a), "r"(b))
#endif

/** Return the word at an address, a multiple of 4. */
static inline uint32_t tmc_word(const void *address)
{
    return *(const uint32_t *)__builtin_assume_aligned(address, 4);
}

/** Return the word at *address, a multiple of 4, and step over it (p.lw with post-increment). */
static inline uint32_t tmc_next_word(const uint8_t **address)
{
    uint32_t word;
#if defined(__riscv)
    __asm__(TMC_LW_POST("%0", "%1", 4) : "=r"(word), "+r"(*address) : : "memory");
#else
    __builtin_memcpy(&word, *address, sizeof word);
    *address += sizeof word;
#endif
    return word;
}

/** Return the word at *address, a multiple of 4, and add `step` to the address (p.lw with post-increment). */
static inline uint32_t tmc_word_step(const uint8_t **address, uint32_t step)
{
    uint32_t word;
#if defined(__riscv)
    __asm__(TMC_LW_STEP("%0", "%1", "%2") : "=&r"(word), "+r"(*address) : "r"(step) : "memory");
#else
    __builtin_memcpy(&word, *address, sizeof word);
    *address += step;
#endif
    return word;
}

/** Return byte i of a word, sign-extended. */
static inline int32_t tmc_byte_of(uint32_t word, uint32_t i)
{
    return (int8_t)(uint8_t)(word >> (8u * i));
}

/** Return half i of a word, sign-extended. */
static inline int32_t tmc_half_of(uint32_t word, uint32_t i)
{
    return (int16_t)(uint16_t)(word >> (16u * i));
}

/** Return sum + a * b (p.mac). */
static inline int32_t tmc_mac(int32_t sum, int32_t a, int32_t b)
{
#if defined(__riscv)
    TMC_XPULP_ACCUMULATE(TMC_MAC, sum, a, b);
    return sum;
#else
    return (int32_t)((uint32_t)sum + (uint32_t)a * (uint32_t)b);
#endif
}

/** Return sum + the dot product of 4 signed bytes each (pv.sdotsp.b). */
static inline int32_t tmc_sdot_s8s8(int32_t sum, uint32_t a, uint32_t b)
{
#if defined(__riscv)
    TMC_XPULP_ACCUMULATE(TMC_SDOT_S8S8, sum, a, b);
    return sum;
#else
    for (uint32_t i = 0; i < 4u; ++i)
        sum += tmc_byte_of(a, i) * tmc_byte_of(b, i);
    return sum;
#endif
}

/** Return sum + the dot product of 4 unsigned and 4 signed bytes (pv.sdotusp.b). */
static inline int32_t tmc_sdot_u8s8(int32_t sum, uint32_t a, uint32_t b)
{
#if defined(__riscv)
    TMC_XPULP_ACCUMULATE(TMC_SDOT_U8S8, sum, a, b);
    return sum;
#else
    for (uint32_t i = 0; i < 4u; ++i)
        sum += (uint8_t)(a >> (8u * i)) * tmc_byte_of(b, i);
    return sum;
#endif
}

/** Return sum + the dot product of 2 signed halves each (pv.sdotsp.h). */
static inline int32_t tmc_sdot_s16s16(int32_t sum, uint32_t a, uint32_t b)
{
#if defined(__riscv)
    TMC_XPULP_ACCUMULATE(TMC_SDOT_S16S16, sum, a, b);
    return sum;
#else
    for (uint32_t i = 0; i < 2u; ++i)
        sum += tmc_half_of(a, i) * tmc_half_of(b, i);
    return sum;
#endif
}

/** Return (a + b) >> shift (p.addNr). */
static inline int32_t tmc_add_shift(int32_t a, int32_t b, uint32_t shift)
{
#if defined(__riscv)
    TMC_XPULP_ACCUMULATE(TMC_ADD_SHIFT, a, b, shift);
    return a;
#else
    return (int32_t)((uint32_t)a + (uint32_t)b) >> shift;
#endif
}

/** Return a, saturated to 8 bits (p.clip). */
static inline int32_t tmc_clip_s8(int32_t a)
{
#if defined(__riscv)
    __asm__(TMC_CLIP("%0", "%1", 8) : "=r"(a) : "r"(a));
    return a;
#else
    return tmc_clip8(a);
#endif
}

/** Return a, saturated to 16 bits (p.clip). */
static inline int32_t tmc_clip_s16(int32_t a)
{
#if defined(__riscv)
    __asm__(TMC_CLIP("%0", "%1", 16) : "=r"(a) : "r"(a));
    return a;
#else
    return tmc_clip16(a);
#endif
}

/** Return a, saturated to -limit - 1 to limit (p.clipr). */
static inline int32_t tmc_clip_to(int32_t a, uint32_t limit)
{
#if defined(__riscv)
    TMC_XPULP_RESULT(TMC_CLIP_TO, a, a, limit);
    return a;
#else
    return tmc_clip(a, -(int32_t)limit - 1, (int32_t)limit);
#endif
}

/** Return the low halves of two words as one word (pv.pack.h). */
static inline uint32_t tmc_pack_halves(int32_t low, int32_t high)
{
#if defined(__riscv)
    uint32_t word;
    TMC_XPULP_RESULT(TMC_PACK_HALVES, word, high, low);
    return word;
#else
    return ((uint32_t)low & 0xFFFFu) | (uint32_t)high << 16;
#endif
}

/** Return bytes selected by the low 2 bits of each byte of `places` (pv.shuffle.b). */
static inline uint32_t tmc_shuffle_bytes(uint32_t word, uint32_t places)
{
#if defined(__riscv)
    uint32_t result;
    TMC_XPULP_RESULT(TMC_SHUFFLE_BYTES, result, word, places);
    return result;
#else
    uint32_t result = 0;
    for (uint32_t i = 0; i < 4u; ++i)
        result |= (word >> (8u * (places >> (8u * i) & 3u)) & 0xFFu) << (8u * i);
    return result;
#endif
}

/** Return bytes of two words, selected by the low 3 bits of each byte of `places`: 0 to 3 of a, 4 to 7 of b
 *  (pv.shuffle2.b). */
static inline uint32_t tmc_shuffle_both(uint32_t a, uint32_t b, uint32_t places)
{
#if defined(__riscv)
    TMC_XPULP_ACCUMULATE(TMC_SHUFFLE_BOTH, a, b, places);
    return a;
#else
    uint32_t result = 0;
    for (uint32_t i = 0; i < 4u; ++i) {
        const uint32_t place = places >> (8u * i) & 7u;
        result |= ((place > 3u ? b : a) >> (8u * (place & 3u)) & 0xFFu) << (8u * i);
    }
    return result;
#endif
}

/** Return both halves of a word shifted right, arithmetic (pv.sra.sc.h). */
static inline uint32_t tmc_shift_halves(uint32_t word, uint32_t shift)
{
#if defined(__riscv)
    uint32_t result;
    TMC_XPULP_RESULT(TMC_SHIFT_HALVES, result, word, shift);
    return result;
#else
    return ((uint32_t)(tmc_half_of(word, 0) >> shift) & 0xFFFFu) | (uint32_t)(tmc_half_of(word, 1) >> shift) << 16;
#endif
}

/** Return the first two bytes of a word, or the last two, sign-extended to halves. */
static inline uint32_t tmc_widen_low(uint32_t word)
{
    return tmc_shift_halves(tmc_shuffle_bytes(word, 0x01010000u), 8);
}

static inline uint32_t tmc_widen_high(uint32_t word)
{
    return tmc_shift_halves(tmc_shuffle_bytes(word, 0x03030202u), 8);
}

/** Return the greater of each half of two words, signed (pv.max.h). */
static inline uint32_t tmc_max_halves(uint32_t a, uint32_t b)
{
    uint32_t result = 0;
#if defined(__riscv)
    TMC_XPULP_RESULT(TMC_MAX_HALVES, result, a, b);
#else
    for (uint32_t i = 0; i < 2u; ++i) {
        const uint32_t chosen = tmc_half_of(a, i) > tmc_half_of(b, i) ? a : b;
        result |= chosen & 0xFFFFu << (16u * i);
    }
#endif
    return result;
}

/** Return the smaller of each half of two words, signed (pv.min.h). */
static inline uint32_t tmc_min_halves(uint32_t a, uint32_t b)
{
    uint32_t result = 0;
#if defined(__riscv)
    TMC_XPULP_RESULT(TMC_MIN_HALVES, result, a, b);
#else
    for (uint32_t i = 0; i < 2u; ++i) {
        const uint32_t chosen = tmc_half_of(a, i) < tmc_half_of(b, i) ? a : b;
        result |= chosen & 0xFFFFu << (16u * i);
    }
#endif
    return result;
}

/** Return the greater of each byte of two words, signed (pv.max.b). */
static inline uint32_t tmc_max_bytes(uint32_t a, uint32_t b)
{
    uint32_t result = 0;
#if defined(__riscv)
    TMC_XPULP_RESULT(TMC_MAX_BYTES, result, a, b);
#else
    for (uint32_t i = 0; i < 4u; ++i) {
        const uint32_t chosen = tmc_byte_of(a, i) > tmc_byte_of(b, i) ? a : b;
        result |= chosen & 0xFFu << (8u * i);
    }
#endif
    return result;
}

/** Return the smaller of each byte of two words, signed (pv.min.b). */
static inline uint32_t tmc_min_bytes(uint32_t a, uint32_t b)
{
    uint32_t result = 0;
#if defined(__riscv)
    TMC_XPULP_RESULT(TMC_MIN_BYTES, result, a, b);
#else
    for (uint32_t i = 0; i < 4u; ++i) {
        const uint32_t chosen = tmc_byte_of(a, i) < tmc_byte_of(b, i) ? a : b;
        result |= chosen & 0xFFu << (8u * i);
    }
#endif
    return result;
}

/** Return (a + 2^(shift-1)) >> shift, which does not overflow, and a where shift is 0 (p.addRNr). */
static inline int32_t tmc_rounded(int32_t a, uint32_t shift)
{
#if defined(__riscv)
    TMC_XPULP_ACCUMULATE(TMC_ADD_ROUND_SHIFT, a, 0, shift);
    return a;
#else
    return tmc_round_shift(a, shift);
#endif
}

/** Return the number of bits of a, above 0 (p.fl1). */
static inline uint32_t tmc_bits(uint32_t a)
{
#if defined(__riscv)
    uint32_t top;
    __asm__(TMC_TOP_BIT("%0", "%1") : "=r"(top) : "r"(a));
    return top + 1u;
#else
    return tmc_bit_length(a);
#endif
}

#endif
