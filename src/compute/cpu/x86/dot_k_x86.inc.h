/* Products of a block of 256 (../common/load_k.inc.h) and a group of activations in struct gs_q8k.
 * The integer parts are exact. */
#include "compute/cpu/common/load_k.inc.h"

/* acc + one block of unsigned weights times one group of activations. */
SIMD_INLINE vf k_dot(const struct k_block *b, const struct gs_q8k *x, vf acc)
{
    const __m256i mins = _mm256_madd_epi16(b->min, load_256(x->sums));
    const __m256 second = _mm256_mul_ps(_mm256_cvtepi32_ps(mins), _mm256_set1_ps(b->e));
    const h16 scales = h16_from_b16(b->scales);
    vi sum = vi_zero();

    sum = vb_dot_scaled(sum, b->w[0], vb_load(x->q), vb_spread(scales, 0));
    sum = vb_dot_scaled(sum, b->w[1], vb_load(x->q + 64), vb_spread(scales, 1));
    sum = vb_dot_scaled(sum, b->w[2], vb_load(x->q + 128), vb_spread(scales, 2));
    sum = vb_dot_scaled(sum, b->w[3], vb_load(x->q + 192), vb_spread(scales, 3));
    return vf_fma(vf_fma(vf_from_vi(sum), vf_set(b->d), vf_widen(second)), vf_set(x->d), acc);
}

/* The same for signed weights. */
SIMD_INLINE vf k_dot_signed(const struct k_block *b, const struct gs_q8k *x, vf acc)
{
    const h16 scales = h16_from_b16(b->scales);
    vi sum = vi_zero();

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        sum = vb_dot_scaled(sum, vb_abs(b->w[i]), vb_sign(vb_load(x->q + 64 * i), b->w[i]),
                            vb_spread(scales, i));
    return vf_fma(vf_mul(vf_from_vi(sum), vf_set(b->d)), vf_set(x->d), acc);
}

#include "compute/cpu/common/dot_k.inc.h"
