/* XpulpV2 on whole registers: comparison, bits, addition with a shift, multiplication. */
#include "execute.h"

static int32_t minimum(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t maximum(int32_t a, int32_t b) { return a > b ? a : b; }

/* Comparison, minimum, maximum, extension. */
EXECUTE(p_slet) { RD = (int32_t)RS1 <= (int32_t)RS2; }
EXECUTE(p_sletu) { RD = RS1 <= RS2; }
EXECUTE(p_min) { RD = (uint32_t)minimum((int32_t)RS1, (int32_t)RS2); }
EXECUTE(p_minu) { RD = RS1 < RS2 ? RS1 : RS2; }
EXECUTE(p_max) { RD = (uint32_t)maximum((int32_t)RS1, (int32_t)RS2); }
EXECUTE(p_maxu) { RD = RS1 > RS2 ? RS1 : RS2; }
EXECUTE(p_abs) { RD = (int32_t)RS1 < 0 ? -RS1 : RS1; }
EXECUTE(p_exths) { RD = (uint32_t)(int16_t)RS1; }
EXECUTE(p_exthz) { RD = (uint16_t)RS1; }
EXECUTE(p_extbs) { RD = (uint32_t)(int8_t)RS1; }
EXECUTE(p_extbz) { RD = (uint8_t)RS1; }

/* Clipping to [-bound - 1, bound], or to [0, bound]; the immediate n stands for the bound 2^(n-1) - 1. */
static uint32_t clip(uint32_t value, int32_t low, int32_t high)
{
    return (uint32_t)((int32_t)value <= low ? low : minimum((int32_t)value, high));
}

static int32_t clip_bound(uint32_t bits) { return bits == 0 ? 0 : (int32_t)((1u << (bits - 1)) - 1); }

EXECUTE(p_clipi) { RD = clip(RS1, -clip_bound(UIMM) - 1, clip_bound(UIMM)); }
EXECUTE(p_clipui) { RD = clip(RS1, 0, clip_bound(UIMM)); }
EXECUTE(p_clip) { RD = clip(RS1, (int32_t)~RS2, (int32_t)RS2); }
EXECUTE(p_clipu) { RD = clip(RS1, 0, (int32_t)RS2); }

/* Counting bits. */
EXECUTE(p_ff1) { RD = RS1 == 0 ? 32 : (uint32_t)__builtin_ctz(RS1); }
EXECUTE(p_fl1) { RD = RS1 == 0 ? 32 : 31 - (uint32_t)__builtin_clz(RS1); }
EXECUTE(p_cnt) { RD = (uint32_t)__builtin_popcount(RS1); }
EXECUTE(p_clb) { RD = RS1 == 0 ? 0 : (uint32_t)__builtin_clrsb((int)RS1); }

EXECUTE(p_ror)
{
    uint32_t value = RS1, amount = RS2 & 31;
    RD = amount == 0 ? value : value >> amount | value << (32 - amount);
}

/* Bit fields: a position, and a width from 1 to 32; a field that reaches beyond bit 31 is cut there. */
#define POSITION(field) ((field) & 31)
#define WIDTH(field) (((field) >> 5 & 31) + 1)
#define MASK(field) (0xffffffffu >> (32 - WIDTH(field)))

static uint32_t extract_signed(uint32_t value, uint32_t field)
{
    uint32_t unused = 32 - WIDTH(field), shifted = (uint32_t)((int32_t)value >> POSITION(field));
    return (uint32_t)((int32_t)(shifted << unused) >> unused);
}

static uint32_t extract(uint32_t value, uint32_t field) { return value >> POSITION(field) & MASK(field); }

static uint32_t insert(uint32_t into, uint32_t value, uint32_t field)
{
    uint32_t place = MASK(field) << POSITION(field);
    return (into & ~place) | (value << POSITION(field) & place);
}

EXECUTE(p_extracti) { RD = extract_signed(RS1, UIMM); }
EXECUTE(p_extractui) { RD = extract(RS1, UIMM); }
EXECUTE(p_extract) { RD = extract_signed(RS1, RS2); }
EXECUTE(p_extractu) { RD = extract(RS1, RS2); }
EXECUTE(p_inserti) { RD = insert(RD, RS1, UIMM); }
EXECUTE(p_insert) { RD = insert(RD, RS1, RS2); }
EXECUTE(p_bseti) { RD = RS1 | MASK(UIMM) << POSITION(UIMM); }
EXECUTE(p_bclri) { RD = RS1 & ~(MASK(UIMM) << POSITION(UIMM)); }
EXECUTE(p_bset) { RD = RS1 | MASK(RS2) << POSITION(RS2); }
EXECUTE(p_bclr) { RD = RS1 & ~(MASK(RS2) << POSITION(RS2)); }

/* Shifts after an addition or a product: rounding adds half of the last place, modulo 2^32. */
static uint32_t half_place(uint32_t shift) { return shift == 0 ? 0 : 1u << (shift - 1); }
static uint32_t arithmetic(uint32_t value, uint32_t shift) { return (uint32_t)((int32_t)value >> shift); }
static uint32_t logical(uint32_t value, uint32_t shift) { return value >> shift; }

#define SHIFTED(function, value, shift_right, shift)                                              \
    EXECUTE(p_##function##N) { RD = shift_right((value), (shift)); }                              \
    EXECUTE(p_##function##RN) { RD = shift_right((value) + half_place(shift), (shift)); }

#define SHIFTED_IMMEDIATE(function, value, shift_right)                                           \
    EXECUTE(p_##function##Ni) { RD = shift_right((value), UIMM); }                                \
    EXECUTE(p_##function##RNi) { RD = shift_right((value) + half_place(UIMM), UIMM); }

SHIFTED_IMMEDIATE(add, RS1 + RS2, arithmetic)
SHIFTED_IMMEDIATE(addu, RS1 + RS2, logical)
SHIFTED_IMMEDIATE(sub, RS1 - RS2, arithmetic)
SHIFTED_IMMEDIATE(subu, RS1 - RS2, logical)

/* With the shift in a register, the destination is the first operand. */
SHIFTED(add, RD + RS1, arithmetic, RS2 & 31)
SHIFTED(addu, RD + RS1, logical, RS2 & 31)
SHIFTED(sub, RD - RS1, arithmetic, RS2 & 31)
SHIFTED(subu, RD - RS1, logical, RS2 & 31)

/* Products of low (s, u) or high (hhs, hhu) halves. */
#define PRODUCT_S ((uint32_t)((int16_t)RS1 * (int16_t)RS2))
#define PRODUCT_U ((RS1 & 0xffff) * (RS2 & 0xffff))
#define PRODUCT_HHS ((uint32_t)(((int32_t)RS1 >> 16) * ((int32_t)RS2 >> 16)))
#define PRODUCT_HHU ((RS1 >> 16) * (RS2 >> 16))

#define PRODUCTS(kind, product, shift_right)                     \
    EXECUTE(p_mul##kind) { RD = product; }                       \
    EXECUTE(p_mac##kind) { RD = RD + product; }                  \
    SHIFTED(mul##kind, product, shift_right, UIMM)               \
    SHIFTED(mac##kind, RD + product, shift_right, UIMM)

PRODUCTS(s, PRODUCT_S, arithmetic)
PRODUCTS(u, PRODUCT_U, logical)
PRODUCTS(hhs, PRODUCT_HHS, arithmetic)
PRODUCTS(hhu, PRODUCT_HHU, logical)

EXECUTE(p_mac) { RD = RD + RS1 * RS2; }
EXECUTE(p_msu) { RD = RD - RS1 * RS2; }
