/* The sums of products of panel.inc.h on NEON. Weights are signed bytes, 16 of a row in a register:
 * a product takes four of them by their place, so none is broadcast. With SIMD_I8MM defined it
 * takes eight of two rows, and eight of two tokens. */
#include "compute/cpu/arm/load_nvfp4_arm.inc.h"
#include "compute/cpu/common/panel_layout.inc.h"

#define SIGNED_OFFSET 0 /* what signed weights are made larger by */

SIMD_INLINE int span_of(struct kind k)
{
    return k.width / 4;
}

#ifdef SIMD_I8MM
/* Panels hold eights of values, [value / 8][pair of tokens][2][8]: two fours that follow each
 * other, zipped. */
SIMD_INLINE void pair_up(struct panel *p)
{
    for (int at = 0; at < GS_ACT_GROUP / 4; at += 2) {
        const vb low = vb_load(p->q[at]);
        const vb high = vb_load(p->q[at + 1]);
        for (int i = 0; i < 4; i++) {
            const uint32x4_t a = vreinterpretq_u32_u8(low.v[i]);
            const uint32x4_t b = vreinterpretq_u32_u8(high.v[i]);
            int8_t *to = p->q[at] + 32 * i;
            vst1q_s8(to, vreinterpretq_s8_u32(vzip1q_u32(a, b)));
            vst1q_s8(to + 16, vreinterpretq_s8_u32(vzip2q_u32(a, b)));
        }
    }
}

/* The values of rows a and b that come first (half 0) or second, side by side. */
SIMD_INLINE int8x16_t pair_of(b16 a, b16 b, int half)
{
    const uint64x2_t x = vreinterpretq_u64_u8(a);
    const uint64x2_t y = vreinterpretq_u64_u8(b);

    return vreinterpretq_s8_u64(half == 0 ? vzip1q_u64(x, y) : vzip2q_u64(x, y));
}

/* What squares of two rows and two tokens hold, to each row's tokens. */
SIMD_INLINE void add_squares(const int32x4_t square[8], vi *first, vi *second)
{
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const int64x2_t a = vreinterpretq_s64_s32(square[2 * i]);
        const int64x2_t b = vreinterpretq_s64_s32(square[2 * i + 1]);
        const int32x4_t one = vreinterpretq_s32_s64(vzip1q_s64(a, b));
        const int32x4_t two = vreinterpretq_s32_s64(vzip2q_s64(a, b));
        first->v[i] = vreinterpretq_u8_s32(vaddq_s32(vreinterpretq_s32_u8(first->v[i]), one));
        second->v[i] = vreinterpretq_u8_s32(vaddq_s32(vreinterpretq_s32_u8(second->v[i]), two));
    }
}

/* s[row][token] += the products of a span of values that begins with four number `first`. */
SIMD_INLINE void tile_span(struct kind k, int n_t, int n_r, const struct unpacked *w,
                           const struct panel *const x[2], int first, vi s[PANEL_TILE])
{
    int32x4_t square[PANEL_TILE / 2][8] = {0};

    for (int at = first; at < first + span_of(k); at += 4) {
        b16 rows[PANEL_TILE];
#pragma GCC unroll 4
        for (int r = 0; r < n_r; r++)
            rows[r] = b16_load(w[r].q + 4 * at);
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
#pragma GCC unroll 8
            for (int t = 0; t < 8; t++) {
                const int8x16_t tokens = vld1q_s8(x[0]->q[at + 2 * half] + 16 * t);
#pragma GCC unroll 2
                for (int r = 0; r < n_r; r += 2)
                    square[r / 2][t] =
                        vmmlaq_s32(square[r / 2][t], pair_of(rows[r], rows[r + 1], half), tokens);
            }
        }
    }
#pragma GCC unroll 2
    for (int r = 0; r < n_r; r += 2)
        add_squares(square[r / 2], &s[r], &s[r + 1]);
    (void)n_t; /* one panel at a time */
}
#else
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
#endif

#include "compute/cpu/common/panel_tile.inc.h"

/* after panel_tile.inc.h */
#include "compute/cpu/common/panel.inc.h"
