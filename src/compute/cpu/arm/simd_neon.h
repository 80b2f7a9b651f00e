/* The logical vector of the kernels (../common) on NEON: four registers for 16 floats (vf) or 64
 * bytes (vb), two for 8 floats (f8), 16 int16 (h16) or 32 bytes (b32). The meaning of each function
 * is stated in ../x86/simd_avx512.h and ../x86/simd_common.h.
 *
 * With SIMD_DOTPROD defined products of bytes use the instruction for them; the sums are the same.
 */
#ifndef GS_COMPUTE_CPU_ARM_SIMD_NEON_H
#define GS_COMPUTE_CPU_ARM_SIMD_NEON_H

#include <arm_neon.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "compute/kernels.h"

#define SIMD_INLINE static inline __attribute__((always_inline))
#define SIMD_TILE   4 /* vf that stay in registers beside what they are made of */

typedef uint8x16_t b16;

typedef struct {
    b16 v[2];
} b32;

typedef struct {
    b16 v[4];
} vb;

typedef vb vi; /* 16 int32 */

typedef struct {
    int16x8_t v[2];
} h16;

typedef struct {
    float32x4_t v[2];
} f8;

typedef struct {
    float32x4_t v[4];
} vf;

/* v[i] = of_i for each register of a logical vector of n. */
#define NEON_EACH(type, n, of_i)                                                                   \
    type result;                                                                                   \
    _Pragma("GCC unroll 4") for (int i = 0; i < (n); i++) result.v[i] = of_i;                      \
    return result

/* ---- memory ---- */

SIMD_INLINE uint16_t load_u16(const void *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

SIMD_INLINE uint32_t load_u32(const void *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

SIMD_INLINE uint64_t load_u64(const void *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

SIMD_INLINE float load_half(const void *p)
{
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(load_u16(p)))), 0);
}

SIMD_INLINE uint16_t half_of(float x)
{
    return vget_lane_u16(vreinterpret_u16_f16(vcvt_f16_f32(vdupq_n_f32(x))), 0);
}

#define PREFETCH_BYTES 8192 /* as on x86, where it was measured */

SIMD_INLINE void prefetch_ahead(const uint8_t *p, size_t n)
{
#pragma GCC unroll 8
    for (size_t i = 0; i < n; i += 64)
        __builtin_prefetch((const void *)((uintptr_t)p + PREFETCH_BYTES + i), 0, 2);
}

/* ---- floats ---- */

SIMD_INLINE vf vf_set(float x)
{
    NEON_EACH(vf, 4, vdupq_n_f32(x));
}

SIMD_INLINE vf vf_zero(void)
{
    return vf_set(0);
}

SIMD_INLINE vf vf_load(const float *p)
{
    NEON_EACH(vf, 4, vld1q_f32(p + 4 * i));
}

SIMD_INLINE void vf_store(float *p, vf v)
{
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        vst1q_f32(p + 4 * i, v.v[i]);
}

SIMD_INLINE vf vf_load_n(const float *p, size_t n)
{
    float padded[16] = {0};

    memcpy(padded, p, n * sizeof(float));
    return vf_load(padded);
}

SIMD_INLINE void vf_store_n(float *p, vf v, size_t n)
{
    float padded[16];

    vf_store(padded, v);
    memcpy(p, padded, n * sizeof(float));
}

SIMD_INLINE vf vf_load_f16(const void *p)
{
    NEON_EACH(vf, 4, vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8((const uint8_t *)p + 8 * i))));
}

SIMD_INLINE vf vf_load_bf16(const void *p)
{
    NEON_EACH(vf, 4,
              vreinterpretq_f32_u32(
                  vshll_n_u16(vreinterpret_u16_u8(vld1_u8((const uint8_t *)p + 8 * i)), 16)));
}

SIMD_INLINE void vf_store_f16(void *p, vf v)
{
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        vst1_u8((uint8_t *)p + 8 * i, vreinterpret_u8_f16(vcvt_f16_f32(v.v[i])));
}

