/* Products with NVFP4: blocks of 64 with four scales, and activations in struct gs_q8. */
#include "compute/blocks.h"
#include "compute/cpu/common/dot_rows.inc.h"

/* 16 bytes: the low nibbles of the first 8, their high nibbles; in v[1] those of the others. */
SIMD_INLINE b32 nibbles_of_16(const uint8_t *p)
{
    const b16 v = b16_load(p);
    const uint64x2_t low = vreinterpretq_u64_u8(b16_and(v, 15));
    const uint64x2_t high = vreinterpretq_u64_u8(b16_high_nibbles(v));

    return b32_join(vreinterpretq_u8_u64(vzip1q_u64(low, high)),
                    vreinterpretq_u8_u64(vzip2q_u64(low, high)));
}

/* Halves of four E4M3, as in cpu/ref/half.h. */
SIMD_INLINE float32x4_t load_4_e4m3(const uint8_t *p)
{
    const uint8x8_t bytes = vreinterpret_u8_u32(vdup_n_u32(load_u32(p)));
    const uint32x4_t e = vmovl_u16(vget_low_u16(vmovl_u8(bytes)));
    const uint32x4_t nan = vceqq_u32(e, vdupq_n_u32(0x7f));
    const uint32x4_t fields = vshlq_n_u32(vandq_u32(e, vdupq_n_u32(0x7f)), 20);

    return vmulq_n_f32(vreinterpretq_f32_u32(vbicq_u32(fields, nan)), 0x1p119f);
}

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
    const b16 table = b16_load(gs_kernels_mxfp4_values);
    const struct gs_block_nvfp4 *b = (const struct gs_block_nvfp4 *)w;

    for (size_t i = 0; i < d->n / 64; i++, b++) {
        const vb v = vb_lookup(table, vb_join(nibbles_of_16(b->qs), nibbles_of_16(b->qs + 16)));
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
