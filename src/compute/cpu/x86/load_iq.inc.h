/* Weight blocks of IQ1, IQ2, IQ3, TQ1_0 and TQ2_0, brought to the form of struct k_block (included
 * before this).
 *
 * Eight codebook entries make 64 weights. Signed magnitudes become offset + w, unsigned; IQ1 is
 * 8 (w + 1), and the eighth it is shifted by goes to the second term (IQ1_S) or to the weights
 * (IQ1_M); trits are w + 1. */
#include "compute/blocks.h"
#include "compute/iq_grids.h"

SIMD_INLINE uint64_t load_u64(const void *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* ---- signs ---- */

/* Two words of four times seven signs: bytes of eight signs, minus an even number of times. */
SIMD_INLINE uint64_t even_signs(uint32_t a, uint32_t b)
{
    const uint64_t seven = UINT64_C(0x0000007f0000007f);
    const uint64_t v = a | (uint64_t)b << 32;
    const uint64_t s =
        (v & seven) | (v << 1 & seven << 8) | (v << 2 & seven << 16) | (v << 3 & seven << 24);
    uint64_t p = s ^ s >> 4;

    p ^= p >> 2;
    p ^= p >> 1;
    return s | (p & UINT64_C(0x0101010101010101)) << 7;
}

/* ---- scales ---- */

/* 2 s + 1 */
SIMD_INLINE __m128i odd(__m128i s)
{
    return _mm_or_si128(_mm_add_epi8(s, s), _mm_set1_epi8(1));
}

/* The nibbles of 8 bytes, low first. */
SIMD_INLINE __m128i nibbles_of_8(const uint8_t *p)
{
    const __m128i v = _mm_loadl_epi64((const __m128i *)p);

    return _mm_and_si128(_mm_unpacklo_epi8(v, _mm_srli_epi16(v, 4)), _mm_set1_epi8(15));
}

/* 8 int32 as bytes, each twice. */
SIMD_INLINE __m128i doubled_bytes(__m256i v)
{
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    const __m128i bytes = _mm_packs_epi16(words, words);

    return _mm_unpacklo_epi8(bytes, bytes);
}

/* ---- IQ2, IQ3 ---- */

#define IQ2_OFFSET     43 /* the largest magnitudes */
#define IQ3_XXS_OFFSET 62
#define IQ3_S_OFFSET   15

SIMD_INLINE struct k_block load_iq2_xxs(const uint8_t *p)
{
    const struct gs_block_iq2_xxs *q = (const struct gs_block_iq2_xxs *)p;
    const uint64_t *grid = gs_kernels_iq2_xxs_grid;
    const __m256 a = _mm256_castsi256_ps(load_256(q->qs));
    const __m256 b = _mm256_castsi256_ps(load_256(q->qs + 32));
    const __m256i words =
        _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd)), 0xd8);
    struct k_block k;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const uint8_t *c = q->qs + 16 * i;
        k.w[i] = vb_offset(vb_set_8(grid[c[0]], grid[c[1]], grid[c[2]], grid[c[3]], grid[c[8]],
                                    grid[c[9]], grid[c[10]], grid[c[11]]),
                           even_signs(load_u32(c + 4), load_u32(c + 12)), IQ2_OFFSET);
    }
    set_offset(&k, odd(doubled_bytes(_mm256_srli_epi32(words, 28))), load_half(q->d) / 8,
               IQ2_OFFSET);
    return k;
}