SIMD_INLINE vf vf_from_i8(b16 v)
{
    const int8x16_t b = vreinterpretq_s8_u8(v);
    const int16x8_t low = vmovl_s8(vget_low_s8(b));
    const int16x8_t high = vmovl_high_s8(b);

    return (vf){{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_high_s16(low)),
                 vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
                 vcvtq_f32_s32(vmovl_high_s16(high))}};
}

SIMD_INLINE b16 vf_to_i8(vf v)
{
    const int16x8_t low =
        vqmovn_high_s32(vqmovn_s32(vcvtnq_s32_f32(v.v[0])), vcvtnq_s32_f32(v.v[1]));
    const int16x8_t high =
        vqmovn_high_s32(vqmovn_s32(vcvtnq_s32_f32(v.v[2])), vcvtnq_s32_f32(v.v[3]));

    return vreinterpretq_u8_s8(vqmovn_high_s16(vqmovn_s16(low), high));
}

SIMD_INLINE vf vf_add(vf a, vf b)
{
    NEON_EACH(vf, 4, vaddq_f32(a.v[i], b.v[i]));
}

SIMD_INLINE vf vf_sub(vf a, vf b)
{
    NEON_EACH(vf, 4, vsubq_f32(a.v[i], b.v[i]));
}

SIMD_INLINE vf vf_mul(vf a, vf b)
{
    NEON_EACH(vf, 4, vmulq_f32(a.v[i], b.v[i]));
}

SIMD_INLINE vf vf_div(vf a, vf b)
{
    NEON_EACH(vf, 4, vdivq_f32(a.v[i], b.v[i]));
}

SIMD_INLINE vf vf_fma(vf a, vf b, vf c)
{
    NEON_EACH(vf, 4, vfmaq_f32(c.v[i], a.v[i], b.v[i]));
}

SIMD_INLINE vf vf_max(vf a, vf b)
{
    NEON_EACH(vf, 4, vbslq_f32(vcgtq_f32(a.v[i], b.v[i]), a.v[i], b.v[i]));
}

SIMD_INLINE vf vf_min(vf a, vf b)
{
    NEON_EACH(vf, 4, vbslq_f32(vcltq_f32(a.v[i], b.v[i]), a.v[i], b.v[i]));
}

SIMD_INLINE vf vf_if_less(vf a, vf b, vf x, vf y)
{
    NEON_EACH(vf, 4, vbslq_f32(vcltq_f32(a.v[i], b.v[i]), x.v[i], y.v[i]));
}

SIMD_INLINE vf vf_abs(vf v)
{
    NEON_EACH(vf, 4, vabsq_f32(v.v[i]));
}

SIMD_INLINE vf vf_round(vf v)
{
    NEON_EACH(vf, 4, vrndnq_f32(v.v[i]));
}

SIMD_INLINE vf vf_exp2_whole(vf n)
{
    NEON_EACH(vf, 4,
              vreinterpretq_f32_s32(
                  vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n.v[i]), vdupq_n_s32(127)), 23)));
}

SIMD_INLINE float vf_sum(vf v)
{
    return vaddvq_f32(vaddq_f32(vaddq_f32(v.v[0], v.v[2]), vaddq_f32(v.v[1], v.v[3])));
}

SIMD_INLINE void vf_sum_n(float *out, const vf *v, int n)
{
#pragma GCC unroll 16
    for (int i = 0; i < n; i++)
        out[i] = vf_sum(v[i]);
}

SIMD_INLINE vf vf_sums(const vf v[16])
{
    float sums[16];

    vf_sum_n(sums, v, 16);
    return vf_load(sums);
}

SIMD_INLINE float vf_max_lane(vf v)
{
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(v.v[0], v.v[1]), vmaxq_f32(v.v[2], v.v[3])));
}

/* ---- 8 floats ---- */

SIMD_INLINE f8 f8_load(const float *p)
{
    NEON_EACH(f8, 2, vld1q_f32(p + 4 * i));
}

SIMD_INLINE void f8_store(float *p, f8 v)
{
    vst1q_f32(p, v.v[0]);
    vst1q_f32(p + 4, v.v[1]);
}

