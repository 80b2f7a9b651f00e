/* Products with NVFP4: blocks of 64 with four scales, and activations in struct gs_q8. */
#include "compute/cpu/arm/load_nvfp4_arm.inc.h"
#include "compute/cpu/common/dot_rows.inc.h"

/* A lane is the sum of 16 values. */
SIMD_INLINE float32x4_t dot_4_groups(vb w, vb x)
{
    const int32x4_t zero = vdupq_n_s32(0);

    return vcvtq_f32_s32(
        vpaddq_s32(vpaddq_s32(dot_4(zero, w.v[0], x.v[0]), dot_4(zero, w.v[1], x.v[1])),
                   vpaddq_s32(dot_4(zero, w.v[2], x.v[2]), dot_4(zero, w.v[3], x.v[3]))));
}

SIMD_INLINE void nvfp4_row(const struct gs_dot *d, const uint8_t *w, size_t t0, int n_t, vf *acc)
{
    const struct gs_block_nvfp4 *b = (const struct gs_block_nvfp4 *)w;

    for (size_t i = 0; i < d->n / 64; i++, b++) {
        const vb v = nvfp4_values(b);
        const float32x4_t scales = load_4_e4m3(b->d);
        prefetch_ahead(b->d, sizeof(*b));
#pragma GCC unroll 8
        for (int t = 0; t < n_t; t++) {
            const struct gs_q8 *x = (const struct gs_q8 *)d->x[t0 + (size_t)t] + i / 4;
            const float32x2_t dx = vld1_f32(x->d + i % 4 * 2);
            const float32x4_t dx_twice = vcombine_f32(vdup_lane_f32(dx, 0), vdup_lane_f32(dx, 1));
            acc[t].v[0] = vfmaq_f32(acc[t].v[0], dot_4_groups(v, vb_load(x->q + i % 4 * 64)),
                                    vmulq_f32(scales, dx_twice));
        }
    }
}

DOT_ENTRY(nvfp4)

static void init_dot_nvfp4(struct gs_kernels *k)
{
    k->dot[GS_TYPE_NVFP4] = dot_nvfp4;
}
