/* Quantisation of activations and KV rows: the same integers as the reference. */
#include "compute/blocks.h"

/* The largest magnitude of 16 n_v values. */
SIMD_INLINE float max_magnitude(const float *x, int n_v)
{
    vf m = vf_abs(vf_load(x));

    for (int i = 1; i < n_v; i++)
        m = vf_max(vf_abs(vf_load(x + 16 * i)), m);
    return vf_max_lane(m);
}

/* 16 values to bytes; returns their sum. */
SIMD_INLINE int quantise_16(const float *x, int8_t *q, vf scale)
{
    const b16 b = vf_to_i8(vf_mul(scale, vf_load(x)));

    b16_store(q, b);
    return b16_sum(b);
}

static float scale_for(float max)
{
    return max > 0 ? 127 / max : 0;
}

static void quantise_q8_group(const float *x, struct gs_q8 *b)
{
    for (int i = 0; i < 8; i++, x += 32) {
        const float m = max_magnitude(x, 2);
        const vf scale = vf_set(scale_for(m));
        int sum = quantise_16(x, b->q + 32 * i, scale);
        sum += quantise_16(x + 16, b->q + 32 * i + 16, scale);
        b->d[i] = m / 127;
        b->s[i] = b->d[i] * (float)sum;
    }
}

static void quantise_q8k_group(const float *x, struct gs_q8k *b)
{
    const float m = max_magnitude(x, 16);
    const vf scale = vf_set(scale_for(m));

    for (int i = 0; i < 16; i++)
        b->sums[i] = (int16_t)quantise_16(x + 16 * i, b->q + 16 * i, scale);
    b->d = m / 127;
    memset(b->pad, 0, sizeof(b->pad));
}

#define QUANTISE(name)                                                                             \
    static void quantise_##name(const float *x, void *out, size_t n)                               \
    {                                                                                              \
        struct gs_##name *b = out;                                                                 \
        for (; n >= GS_ACT_GROUP; n -= GS_ACT_GROUP, x += GS_ACT_GROUP)                            \
            quantise_##name##_group(x, b++);                                                       \
        if (n > 0) {                                                                               \
            float padded[GS_ACT_GROUP] = {0};                                                      \
            memcpy(padded, x, n * sizeof(float));                                                  \
            quantise_##name##_group(padded, b);                                                    \
        }                                                                                          \
    }

QUANTISE(q8)
QUANTISE(q8k)

static void to_f16(const float *x, void *out, size_t n)
{
    uint8_t *p = out;
    uint8_t padded[32];
    size_t i = 0;

    for (; i + 16 <= n; i += 16)
        vf_store_f16(p + 2 * i, vf_load(x + i));
    if (i < n) {
        vf_store_f16(padded, vf_load_n(x + i, n - i));
        memcpy(p + 2 * i, padded, 2 * (n - i));
    }
}

static void to_q8_0(const float *x, void *out, size_t n)
{
    struct gs_block_q8_0 *b = out;

    for (; n > 0; n -= 32, x += 32, b++) {
        const float m = max_magnitude(x, 2);
        const vf scale = vf_set(scale_for(m));
        const uint16_t d = half_of(m / 127);
        memcpy(b->d, &d, sizeof(d));
        quantise_16(x, b->qs, scale);
        quantise_16(x + 16, b->qs + 16, scale);
    }
}

static void dequant_q8_0(const void *row, float *out, size_t n)
{
    const struct gs_block_q8_0 *b = row;

    for (; n > 0; n -= 32, out += 32, b++) {
        const vf d = vf_set(load_half(b->d));
        vf_store(out, vf_mul(d, vf_from_i8(b16_load(b->qs))));
        vf_store(out + 16, vf_mul(d, vf_from_i8(b16_load(b->qs + 16))));
    }
}

static void init_quantise(struct gs_kernels *k)
{
    k->quantise_q8 = quantise_q8;
    k->quantise_q8k = quantise_q8k;
    k->to_f16 = to_f16;
    k->to_q8_0 = to_q8_0;
    k->dequant[GS_TYPE_Q8_0] = dequant_q8_0;
}