SIMD_INLINE void f4_store(float *p, float32x4_t v)
{
    vst1q_f32(p, v);
}

SIMD_INLINE f8 f8_mul(f8 a, f8 b)
{
    NEON_EACH(f8, 2, vmulq_f32(a.v[i], b.v[i]));
}

SIMD_INLINE f8 f8_times(f8 v, float by)
{
    NEON_EACH(f8, 2, vmulq_n_f32(v.v[i], by));
}

/* Every value two times, side by side. */
SIMD_INLINE vf f8_twice(f8 v)
{
    return (vf){{vzip1q_f32(v.v[0], v.v[0]), vzip2q_f32(v.v[0], v.v[0]), vzip1q_f32(v.v[1], v.v[1]),
                 vzip2q_f32(v.v[1], v.v[1])}};
}

SIMD_INLINE float32x4_t load_4_halves(const uint8_t *p, size_t stride)
{
    uint16x4_t v = vdup_n_u16(load_u16(p));

    v = vset_lane_u16(load_u16(p + stride), v, 1);
    v = vset_lane_u16(load_u16(p + 2 * stride), v, 2);
    v = vset_lane_u16(load_u16(p + 3 * stride), v, 3);
    return vcvt_f32_f16(vreinterpret_f16_u16(v));
}

SIMD_INLINE f8 f8_load_halves(const uint8_t *p, size_t stride)
{
    return (f8){{load_4_halves(p, stride), load_4_halves(p + 4 * stride, stride)}};
}

SIMD_INLINE float32x4_t load_4_e8m0(const uint8_t *p, size_t stride)
{
    uint32x4_t e = vdupq_n_u32(p[0]);

    e = vsetq_lane_u32(p[stride], e, 1);
    e = vsetq_lane_u32(p[2 * stride], e, 2);
    e = vsetq_lane_u32(p[3 * stride], e, 3);
    const uint32x4_t small = vshlq_u32(vdupq_n_u32(0x00200000), vreinterpretq_s32_u32(e));
    const uint32x4_t normal = vshlq_n_u32(vsubq_u32(e, vdupq_n_u32(1)), 23);
    return vreinterpretq_f32_u32(vbslq_u32(vcltq_u32(e, vdupq_n_u32(2)), small, normal));
}

SIMD_INLINE f8 f8_load_e8m0(const uint8_t *p, size_t stride)
{
    return (f8){{load_4_e8m0(p, stride), load_4_e8m0(p + 4 * stride, stride)}};
}

/* ---- 16 bytes ---- */

SIMD_INLINE b16 b16_load(const void *p)
{
    return vld1q_u8(p);
}

SIMD_INLINE void b16_store(void *p, b16 v)
{
    vst1q_u8(p, v);
}

SIMD_INLINE b16 b16_set(uint8_t x)
{
    return vdupq_n_u8(x);
}

SIMD_INLINE b16 b16_set_2(uint64_t a, uint64_t b)
{
    return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(a), vcreate_u64(b)));
}

SIMD_INLINE b16 b16_set_4(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return b16_set_2(a | (uint64_t)b << 32, c | (uint64_t)d << 32);
}

SIMD_INLINE b16 b16_and(b16 v, uint8_t mask)
{
    return vandq_u8(v, vdupq_n_u8(mask));
}

SIMD_INLINE b16 b16_or(b16 a, b16 b)
{
    return vorrq_u8(a, b);
}

SIMD_INLINE b16 b16_negate(b16 v)
{
    return vreinterpretq_u8_s8(vnegq_s8(vreinterpretq_s8_u8(v)));
}

SIMD_INLINE b16 b16_add(b16 a, b16 b)
{
    return vaddq_u8(a, b);
}

