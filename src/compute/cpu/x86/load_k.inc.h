/* Weight blocks of 256 (Q2_K .. Q6_K, IQ4_XS), brought to one form: 256 bytes of weights, a scale
 * per 16 values (those of 32 are doubled), and a second integer per 16 values that meets the sums
 * of the activations: d sum_j scale_j (w_j . x_j)  +  e sum_j min_j sums_j Q2_K, Q4_K, Q5_K: min_j
 * is the block's own, e = -dmin. Q3_K and Q6_K store w + offset: min_j = scale_j, e = -offset d.
 * IQ4_XS has signed weights and no second term. */
#include "compute/blocks.h"

struct k_block {
    vb w[4];
    __m128i scales; /* 16 int8 */
    vb scale[4];    /* the same, each in the places of its values' pairs */
    __m256i min;    /* 16 int16 */
    vf d;
    __m256 e;
};

SIMD_INLINE void set_scales(struct k_block *b, __m128i scales)
{
    const __m256i words = _mm256_cvtepi8_epi16(scales);

    b->scales = scales;
    b->scale[0] = vb_spread(words, 0);
    b->scale[1] = vb_spread(words, 1);
    b->scale[2] = vb_spread(words, 2);
    b->scale[3] = vb_spread(words, 3);
}

/* Weights that are `offset` too large. */
SIMD_INLINE void set_offset(struct k_block *b, __m128i scales, float d, float offset)
{
    set_scales(b, scales);
    b->min = _mm256_cvtepi8_epi16(scales);
    b->d = vf_set(d);
    b->e = _mm256_set1_ps(-offset * d);
}

/* ---- formats ---- */

SIMD_INLINE struct k_block load_q2_k(const uint8_t *p)
{
    const struct gs_block_q2_k *q = (const struct gs_block_q2_k *)p;
    const __m128i packed = load_128(q->scales);
    const __m128i low = _mm_set1_epi8(15);
    struct k_block b;

    b.w[0] = vb_right(q->qs, 0, 2, 3);
    b.w[1] = vb_right(q->qs, 4, 6, 3);
    b.w[2] = vb_right(q->qs + 32, 0, 2, 3);
    b.w[3] = vb_right(q->qs + 32, 4, 6, 3);
    set_scales(&b, _mm_and_si128(packed, low));
    b.min = _mm256_cvtepi8_epi16(_mm_and_si128(_mm_srli_epi16(packed, 4), low));
    b.d = vf_set(load_half(q->d));
    b.e = _mm256_set1_ps(-load_half(q->dmin));
    return b;
}

SIMD_INLINE struct k_block load_q3_k(const uint8_t *p)
{
    const struct gs_block_q3_k *q = (const struct gs_block_q3_k *)p;
    const uint32_t fours = 0x30303030;
    const uint32_t high = load_u32(q->scales + 8);
    const __m128i bits = _mm_setr_epi32((int)(high << 4 & fours), (int)(high << 2 & fours),
                                        (int)(high & fours), (int)(high >> 2 & fours));
    const __m128i eight = _mm_loadl_epi64((const __m128i *)q->scales);
    const __m128i nibbles =
        _mm_and_si128(_mm_unpacklo_epi64(eight, _mm_srli_epi16(eight, 4)), _mm_set1_epi8(15));
    struct k_block b;

    b.w[0] = vb_or(vb_right(q->qs, 0, 2, 3), vb_left(q->hmask, 2, 1, 4));
    b.w[1] = vb_or(vb_right(q->qs, 4, 6, 3), vb_right(q->hmask, 0, 1, 4));
    b.w[2] = vb_or(vb_right(q->qs + 32, 0, 2, 3), vb_right(q->hmask, 2, 3, 4));
    b.w[3] = vb_or(vb_right(q->qs + 32, 4, 6, 3), vb_right(q->hmask, 4, 5, 4));
    set_offset(&b, _mm_sub_epi8(_mm_or_si128(nibbles, bits), _mm_set1_epi8(32)), load_half(q->d),
               4);
    return b;
}

