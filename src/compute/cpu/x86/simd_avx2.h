/* The logical vector on AVX2, FMA, F16C: two registers. With SIMD_VNNI defined also AVX-VNNI; its
 * results are the same. The meaning of each function is stated in simd_avx512.h. */
#ifndef GS_COMPUTE_CPU_X86_SIMD_AVX2_H
#define GS_COMPUTE_CPU_X86_SIMD_AVX2_H

#include "compute/cpu/x86/simd_common.h"

typedef struct {
    __m256 a, b;
} vf;

typedef struct {
    __m256i a, b;
} vi;

typedef vi vb;

/* ---- floats ---- */

SIMD_INLINE vf vf_zero(void)
{
    return (vf){_mm256_setzero_ps(), _mm256_setzero_ps()};
}

SIMD_INLINE vf vf_set(float x)
{
    return (vf){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}

SIMD_INLINE vf vf_load(const float *p)
{
    return (vf){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

SIMD_INLINE void vf_store(float *p, vf v)
{
    _mm256_storeu_ps(p, v.a);
    _mm256_storeu_ps(p + 8, v.b);
}

/* All ones in the first n lanes of 8; n may be negative or large. */
SIMD_INLINE __m256i first_lanes(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

SIMD_INLINE vf vf_load_n(const float *p, size_t n)
{
    return (vf){_mm256_maskload_ps(p, first_lanes((int)n)),
                _mm256_maskload_ps(p + 8, first_lanes((int)n - 8))};
}

SIMD_INLINE void vf_store_n(float *p, vf v, size_t n)
{
    _mm256_maskstore_ps(p, first_lanes((int)n), v.a);
    _mm256_maskstore_ps(p + 8, first_lanes((int)n - 8), v.b);
}

SIMD_INLINE vf vf_load_f16(const void *p)
{
    return (vf){_mm256_cvtph_ps(load_128(p)), _mm256_cvtph_ps(load_128((const char *)p + 16))};
}

SIMD_INLINE __m256 load_8_bf16(const void *p)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_128(p)), 16));
}

SIMD_INLINE vf vf_load_bf16(const void *p)
{
    return (vf){load_8_bf16(p), load_8_bf16((const char *)p + 16)};
}

SIMD_INLINE void vf_store_f16(void *p, vf v)
{
    _mm_storeu_si128(p, _mm256_cvtps_ph(v.a, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i *)p + 1, _mm256_cvtps_ph(v.b, _MM_FROUND_TO_NEAREST_INT));
}

SIMD_INLINE vf vf_from_i8(__m128i v)
{
    return (vf){_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v)),
                _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(v, v)))};
}

SIMD_INLINE __m128i vf_to_i8(vf v)
{
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packs_epi32(_mm256_cvtps_epi32(v.a), _mm256_cvtps_epi32(v.b)), 0xd8);

    return _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

SIMD_INLINE vf vf_add(vf a, vf b)
{
    return (vf){_mm256_add_ps(a.a, b.a), _mm256_add_ps(a.b, b.b)};
}

SIMD_INLINE vf vf_sub(vf a, vf b)
{
    return (vf){_mm256_sub_ps(a.a, b.a), _mm256_sub_ps(a.b, b.b)};
}

SIMD_INLINE vf vf_mul(vf a, vf b)
{
    return (vf){_mm256_mul_ps(a.a, b.a), _mm256_mul_ps(a.b, b.b)};
}

SIMD_INLINE vf vf_div(vf a, vf b)
{
    return (vf){_mm256_div_ps(a.a, b.a), _mm256_div_ps(a.b, b.b)};
}

SIMD_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return (vf){_mm256_fmadd_ps(a.a, b.a, c.a), _mm256_fmadd_ps(a.b, b.b, c.b)};
}

SIMD_INLINE vf vf_max(vf a, vf b)
{
    return (vf){_mm256_max_ps(a.a, b.a), _mm256_max_ps(a.b, b.b)};
}

SIMD_INLINE vf vf_min(vf a, vf b)
{
    return (vf){_mm256_min_ps(a.a, b.a), _mm256_min_ps(a.b, b.b)};
}

SIMD_INLINE vf vf_abs(vf v)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);

    return (vf){_mm256_andnot_ps(sign, v.a), _mm256_andnot_ps(sign, v.b)};
}