SIMD_INLINE b16 b16_sixes(b16 v)
{
    static const uint8_t low_of[16] = {0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 8, 9, 10, 11};
    static const uint8_t high_of[16] = {0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7};
    static const int32_t right[4] = {0, 0, 0, -4};
    static const uint32_t sixes[4] = {0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f, 0x0f0f0f0f};
    static const uint32_t twos[4] = {0, 0x30303030, 0, 0x30303030};
    const uint32x4_t low = vreinterpretq_u32_u8(vqtbl1q_u8(v, vld1q_u8(low_of)));
    const uint32x4_t high = vreinterpretq_u32_u8(vqtbl1q_u8(v, vld1q_u8(high_of)));

    return vreinterpretq_u8_u32(
        vorrq_u32(vandq_u32(vshlq_u32(low, vld1q_s32(right)), vld1q_u32(sixes)),
                  vandq_u32(vshrq_n_u32(high, 2), vld1q_u32(twos))));
}

SIMD_INLINE b16 b16_mul(b16 a, b16 b)
{
    return vmulq_u8(a, b);
}

SIMD_INLINE b16 b16_high_nibbles(b16 v)
{
    return vshrq_n_u8(v, 4);
}

SIMD_INLINE b16 b16_zip_low(b16 a, b16 b)
{
    return vzip1q_u8(a, b);
}

SIMD_INLINE b16 b16_zip_high(b16 a, b16 b)
{
    return vzip2q_u8(a, b);
}

SIMD_INLINE b16 b16_odd(b16 a, b16 b)
{
    return vuzp2q_u8(a, b);
}

SIMD_INLINE b16 b16_lookup(b16 table, b16 idx)
{
    return vqtbl1q_u8(table, idx);
}

SIMD_INLINE int b16_sum(b16 v)
{
    return vaddlvq_s8(vreinterpretq_s8_u8(v));
}

/* ---- 16 int16 ---- */

SIMD_INLINE h16 h16_load(const int16_t *p)
{
    NEON_EACH(h16, 2, vld1q_s16(p + 8 * i));
}

SIMD_INLINE h16 h16_from_b16(b16 v)
{
    const int8x16_t b = vreinterpretq_s8_u8(v);

    return (h16){{vmovl_s8(vget_low_s8(b)), vmovl_high_s8(b)}};
}

SIMD_INLINE h16 h16_mul(h16 a, h16 b)
{
    NEON_EACH(h16, 2, vmulq_s16(a.v[i], b.v[i]));
}

SIMD_INLINE void h16_store(int16_t *p, h16 v)
{
    vst1q_s16(p, v.v[0]);
    vst1q_s16(p + 8, v.v[1]);
}

SIMD_INLINE void h16_store_even(int16_t *p, h16 v)
{
    vst1q_s16(p, vuzp1q_s16(v.v[0], v.v[1]));
}

/* ---- 32 bytes ---- */

SIMD_INLINE b32 b32_load(const void *p)
{
    NEON_EACH(b32, 2, vld1q_u8((const uint8_t *)p + 16 * i));
}

SIMD_INLINE b32 b32_join(b16 a, b16 b)
{
    return (b32){{a, b}};
}

SIMD_INLINE b32 b32_add(b32 a, b32 b)
{
    NEON_EACH(b32, 2, vaddq_u8(a.v[i], b.v[i]));
}

SIMD_INLINE b32 b32_reached(b32 v, uint8_t one, uint8_t two)
{
    const b16 zero = vdupq_n_u8(0);

    NEON_EACH(b32, 2,
              vsubq_u8(vsubq_u8(zero, vcgeq_u8(v.v[i], vdupq_n_u8(one))),
                       vcgeq_u8(v.v[i], vdupq_n_u8(two))));
}

/* ---- 64 bytes ---- */

SIMD_INLINE vb vb_join(b32 a, b32 b)
{
    return (vb){{a.v[0], a.v[1], b.v[0], b.v[1]}};
}

SIMD_INLINE vb vb_load_2(const void *a, const void *b)
{
    return vb_join(b32_load(a), b32_load(b));
}

SIMD_INLINE vb vb_load(const void *p)
{
    NEON_EACH(vb, 4, vld1q_u8((const uint8_t *)p + 16 * i));
}

SIMD_INLINE void vb_store(void *p, vb v)
{
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        vst1q_u8((uint8_t *)p + 16 * i, v.v[i]);
}

SIMD_INLINE vb vb_or(vb a, vb b)
{
    NEON_EACH(vb, 4, vorrq_u8(a.v[i], b.v[i]));
}

