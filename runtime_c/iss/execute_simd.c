/* Packed SIMD: 2 lanes of 16 bits or 4 lanes of 8. */
#include "execute.h"

static uint32_t repeat_h(uint32_t value) { return (value & 0xffff) * 0x00010001u; }
static uint32_t repeat_b(uint32_t value) { return (value & 0xff) * 0x01010101u; }

/* Define the register, repeated-lane and immediate form of an instruction; d is the old destination. */
#define FORMS(name, width, operation)                                                                \
    EXECUTE(pv_##name##_##width) { RD = operation(RD, RS1, RS2); }                                   \
    EXECUTE(pv_##name##_sc_##width) { RD = operation(RD, RS1, repeat_##width(RS2)); }                \
    EXECUTE(pv_##name##_sci_##width) { RD = operation(RD, RS1, repeat_##width(UIMM)); }

/* Define a function that computes each lane from the lanes x and y of both operands. */
#define LANES(name, width, count, bits, lane_type, expression)                                       \
    static inline uint32_t name##_##width(uint32_t d, uint32_t a, uint32_t b)                        \
    {                                                                                                \
        uint32_t result = 0;                                                                         \
        (void)d;                                                                                     \
        _Pragma("GCC unroll 4") for (unsigned i = 0; i < (count); i++)                               \
        {                                                                                            \
            int32_t x = (lane_type)(a >> (bits) * i), y = (lane_type)(b >> (bits) * i);              \
            result |= ((uint32_t)(expression) & ((1u << (bits)) - 1)) << (bits) * i;                 \
        }                                                                                            \
        return result;                                                                               \
    }                                                                                                \
    FORMS(name, width, name##_##width)

#define LANES_SIGNED(name, expression)                    \
    LANES(name, h, 2, 16, int16_t, expression)            \
    LANES(name, b, 4, 8, int8_t, expression)

#define LANES_UNSIGNED(name, expression)                  \
    LANES(name, h, 2, 16, uint16_t, expression)           \
    LANES(name, b, 4, 8, uint8_t, expression)

LANES_SIGNED(add, x + y)
LANES_SIGNED(sub, x - y)
/* Half the sum, but the sum has the width of a lane: its carry is lost. */
LANES(avg, h, 2, 16, int16_t, (int16_t)(x + y) >> 1)
LANES(avg, b, 4, 8, int8_t, (int8_t)(x + y) >> 1)
LANES(avgu, h, 2, 16, uint16_t, (uint16_t)(x + y) >> 1)
LANES(avgu, b, 4, 8, uint8_t, (uint8_t)(x + y) >> 1)
LANES_SIGNED(min, x < y ? x : y)
LANES_UNSIGNED(minu, x < y ? x : y)
LANES_SIGNED(max, x > y ? x : y)
LANES_UNSIGNED(maxu, x > y ? x : y)
LANES_UNSIGNED(or, x | y)
LANES_UNSIGNED(xor, x ^ y)
LANES_UNSIGNED(and, x & y)
LANES(srl, h, 2, 16, uint16_t, x >> (y & 15))
LANES(srl, b, 4, 8, uint8_t, x >> (y & 7))
LANES(sra, h, 2, 16, int16_t, x >> (y & 15))
LANES(sra, b, 4, 8, int8_t, x >> (y & 7))
LANES(sll, h, 2, 16, uint16_t, (uint32_t)x << (y & 15))
LANES(sll, b, 4, 8, uint8_t, (uint32_t)x << (y & 7))

/* All ones where the comparison holds. */
LANES_SIGNED(cmpeq, -(x == y))
LANES_SIGNED(cmpne, -(x != y))
LANES_SIGNED(cmpgt, -(x > y))
LANES_SIGNED(cmpge, -(x >= y))
LANES_SIGNED(cmplt, -(x < y))
LANES_SIGNED(cmple, -(x <= y))
LANES_UNSIGNED(cmpgtu, -(x > y))
LANES_UNSIGNED(cmpgeu, -(x >= y))
LANES_UNSIGNED(cmpltu, -(x < y))
LANES_UNSIGNED(cmpleu, -(x <= y))

/* Dot products; the s forms add to the destination. */
#define DOT(name, width, count, bits, a_type, b_type)                                                \
    static inline uint32_t name##_##width(uint32_t d, uint32_t a, uint32_t b)                        \
    {                                                                                                \
        uint32_t sum = 0;                                                                            \
        (void)d;                                                                                     \
        _Pragma("GCC unroll 4") for (unsigned i = 0; i < (count); i++)                               \
        {                                                                                            \
            int32_t x = (a_type)(a >> (bits) * i), y = (b_type)(b >> (bits) * i);                    \
            sum += (uint32_t)x * (uint32_t)y;                                                        \
        }                                                                                            \
        return sum;                                                                                  \
    }                                                                                                \
    static inline uint32_t s##name##_##width(uint32_t d, uint32_t a, uint32_t b)                     \
    {                                                                                                \
        return d + name##_##width(d, a, b);                                                          \
    }                                                                                                \
    FORMS(name, width, name##_##width)                                                               \
    FORMS(s##name, width, s##name##_##width)

DOT(dotup, h, 2, 16, uint16_t, uint16_t)
DOT(dotup, b, 4, 8, uint8_t, uint8_t)
DOT(dotusp, h, 2, 16, uint16_t, int16_t)
DOT(dotusp, b, 4, 8, uint8_t, int8_t)
DOT(dotsp, h, 2, 16, int16_t, int16_t)
DOT(dotsp, b, 4, 8, int8_t, int8_t)

/* Absolute value; that of the lowest number is itself. */
static uint32_t magnitude(uint32_t value, unsigned bits)
{
    uint32_t result = 0;
    for (unsigned i = 0; i < 32; i += bits) {
        int32_t lane = (int32_t)(value >> i << (32 - bits)) >> (32 - bits);
        result |= ((uint32_t)(lane < 0 ? -lane : lane) & ((1u << bits) - 1)) << i;
    }
    return result;
}

EXECUTE(pv_abs_h) { RD = magnitude(RS1, 16); }
EXECUTE(pv_abs_b) { RD = magnitude(RS1, 8); }

/* Single lanes. */
EXECUTE(pv_extract_h) { RD = (uint32_t)(int16_t)(RS1 >> 16 * (UIMM & 1)); }
EXECUTE(pv_extract_b) { RD = (uint32_t)(int8_t)(RS1 >> 8 * (UIMM & 3)); }
EXECUTE(pv_extractu_h) { RD = (uint16_t)(RS1 >> 16 * (UIMM & 1)); }
EXECUTE(pv_extractu_b) { RD = (uint8_t)(RS1 >> 8 * (UIMM & 3)); }

EXECUTE(pv_insert_h)
{
    uint32_t place = 0xffffu << 16 * (UIMM & 1);
    RD = (RD & ~place) | (RS1 << 16 * (UIMM & 1) & place);
}

EXECUTE(pv_insert_b)
{
    uint32_t place = 0xffu << 8 * (UIMM & 3);
    RD = (RD & ~place) | (RS1 << 8 * (UIMM & 3) & place);
}

/* Shuffles: each lane of the selector names a lane of the value. */
static uint32_t half_of(uint32_t value, uint32_t lane) { return value >> 16 * (lane & 1) & 0xffff; }
static uint32_t byte_of(uint32_t value, uint32_t lane) { return value >> 8 * (lane & 3) & 0xff; }

EXECUTE(pv_shuffle_h)
{
    uint32_t value = RS1, select = RS2;
    RD = half_of(value, select >> 16) << 16 | half_of(value, select);
}

EXECUTE(pv_shuffle_sci_h)
{
    uint32_t value = RS1;
    RD = half_of(value, UIMM >> 1) << 16 | half_of(value, UIMM);
}

EXECUTE(pv_shuffle_b)
{
    uint32_t value = RS1, select = RS2, result = 0;
    for (unsigned i = 0; i < 32; i += 8) {
        result |= byte_of(value, select >> i) << i;
    }
    RD = result;
}

/* The two bits of each lane come from the immediate, those of the highest lane from the mnemonic. */
static uint32_t shuffle_immediate(uint32_t value, uint32_t imm, uint32_t highest)
{
    return byte_of(value, highest) << 24 | byte_of(value, imm >> 4) << 16 | byte_of(value, imm >> 2) << 8 |
           byte_of(value, imm);
}

EXECUTE(pv_shufflei0_sci_b) { RD = shuffle_immediate(RS1, UIMM, 0); }
EXECUTE(pv_shufflei1_sci_b) { RD = shuffle_immediate(RS1, UIMM, 1); }
EXECUTE(pv_shufflei2_sci_b) { RD = shuffle_immediate(RS1, UIMM, 2); }
EXECUTE(pv_shufflei3_sci_b) { RD = shuffle_immediate(RS1, UIMM, 3); }

/* The bit above the lane number chooses between the operand (1) and the old destination (0). */
EXECUTE(pv_shuffle2_h)
{
    uint32_t select = RS2, low = select & 2 ? RS1 : RD, high = select >> 16 & 2 ? RS1 : RD;
    RD = half_of(high, select >> 16) << 16 | half_of(low, select);
}

EXECUTE(pv_shuffle2_b)
{
    uint32_t select = RS2, result = 0;
    for (unsigned i = 0; i < 32; i += 8) {
        result |= byte_of(select >> i & 4 ? RS1 : RD, select >> i) << i;
    }
    RD = result;
}

/* Packs of the lowest lanes. */
EXECUTE(pv_pack_h) { RD = RS1 << 16 | (RS2 & 0xffff); }
EXECUTE(pv_packhi_b) { RD = (RD & 0x0000ffffu) | (RS1 & 0xff) << 24 | (RS2 & 0xff) << 16; }
EXECUTE(pv_packlo_b) { RD = (RD & 0xffff0000u) | (RS1 & 0xff) << 8 | (RS2 & 0xff); }