SIMD_INLINE vf vf_round(vf v)
{
    return (vf){_mm256_round_ps(v.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
                _mm256_round_ps(v.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}

SIMD_INLINE __m256 exp2_whole_256(__m256 n)
{
    const __m256i e = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));

    return _mm256_castsi256_ps(_mm256_slli_epi32(e, 23));
}

SIMD_INLINE vf vf_exp2_whole(vf n)
{
    return (vf){exp2_whole_256(n.a), exp2_whole_256(n.b)};
}

SIMD_INLINE __m256 vf_fold(vf v)
{
    return _mm256_add_ps(v.a, v.b);
}

SIMD_INLINE float vf_sum(vf v)
{
    return sum_256(vf_fold(v));
}

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
    return max_256(_mm256_max_ps(v.a, v.b));
}

SIMD_INLINE vf vf_if_less(vf a, vf b, vf x, vf y)
{
    return (vf){_mm256_blendv_ps(y.a, x.a, _mm256_cmp_ps(a.a, b.a, _CMP_LT_OQ)),
                _mm256_blendv_ps(y.b, x.b, _mm256_cmp_ps(a.b, b.b, _CMP_LT_OQ))};
}

SIMD_INLINE vf vf_sums(const vf v[16])
{
    float sums[16];

    vf_sum_n(sums, v, 8);
    vf_sum_n(sums + 8, v + 8, 8);
    return vf_load(sums);
}

SIMD_INLINE vf f8_twice(__m256 v)
{
    const __m256 low = _mm256_unpacklo_ps(v, v);
    const __m256 high = _mm256_unpackhi_ps(v, v);

    return (vf){_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31)};
}

SIMD_INLINE vf vf_widen(__m256 v)
{
    return (vf){v, _mm256_setzero_ps()};
}

SIMD_INLINE vf vf_pair(__m256 v, int k)
{
    return (vf){_mm256_permutevar8x32_ps(v, _mm256_set1_epi32(2 * k)),
                _mm256_permutevar8x32_ps(v, _mm256_set1_epi32(2 * k + 1))};
}

SIMD_INLINE vf vf_quads(__m128 v)
{
    const __m256 both = _mm256_castps128_ps256(v);

    return (vf){_mm256_permutevar8x32_ps(both, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1)),
                _mm256_permutevar8x32_ps(both, _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3))};
}

/* ---- bytes ---- */

SIMD_INLINE vi vi_zero(void)
{
    return (vi){_mm256_setzero_si256(), _mm256_setzero_si256()};
}

SIMD_INLINE vi vi_set(int v)
{
    return (vi){_mm256_set1_epi32(v), _mm256_set1_epi32(v)};
}

SIMD_INLINE vi vi_add(vi a, vi b)
{
    return (vi){_mm256_add_epi32(a.a, b.a), _mm256_add_epi32(a.b, b.b)};
}

SIMD_INLINE vf vf_of_bits(vi v)
{
    return (vf){_mm256_castsi256_ps(v.a), _mm256_castsi256_ps(v.b)};
}

SIMD_INLINE vi vf_bits(vf v)
{
    return (vi){_mm256_castps_si256(v.a), _mm256_castps_si256(v.b)};
}

SIMD_INLINE vf vf_from_vi(vi v)
{
    return (vf){_mm256_cvtepi32_ps(v.a), _mm256_cvtepi32_ps(v.b)};
}

SIMD_INLINE vb vb_load_2(const void *a, const void *b)
{
    return (vb){load_256(a), load_256(b)};
}

SIMD_INLINE vb vb_load(const void *p)
{
    return vb_load_2(p, (const char *)p + 32);
}

SIMD_INLINE void vb_store(void *p, vb v)
{
    _mm256_storeu_si256(p, v.a);
    _mm256_storeu_si256((__m256i *)p + 1, v.b);
}

SIMD_INLINE vb vb_set_4(const void *p)
{
    return vi_set((int)load_u32(p));
}

SIMD_INLINE vb vb_or(vb a, vb b)
{
    return (vb){_mm256_or_si256(a.a, b.a), _mm256_or_si256(a.b, b.b)};
}

SIMD_INLINE vb vb_add(vb a, uint8_t b)
{
    const __m256i v = _mm256_set1_epi8((char)b);

    return (vb){_mm256_add_epi8(a.a, v), _mm256_add_epi8(a.b, v)};
}