SIMD_INLINE struct k_block load_iq2_xs(const uint8_t *p)
{
    const struct gs_block_iq2_xs *q = (const struct gs_block_iq2_xs *)p;
    const uint64_t *grid = gs_kernels_iq2_xs_grid;
    struct k_block k;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const uint64_t a = load_u64(q->qs + 16 * i);
        const uint64_t b = load_u64(q->qs + 16 * i + 8);
        /* the seven signs of four words, side by side */
        const uint32_t sa = (uint32_t)((a >> 9 & 127) | (a >> 18 & 127u << 7) |
                                       (a >> 27 & 127u << 14) | (a >> 36 & 127u << 21));
        const uint32_t sb = (uint32_t)((b >> 9 & 127) | (b >> 18 & 127u << 7) |
                                       (b >> 27 & 127u << 14) | (b >> 36 & 127u << 21));
        k.w[i] = vb_offset(vb_set_8(grid[a & 511], grid[a >> 16 & 511], grid[a >> 32 & 511],
                                    grid[a >> 48 & 511], grid[b & 511], grid[b >> 16 & 511],
                                    grid[b >> 32 & 511], grid[b >> 48 & 511]),
                           even_signs(sa, sb), IQ2_OFFSET);
    }
    set_offset(&k, odd(nibbles_of_8(q->scales)), load_half(q->d) / 8, IQ2_OFFSET);
    return k;
}

SIMD_INLINE struct k_block load_iq2_s(const uint8_t *p)
{
    const struct gs_block_iq2_s *q = (const struct gs_block_iq2_s *)p;
    const uint64_t *grid = gs_kernels_iq2_s_grid;
    struct k_block k;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const uint8_t *c = q->qs + 8 * i;
        const uint32_t h = load_u16(q->qh + 2 * i);
        k.w[i] = vb_offset(vb_set_8(grid[c[0] | (h << 8 & 768)], grid[c[1] | (h << 6 & 768)],
                                    grid[c[2] | (h << 4 & 768)], grid[c[3] | (h << 2 & 768)],
                                    grid[c[4] | (h & 768)], grid[c[5] | (h >> 2 & 768)],
                                    grid[c[6] | (h >> 4 & 768)], grid[c[7] | (h >> 6 & 768)]),
                           load_u64(q->signs + 8 * i), IQ2_OFFSET);
    }
    set_offset(&k, odd(nibbles_of_8(q->scales)), load_half(q->d) / 8, IQ2_OFFSET);
    return k;
}

/* Two entries of four. */
SIMD_INLINE uint64_t pair(const uint32_t *grid, size_t a, size_t b)
{
    return grid[a] | (uint64_t)grid[b] << 32;
}

SIMD_INLINE struct k_block load_iq3_xxs(const uint8_t *p)
{
    const struct gs_block_iq3_xxs *q = (const struct gs_block_iq3_xxs *)p;
    const uint32_t *grid = gs_kernels_iq3_xxs_grid;
    struct k_block k;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const uint8_t *c = q->qs + 16 * i;
        const uint8_t *s = q->signs + 8 * i;
        k.w[i] = vb_offset(vb_set_8(pair(grid, c[0], c[1]), pair(grid, c[2], c[3]),
                                    pair(grid, c[4], c[5]), pair(grid, c[6], c[7]),
                                    pair(grid, c[8], c[9]), pair(grid, c[10], c[11]),
                                    pair(grid, c[12], c[13]), pair(grid, c[14], c[15])),
                           even_signs(load_u32(s), load_u32(s + 4)), IQ3_XXS_OFFSET);
    }
    set_offset(&k, odd(doubled_bytes(_mm256_srli_epi32(load_256(q->signs), 28))),
               load_half(q->d) / 4, IQ3_XXS_OFFSET);
    return k;
}

/* Entries 2 l and 2 l + 1 of eight at c. */
SIMD_INLINE uint64_t iq3_s_pair(const uint8_t *c, unsigned h, int l)
{
    return pair(gs_kernels_iq3_s_grid, c[2 * l] | (h << (8 - 2 * l) & 256),
                c[2 * l + 1] | (h << (7 - 2 * l) & 256));
}

