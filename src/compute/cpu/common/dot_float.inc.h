/* Products with float weights and float activations, and float16 rows as floats. */
#include "compute/cpu/common/dot_rows.inc.h"

SIMD_INLINE vf load_f32(const uint8_t *p)
{
    return vf_load((const float *)(const void *)p);
}

SIMD_INLINE vf load_f16(const uint8_t *p)
{
    return vf_load_f16(p);
}

SIMD_INLINE vf load_bf16(const uint8_t *p)
{
    return vf_load_bf16(p);
}

#define DOT_FLOAT(name, bytes)                                                                     \
    SIMD_INLINE void name##_row(const struct gs_dot *d, const uint8_t *w, size_t t0, int n_t,      \
                                vf *acc)                                                           \
    {                                                                                              \
        const size_t whole = d->n - d->n % 16;                                                     \
        const size_t rest = d->n % 16;                                                             \
        for (size_t i = 0; i < whole; i += 16) {                                                   \
            const vf v = load_##name(w + i * (bytes));                                             \
            prefetch_ahead(w + i * (bytes), 16 * (bytes));                                         \
            _Pragma("GCC unroll 8") for (int t = 0; t < n_t; t++) acc[t] =                         \
                vf_fma(v, vf_load((const float *)d->x[t0 + (size_t)t] + i), acc[t]);               \
        }                                                                                          \
        if (rest > 0) {                                                                            \
            uint8_t padded[16 * (bytes)] = {0};                                                    \
            memcpy(padded, w + whole * (bytes), rest * (bytes));                                   \
            const vf v = load_##name(padded);                                                      \
            _Pragma("GCC unroll 8") for (int t = 0; t < n_t; t++)                                  \
            {                                                                                      \
                const float *x = (const float *)d->x[t0 + (size_t)t] + whole;                      \
                acc[t] = vf_fma(v, vf_load_n(x, rest), acc[t]);                                    \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    DOT_ENTRY(name)

DOT_FLOAT(f32, 4)
DOT_FLOAT(f16, 2)
DOT_FLOAT(bf16, 2)

static void dequant_f16(const void *row, float *out, size_t n)
{
    const uint8_t *p = row;
    uint8_t padded[32] = {0};
    size_t i = 0;

    for (; i + 16 <= n; i += 16)
        vf_store(out + i, vf_load_f16(p + 2 * i));
    if (i < n) {
        memcpy(padded, p + 2 * i, 2 * (n - i));
        vf_store_n(out + i, vf_load_f16(padded), n - i);
    }
}

static void init_dot_float(struct gs_kernels *k)
{
    k->dot[GS_TYPE_F32] = dot_f32;
    k->dot[GS_TYPE_F16] = dot_f16;
    k->dot[GS_TYPE_BF16] = dot_bf16;
    k->dequant[GS_TYPE_F16] = dequant_f16;
}
