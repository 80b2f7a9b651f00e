/* Weight blocks of 256 (Q2_K .. Q6_K, IQ4_XS), brought to one form: 256 bytes of weights, a scale
 * per 16 values, and a second integer per 16 values that meets the sums of the activations:
 *     d sum_j scale_j (w_j . x_j)  +  e sum_j min_j sums_j
 * Scales of 32 values stand twice. Q2_K, Q4_K, Q5_K: min_j is the block's own, e = -dmin. Q3_K and
 * Q6_K store w + offset: min_j = scale_j, e = -offset d. IQ4_XS has signed weights and no second
 * term. */
#include "compute/blocks.h"

struct k_block {
    vb w[4];
    b16 scales; /* signed */
    h16 min;
    float d, e;
    bool wide; /* a constant: scales are of 32 values */
};

/* Weights that are `offset` too large. */
SIMD_INLINE void set_offset(struct k_block *b, b16 scale, float d, float offset)
{
    b->scales = scale;
    b->min = h16_from_b16(scale);
    b->d = d;
    b->e = -offset * d;
}

/* ---- formats ---- */

SIMD_INLINE struct k_block load_q2_k(const uint8_t *p)
{
    const struct gs_block_q2_k *q = (const struct gs_block_q2_k *)p;
    const b16 packed = b16_load(q->scales);
    struct k_block b;

    b.wide = false;
    b.w[0] = vb_right(q->qs, 0, 2, 3);
    b.w[1] = vb_right(q->qs, 4, 6, 3);
    b.w[2] = vb_right(q->qs + 32, 0, 2, 3);
    b.w[3] = vb_right(q->qs + 32, 4, 6, 3);
    b.scales = b16_and(packed, 15);
    b.min = h16_from_b16(b16_high_nibbles(packed));
    b.d = load_half(q->d);
    b.e = -load_half(q->dmin);
    return b;
}

SIMD_INLINE struct k_block load_q3_k(const uint8_t *p)
{
    const struct gs_block_q3_k *q = (const struct gs_block_q3_k *)p;
    const uint32_t fours = 0x0f0f0f0f;
    const uint32_t twos = 0x30303030;
    const uint32_t s0 = load_u32(q->scales);
    const uint32_t s1 = load_u32(q->scales + 4);
    const uint32_t s2 = load_u32(q->scales + 8);
    const b16 scale =
        b16_set_4((s0 & fours) | (s2 << 4 & twos), (s1 & fours) | (s2 << 2 & twos),
                  (s0 >> 4 & fours) | (s2 & twos), (s1 >> 4 & fours) | (s2 >> 2 & twos));
    struct k_block b;

    b.wide = false;
    b.w[0] = vb_or(vb_right(q->qs, 0, 2, 3), vb_left(q->hmask, 2, 1, 4));
    b.w[1] = vb_or(vb_right(q->qs, 4, 6, 3), vb_right(q->hmask, 0, 1, 4));
    b.w[2] = vb_or(vb_right(q->qs + 32, 0, 2, 3), vb_right(q->hmask, 2, 3, 4));
    b.w[3] = vb_or(vb_right(q->qs + 32, 4, 6, 3), vb_right(q->hmask, 4, 5, 4));
    set_offset(&b, b16_add(scale, b16_set((uint8_t)-32)), load_half(q->d), 4);
    return b;
}

/* Scales, mins and factors of Q4_K and Q5_K, whose blocks begin alike. */
SIMD_INLINE void set_scales_and_mins(struct k_block *b, const struct gs_block_q4_k *q)
{
    const b16 v = b16_sixes(b16_load(q->scales)); /* four bytes more than there are scales */

    b->scales = b16_zip_low(v, v);
    b->min = h16_from_b16(b16_zip_high(v, v));
    b->d = load_half(q->d);
    b->e = -load_half(q->dmin);
    b->wide = true;
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

    b.wide = false;
    b.w[0] = vb_or(vb_and(low, 15), vb_left(q->qh, 4, 2, 48));
    b.w[1] = vb_or(vb_high_nibbles(low), vb_right(q->qh, 0, 2, 48));
    b.w[2] = vb_or(vb_and(high, 15), vb_left(q->qh + 32, 4, 2, 48));
    b.w[3] = vb_or(vb_high_nibbles(high), vb_right(q->qh + 32, 0, 2, 48));
    set_offset(&b, b16_load(q->scales), load_half(q->d), 32);
    return b;
}

/* Fields of two bits to bytes. */
SIMD_INLINE uint64_t spread_2(uint64_t v)
{
    v = (v | v << 24) & UINT64_C(0x000000ff000000ff);
    v = (v | v << 12) & UINT64_C(0x000f000f000f000f);
    return (v | v << 6) & UINT64_C(0x0303030303030303);
}

/* Nibbles to bytes. */
SIMD_INLINE uint64_t spread_4(uint64_t v)
{
    v = (v | v << 16) & UINT64_C(0x0000ffff0000ffff);
    v = (v | v << 8) & UINT64_C(0x00ff00ff00ff00ff);
    return (v | v << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
}

SIMD_INLINE struct k_block load_iq4_xs(const uint8_t *p)
{
    const struct gs_block_iq4_xs *q = (const struct gs_block_iq4_xs *)p;
    const b16 table = b16_load(gs_kernels_iq4_values);
    const uint64_t scales = spread_4(load_u32(q->scales_l)) | spread_2(load_u16(q->scales_h)) << 4;
    const b16 scale = b16_add(b16_set_2(scales, 0), b16_set((uint8_t)-32));
    struct k_block b;

    b.wide = true;
    b.w[0] = vb_lookup(table, vb_nibbles(q->qs, q->qs + 16));
    b.w[1] = vb_lookup(table, vb_nibbles(q->qs + 32, q->qs + 48));
    b.w[2] = vb_lookup(table, vb_nibbles(q->qs + 64, q->qs + 80));
    b.w[3] = vb_lookup(table, vb_nibbles(q->qs + 96, q->qs + 112));
    b.scales = b16_zip_low(scale, scale);
    b.d = load_half(q->d);
    return b;
}
