/* Dequantisation of the formats with codebooks (IQ1, IQ2, IQ3), of trits (TQ1_0, TQ2_0) and of
 * NVFP4; the layouts are in compute/blocks.h. */
#include "compute/cpu/ref/ref.h"

#include "compute/blocks.h"
#include "compute/cpu/ref/half.h"
#include "compute/iq_grids.h"

/* ---- IQ2, IQ3 ---- */

/* Bits 0..6 with the eighth that makes their number even. */
static unsigned eight_signs(unsigned seven)
{
    unsigned p = seven ^ seven >> 4;

    p ^= p >> 2;
    p ^= p >> 1;
    return seven | (p & 1) << 7;
}

/* Eight values from the bytes of an entry and a byte of signs. */
static void put_eight(float *out, float scale, uint64_t entry, unsigned signs)
{
    for (int i = 0; i < 8; i++) {
        const float v = scale * (float)(entry >> 8 * i & 255);
        out[i] = signs >> i & 1 ? -v : v;
    }
}

/* Four times seven signs and a scale: signs of eight k. */
static unsigned signs_of_word(uint32_t word, size_t k)
{
    return eight_signs(word >> 7 * k & 127);
}

static float odd_scale(float d, unsigned scale)
{
    return d * (float)(2 * scale + 1);
}

static unsigned nibble(const uint8_t *p, size_t i)
{
    return (unsigned)p[i / 2] >> i % 2 * 4 & 15u;
}

void gs_kernels_dequant_iq2_xxs_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_iq2_xxs *b = row;

    for (; n > 0; n -= 256, out += 256, b++) {
        for (size_t i = 0; i < 32; i++) {
            const uint8_t *group = b->qs + i / 4 * 8;
            const uint32_t word = load_u32(group + 4);
            put_eight(out + 8 * i, odd_scale(load_half(b->d) / 8, word >> 28),
                      gs_kernels_iq2_xxs_grid[group[i % 4]], signs_of_word(word, i % 4));
        }
    }
}

void gs_kernels_dequant_iq2_xs_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_iq2_xs *b = row;

    for (; n > 0; n -= 256, out += 256, b++) {
        for (size_t i = 0; i < 32; i++) {
            const unsigned word = load_u16(b->qs + 2 * i);
            put_eight(out + 8 * i, odd_scale(load_half(b->d) / 8, nibble(b->scales, i / 2)),
                      gs_kernels_iq2_xs_grid[word & 511], eight_signs(word >> 9));
        }
    }
}

void gs_kernels_dequant_iq2_s_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_iq2_s *b = row;

    for (; n > 0; n -= 256, out += 256, b++) {
        for (size_t i = 0; i < 32; i++) {
            const unsigned high = (unsigned)b->qh[i / 4] >> i % 4 * 2 & 3u;
            put_eight(out + 8 * i, odd_scale(load_half(b->d) / 8, nibble(b->scales, i / 2)),
                      gs_kernels_iq2_s_grid[b->qs[i] | high << 8], b->signs[i]);
        }
    }
}

void gs_kernels_dequant_iq3_xxs_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_iq3_xxs *b = row;

    for (; n > 0; n -= 256, out += 256, b++) {
        for (size_t i = 0; i < 32; i++) {
            const uint32_t word = load_u32(b->signs + i / 4 * 4);
            const uint64_t low = gs_kernels_iq3_xxs_grid[b->qs[2 * i]];
            const uint64_t high = gs_kernels_iq3_xxs_grid[b->qs[2 * i + 1]];
            put_eight(out + 8 * i, odd_scale(load_half(b->d) / 4, word >> 28), low | high << 32,
                      signs_of_word(word, i % 4));
        }
    }
}

static uint64_t iq3_s_entry(const struct gs_block_iq3_s *b, size_t i)
{
    return gs_kernels_iq3_s_grid[b->qs[i] | ((unsigned)b->qh[i / 8] >> i % 8 & 1u) << 8];
}

