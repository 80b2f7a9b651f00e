/* The sums of products of panel.inc.h on NEON. Weights are signed bytes, 16 of a row in a register:
 * a product takes four of them by their place, so none is broadcast. */
#include "compute/cpu/arm/load_nvfp4_arm.inc.h"
#include "compute/cpu/common/panel_layout.inc.h"

#define SIGNED_OFFSET 0 /* what signed weights are made larger by */

SIMD_INLINE int span_of(struct kind k)
{
    return k.width / 4;
}

/* sum + the products of number c of the fours in w with four values of each token. */
SIMD_INLINE vi dot_four(vi sum, b16 w, int c, vb x)
{
    const int8x16_t four = vreinterpretq_s8_u8(w);

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const int32x4_t s = vreinterpretq_s32_u8(sum.v[i]);
        const int8x16_t v = vreinterpretq_s8_u8(x.v[i]);
        sum.v[i] = vreinterpretq_u8_s32(c == 0   ? vdotq_laneq_s32(s, v, four, 0)
                                        : c == 1 ? vdotq_laneq_s32(s, v, four, 1)
                                        : c == 2 ? vdotq_laneq_s32(s, v, four, 2)
                                                 : vdotq_laneq_s32(s, v, four, 3));
    }
    return sum;
}

/* s[row][token] += the products of a span of values that begins with four number `first`. */
SIMD_INLINE void tile_span(struct kind k, int n_t, int n_r, const struct unpacked *w,
                           const struct panel *const x[2], int first, vi s[PANEL_TILE])
{
    for (int at = first; at < first + span_of(k); at += 4) {
        b16 rows[PANEL_TILE];
#pragma GCC unroll 4
        for (int r = 0; r < n_r; r++)
            rows[r] = b16_load(w[r].q + 4 * at);
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++) {
            const vb v = vb_load(x[0]->q[at + c]);
#pragma GCC unroll 4
            for (int r = 0; r < n_r; r++)
                s[r] = dot_four(s[r], rows[r], c, v);
        }
    }
    (void)n_t; /* one panel at a time */
}

#include "compute/cpu/common/panel.inc.h"