SIMD_INLINE vb vb_and(vb v, uint8_t mask)
{
    NEON_EACH(vb, 4, vandq_u8(v.v[i], vdupq_n_u8(mask)));
}

SIMD_INLINE vb vb_high_nibbles(vb v)
{
    NEON_EACH(vb, 4, vshrq_n_u8(v.v[i], 4));
}

SIMD_INLINE vb vb_right(const void *p, int r0, int r1, uint8_t mask)
{
    const b32 v = b32_load(p);

    return vb_and((vb){{v.v[0] >> (uint8_t)r0, v.v[1] >> (uint8_t)r0, v.v[0] >> (uint8_t)r1,
                        v.v[1] >> (uint8_t)r1}},
                  mask);
}

SIMD_INLINE vb vb_left(const void *p, int l0, int l1, uint8_t mask)
{
    const b32 v = b32_load(p);

    return vb_and((vb){{v.v[0] << (uint8_t)l0, v.v[1] << (uint8_t)l0, v.v[0] << (uint8_t)l1,
                        v.v[1] << (uint8_t)l1}},
                  mask);
}

SIMD_INLINE vb vb_nibbles(const void *a, const void *b)
{
    const b16 va = b16_load(a);
    const b16 vb_ = b16_load(b);

    return (vb){{b16_and(va, 15), vshrq_n_u8(va, 4), b16_and(vb_, 15), vshrq_n_u8(vb_, 4)}};
}

/* All ones where the bit of the byte's place is set. */
SIMD_INLINE b16 mask_of_bits(uint16_t bits)
{
    const b16 bit = b16_set_2(UINT64_C(0x8040201008040201), UINT64_C(0x8040201008040201));

    return vtstq_u8(vcombine_u8(vdup_n_u8((uint8_t)bits), vdup_n_u8((uint8_t)(bits >> 8))), bit);
}

SIMD_INLINE vb vb_bits(uint64_t bits, uint8_t value)
{
    NEON_EACH(vb, 4, vandq_u8(mask_of_bits((uint16_t)(bits >> 16 * i)), vdupq_n_u8(value)));
}

SIMD_INLINE vb vb_set_8(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f,
                        uint64_t g, uint64_t h)
{
    return (vb){{b16_set_2(a, b), b16_set_2(c, d), b16_set_2(e, f), b16_set_2(g, h)}};
}

SIMD_INLINE vb vb_offset(vb v, uint64_t minus, uint8_t offset)
{
    const b16 o = vdupq_n_u8(offset);

    NEON_EACH(vb, 4,
              vbslq_u8(mask_of_bits((uint16_t)(minus >> 16 * i)), vsubq_u8(o, v.v[i]),
                       vaddq_u8(o, v.v[i])));
}

SIMD_INLINE vb vb_add(vb a, uint8_t b)
{
    NEON_EACH(vb, 4, vaddq_u8(a.v[i], vdupq_n_u8(b)));
}

SIMD_INLINE vb vb_scale(vb w, b16 scales, int i64)
{
    NEON_EACH(vb, 4, vmulq_u8(w.v[i], vqtbl1q_u8(scales, vdupq_n_u8((uint8_t)(4 * i64 + i)))));
}

SIMD_INLINE vb vb_lookup(b16 table, vb idx)
{
    NEON_EACH(vb, 4, vqtbl1q_u8(table, idx.v[i]));
}

/* ---- products ---- */

/* acc + the sums of 4 products of signed bytes. */
SIMD_INLINE int32x4_t dot_4(int32x4_t acc, b16 a, b16 b)
{
    const int8x16_t sa = vreinterpretq_s8_u8(a);
    const int8x16_t sb = vreinterpretq_s8_u8(b);

#ifdef SIMD_DOTPROD
    return vdotq_s32(acc, sa, sb);
#else
    const int16x8_t low = vmull_s8(vget_low_s8(sa), vget_low_s8(sb));
    return vpadalq_s16(acc, vpaddq_s16(low, vmull_high_s8(sa, sb)));
#endif
}

/* ---- 16 int32 ---- */