SIMD_INLINE struct k_block load_iq3_s(const uint8_t *p)
{
    const struct gs_block_iq3_s *q = (const struct gs_block_iq3_s *)p;
    const __m128i scales = nibbles_of_8(p + sizeof(*q) - 8); /* the last four bytes */
    struct k_block k;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const uint8_t *c = q->qs + 16 * i;
        const unsigned a = q->qh[2 * i];
        const unsigned b = q->qh[2 * i + 1];
        k.w[i] = vb_offset(vb_set_8(iq3_s_pair(c, a, 0), iq3_s_pair(c, a, 1), iq3_s_pair(c, a, 2),
                                    iq3_s_pair(c, a, 3), iq3_s_pair(c + 8, b, 0),
                                    iq3_s_pair(c + 8, b, 1), iq3_s_pair(c + 8, b, 2),
                                    iq3_s_pair(c + 8, b, 3)),
                           load_u64(q->signs + 8 * i), IQ3_S_OFFSET);
    }
    set_offset(&k, odd(_mm_unpackhi_epi8(scales, scales)), load_half(q->d), IQ3_S_OFFSET);
    return k;
}

/* ---- IQ1 ---- */

/* Entries l of eight bits of index at c and three of h. */
SIMD_INLINE uint64_t iq1_s_entry(const uint8_t *c, unsigned h, int l)
{
    return gs_kernels_iq1_grid[c[l] | (h >> 3 * l & 7) << 8];
}

SIMD_INLINE struct k_block load_iq1_s(const uint8_t *p)
{
    const struct gs_block_iq1_s *q = (const struct gs_block_iq1_s *)p;
    const __m128i high = load_128(q->qh);
    const __m128i scale = _mm_and_si128(_mm_srli_epi16(high, 12), _mm_set1_epi16(7));
    const __m128i words = _mm_or_si128(_mm_add_epi16(scale, scale), _mm_set1_epi16(1));
    const __m128i bytes = _mm_packs_epi16(words, words);
    /* times 7 where an eighth is added, 9 where it is taken away */
    const __m128i shift =
        _mm_sub_epi16(_mm_set1_epi16(7), _mm_slli_epi16(_mm_srai_epi16(high, 15), 1));
    const __m128i mins = _mm_mullo_epi16(words, shift);
    struct k_block k;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const uint8_t *c = q->qs + 8 * i;
        const unsigned a = load_u16(q->qh + 4 * i);
        const unsigned b = load_u16(q->qh + 4 * i + 2);
        k.w[i] = vb_set_8(iq1_s_entry(c, a, 0), iq1_s_entry(c, a, 1), iq1_s_entry(c, a, 2),
                          iq1_s_entry(c, a, 3), iq1_s_entry(c + 4, b, 0), iq1_s_entry(c + 4, b, 1),
                          iq1_s_entry(c + 4, b, 2), iq1_s_entry(c + 4, b, 3));
    }
    set_offset(&k, _mm_unpacklo_epi8(bytes, bytes), load_half(q->d) / 8, 1);
    k.min = _mm256_setr_m128i(_mm_unpacklo_epi16(mins, mins), _mm_unpackhi_epi16(mins, mins));
    return k;
}

/* Entry l of a word of nibbles: 8 (w + 1), and 2 more where an eighth is added. */
SIMD_INLINE uint64_t iq1_m_entry(const uint8_t *c, uint32_t h, int l)
{
    static const uint64_t shift[2] = {UINT64_C(0x0202020202020202), 0};

    return gs_kernels_iq1_grid[c[l] | (h >> 4 * l & 7) << 8] | shift[h >> (4 * l + 3) & 1];
}

