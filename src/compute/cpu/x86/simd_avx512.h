/* The logical vector on AVX-512 F, BW, DQ, VL. With SIMD_VNNI defined also VNNI; its results are
 * the same. */
#ifndef GS_COMPUTE_CPU_X86_SIMD_AVX512_H
#define GS_COMPUTE_CPU_X86_SIMD_AVX512_H

#include "compute/cpu/x86/simd_common.h"

typedef __m512 vf;  /* 16 floats */
typedef __m512i vi; /* 16 int32 */
typedef __m512i vb; /* 64 bytes or 32 int16 */

/* ---- floats ---- */

SIMD_INLINE vf vf_zero(void)
{
    return _mm512_setzero_ps();
}

SIMD_INLINE vf vf_set(float x)
{
    return _mm512_set1_ps(x);
}

SIMD_INLINE vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

SIMD_INLINE void vf_store(float *p, vf v)
{
    _mm512_storeu_ps(p, v);
}

/* The first n <= 16 lanes; the others are 0. */
SIMD_INLINE vf vf_load_n(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}

SIMD_INLINE void vf_store_n(float *p, vf v, size_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v);
}

SIMD_INLINE vf vf_load_f16(const void *p)
{
    return _mm512_cvtph_ps(load_256(p));
}

SIMD_INLINE vf vf_load_bf16(const void *p)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_256(p)), 16));
}

SIMD_INLINE void vf_store_f16(void *p, vf v)
{
    _mm256_storeu_si256(p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

SIMD_INLINE vf vf_from_i8(__m128i v)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(v));
}

/* Round to nearest and narrow. */
SIMD_INLINE __m128i vf_to_i8(vf v)
{
    return _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(v));
}

SIMD_INLINE vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

SIMD_INLINE vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

SIMD_INLINE vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

SIMD_INLINE vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}

SIMD_INLINE vf vf_fma(vf a, vf b, vf c) /* a b + c */
{
    return _mm512_fmadd_ps(a, b, c);
}

SIMD_INLINE vf vf_max(vf a, vf b) /* b where either is NaN */
{
    return _mm512_max_ps(a, b);
}

SIMD_INLINE vf vf_min(vf a, vf b) /* b where either is NaN */
{
    return _mm512_min_ps(a, b);
}

SIMD_INLINE vf vf_abs(vf v)
{
    return _mm512_abs_ps(v);
}

SIMD_INLINE vf vf_round(vf v)
{
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* 2^n for whole n in [-126, 127]. */
SIMD_INLINE vf vf_exp2_whole(vf n)
{
    const __m512i e = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));

    return _mm512_castsi512_ps(_mm512_slli_epi32(e, 23));
}

/* Lane i + lane i + 8. */
SIMD_INLINE __m256 vf_fold(vf v)
{
    return _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
}

/* The sum of the lanes: of lanes i and i + 8, of those 4 apart, 2 apart, 1 apart. */
SIMD_INLINE float vf_sum(vf v)
{
    return sum_256(vf_fold(v));
}

/* out[i] = vf_sum(v[i]), n <= 8. */
SIMD_INLINE void vf_sum_n(float *out, const vf *v, int n)
{
    __m256 folded[8];

#pragma GCC unroll 8
    for (int i = 0; i < n; i++)
        folded[i] = vf_fold(v[i]);
    sum_n_256(out, folded, n);
}

SIMD_INLINE float vf_max_lane(vf v)
{
    return max_256(_mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)));
}

/* a < b ? x : y */
SIMD_INLINE vf vf_if_less(vf a, vf b, vf x, vf y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}

/* Lane i is vf_sum(v[i]). */
SIMD_INLINE vf vf_sums(const vf v[16])
{
    vf q[4];

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const vf a = _mm512_add_ps(_mm512_shuffle_f32x4(v[i], v[i + 4], 0x44),
                                   _mm512_shuffle_f32x4(v[i], v[i + 4], 0xee));
        const vf b = _mm512_add_ps(_mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0x44),
                                   _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0xee));
        q[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
    }
    const __m512d a = _mm512_castps_pd(
        _mm512_add_ps(_mm512_unpacklo_ps(q[0], q[1]), _mm512_unpackhi_ps(q[0], q[1])));
    const __m512d b = _mm512_castps_pd(
        _mm512_add_ps(_mm512_unpacklo_ps(q[2], q[3]), _mm512_unpackhi_ps(q[2], q[3])));
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
}

/* Every value two times, side by side. */
SIMD_INLINE vf f8_twice(__m256 v)
{
    const __m512i idx = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);

    return _mm512_permutexvar_ps(idx, _mm512_castps256_ps512(v));
}

