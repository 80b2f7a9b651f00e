/* Products with weight blocks of 256, over k_dot() and k_dot_signed() of the instruction set:
 *
 *     vf k_dot(const struct k_block *b, const struct gs_q8k *x, vf acc);
 *
 * adds one block of unsigned weights times one group of activations; k_dot_signed() takes signed
 * weights without a second term. */
#include "compute/cpu/common/dot_rows.inc.h"

#define DOT_K(name, dot)                                                                           \
    SIMD_INLINE void name##_row(const struct gs_dot *d, const uint8_t *w, size_t t0, int n_t,      \
                                vf *acc)                                                           \
    {                                                                                              \
        const size_t bytes = sizeof(struct gs_block_##name);                                       \
        for (size_t i = 0; i < d->n / GS_BLOCK_K; i++, w += bytes) {                               \
            const struct k_block b = load_##name(w);                                               \
            prefetch_ahead(w, bytes);                                                              \
            _Pragma("GCC unroll 8") for (int t = 0; t < n_t; t++) acc[t] =                         \
                dot(&b, (const struct gs_q8k *)d->x[t0 + (size_t)t] + i, acc[t]);                  \
        }                                                                                          \
    }                                                                                              \
    DOT_ENTRY(name)

DOT_K(q2_k, k_dot)
DOT_K(q3_k, k_dot)
DOT_K(q4_k, k_dot)
DOT_K(q5_k, k_dot)
DOT_K(q6_k, k_dot)
DOT_K(iq4_xs, k_dot_signed)

static void init_dot_k(struct gs_kernels *k)
{
    k->dot[GS_TYPE_Q2_K] = dot_q2_k;
    k->dot[GS_TYPE_Q3_K] = dot_q3_k;
    k->dot[GS_TYPE_Q4_K] = dot_q4_k;
    k->dot[GS_TYPE_Q5_K] = dot_q5_k;
    k->dot[GS_TYPE_Q6_K] = dot_q6_k;
    k->dot[GS_TYPE_IQ4_XS] = dot_iq4_xs;
}
