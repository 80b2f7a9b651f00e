/* Scalar float16, bfloat16 and unaligned loads, exact in plain C. */
#ifndef GS_COMPUTE_CPU_REF_HALF_H
#define GS_COMPUTE_CPU_REF_HALF_H

#include <stdint.h>
#include <string.h>

static inline float float_from_bits(uint32_t u)
{
    float f;

    memcpy(&f, &u, sizeof(f));
    return f;
}

static inline uint32_t float_to_bits(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof(u));
    return u;
}

static inline uint16_t load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline float half_to_float(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    const uint32_t rest = h & 0x7fff;

    if (rest >= 0x7c00) /* infinity, or NaN (made quiet) */
        return float_from_bits(sign | 0x7f800000 | (rest & 0x3ff) << 13 |
                               (rest > 0x7c00 ? 0x400000u : 0));
    if (rest >= 0x400)
        return float_from_bits(sign | (rest + (112u << 10)) << 13);
    return float_from_bits(sign | float_to_bits((float)rest * 0x1p-24f)); /* subnormal or 0 */
}

/* To nearest, ties to even. */
static inline uint16_t float_to_half(float f)
{
    const uint32_t u = float_to_bits(f);
    const uint16_t sign = (uint16_t)(u >> 16 & 0x8000);
    const uint32_t rest = u & 0x7fffffff;

    if (rest > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (rest >> 13 & 0x3ff));
    if (rest >= 0x477ff000) /* rounds to 65536 or more */
        return (uint16_t)(sign | 0x7c00);
    if (rest < 0x38800000) /* below 2^-14: adding 0.5 leaves steps of 2^-24 in the mantissa */
        return (uint16_t)(sign |
                          (float_to_bits(float_from_bits(rest) + 0.5f) - float_to_bits(0.5f)));
    return (uint16_t)(sign | ((rest - (112u << 23) + 0xfff + (rest >> 13 & 1)) >> 13));
}

static inline float load_half(const uint8_t *p)
{
    return half_to_float(load_u16(p));
}

static inline float bf16_to_float(uint16_t b)
{
    return float_from_bits((uint32_t)b << 16);
}

/* 2^(e - 128): half of the E8M0 scale, as MXFP4's doubled values want it. */
static inline float e8m0_half_to_float(uint8_t e)
{
    return float_from_bits(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23);
}

/* Half of an unsigned E4M3 (its top bit unused), as NVFP4's doubled values want it: the fields
 * moved to their places in a float, whose exponent is then 119 too small. 0x7f stands for 0. */
static inline float e4m3_half_to_float(uint8_t e)
{
    return e == 0x7f ? 0 : float_from_bits((uint32_t)(e & 0x7f) << 20) * 0x1p119f;
}

#endif