/* Scales, mins and factors of Q4_K and Q5_K, whose blocks begin alike. */
SIMD_INLINE void set_scales_and_mins(struct k_block *b, const struct gs_block_q4_k *q)
{
    const uint32_t sixes = 0x3f3f3f3f;
    const uint32_t fours = 0x0f0f0f0f;
    const uint32_t twos = 0x30303030;
    const uint32_t s0 = load_u32(q->scales);
    const uint32_t s1 = load_u32(q->scales + 4);
    const uint32_t s2 = load_u32(q->scales + 8);
    const __m128i v =
        _mm_setr_epi32((int)(s0 & sixes), (int)((s2 & fours) | (s0 >> 2 & twos)), (int)(s1 & sixes),
                       (int)((s2 >> 4 & fours) | (s1 >> 2 & twos)));

    set_scales(b, _mm_unpacklo_epi8(v, v));
    b->min = _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(v, v));
    b->d = vf_set(load_half(q->d));
    b->e = _mm256_set1_ps(-load_half(q->dmin));
}

SIMD_INLINE struct k_block load_q4_k(const uint8_t *p)
{
    const struct gs_block_q4_k *q = (const struct gs_block_q4_k *)p;
    struct k_block b;

    b.w[0] = vb_right(q->qs, 0, 4, 15);
    b.w[1] = vb_right(q->qs + 32, 0, 4, 15);
    b.w[2] = vb_right(q->qs + 64, 0, 4, 15);
    b.w[3] = vb_right(q->qs + 96, 0, 4, 15);
    set_scales_and_mins(&b, q);
    return b;
}

SIMD_INLINE struct k_block load_q5_k(const uint8_t *p)
{
    const struct gs_block_q5_k *q = (const struct gs_block_q5_k *)p;
    struct k_block b;

    b.w[0] = vb_or(vb_right(q->qs, 0, 4, 15), vb_left(q->qh, 4, 3, 16));
    b.w[1] = vb_or(vb_right(q->qs + 32, 0, 4, 15), vb_left(q->qh, 2, 1, 16));
    b.w[2] = vb_or(vb_right(q->qs + 64, 0, 4, 15), vb_right(q->qh, 0, 1, 16));
    b.w[3] = vb_or(vb_right(q->qs + 96, 0, 4, 15), vb_right(q->qh, 2, 3, 16));
    set_scales_and_mins(&b, (const struct gs_block_q4_k *)p);
    return b;
}

SIMD_INLINE struct k_block load_q6_k(const uint8_t *p)
{
    const struct gs_block_q6_k *q = (const struct gs_block_q6_k *)p;
    const vb low = vb_load(q->ql);
    const vb high = vb_load(q->ql + 64);
    struct k_block b;

    b.w[0] = vb_or(vb_and(low, 15), vb_left(q->qh, 4, 2, 48));
    b.w[1] = vb_or(vb_high_nibbles(low), vb_right(q->qh, 0, 2, 48));
    b.w[2] = vb_or(vb_and(high, 15), vb_left(q->qh + 32, 4, 2, 48));
    b.w[3] = vb_or(vb_high_nibbles(high), vb_right(q->qh + 32, 0, 2, 48));
    set_offset(&b, load_128(q->scales), load_half(q->d), 32);
    return b;
}

SIMD_INLINE struct k_block load_iq4_xs(const uint8_t *p)
{
    const struct gs_block_iq4_xs *q = (const struct gs_block_iq4_xs *)p;
    const __m128i table = load_128(gs_kernels_iq4_values);
    const uint32_t fours = 0x0f0f0f0f;
    const uint32_t packed = load_u32(q->scales_l);
    const __m128i low = _mm_unpacklo_epi8(_mm_cvtsi32_si128((int)(packed & fours)),
                                          _mm_cvtsi32_si128((int)(packed >> 4 & fours)));
    const __m256i high =
        _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32(load_u16(q->scales_h)),
                                           _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14)),
                         _mm256_set1_epi32(3));
    const __m128i high_words =
        _mm_packs_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
    const __m128i words = _mm_or_si128(_mm_cvtepu8_epi16(low), _mm_slli_epi16(high_words, 4));
    const __m128i bytes = _mm_sub_epi8(_mm_packs_epi16(words, words), _mm_set1_epi8(32));
    struct k_block b;

    b.w[0] = vb_lookup(table, vb_nibbles(q->qs, q->qs + 16));
    b.w[1] = vb_lookup(table, vb_nibbles(q->qs + 32, q->qs + 48));
    b.w[2] = vb_lookup(table, vb_nibbles(q->qs + 64, q->qs + 80));
    b.w[3] = vb_lookup(table, vb_nibbles(q->qs + 96, q->qs + 112));
    set_scales(&b, _mm_unpacklo_epi8(bytes, bytes));
    b.d = vf_set(load_half(q->d));
    return b;
}