SIMD_INLINE struct k_block load_iq1_m(const uint8_t *p)
{
    const struct gs_block_iq1_m *q = (const struct gs_block_iq1_m *)p;
    const uint64_t sevens = UINT64_C(0x0007000700070007);
    const uint64_t v = load_u64(q->scales);
    const uint64_t first = (v & sevens) | (v << 5 & sevens << 8); /* scales 0, 1 of each word */
    const uint64_t last = (v >> 6 & sevens) | (v >> 1 & sevens << 8);
    const uint64_t d =
        (v >> 12 & 15) | (v >> 24 & 15 << 4) | (v >> 36 & 15 << 8) | (v >> 48 & 15 << 12);
    struct k_block k;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const uint8_t *c = q->qs + 8 * i;
        const uint32_t h = load_u32(q->qh + 4 * i);
        k.w[i] = vb_set_8(iq1_m_entry(c, h, 0), iq1_m_entry(c, h, 1), iq1_m_entry(c, h, 2),
                          iq1_m_entry(c, h, 3), iq1_m_entry(c, h, 4), iq1_m_entry(c, h, 5),
                          iq1_m_entry(c, h, 6), iq1_m_entry(c, h, 7));
    }
    set_offset(&k,
               odd(_mm_unpacklo_epi16(_mm_cvtsi64_si128((long long)first),
                                      _mm_cvtsi64_si128((long long)last))),
               _cvtsh_ss((unsigned short)d) / 8, 9);
    return k;
}

/* ---- trits ---- */

SIMD_INLINE __m256i times_3(__m256i v)
{
    return _mm256_add_epi8(v, _mm256_add_epi8(v, v));
}

/* The first digits of fractions in base 3: 3 b / 256, which is 1 from 86, 2 from 171. */
SIMD_INLINE __m256i first_trits(__m256i b)
{
    const __m256i one = _mm256_cmpeq_epi8(_mm256_max_epu8(b, _mm256_set1_epi8(86)), b);
    const __m256i two = _mm256_cmpeq_epi8(_mm256_max_epu8(b, _mm256_set1_epi8((char)171)), b);

    return _mm256_abs_epi8(_mm256_add_epi8(one, two));
}

SIMD_INLINE struct k_block load_tq1_0(const uint8_t *p)
{
    const struct gs_block_tq1_0 *q = (const struct gs_block_tq1_0 *)p;
    const __m256i powers = _mm256_setr_epi16(1, 1, 1, 1, 3, 3, 3, 3, 9, 9, 9, 9, 27, 27, 27, 27);
    const __m256i four = _mm256_cvtepu8_epi16(_mm_set1_epi32((int)load_u32(q->qh)));
    const __m256i rest = _mm256_and_si256(_mm256_mullo_epi16(four, powers), _mm256_set1_epi16(255));
    const __m128i last =
        _mm_packus_epi16(_mm256_castsi256_si128(rest), _mm256_extracti128_si256(rest, 1));
    const __m256i half = _mm256_broadcastsi128_si256(load_128(q->qs + 32));
    const __m256i half_3 = times_3(half);
    const __m256i ninth = times_3(half_3);
    const __m256i h0 = _mm256_blend_epi32(half, half_3, 0xf0);
    const __m256i h2 = times_3(times_3(h0));
    const __m256i h4 = _mm256_inserti128_si256(times_3(times_3(ninth)), last, 1);
    const __m256i v0 = load_256(q->qs);
    const __m256i v1 = times_3(v0);
    const __m256i v2 = times_3(v1);
    const __m256i v3 = times_3(v2);
    const __m256i v4 = times_3(v3);
    struct k_block k;

    k.w[0] = vb_join(first_trits(v0), first_trits(v1));
    k.w[1] = vb_join(first_trits(v2), first_trits(v3));
    k.w[2] = vb_join(first_trits(v4), first_trits(h0));
    k.w[3] = vb_join(first_trits(h2), first_trits(h4));
    set_offset(&k, _mm_set1_epi8(1), load_half(q->d), 1);
    return k;
}

SIMD_INLINE struct k_block load_tq2_0(const uint8_t *p)
{
    const struct gs_block_tq2_0 *q = (const struct gs_block_tq2_0 *)p;
    struct k_block k;

    k.w[0] = vb_right(q->qs, 0, 2, 3);
    k.w[1] = vb_right(q->qs, 4, 6, 3);
    k.w[2] = vb_right(q->qs + 32, 0, 2, 3);
    k.w[3] = vb_right(q->qs + 32, 4, 6, 3);
    set_offset(&k, _mm_set1_epi8(1), load_half(q->d), 1);
    return k;
}
