/* What the AVX2 and AVX-512 units share: 128- and 256-bit helpers. Included by simd_avx2.h and
 * simd_avx512.h only; everything is static, so each unit has its own copy compiled its own way.
 *
 * The kernels (*.inc.h) are written once, over a logical vector of 16 floats (vf), 16 int32 (vi) or
 * 64 bytes (vb): one register of AVX-512, two of AVX2. Lane by lane both do the same operations in
 * the same order, so both give the same bits. */
#ifndef GS_COMPUTE_CPU_X86_SIMD_COMMON_H
#define GS_COMPUTE_CPU_X86_SIMD_COMMON_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "compute/kernels.h"

#define SIMD_INLINE static inline __attribute__((always_inline))

SIMD_INLINE __m128i load_128(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

SIMD_INLINE __m256i load_256(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

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
    return _cvtsh_ss(load_u16(p));
}

SIMD_INLINE uint16_t half_of(float x)
{
    return _cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT);
}

/* ---- 16 bytes ---- */

typedef __m128i b16;

SIMD_INLINE b16 b16_load(const void *p)
{
    return load_128(p);
}

SIMD_INLINE void b16_store(void *p, b16 v)
{
    _mm_storeu_si128(p, v);
}

SIMD_INLINE b16 b16_set(uint8_t x)
{
    return _mm_set1_epi8((char)x);
}

SIMD_INLINE b16 b16_set_2(uint64_t a, uint64_t b)
{
    return _mm_set_epi64x((long long)b, (long long)a);
}

SIMD_INLINE b16 b16_set_4(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return _mm_setr_epi32((int)a, (int)b, (int)c, (int)d);
}

SIMD_INLINE b16 b16_and(b16 v, uint8_t mask)
{
    return _mm_and_si128(v, b16_set(mask));
}

SIMD_INLINE b16 b16_or(b16 a, b16 b)
{
    return _mm_or_si128(a, b);
}

SIMD_INLINE b16 b16_negate(b16 v)
{
    return _mm_sub_epi8(_mm_setzero_si128(), v);
}

SIMD_INLINE b16 b16_add(b16 a, b16 b)
{
    return _mm_add_epi8(a, b);
}

/* 16 numbers of six bits in twelve bytes, as Q4_K packs them: the first four bytes have numbers
 * 0..3 and the high bits of 4..7, the next four 8..11 and the high bits of 12..15, the last the low
 * nibbles of 4..7 and 12..15. */
SIMD_INLINE b16 b16_sixes(b16 v)
{
    const b16 low = _mm_srlv_epi32(_mm_shuffle_epi32(v, 0x98), _mm_setr_epi32(0, 0, 0, 4));
    const b16 high = _mm_srli_epi32(_mm_shuffle_epi32(v, 0x50), 2);
    const b16 sixes = _mm_setr_epi32(0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f, 0x0f0f0f0f);
    const b16 twos = _mm_setr_epi32(0, 0x30303030, 0, 0x30303030);

    return _mm_or_si128(_mm_and_si128(low, sixes), _mm_and_si128(high, twos));
}

/* The low bytes of the products. */
SIMD_INLINE b16 b16_mul(b16 a, b16 b)
{
    const b16 even = _mm_and_si128(_mm_mullo_epi16(a, b), _mm_set1_epi16(0xff));
    const b16 odd = _mm_mullo_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));

    return b16_or(even, _mm_slli_epi16(odd, 8));
}

SIMD_INLINE b16 b16_high_nibbles(b16 v)
{
    return b16_and(_mm_srli_epi16(v, 4), 15);
}

/* Bytes of a and b in turn: of their first halves, of their second. */
SIMD_INLINE b16 b16_zip_low(b16 a, b16 b)
{
    return _mm_unpacklo_epi8(a, b);
}

SIMD_INLINE b16 b16_zip_high(b16 a, b16 b)
{
    return _mm_unpackhi_epi8(a, b);
}

/* Bytes 1, 3, .. 15 of a, then of b. */
SIMD_INLINE b16 b16_odd(b16 a, b16 b)
{
    return _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
}

/* table[idx] for idx < 16. */
SIMD_INLINE b16 b16_lookup(b16 table, b16 idx)
{
    return _mm_shuffle_epi8(table, idx);
}

/* The sum of signed bytes: of bytes made unsigned, 8 at a time, and back. */
SIMD_INLINE int b16_sum(b16 v)
{
    const b16 sums = _mm_sad_epu8(_mm_xor_si128(v, b16_set(0x80)), _mm_setzero_si128());

    return _mm_cvtsi128_si32(sums) + _mm_extract_epi16(sums, 4) - 16 * 128;
}

/* ---- 16 int16 ---- */

typedef __m256i h16;

/* Of signed bytes. */
SIMD_INLINE h16 h16_from_b16(b16 v)
{
    return _mm256_cvtepi8_epi16(v);
}

SIMD_INLINE h16 h16_mul(h16 a, h16 b)
{
    return _mm256_mullo_epi16(a, b);
}

SIMD_INLINE void h16_store(int16_t *p, h16 v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}

/* Int16 0, 2, .. 14, none of them negative. */
SIMD_INLINE void h16_store_even(int16_t *p, h16 v)
{
    const h16 even = _mm256_and_si256(v, _mm256_set1_epi32(0xffff));

    b16_store(p, _mm_packus_epi32(_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1)));
}

