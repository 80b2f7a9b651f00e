/* Dequantisation of every supported block format; the layouts are in compute/blocks.h. */
#include "compute/cpu/ref/ref.h"

#include "compute/blocks.h"
#include "compute/cpu/ref/half.h"

const int8_t gs_kernels_iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};
/* E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives, times two. */
const int8_t gs_kernels_mxfp4_values[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                            0, -1, -2, -3, -4, -6, -8, -12};

void gs_kernels_dequant_f32_ref(const void *row, float *out, size_t n)
{
    memcpy(out, row, n * sizeof(float));
}

void gs_kernels_dequant_f16_ref(const void *row, float *out, size_t n)
{
    const uint8_t *p = row;

    for (size_t i = 0; i < n; i++)
        out[i] = load_half(p + 2 * i);
}

void gs_kernels_dequant_bf16_ref(const void *row, float *out, size_t n)
{
    const uint8_t *p = row;

    for (size_t i = 0; i < n; i++)
        out[i] = bf16_to_float(load_u16(p + 2 * i));
}

/* ---- blocks of 32 ---- */

static int low_nibble(uint8_t b)
{
    return b & 15;
}

static int high_nibble(uint8_t b)
{
    return b >> 4;
}

void gs_kernels_dequant_q4_0_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_q4_0 *b = row;

    for (; n > 0; n -= 32, out += 32, b++) {
        const float d = load_half(b->d);
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)(low_nibble(b->qs[i]) - 8);
            out[i + 16] = d * (float)(high_nibble(b->qs[i]) - 8);
        }
    }
}

void gs_kernels_dequant_q4_1_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_q4_1 *b = row;

    for (; n > 0; n -= 32, out += 32, b++) {
        const float d = load_half(b->d);
        const float m = load_half(b->m);
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)low_nibble(b->qs[i]) + m;
            out[i + 16] = d * (float)high_nibble(b->qs[i]) + m;
        }
    }
}

/* The fifth bit of value i, in its place. */
static int fifth_bit(uint32_t qh, int i)
{
    return (int)(qh >> i & 1) << 4;
}

void gs_kernels_dequant_q5_0_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_q5_0 *b = row;

    for (; n > 0; n -= 32, out += 32, b++) {
        const float d = load_half(b->d);
        const uint32_t qh = load_u32(b->qh);
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)((low_nibble(b->qs[i]) | fifth_bit(qh, i)) - 16);
            out[i + 16] = d * (float)((high_nibble(b->qs[i]) | fifth_bit(qh, i + 16)) - 16);
        }
    }
}

void gs_kernels_dequant_q5_1_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_q5_1 *b = row;

    for (; n > 0; n -= 32, out += 32, b++) {
        const float d = load_half(b->d);
        const float m = load_half(b->m);
        const uint32_t qh = load_u32(b->qh);
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)(low_nibble(b->qs[i]) | fifth_bit(qh, i)) + m;
            out[i + 16] = d * (float)(high_nibble(b->qs[i]) | fifth_bit(qh, i + 16)) + m;
        }
    }
}

void gs_kernels_dequant_q8_0_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_q8_0 *b = row;

    for (; n > 0; n -= 32, out += 32, b++) {
        const float d = load_half(b->d);
        for (int i = 0; i < 32; i++)
            out[i] = d * (float)b->qs[i];
    }
}

static void lookup_32(const uint8_t *qs, const int8_t *values, float d, float *out)
{
    for (int i = 0; i < 16; i++) {
        out[i] = d * (float)values[low_nibble(qs[i])];
        out[i + 16] = d * (float)values[high_nibble(qs[i])];
    }
}

void gs_kernels_dequant_iq4_nl_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_iq4_nl *b = row;

    for (; n > 0; n -= 32, out += 32, b++)
        lookup_32(b->qs, gs_kernels_iq4_values, load_half(b->d), out);
}

void gs_kernels_dequant_mxfp4_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_mxfp4 *b = row;

    for (; n > 0; n -= 32, out += 32, b++)
        lookup_32(b->qs, gs_kernels_mxfp4_values, e8m0_half_to_float(b->e), out);
}

