/* Weight blocks of NVFP4: 64 signed values, and four scales. */
#ifndef GS_COMPUTE_CPU_ARM_LOAD_NVFP4_ARM_INC_H
#define GS_COMPUTE_CPU_ARM_LOAD_NVFP4_ARM_INC_H

#include "compute/blocks.h"

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

SIMD_INLINE vb nvfp4_values(const struct gs_block_nvfp4 *b)
{
    return vb_lookup(b16_load(gs_kernels_mxfp4_values),
                     vb_join(nibbles_of_16(b->qs), nibbles_of_16(b->qs + 16)));
}

#endif