/* ---- 32 bytes ---- */

typedef __m256i b32;

SIMD_INLINE b32 b32_load(const void *p)
{
    return load_256(p);
}

SIMD_INLINE b32 b32_join(b16 a, b16 b)
{
    return _mm256_setr_m128i(a, b);
}

SIMD_INLINE b32 b32_add(b32 a, b32 b)
{
    return _mm256_add_epi8(a, b);
}

/* How many of two limits the unsigned bytes reach. */
SIMD_INLINE b32 b32_reached(b32 v, uint8_t a, uint8_t b)
{
    const b32 one = _mm256_cmpeq_epi8(_mm256_max_epu8(v, _mm256_set1_epi8((char)a)), v);
    const b32 two = _mm256_cmpeq_epi8(_mm256_max_epu8(v, _mm256_set1_epi8((char)b)), v);

    return _mm256_abs_epi8(_mm256_add_epi8(one, two));
}

/* ---- 8 floats ---- */

typedef __m256 f8;

SIMD_INLINE void f8_store(float *p, f8 v)
{
    _mm256_storeu_ps(p, v);
}

SIMD_INLINE void f4_store(float *p, __m128 v)
{
    _mm_storeu_ps(p, v);
}

SIMD_INLINE f8 f8_times(f8 v, float by)
{
    return _mm256_mul_ps(v, _mm256_set1_ps(by));
}

/* The sum of 4 lanes: (0 + 2) + (1 + 3). */
SIMD_INLINE float sum_128(__m128 v)
{
    const __m128 two = _mm_add_ps(v, _mm_movehl_ps(v, v));

    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

SIMD_INLINE float sum_256(__m256 v)
{
    return sum_128(_mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
}

/* Lane i of the result is sum_256(v[order[i]]) with the same additions; order: 0 2 4 6 1 3 5 7. */
SIMD_INLINE __m256 sums_256(const __m256 v[8])
{
    __m256 s[4];

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        s[i] = _mm256_add_ps(_mm256_permute2f128_ps(v[2 * i], v[2 * i + 1], 0x20),
                             _mm256_permute2f128_ps(v[2 * i], v[2 * i + 1], 0x31));
    const __m256 a = _mm256_add_ps(_mm256_unpacklo_ps(s[0], s[1]), _mm256_unpackhi_ps(s[0], s[1]));
    const __m256 b = _mm256_add_ps(_mm256_unpacklo_ps(s[2], s[3]), _mm256_unpackhi_ps(s[2], s[3]));
    const __m256d da = _mm256_castps_pd(a);
    const __m256d db = _mm256_castps_pd(b);
    return _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(da, db)),
                         _mm256_castpd_ps(_mm256_unpackhi_pd(da, db)));
}

/* out[i] = sum_256(v[i]), n <= 8. */
SIMD_INLINE void sum_n_256(float *out, const __m256 *v, int n)
{
    static const uint8_t order[8] = {0, 2, 4, 6, 1, 3, 5, 7};
    __m256 ordered[8];
    float sums[8];

    if (n < 4) {
        for (int i = 0; i < n; i++)
            out[i] = sum_256(v[i]);
        return;
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        ordered[order[i]] = v[i % n];
    _mm256_storeu_ps(sums, sums_256(ordered));
#pragma GCC unroll 8
    for (int i = 0; i < n; i++)
        out[i] = sums[i];
}

SIMD_INLINE float max_256(__m256 v)
{
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

/* 8 float16 that lie `stride` bytes apart. */
SIMD_INLINE f8 f8_load_halves(const uint8_t *p, size_t stride)
{
    __m128i v = _mm_cvtsi32_si128(load_u16(p));

    v = _mm_insert_epi16(v, load_u16(p + stride), 1);
    v = _mm_insert_epi16(v, load_u16(p + 2 * stride), 2);
    v = _mm_insert_epi16(v, load_u16(p + 3 * stride), 3);
    v = _mm_insert_epi16(v, load_u16(p + 4 * stride), 4);
    v = _mm_insert_epi16(v, load_u16(p + 5 * stride), 5);
    v = _mm_insert_epi16(v, load_u16(p + 6 * stride), 6);
    v = _mm_insert_epi16(v, load_u16(p + 7 * stride), 7);
    return _mm256_cvtph_ps(v);
}

/* 2^(e - 128) of 8 bytes e, `stride` bytes apart; the two smallest are subnormal. */
SIMD_INLINE f8 f8_load_e8m0(const uint8_t *p, size_t stride)
{
    const __m256i e = _mm256_setr_epi32(p[0], p[stride], p[2 * stride], p[3 * stride],
                                        p[4 * stride], p[5 * stride], p[6 * stride], p[7 * stride]);
    const __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);

    return _mm256_castsi256_ps(
        _mm256_blendv_epi8(normal, small, _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e)));
}

/* Ask for n bytes in the second level: those that follow the weights at p in PREFETCH_BYTES (it may
 * be outside the mapping). Measured: 8 KiB ahead, one stream per thread, doubles what a thread
 * reads from memory. */
#define PREFETCH_BYTES 8192

SIMD_INLINE void prefetch_ahead(const uint8_t *p, size_t n)
{
#pragma GCC unroll 8
    for (size_t i = 0; i < n; i += 64)
        _mm_prefetch((const char *)((uintptr_t)p + PREFETCH_BYTES + i), _MM_HINT_T1);
}

#endif
