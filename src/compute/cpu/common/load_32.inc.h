/* Weight blocks of 32, eight at a time, brought to one form: 256 bytes of weights and, per block, d
 * and e:
 *     sum_j d_j dx_j (w_j . x_j)  +  e_j s_j,        s_j = dx_j * (sum of x_j)
 * where e = -offset d for weights stored with an offset, m for those with a minimum. Signed weights
 * have no second term. */
#include "compute/blocks.h"

struct group {
    vb w[4];
    f8 d;
    f8 e;
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
    g.d = f8_load_halves(q->d, sizeof(*q));
    g.e = f8_times(g.d, -8);
    return g;
}

SIMD_INLINE struct group load_q4_1(const uint8_t *p)
{
    const struct gs_block_q4_1 *q = (const struct gs_block_q4_1 *)p;
    struct group g;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        g.w[i] = vb_nibbles(q[2 * i].qs, q[2 * i + 1].qs);
    g.d = f8_load_halves(q->d, sizeof(*q));
    g.e = f8_load_halves(q->m, sizeof(*q));
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
    g.d = f8_load_halves(q->d, sizeof(*q));
    g.e = f8_times(g.d, -16);
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
    g.d = f8_load_halves(q->d, sizeof(*q));
    g.e = f8_load_halves(q->m, sizeof(*q));
    return g;
}

SIMD_INLINE struct group load_q8_0(const uint8_t *p)
{
    const struct gs_block_q8_0 *q = (const struct gs_block_q8_0 *)p;
    struct group g;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        g.w[i] = vb_load_2(q[2 * i].qs, q[2 * i + 1].qs);
    g.d = f8_load_halves(q->d, sizeof(*q));
    return g;
}

SIMD_INLINE struct group load_iq4_nl(const uint8_t *p)
{
    const struct gs_block_iq4_nl *q = (const struct gs_block_iq4_nl *)p;
    const b16 table = b16_load(gs_kernels_iq4_values);
    struct group g;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        g.w[i] = vb_lookup(table, vb_nibbles(q[2 * i].qs, q[2 * i + 1].qs));
    g.d = f8_load_halves(q->d, sizeof(*q));
    return g;
}

SIMD_INLINE struct group load_mxfp4(const uint8_t *p)
{
    const struct gs_block_mxfp4 *q = (const struct gs_block_mxfp4 *)p;
    const b16 table = b16_load(gs_kernels_mxfp4_values);
    struct group g;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        g.w[i] = vb_lookup(table, vb_nibbles(q[2 * i].qs, q[2 * i + 1].qs));
    g.d = f8_load_e8m0(&q->e, sizeof(*q));
    return g;
}
