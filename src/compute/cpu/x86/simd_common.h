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

SIMD_INLINE float load_half(const void *p)
{
    return _cvtsh_ss(load_u16(p));
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

SIMD_INLINE float max_256(__m256 v)
{
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

/* 8 float16 that lie `stride` bytes apart. */
SIMD_INLINE __m256 load_8_halves(const uint8_t *p, size_t stride)
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