SIMD_INLINE vb vb_and(vb v, uint8_t mask)
{
    const __m256i m = _mm256_set1_epi8((char)mask);

    return (vb){_mm256_and_si256(v.a, m), _mm256_and_si256(v.b, m)};
}

SIMD_INLINE vb vb_high_nibbles(vb v)
{
    return vb_and((vb){_mm256_srli_epi16(v.a, 4), _mm256_srli_epi16(v.b, 4)}, 15);
}

SIMD_INLINE vb vb_right(const void *p, int r0, int r1, uint8_t mask)
{
    const __m256i v = load_256(p);

    return vb_and((vb){_mm256_srli_epi16(v, r0), _mm256_srli_epi16(v, r1)}, mask);
}

SIMD_INLINE vb vb_left(const void *p, int l0, int l1, uint8_t mask)
{
    const __m256i v = load_256(p);

    return vb_and((vb){_mm256_slli_epi16(v, l0), _mm256_slli_epi16(v, l1)}, mask);
}

SIMD_INLINE vb vb_nibbles(const void *a, const void *b)
{
    const __m256i by = _mm256_setr_epi64x(0, 0, 4, 4);
    const vb v = {_mm256_srlv_epi64(_mm256_broadcastsi128_si256(load_128(a)), by),
                  _mm256_srlv_epi64(_mm256_broadcastsi128_si256(load_128(b)), by)};

    return vb_and(v, 15);
}

SIMD_INLINE __m256i bits_256(uint32_t bits, uint8_t value)
{
    const __m256i which =
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
    const __m256i v = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), which);

    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(v, bit), bit),
                            _mm256_set1_epi8((char)value));
}

SIMD_INLINE vb vb_bits(uint64_t bits, uint8_t value)
{
    return (vb){bits_256((uint32_t)bits, value), bits_256((uint32_t)(bits >> 32), value)};
}

SIMD_INLINE vb vb_join(__m256i a, __m256i b)
{
    return (vb){a, b};
}

SIMD_INLINE vb vb_set_8(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f,
                        uint64_t g, uint64_t h)
{
    return (vb){_mm256_setr_epi64x((long long)a, (long long)b, (long long)c, (long long)d),
                _mm256_setr_epi64x((long long)e, (long long)f, (long long)g, (long long)h)};
}

SIMD_INLINE __m256i offset_256(__m256i v, uint32_t minus, uint8_t offset)
{
    const __m256i m = bits_256(minus, 0xff);

    return _mm256_add_epi8(_mm256_sub_epi8(_mm256_xor_si256(v, m), m),
                           _mm256_set1_epi8((char)offset));
}

SIMD_INLINE vb vb_offset(vb v, uint64_t minus, uint8_t offset)
{
    return (vb){offset_256(v.a, (uint32_t)minus, offset),
                offset_256(v.b, (uint32_t)(minus >> 32), offset)};
}

SIMD_INLINE vb vb_lookup(__m128i table, vb idx)
{
    const __m256i t = _mm256_broadcastsi128_si256(table);

    return (vb){_mm256_shuffle_epi8(t, idx.a), _mm256_shuffle_epi8(t, idx.b)};
}

SIMD_INLINE vb vb_abs(vb v)
{
    return (vb){_mm256_abs_epi8(v.a), _mm256_abs_epi8(v.b)};
}

SIMD_INLINE vb vb_sign(vb x, vb w)
{
    return (vb){_mm256_sign_epi8(x.a, w.a), _mm256_sign_epi8(x.b, w.b)};
}

SIMD_INLINE vb vb_dot_16(vb w, vb x)
{
    return (vb){_mm256_maddubs_epi16(w.a, x.a), _mm256_maddubs_epi16(w.b, x.b)};
}

SIMD_INLINE vb vb_add_16(vb a, vb b)
{
    return (vb){_mm256_add_epi16(a.a, b.a), _mm256_add_epi16(a.b, b.b)};
}

SIMD_INLINE vi vi_keep(vi v)
{
    __asm__("" : "+x"(v.a), "+x"(v.b));
    return v;
}