SIMD_INLINE vi vi_set(int x)
{
    NEON_EACH(vi, 4, vreinterpretq_u8_s32(vdupq_n_s32(x)));
}

SIMD_INLINE vi vi_zero(void)
{
    return vi_set(0);
}

SIMD_INLINE vb vb_set_4(const void *p)
{
    return vi_set((int)load_u32(p));
}

SIMD_INLINE vi vi_add(vi a, vi b)
{
    NEON_EACH(vi, 4,
              vreinterpretq_u8_s32(
                  vaddq_s32(vreinterpretq_s32_u8(a.v[i]), vreinterpretq_s32_u8(b.v[i]))));
}

SIMD_INLINE vf vf_from_vi(vi v)
{
    NEON_EACH(vf, 4, vcvtq_f32_s32(vreinterpretq_s32_u8(v.v[i])));
}

SIMD_INLINE vf vf_of_bits(vi v)
{
    NEON_EACH(vf, 4, vreinterpretq_f32_u8(v.v[i]));
}

SIMD_INLINE vi vf_bits(vf v)
{
    NEON_EACH(vi, 4, vreinterpretq_u8_f32(v.v[i]));
}

SIMD_INLINE vi vb_dot(vb w, vb x)
{
    NEON_EACH(vi, 4, vreinterpretq_u8_s32(dot_4(vdupq_n_s32(0), w.v[i], x.v[i])));
}

SIMD_INLINE int32x4_t add_4_pairs(int32x4_t acc, int16x8_t a, int16x8_t b)
{
    return vaddq_s32(acc,
                     vpaddq_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)), vmull_high_s16(a, b)));
}

SIMD_INLINE vi vi_add_pairs(vi acc, vi a, vi b)
{
    NEON_EACH(vi, 4,
              vreinterpretq_u8_s32(add_4_pairs(vreinterpretq_s32_u8(acc.v[i]),
                                               vreinterpretq_s16_u8(a.v[i]),
                                               vreinterpretq_s16_u8(b.v[i]))));
}

SIMD_INLINE vi vi_join_16(vi low, vi high)
{
    NEON_EACH(vi, 4,
              vreinterpretq_u8_u16(
                  vtrn1q_u16(vreinterpretq_u16_u8(low.v[i]), vreinterpretq_u16_u8(high.v[i]))));
}

/* Lane i of register c of v[j] and lane j of v[i] change places, for four vectors. */
SIMD_INLINE void transpose_4(const vi *v, int c, b16 out[4])
{
    const uint32x4_t a = vreinterpretq_u32_u8(v[0].v[c]);
    const uint32x4_t b = vreinterpretq_u32_u8(v[1].v[c]);
    const uint32x4_t d = vreinterpretq_u32_u8(v[2].v[c]);
    const uint32x4_t e = vreinterpretq_u32_u8(v[3].v[c]);
    const uint64x2_t ab_even = vreinterpretq_u64_u32(vtrn1q_u32(a, b));
    const uint64x2_t ab_odd = vreinterpretq_u64_u32(vtrn2q_u32(a, b));
    const uint64x2_t de_even = vreinterpretq_u64_u32(vtrn1q_u32(d, e));
    const uint64x2_t de_odd = vreinterpretq_u64_u32(vtrn2q_u32(d, e));

    out[0] = vreinterpretq_u8_u64(vtrn1q_u64(ab_even, de_even));
    out[1] = vreinterpretq_u8_u64(vtrn1q_u64(ab_odd, de_odd));
    out[2] = vreinterpretq_u8_u64(vtrn2q_u64(ab_even, de_even));
    out[3] = vreinterpretq_u8_u64(vtrn2q_u64(ab_odd, de_odd));
}

SIMD_INLINE void vi_transpose(vi v[16])
{
    vi u[16];

    for (int r = 0; r < 4; r++)
        for (int c = 0; c < 4; c++) {
            b16 square[4];
            transpose_4(v + 4 * r, c, square);
            for (int i = 0; i < 4; i++)
                u[4 * c + i].v[r] = square[i];
        }
    memcpy(v, u, sizeof(u));
}

#endif