/* v in lanes 0..7, 0 above. */
SIMD_INLINE vf vf_widen(__m256 v)
{
    return _mm512_zextps256_ps512(v);
}

/* Lanes 0..7 = v[2 k], lanes 8..15 = v[2 k + 1]. */
SIMD_INLINE vf vf_pair(__m256 v, int k)
{
    const __m512i idx =
        _mm512_add_epi32(_mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1),
                         _mm512_set1_epi32(2 * k));

    return _mm512_permutexvar_ps(idx, _mm512_castps256_ps512(v));
}

/* Each of four lanes four times. */
SIMD_INLINE vf vf_quads(__m128 v)
{
    return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3),
                                 _mm512_castps128_ps512(v));
}

/* ---- bytes ---- */

SIMD_INLINE vi vi_zero(void)
{
    return _mm512_setzero_si512();
}

SIMD_INLINE vi vi_set(int v)
{
    return _mm512_set1_epi32(v);
}

SIMD_INLINE vi vi_add(vi a, vi b)
{
    return _mm512_add_epi32(a, b);
}

SIMD_INLINE vf vf_from_vi(vi v)
{
    return _mm512_cvtepi32_ps(v);
}

SIMD_INLINE vf vf_of_bits(vi v)
{
    return _mm512_castsi512_ps(v);
}

SIMD_INLINE vi vf_bits(vf v)
{
    return _mm512_castps_si512(v);
}

SIMD_INLINE vb vb_load(const void *p)
{
    return _mm512_loadu_si512(p);
}

SIMD_INLINE void vb_store(void *p, vb v)
{
    _mm512_storeu_si512(p, v);
}

/* 4 bytes, 16 times. */
SIMD_INLINE vb vb_set_4(const void *p)
{
    return _mm512_set1_epi32((int)load_u32(p));
}

/* Two runs of 32 bytes. */
SIMD_INLINE vb vb_load_2(const void *a, const void *b)
{
    return _mm512_inserti64x4(_mm512_castsi256_si512(load_256(a)), load_256(b), 1);
}

SIMD_INLINE vb vb_or(vb a, vb b)
{
    return _mm512_or_si512(a, b);
}

SIMD_INLINE vb vb_add(vb a, uint8_t b)
{
    return _mm512_add_epi8(a, _mm512_set1_epi8((char)b));
}

SIMD_INLINE vb vb_and(vb a, uint8_t mask)
{
    return _mm512_and_si512(a, _mm512_set1_epi8((char)mask));
}

SIMD_INLINE vb vb_high_nibbles(vb v)
{
    return vb_and(_mm512_srli_epi16(v, 4), 15);
}

/* The 32 bytes at p twice: shifted right by r0 in the first half, by r1 in the second; masked. */
SIMD_INLINE vb vb_right(const void *p, int r0, int r1, uint8_t mask)
{
    const __m512i by = _mm512_setr_epi64(r0, r0, r0, r0, r1, r1, r1, r1);

    return vb_and(_mm512_srlv_epi64(_mm512_broadcast_i64x4(load_256(p)), by), mask);
}

/* The same to the left. */
SIMD_INLINE vb vb_left(const void *p, int l0, int l1, uint8_t mask)
{
    const __m512i by = _mm512_setr_epi64(l0, l0, l0, l0, l1, l1, l1, l1);

    return vb_and(_mm512_sllv_epi64(_mm512_broadcast_i64x4(load_256(p)), by), mask);
}

/* Low nibbles of the 16 bytes at a, their high nibbles; the same of b. */
SIMD_INLINE vb vb_nibbles(const void *a, const void *b)
{
    const __m512i by = _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4);
    const __m512i v =
        _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_broadcastsi128_si256(load_128(a))),
                           _mm256_broadcastsi128_si256(load_128(b)), 1);

    return vb_and(_mm512_srlv_epi64(v, by), 15);
}

/* Byte i is `value` where bit i is set, else 0. */
SIMD_INLINE vb vb_bits(uint64_t bits, uint8_t value)
{
    return _mm512_maskz_set1_epi8(bits, (char)value);
}

/* Two halves. */
SIMD_INLINE vb vb_join(__m256i a, __m256i b)
{
    return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
}

SIMD_INLINE vb vb_set_8(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f,
                        uint64_t g, uint64_t h)
{
    return _mm512_setr_epi64((long long)a, (long long)b, (long long)c, (long long)d, (long long)e,
                             (long long)f, (long long)g, (long long)h);
}

/* offset + v, or offset - v where the bit of `minus` is set. */
SIMD_INLINE vb vb_offset(vb v, uint64_t minus, uint8_t offset)
{
    const vb o = _mm512_set1_epi8((char)offset);

    return _mm512_mask_sub_epi8(_mm512_add_epi8(o, v), minus, o, v);
}

