/* Products of eight blocks of 32 (../common/load_32.inc.h) and a group of activations: a lane is
 * the sum of a block. Bytes are signed, so one function does for all weights. */
#include "compute/cpu/common/load_32.inc.h"

/* The sums of four blocks. */
SIMD_INLINE float32x4_t dot_4_blocks(const vb w[2], const int8_t *x)
{
    const int32x4_t zero = vdupq_n_s32(0);
    const vb a = vb_load(x);
    const vb b = vb_load(x + 64);
    const int32x4_t s0 = dot_4(dot_4(zero, w[0].v[0], a.v[0]), w[0].v[1], a.v[1]);
    const int32x4_t s1 = dot_4(dot_4(zero, w[0].v[2], a.v[2]), w[0].v[3], a.v[3]);
    const int32x4_t s2 = dot_4(dot_4(zero, w[1].v[0], b.v[0]), w[1].v[1], b.v[1]);
    const int32x4_t s3 = dot_4(dot_4(zero, w[1].v[2], b.v[2]), w[1].v[3], b.v[3]);

    return vcvtq_f32_s32(vpaddq_s32(vpaddq_s32(s0, s1), vpaddq_s32(s2, s3)));
}

/* acc + the products of eight blocks, each times its d. */
SIMD_INLINE vf blocks_dot(const struct group *g, const int8_t *x, f8 d, vf acc)
{
    acc.v[0] = vfmaq_f32(acc.v[0], dot_4_blocks(g->w, x), d.v[0]);
    acc.v[1] = vfmaq_f32(acc.v[1], dot_4_blocks(g->w + 2, x + 128), d.v[1]);
    return acc;
}

SIMD_INLINE vf q8_dot_signed(const struct group *g, const struct gs_q8 *x, vf acc)
{
    return blocks_dot(g, x->q, f8_mul(g->d, f8_load(x->d)), acc);
}

SIMD_INLINE vf q8_dot(const struct group *g, const struct gs_q8 *x, vf acc)
{
    const f8 s = f8_load(x->s);

    acc.v[0] = vfmaq_f32(acc.v[0], g->e.v[0], s.v[0]);
    acc.v[1] = vfmaq_f32(acc.v[1], g->e.v[1], s.v[1]);
    return q8_dot_signed(g, x, acc);
}

SIMD_INLINE vf q8k_dot_signed(const struct group *g, const struct gs_q8k *x, vf acc)
{
    return blocks_dot(g, x->q, f8_times(g->d, x->d), acc);
}

SIMD_INLINE vf q8k_dot(const struct group *g, const struct gs_q8k *x, vf acc)
{
    const h16 sums = h16_load(x->sums);
    const f8 e = f8_times(g->e, x->d);

    acc.v[0] = vfmaq_f32(acc.v[0], vcvtq_f32_s32(vpaddlq_s16(sums.v[0])), e.v[0]);
    acc.v[1] = vfmaq_f32(acc.v[1], vcvtq_f32_s32(vpaddlq_s16(sums.v[1])), e.v[1]);
    return q8k_dot_signed(g, x, acc);
}

#include "compute/cpu/common/dot_32.inc.h"
