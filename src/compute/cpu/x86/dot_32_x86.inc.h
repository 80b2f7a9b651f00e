/* Products of eight blocks of 32 (../common/load_32.inc.h) and a group of activations. */
#include "compute/cpu/common/load_32.inc.h"

/* acc + the products of eight blocks of unsigned weights, each times its d. */
SIMD_INLINE vf blocks_dot(const struct group *g, const int8_t *x, f8 d, vf acc)
{
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        acc = vf_fma(vf_from_vi(vb_dot(g->w[i], vb_load(x + 64 * i))), vf_pair(d, i), acc);
    return acc;
}

/* The same for signed weights. */
SIMD_INLINE vf blocks_dot_signed(const struct group *g, const int8_t *x, f8 d, vf acc)
{
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        acc = vf_fma(vf_from_vi(vb_dot(vb_abs(g->w[i]), vb_sign(vb_load(x + 64 * i), g->w[i]))),
                     vf_pair(d, i), acc);
    return acc;
}

SIMD_INLINE vf q8_dot(const struct group *g, const struct gs_q8 *x, vf acc)
{
    acc = vf_fma(vf_widen(g->e), vf_widen(_mm256_loadu_ps(x->s)), acc);
    return blocks_dot(g, x->q, _mm256_mul_ps(g->d, _mm256_loadu_ps(x->d)), acc);
}

SIMD_INLINE vf q8_dot_signed(const struct group *g, const struct gs_q8 *x, vf acc)
{
    return blocks_dot_signed(g, x->q, _mm256_mul_ps(g->d, _mm256_loadu_ps(x->d)), acc);
}

SIMD_INLINE vf q8k_dot(const struct group *g, const struct gs_q8k *x, vf acc)
{
    const __m256i sums = _mm256_madd_epi16(load_256(x->sums), _mm256_set1_epi16(1));

    acc = vf_fma(vf_widen(f8_times(g->e, x->d)), vf_widen(_mm256_cvtepi32_ps(sums)), acc);
    return blocks_dot(g, x->q, f8_times(g->d, x->d), acc);
}

SIMD_INLINE vf q8k_dot_signed(const struct group *g, const struct gs_q8k *x, vf acc)
{
    return blocks_dot_signed(g, x->q, f8_times(g->d, x->d), acc);
}

#include "compute/cpu/common/dot_32.inc.h"
