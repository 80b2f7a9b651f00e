/* Products of eight blocks of 32 (../common/load_32.inc.h) and a group of activations in struct
 * gs_q8. */
#include "compute/cpu/common/load_32.inc.h"

/* acc + eight blocks of unsigned weights times one group of activations. */
SIMD_INLINE vf group_dot(const struct group *g, const struct gs_q8 *x, vf acc)
{
    const __m256 d = _mm256_mul_ps(g->d, _mm256_loadu_ps(x->d));

    acc = vf_fma(vf_widen(g->e), vf_widen(_mm256_loadu_ps(x->s)), acc);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        acc = vf_fma(vf_from_vi(vb_dot(g->w[i], vb_load(x->q + 64 * i))), vf_pair(d, i), acc);
    return acc;
}

/* The same for signed weights. */
SIMD_INLINE vf group_dot_signed(const struct group *g, const struct gs_q8 *x, vf acc)
{
    const __m256 d = _mm256_mul_ps(g->d, _mm256_loadu_ps(x->d));

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        acc = vf_fma(vf_from_vi(vb_dot(vb_abs(g->w[i]), vb_sign(vb_load(x->q + 64 * i), g->w[i]))),
                     vf_pair(d, i), acc);
    return acc;
}

#include "compute/cpu/common/dot_32.inc.h"