/* ---- blocks of 256 ---- */

void gs_kernels_dequant_q2_k_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_q2_k *b = row;

    for (; n > 0; n -= 256, out += 256, b++) {
        const float d = load_half(b->d);
        const float dmin = load_half(b->dmin);
        for (int i = 0; i < 256; i++) {
            const uint8_t sc = b->scales[i / 16];
            const int q = b->qs[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
            out[i] = d * (float)low_nibble(sc) * (float)q - dmin * (float)high_nibble(sc);
        }
    }
}

static int q3_k_scale(const uint8_t *scales, int j)
{
    const int low = j < 8 ? low_nibble(scales[j]) : high_nibble(scales[j - 8]);

    return (low | (scales[8 + j % 4] >> j / 4 * 2 & 3) << 4) - 32;
}

void gs_kernels_dequant_q3_k_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_q3_k *b = row;

    for (; n > 0; n -= 256, out += 256, b++) {
        const float d = load_half(b->d);
        for (int i = 0; i < 256; i++) {
            const int low = b->qs[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
            const int q = (low | (b->hmask[i % 32] >> i / 32 & 1) << 2) - 4;
            out[i] = d * (float)q3_k_scale(b->scales, i / 16) * (float)q;
        }
    }
}

static int q4_k_scale(const uint8_t *s, int j)
{
    return j < 4 ? s[j] & 63 : low_nibble(s[j + 4]) | s[j - 4] >> 6 << 4;
}

static int q4_k_min(const uint8_t *s, int j)
{
    return j < 4 ? s[j + 4] & 63 : high_nibble(s[j + 4]) | s[j] >> 6 << 4;
}

void gs_kernels_dequant_q4_k_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_q4_k *b = row;

    for (; n > 0; n -= 256, out += 256, b++) {
        const float d = load_half(b->d);
        const float dmin = load_half(b->dmin);
        for (int j = 0; j < 8; j++) {
            const float scale = d * (float)q4_k_scale(b->scales, j);
            const float min = dmin * (float)q4_k_min(b->scales, j);
            for (int i = 0; i < 32; i++) {
                const int q = b->qs[j / 2 * 32 + i] >> j % 2 * 4 & 15;
                out[j * 32 + i] = scale * (float)q - min;
            }
        }
    }
}

void gs_kernels_dequant_q5_k_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_q5_k *b = row;

    for (; n > 0; n -= 256, out += 256, b++) {
        const float d = load_half(b->d);
        const float dmin = load_half(b->dmin);
        for (int j = 0; j < 8; j++) {
            const float scale = d * (float)q4_k_scale(b->scales, j);
            const float min = dmin * (float)q4_k_min(b->scales, j);
            for (int i = 0; i < 32; i++) {
                const int low = b->qs[j / 2 * 32 + i] >> j % 2 * 4 & 15;
                const int q = low | (b->qh[i] >> j & 1) << 4;
                out[j * 32 + i] = scale * (float)q - min;
            }
        }
    }
}

void gs_kernels_dequant_q6_k_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_q6_k *b = row;

    for (; n > 0; n -= 256, out += 256, b++) {
        const float d = load_half(b->d);
        for (int i = 0; i < 256; i++) {
            const int low = b->ql[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15;
            const int high = b->qh[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
            const int8_t scale = b->scales[i / 16];
            out[i] = d * (float)scale * (float)((low | high << 4) - 32);
        }
    }
}

void gs_kernels_dequant_iq4_xs_ref(const void *row, float *out, size_t n)
{
    const struct gs_block_iq4_xs *b = row;

    for (; n > 0; n -= 256, out += 256, b++) {
        const float d = load_half(b->d);
        for (size_t j = 0; j < 8; j++) {
            const int low = b->scales_l[j / 2] >> j % 2 * 4 & 15;
            const int high = load_u16(b->scales_h) >> 2 * j & 3;
            lookup_32(b->qs + 16 * j, gs_kernels_iq4_values, d * (float)((low | high << 4) - 32),
                      out + 32 * j);
        }
    }
}