/* table[idx] for idx < 16. */
SIMD_INLINE vb vb_lookup(__m128i table, vb idx)
{
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), idx);
}

SIMD_INLINE vb vb_abs(vb v)
{
    return _mm512_abs_epi8(v);
}

/* x with the signs of w; 0 where w is 0 is not needed, as its factor is 0. */
SIMD_INLINE vb vb_sign(vb x, vb w)
{
    return _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(w), _mm512_setzero_si512(), x);
}

/* Sums of 2 products of unsigned w and signed x, as int16. */
SIMD_INLINE vb vb_dot_16(vb w, vb x)
{
    return _mm512_maddubs_epi16(w, x);
}

SIMD_INLINE vb vb_add_16(vb a, vb b)
{
    return _mm512_add_epi16(a, b);
}

/* v, made here: gcc 12 makes trees of sums, which need more registers than there are. */
SIMD_INLINE vi vi_keep(vi v)
{
    __asm__("" : "+v"(v));
    return v;
}

/* Low bytes of the products of w with the int16 of s in the places of their pairs. */
SIMD_INLINE vb vb_scale_8(vb w, vb s)
{
    const vb odd = _mm512_slli_epi16(_mm512_mullo_epi16(_mm512_srli_epi16(w, 8), s), 8);

    return _mm512_mask_blend_epi8(0xaaaaaaaaaaaaaaaa, _mm512_mullo_epi16(w, s), odd);
}

/* Sums of 4 products of unsigned w and signed x. */
SIMD_INLINE vi vb_dot(vb w, vb x)
{
#ifdef SIMD_VNNI
    return _mm512_dpbusd_epi32(_mm512_setzero_si512(), w, x);
#else
    return _mm512_madd_epi16(vb_dot_16(w, x), _mm512_set1_epi16(1));
#endif
}

#ifdef SIMD_VNNI
/* acc + the same. The intrinsic makes gcc 12 copy every accumulator twice per step. */
SIMD_INLINE vi vb_dot_add(vi acc, vb w, vb x)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(w), "v"(x));
    return acc;
}
#endif

/* acc + the sums of 2 products of int16. */
SIMD_INLINE vi vi_add_pairs(vi acc, vi a, vi b)
{
#ifdef SIMD_VNNI
    return _mm512_dpwssd_epi32(acc, a, b);
#else
    return _mm512_add_epi32(acc, _mm512_madd_epi16(a, b));
#endif
}

/* acc + the sums of 4 products, each pair times the int16 in its place of s. */
SIMD_INLINE vi vb_dot_scaled(vi acc, vb w, vb x, vb s)
{
    return vi_add_pairs(acc, vb_dot_16(w, x), s);
}

/* From 16 int16, one per 16 values: the scales of values 64 k .. 64 k + 63 in the places of their
 * int16 pairs. */
SIMD_INLINE vb vb_spread(__m256i s, int k)
{
    const __m512i idx = _mm512_add_epi16(
        _mm512_inserti64x4(
            _mm512_castsi256_si512(_mm256_setr_m128i(_mm_set1_epi16(0), _mm_set1_epi16(1))),
            _mm256_setr_m128i(_mm_set1_epi16(2), _mm_set1_epi16(3)), 1),
        _mm512_set1_epi16((short)(4 * k)));

    return _mm512_permutexvar_epi16(idx, _mm512_castsi256_si512(s));
}

/* Low bytes of the products of 64 values, number i of a block, with the scales of every 16. */
SIMD_INLINE vb vb_scale(vb w, b16 scales, int i)
{
    return vb_scale_8(w, vb_spread(h16_from_b16(scales), i));
}

/* The low int16 of `low`, those of `high` above them. */
SIMD_INLINE vi vi_join_16(vi low, vi high)
{
    return _mm512_mask_blend_epi16(0xaaaaaaaa, low, _mm512_slli_epi32(high, 16));
}

/* Lane i of v[j] and lane j of v[i] change places. */
SIMD_INLINE void vi_transpose(vi v[16])
{
    vi u[16];

#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        u[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        u[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        v[i] = _mm512_unpacklo_epi64(u[i], u[i + 2]);
        v[i + 1] = _mm512_unpackhi_epi64(u[i], u[i + 2]);
        v[i + 2] = _mm512_unpacklo_epi64(u[i + 1], u[i + 3]);
        v[i + 3] = _mm512_unpackhi_epi64(u[i + 1], u[i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        u[i] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88);
        u[i + 4] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xdd);
        u[i + 8] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88);
        u[i + 12] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xdd);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        v[i] = _mm512_shuffle_i32x4(u[i], u[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_i32x4(u[i], u[i + 8], 0xdd);
    }
}

#endif
