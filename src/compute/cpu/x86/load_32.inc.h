/* Weight blocks of 32, eight at a time, brought to one form: 256 bytes of weights and, per block, d
 * and e:
 *     sum_j d_j dx_j (w_j . x_j)  +  e_j s_j,        s_j = dx_j * (sum of x_j)
 * where e = -offset d for weights stored with an offset, m for those with a minimum. Signed weights
 * have no second term. */
#include "compute/blocks.h"

struct group {
    vb w[4];
    __m256 d;
    __m256 e;
};

/* Fifth bits of two blocks of 32. */
SIMD_INLINE vb fifth_bits(const uint8_t *a, const uint8_t *b)
{
    return vb_bits(load_u32(a) | (uint64_t)load_u32(b) << 32, 16);
}

SIMD_INLINE struct group load_q4_0(const uint8_t *p)
{
    const struct gs_block_q4_0 *q = (const struct gs_block_q4_0 *)p;
    struct group g;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        g.w[i] = vb_nibbles(q[2 * i].qs, q[2 * i + 1].qs);
    g.d = load_8_halves(q->d, sizeof(*q));
    g.e = _mm256_mul_ps(g.d, _mm256_set1_ps(-8));
    return g;
}

SIMD_INLINE struct group load_q4_1(const uint8_t *p)
{
    const struct gs_block_q4_1 *q = (const struct gs_block_q4_1 *)p;
    struct group g;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        g.w[i] = vb_nibbles(q[2 * i].qs, q[2 * i + 1].qs);
    g.d = load_8_halves(q->d, sizeof(*q));
    g.e = load_8_halves(q->m, sizeof(*q));
    return g;
}

SIMD_INLINE struct group load_q5_0(const uint8_t *p)
{
    const struct gs_block_q5_0 *q = (const struct gs_block_q5_0 *)p;
    struct group g;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        g.w[i] = vb_or(vb_nibbles(q[2 * i].qs, q[2 * i + 1].qs),
                       fifth_bits(q[2 * i].qh, q[2 * i + 1].qh));
    g.d = load_8_halves(q->d, sizeof(*q));
    g.e = _mm256_mul_ps(g.d, _mm256_set1_ps(-16));
    return g;
}

SIMD_INLINE struct group load_q5_1(const uint8_t *p)
{
    const struct gs_block_q5_1 *q = (const struct gs_block_q5_1 *)p;
    struct group g;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        g.w[i] = vb_or(vb_nibbles(q[2 * i].qs, q[2 * i + 1].qs),
                       fifth_bits(q[2 * i].qh, q[2 * i + 1].qh));
    g.d = load_8_halves(q->d, sizeof(*q));
    g.e = load_8_halves(q->m, sizeof(*q));
    return g;
}

SIMD_INLINE struct group load_q8_0(const uint8_t *p)
{
    const struct gs_block_q8_0 *q = (const struct gs_block_q8_0 *)p;
    struct group g;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        g.w[i] = vb_load_2(q[2 * i].qs, q[2 * i + 1].qs);
    g.d = load_8_halves(q->d, sizeof(*q));
    return g;
}

SIMD_INLINE struct group load_iq4_nl(const uint8_t *p)
{
    const struct gs_block_iq4_nl *q = (const struct gs_block_iq4_nl *)p;
    const __m128i table = load_128(gs_kernels_iq4_values);
    struct group g;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        g.w[i] = vb_lookup(table, vb_nibbles(q[2 * i].qs, q[2 * i + 1].qs));
    g.d = load_8_halves(q->d, sizeof(*q));
    return g;
}

/* 2^(e - 128) of 8 blocks; the two smallest are subnormal. */
SIMD_INLINE __m256 load_8_e8m0(const struct gs_block_mxfp4 *q)
{
    const __m256i e =
        _mm256_setr_epi32(q[0].e, q[1].e, q[2].e, q[3].e, q[4].e, q[5].e, q[6].e, q[7].e);
    const __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);

    return _mm256_castsi256_ps(
        _mm256_blendv_epi8(normal, small, _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e)));
}

SIMD_INLINE struct group load_mxfp4(const uint8_t *p)
{
    const struct gs_block_mxfp4 *q = (const struct gs_block_mxfp4 *)p;
    const __m128i table = load_128(gs_kernels_mxfp4_values);
    struct group g;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        g.w[i] = vb_lookup(table, vb_nibbles(q[2 * i].qs, q[2 * i + 1].qs));
    g.d = load_8_e8m0(q);
    return g;
}
