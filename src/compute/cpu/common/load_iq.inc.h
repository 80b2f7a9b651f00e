/* Weight blocks of IQ1, IQ2, IQ3, TQ1_0 and TQ2_0, brought to the form of struct k_block (included
 * before this).
 *
 * Eight codebook entries make 64 weights. Signed magnitudes become offset + w, unsigned; IQ1 is
 * 8 (w + 1), and the eighth it is shifted by goes to the second term (IQ1_S) or to the weights
 * (IQ1_M); trits are w + 1. */
#include "compute/blocks.h"
#include "compute/iq_grids.h"

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
SIMD_INLINE b16 odd(b16 s)
{
    return b16_or(b16_add(s, s), b16_set(1));
}

/* The nibbles of 8 bytes, low first. */
SIMD_INLINE b16 nibbles_of_8(const uint8_t *p)
{
    const b16 v = b16_set_2(load_u64(p), 0);

    return b16_zip_low(b16_and(v, 15), b16_high_nibbles(v));
}

/* The top nibbles of 8 words of 16 bits, each twice. */
SIMD_INLINE b16 top_nibbles_16(b16 v)
{
    const b16 top = b16_high_nibbles(b16_odd(v, v));

    return b16_zip_low(top, top);
}

/* The same of 8 words of 32 bits. */
SIMD_INLINE b16 top_nibbles_32(b16 low, b16 high)
{
    return top_nibbles_16(b16_odd(low, high));
}

/* ---- IQ2, IQ3 ---- */

#define IQ2_OFFSET     43 /* the largest magnitudes */
#define IQ3_XXS_OFFSET 62
#define IQ3_S_OFFSET   15

SIMD_INLINE struct k_block load_iq2_xxs(const uint8_t *p)
{
    const struct gs_block_iq2_xxs *q = (const struct gs_block_iq2_xxs *)p;
    const uint64_t *grid = gs_kernels_iq2_xxs_grid;
    const b16 low = b16_odd(b16_load(q->qs), b16_load(q->qs + 16));
    const b16 high = b16_odd(b16_load(q->qs + 32), b16_load(q->qs + 48));
    struct k_block k;

    k.wide = true;
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const uint8_t *c = q->qs + 16 * i;
        k.w[i] = vb_offset(vb_set_8(grid[c[0]], grid[c[1]], grid[c[2]], grid[c[3]], grid[c[8]],
                                    grid[c[9]], grid[c[10]], grid[c[11]]),
                           even_signs(load_u32(c + 4), load_u32(c + 12)), IQ2_OFFSET);
    }
    set_offset(&k, odd(top_nibbles_32(low, high)), load_half(q->d) / 8, IQ2_OFFSET);
    return k;
}