void gs_kernels_dequant_iq3_s_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_iq3_s *b = row;

    for (; n > 0; n -= 256, out += 256, b++) {
        for (size_t i = 0; i < 32; i++)
            put_eight(out + 8 * i, odd_scale(load_half(b->d), nibble(b->scales, i / 4)),
                      iq3_s_entry(b, 2 * i) | iq3_s_entry(b, 2 * i + 1) << 32, b->signs[i]);
    }
}

/* ---- IQ1 ---- */

/* grid - 1/8 or + 1/8 of eight values; the bytes of an entry are 8 (value + 1). */
static void put_shifted(float *out, float scale, uint64_t entry, unsigned minus)
{
    for (int i = 0; i < 8; i++) {
        const int eighths = (int)(entry >> 8 * i & 255) - 8 + (minus ? -1 : 1);
        out[i] = scale * ((float)eighths / 8);
    }
}

void gs_kernels_dequant_iq1_s_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_iq1_s *b = row;

    for (; n > 0; n -= 256, out += 256, b++) {
        for (size_t i = 0; i < 32; i++) {
            const unsigned word = load_u16(b->qh + i / 4 * 2);
            const unsigned high = word >> i % 4 * 3 & 7;
            put_shifted(out + 8 * i, odd_scale(load_half(b->d), word >> 12 & 7),
                        gs_kernels_iq1_grid[b->qs[i] | high << 8], word >> 15);
        }
    }
}

static float iq1_m_d(const uint8_t *scales)
{
    unsigned d = 0;

    for (size_t i = 0; i < 4; i++)
        d |= (unsigned)(load_u16(scales + 2 * i) >> 12) << 4 * i;
    return half_to_float((uint16_t)d);
}

void gs_kernels_dequant_iq1_m_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_iq1_m *b = row;

    for (; n > 0; n -= 256, out += 256, b++) {
        const float d = iq1_m_d(b->scales);
        for (size_t i = 0; i < 32; i++) {
            const unsigned high = nibble(b->qh, i);
            const unsigned scale = (unsigned)load_u16(b->scales + i / 8 * 2) >> i / 2 % 4 * 3 & 7u;
            put_shifted(out + 8 * i, odd_scale(d, scale),
                        gs_kernels_iq1_grid[b->qs[i] | (high & 7) << 8], high >> 3);
        }
    }
}

/* ---- trits ---- */

/* Digit k of b / 256 in base 3. */
static int trit(uint8_t b, size_t k)
{
    static const uint8_t power[] = {1, 3, 9, 27, 81};
    const uint8_t rest = (uint8_t)(b * power[k]);

    return rest * 3 >> 8;
}

void gs_kernels_dequant_tq1_0_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_tq1_0 *b = row;

    for (; n > 0; n -= 256, out += 256, b++) {
        const float d = load_half(b->d);
        for (size_t i = 0; i < 160; i++)
            out[i] = d * (float)(trit(b->qs[i % 32], i / 32) - 1);
        for (size_t i = 0; i < 80; i++)
            out[160 + i] = d * (float)(trit(b->qs[32 + i % 16], i / 16) - 1);
        for (size_t i = 0; i < 16; i++)
            out[240 + i] = d * (float)(trit(b->qh[i % 4], i / 4) - 1);
    }
}

void gs_kernels_dequant_tq2_0_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_tq2_0 *b = row;

    for (; n > 0; n -= 256, out += 256, b++) {
        const float d = load_half(b->d);
        for (int i = 0; i < 256; i++)
            out[i] = d * (float)((b->qs[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3) - 1);
    }
}

/* ---- NVFP4 ---- */

void gs_kernels_dequant_nvfp4_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_nvfp4 *b = row;

    for (; n > 0; n -= 64, out += 64, b++) {
        for (size_t i = 0; i < 64; i++) {
            const uint8_t q = b->qs[i / 16 * 8 + i % 8] >> i % 16 / 8 * 4 & 15;
            out[i] = e4m3_half_to_float(b->d[i / 16]) * (float)gs_kernels_mxfp4_values[q];
        }
    }
}
