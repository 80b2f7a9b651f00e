/* Products with weight blocks of 32, eight blocks at a time, over q8_dot() and q8k_dot() of the
 * instruction set:
 *
 *     vf q8_dot(const struct group *g, const struct gs_q8 *x, vf acc);
 *
 * adds eight blocks of unsigned weights times one group of activations; q8_dot_signed() and
 * q8k_dot_signed() take signed weights without a second term. The tail of a row is copied to a
 * padded group. */
#include "compute/cpu/common/dot_rows.inc.h"

#define DOT_32(name, act, dot)                                                                     \
    SIMD_INLINE void name##_group(const struct gs_dot *d, const uint8_t *w, size_t i, size_t t0,   \
                                  int n_t, vf *acc)                                                \
    {                                                                                              \
        const struct group g = load_##name(w);                                                     \
        _Pragma("GCC unroll 8") for (int t = 0; t < n_t; t++) acc[t] =                             \
            dot(&g, (const struct gs_##act *)d->x[t0 + (size_t)t] + i, acc[t]);                    \
    }                                                                                              \
    SIMD_INLINE void name##_row(const struct gs_dot *d, const uint8_t *w, size_t t0, int n_t,      \
                                vf *acc)                                                           \
    {                                                                                              \
        const size_t block = sizeof(struct gs_block_##name);                                       \
        const size_t groups = d->n / GS_ACT_GROUP;                                                 \
        const size_t rest = d->n % GS_ACT_GROUP / GS_BLOCK_32;                                     \
        for (size_t i = 0; i < groups; i++) {                                                      \
            prefetch_ahead(w, 8 * block);                                                          \
            name##_group(d, w, i, t0, n_t, acc);                                                   \
            w += 8 * block;                                                                        \
        }                                                                                          \
        if (rest > 0) {                                                                            \
            uint8_t padded[8 * sizeof(struct gs_block_##name)] = {0};                              \
            memcpy(padded, w, rest *block);                                                        \
            name##_group(d, padded, groups, t0, n_t, acc);                                         \
        }                                                                                          \
    }                                                                                              \
    DOT_ENTRY(name)

DOT_32(q4_0, q8k, q8k_dot)
DOT_32(q4_1, q8, q8_dot)
DOT_32(q5_0, q8, q8_dot)
DOT_32(q5_1, q8, q8_dot)
DOT_32(q8_0, q8, q8_dot_signed)
DOT_32(iq4_nl, q8k, q8k_dot_signed)
DOT_32(mxfp4, q8, q8_dot_signed)

static void init_dot_32(struct gs_kernels *k)
{
    k->dot[GS_TYPE_Q4_0] = dot_q4_0;
    k->dot[GS_TYPE_Q4_1] = dot_q4_1;
    k->dot[GS_TYPE_Q5_0] = dot_q5_0;
    k->dot[GS_TYPE_Q5_1] = dot_q5_1;
    k->dot[GS_TYPE_Q8_0] = dot_q8_0;
    k->dot[GS_TYPE_IQ4_NL] = dot_iq4_nl;
    k->dot[GS_TYPE_MXFP4] = dot_mxfp4;
}