SIMD_INLINE struct k_block load_iq2_xs(const uint8_t *p)
{
    const struct gs_block_iq2_xs *q = (const struct gs_block_iq2_xs *)p;
    const uint64_t *grid = gs_kernels_iq2_xs_grid;
    struct k_block k;

    k.wide = false;
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

    k.wide = false;
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

    k.wide = true;
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
    set_offset(&k, odd(top_nibbles_32(b16_load(q->signs), b16_load(q->signs + 16))),
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
    const b16 scales = nibbles_of_8(p + sizeof(*q) - 8); /* the last four bytes */
    struct k_block k;

    k.wide = true;
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
    set_offset(&k, odd(b16_zip_high(scales, scales)), load_half(q->d), IQ3_S_OFFSET);
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
    /* 7 where an eighth is added, 9 where it is taken away */
    static const uint8_t shifts[16] = {7, 7, 7, 7, 7, 7, 7, 7, 9, 9, 9, 9, 9, 9, 9, 9};
    const b16 top = top_nibbles_16(b16_load(q->qh));
    const b16 scale = odd(b16_and(top, 7));
    struct k_block k;

    k.wide = true;
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const uint8_t *c = q->qs + 8 * i;
        const unsigned a = load_u16(q->qh + 4 * i);
        const unsigned b = load_u16(q->qh + 4 * i + 2);
        k.w[i] = vb_set_8(iq1_s_entry(c, a, 0), iq1_s_entry(c, a, 1), iq1_s_entry(c, a, 2),
                          iq1_s_entry(c, a, 3), iq1_s_entry(c + 4, b, 0), iq1_s_entry(c + 4, b, 1),
                          iq1_s_entry(c + 4, b, 2), iq1_s_entry(c + 4, b, 3));
    }
    set_offset(&k, scale, load_half(q->d) / 8, 1);
    k.min = h16_mul(h16_from_b16(scale), h16_from_b16(b16_lookup(b16_load(shifts), top)));
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
    const uint64_t even = (v & sevens) | (v << 2 & sevens << 8); /* scales 0, 2 of each word */
    const uint64_t others = (v >> 3 & sevens) | (v >> 1 & sevens << 8);
    const uint16_t d = (uint16_t)((v >> 12 & 15) | (v >> 24 & 15 << 4) | (v >> 36 & 15 << 8) |
                                  (v >> 48 & 15 << 12));
    struct k_block k;

    k.wide = false;
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const uint8_t *c = q->qs + 8 * i;
        const uint32_t h = load_u32(q->qh + 4 * i);
        k.w[i] = vb_set_8(iq1_m_entry(c, h, 0), iq1_m_entry(c, h, 1), iq1_m_entry(c, h, 2),
                          iq1_m_entry(c, h, 3), iq1_m_entry(c, h, 4), iq1_m_entry(c, h, 5),
                          iq1_m_entry(c, h, 6), iq1_m_entry(c, h, 7));
    }
    set_offset(&k, odd(b16_zip_low(b16_set_2(even, 0), b16_set_2(others, 0))), load_half(&d) / 8,
               9);
    return k;
}

/* ---- trits ---- */

SIMD_INLINE b16 b16_times_3(b16 v)
{
    return b16_add(v, b16_add(v, v));
}

SIMD_INLINE b32 b32_times_3(b32 v)
{
    return b32_add(v, b32_add(v, v));
}

/* The first digits of fractions in base 3: 3 b / 256, which is 1 from 86, 2 from 171. */
SIMD_INLINE vb first_trits(b32 a, b32 b)
{
    return vb_join(b32_reached(a, 86, 171), b32_reached(b, 86, 171));
}

SIMD_INLINE struct k_block load_tq1_0(const uint8_t *p)
{
    const struct gs_block_tq1_0 *q = (const struct gs_block_tq1_0 *)p;
    const uint32_t four = load_u32(q->qh);
    const b16 last = b16_mul(b16_set_4(four, four, four, four),
                             b16_set_4(0x01010101, 0x03030303, 0x09090909, 0x1b1b1b1b));
    const b16 h0 = b16_load(q->qs + 32);
    const b16 h1 = b16_times_3(h0);
    const b16 h2 = b16_times_3(h1);
    const b16 h3 = b16_times_3(h2);
    const b32 v0 = b32_load(q->qs);
    const b32 v1 = b32_times_3(v0);
    const b32 v2 = b32_times_3(v1);
    const b32 v3 = b32_times_3(v2);
    struct k_block k;

    k.wide = true;
    k.w[0] = first_trits(v0, v1);
    k.w[1] = first_trits(v2, v3);
    k.w[2] = first_trits(b32_times_3(v3), b32_join(h0, h1));
    k.w[3] = first_trits(b32_join(h2, h3), b32_join(b16_times_3(h3), last));
    set_offset(&k, b16_set(1), load_half(q->d), 1);
    return k;
}

SIMD_INLINE struct k_block load_tq2_0(const uint8_t *p)
{
    const struct gs_block_tq2_0 *q = (const struct gs_block_tq2_0 *)p;
    struct k_block k;

    k.wide = true;
    k.w[0] = vb_right(q->qs, 0, 2, 3);
    k.w[1] = vb_right(q->qs, 4, 6, 3);
    k.w[2] = vb_right(q->qs + 32, 0, 2, 3);
    k.w[3] = vb_right(q->qs + 32, 4, 6, 3);
    set_offset(&k, b16_set(1), load_half(q->d), 1);
    return k;
}