SIMD_INLINE vi vi_add_pairs(vi acc, vi a, vi b)
{
#ifdef SIMD_VNNI
    return (vi){_mm256_dpwssd_avx_epi32(acc.a, a.a, b.a), _mm256_dpwssd_avx_epi32(acc.b, a.b, b.b)};
#else
    return vi_add(acc, (vi){_mm256_madd_epi16(a.a, b.a), _mm256_madd_epi16(a.b, b.b)});
#endif
}

#ifdef SIMD_VNNI
SIMD_INLINE vi vb_dot_add(vi acc, vb w, vb x)
{
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc.a) : "x"(w.a), "x"(x.a));
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc.b) : "x"(w.b), "x"(x.b));
    return acc;
}
#endif

SIMD_INLINE __m256i scale_8_256(__m256i w, __m256i s)
{
    const __m256i odd = _mm256_slli_epi16(_mm256_mullo_epi16(_mm256_srli_epi16(w, 8), s), 8);

    return _mm256_blendv_epi8(_mm256_mullo_epi16(w, s), odd, _mm256_set1_epi16((short)0xff00));
}

SIMD_INLINE vb vb_scale_8(vb w, vb s)
{
    return (vb){scale_8_256(w.a, s.a), scale_8_256(w.b, s.b)};
}

SIMD_INLINE vi vb_dot(vb w, vb x)
{
#ifdef SIMD_VNNI
    return vb_dot_add(vi_zero(), w, x);
#else
    const __m256i one = _mm256_set1_epi16(1);

    return vi_add_pairs(vi_zero(), vb_dot_16(w, x), (vi){one, one});
#endif
}

SIMD_INLINE vi vb_dot_scaled(vi acc, vb w, vb x, vb s)
{
    return vi_add_pairs(acc, vb_dot_16(w, x), s);
}

SIMD_INLINE vb vb_spread(__m256i s, int k)
{
    const __m256i half =
        k < 2 ? _mm256_permute4x64_epi64(s, 0x44) : _mm256_permute4x64_epi64(s, 0xee);
    const short first = (short)(0x0100 + 0x0808 * (k % 2)); /* bytes 0, 1 of int16 4 (k % 2) */
    const __m256i a =
        _mm256_setr_m128i(_mm_set1_epi16(first), _mm_set1_epi16((short)(first + 0x0202)));
    const __m256i b = _mm256_add_epi16(a, _mm256_set1_epi16(0x0404));

    return (vb){_mm256_shuffle_epi8(half, a), _mm256_shuffle_epi8(half, b)};
}

SIMD_INLINE vb vb_scale(vb w, b16 scales, int i)
{
    return vb_scale_8(w, vb_spread(h16_from_b16(scales), i));
}

SIMD_INLINE vi vi_join_16(vi low, vi high)
{
    return (vi){_mm256_blend_epi16(low.a, _mm256_slli_epi32(high.a, 16), 0xaa),
                _mm256_blend_epi16(low.b, _mm256_slli_epi32(high.b, 16), 0xaa)};
}

SIMD_INLINE void transpose_8(__m256i v[8])
{
    __m256i u[8];

#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        u[i] = _mm256_unpacklo_epi32(v[i], v[i + 1]);
        u[i + 1] = _mm256_unpackhi_epi32(v[i], v[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        v[i] = _mm256_unpacklo_epi64(u[i], u[i + 2]);
        v[i + 1] = _mm256_unpackhi_epi64(u[i], u[i + 2]);
        v[i + 2] = _mm256_unpacklo_epi64(u[i + 1], u[i + 3]);
        v[i + 3] = _mm256_unpackhi_epi64(u[i + 1], u[i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        u[i] = _mm256_permute2x128_si256(v[i], v[i + 4], 0x20);
        u[i + 4] = _mm256_permute2x128_si256(v[i], v[i + 4], 0x31);
    }
    memcpy(v, u, sizeof(u));
}

SIMD_INLINE void vi_transpose(vi v[16])
{
    __m256i part[4][8];

    for (int i = 0; i < 8; i++) {
        part[0][i] = v[i].a;
        part[1][i] = v[i + 8].a;
        part[2][i] = v[i].b;
        part[3][i] = v[i + 8].b;
    }
    for (int i = 0; i < 4; i++)
        transpose_8(part[i]);
    for (int i = 0; i < 8; i++) {
        v[i] = (vi){part[0][i], part[1][i]};
        v[i + 8] = (vi){part[2][i], part[3][i]};
    }
}

#endif
