/* Products with weight blocks of 256 (load_k.inc.h) and activations in struct gs_q8k. The integer
 * parts are exact. */
#include "compute/cpu/x86/dot_rows.inc.h"
#include "compute/cpu/x86/load_k.inc.h"

/* acc + one block of unsigned weights times one group of activations. */
SIMD_INLINE vf k_dot(const struct k_block *b, const struct gs_q8k *x, vf acc)
{
    const __m256i mins = _mm256_madd_epi16(b->min, load_256(x->sums));
    const __m256 second = _mm256_mul_ps(_mm256_cvtepi32_ps(mins), b->e);
    vi sum = vi_zero();

    sum = vb_dot_scaled(sum, b->w[0], vb_load(x->q), b->scale[0]);
    sum = vb_dot_scaled(sum, b->w[1], vb_load(x->q + 64), b->scale[1]);
    sum = vb_dot_scaled(sum, b->w[2], vb_load(x->q + 128), b->scale[2]);
    sum = vb_dot_scaled(sum, b->w[3], vb_load(x->q + 192), b->scale[3]);
    return vf_fma(vf_fma(vf_from_vi(sum), b->d, vf_widen(second)), vf_set(x->d), acc);
}

/* The same for signed weights. */
SIMD_INLINE vf k_dot_signed(const struct k_block *b, const struct gs_q8k *x, vf acc)
{
    vi sum = vi_zero();

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        sum = vb_dot_scaled(sum, vb_abs(b->w[i]), vb_sign(vb_load(x->q + 64 * i), b->w[i]),
                            b->scale[i]);
    return vf_fma(vf_mul(vf_from_vi(sum), b->d), vf_set(x->d), acc);
}

#define DOT_K(name, dot)                                                                           \
    SIMD_INLINE void name##_row(const struct gs_dot *d, const uint8_t *w, size_t t0, int n_t,      \
                                vf *acc)                                                           \
    {                                                                                              \
        const size_t bytes = sizeof(struct gs_block_##name);                                       \
        for (size_t i = 0; i < d->n / GS_BLOCK_K; i++, w += bytes) {                               \
            const struct k_block b = load_##name(w);                                               \
            prefetch_ahead(w, bytes);                                                              \
            _Pragma("GCC unroll 8") for (int t = 0; t < n_t; t++) acc[t] =                         \
                dot(&b, (const struct gs_q8k *)d->x[t0 + (size_t)t] + i, acc[t]);                  \
        }                                                                                          \
    }                                                                                              \
    DOT_ENTRY(name)

DOT_K(q2_k, k_dot)
DOT_K(q3_k, k_dot)
DOT_K(q4_k, k_dot)
DOT_K(q5_k, k_dot)
DOT_K(q6_k, k_dot)
DOT_K(iq4_xs, k_dot_signed)

static void init_dot_k(struct gs_kernels *k)
{
    k->dot[GS_TYPE_Q2_K] = dot_q2_k;
    k->dot[GS_TYPE_Q3_K] = dot_q3_k;
    k->dot[GS_TYPE_Q4_K] = dot_q4_k;
    k->dot[GS_TYPE_Q5_K] = dot_q5_k;
    k->dot[GS_TYPE_Q6_K] = dot_q6_k;
    k->dot[GS_TYPE_IQ4_XS] = dot_iq4_xs;
}
