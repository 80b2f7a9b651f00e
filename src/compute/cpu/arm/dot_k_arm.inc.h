/* Products of a block of 256 (../common/load_k.inc.h) and a group of activations in struct gs_q8k.
 * Integers are added up over the whole block, so that the order in which an instruction adds
 * products shows nowhere: all levels give the same bits. */
#include "compute/cpu/common/load_k.inc.h"

/* sum + the products of 64 values, each 16 times their scale. */
SIMD_INLINE int32x4_t dot_64(int32x4_t sum, const vb *w, vb x, int32x4_t scales, bool wide)
{
    const int32x4_t zero = vdupq_n_s32(0);

    if (wide) {
        const int32x4_t a = dot_4(dot_4(zero, w->v[0], x.v[0]), w->v[1], x.v[1]);
        const int32x4_t b = dot_4(dot_4(zero, w->v[2], x.v[2]), w->v[3], x.v[3]);
        sum = vmlaq_laneq_s32(sum, a, scales, 0);
        return vmlaq_laneq_s32(sum, b, scales, 2);
    }
    sum = vmlaq_laneq_s32(sum, dot_4(zero, w->v[0], x.v[0]), scales, 0);
    sum = vmlaq_laneq_s32(sum, dot_4(zero, w->v[1], x.v[1]), scales, 1);
    sum = vmlaq_laneq_s32(sum, dot_4(zero, w->v[2], x.v[2]), scales, 2);
    return vmlaq_laneq_s32(sum, dot_4(zero, w->v[3], x.v[3]), scales, 3);
}

SIMD_INLINE int32x4_t dot_256(const struct k_block *b, const struct gs_q8k *x)
{
    const h16 s = h16_from_b16(b->scales);
    int32x4_t sum = vdupq_n_s32(0);

    sum = dot_64(sum, &b->w[0], vb_load(x->q), vmovl_s16(vget_low_s16(s.v[0])), b->wide);
    sum = dot_64(sum, &b->w[1], vb_load(x->q + 64), vmovl_high_s16(s.v[0]), b->wide);
    sum = dot_64(sum, &b->w[2], vb_load(x->q + 128), vmovl_s16(vget_low_s16(s.v[1])), b->wide);
    return dot_64(sum, &b->w[3], vb_load(x->q + 192), vmovl_high_s16(s.v[1]), b->wide);
}

/* acc + one block of weights times one group of activations; its lanes 0 and 1 are the sums of both
 * terms. */
SIMD_INLINE vf k_dot(const struct k_block *b, const struct gs_q8k *x, vf acc)
{
    const h16 sums = h16_load(x->sums);
    const float32x4_t factors = {b->d, b->e, 0, 0};
    int32x4_t mins = vmull_s16(vget_low_s16(b->min.v[0]), vget_low_s16(sums.v[0]));

    mins = vmlal_high_s16(mins, b->min.v[0], sums.v[0]);
    mins = vmlal_s16(mins, vget_low_s16(b->min.v[1]), vget_low_s16(sums.v[1]));
    mins = vmlal_high_s16(mins, b->min.v[1], sums.v[1]);
    const int32x4_t halves = vpaddq_s32(dot_256(b, x), mins);
    acc.v[0] =
        vfmaq_f32(acc.v[0], vcvtq_f32_s32(vpaddq_s32(halves, halves)), vmulq_n_f32(factors, x->d));
    return acc;
}

/* The same without a second term. */
SIMD_INLINE vf k_dot_signed(const struct k_block *b, const struct gs_q8k *x, vf acc)
{
    const float32x4_t factors = {b->d, 0, 0, 0};
    const int32x4_t sum = vdupq_n_s32(vaddvq_s32(dot_256(b, x)));

    acc.v[0] = vfmaq_f32(acc.v[0], vcvtq_f32_s32(sum), vmulq_n_f32(factors, x->d));
    return acc;
}

#include "compute/cpu/common/dot_k.inc.h"
