/* The inside of a matrix-matrix product: a tile of n_r weight rows times n_t panels of tokens, over
 * one group of 256 values. Tokens lie in the lanes of the logical vector, weights are broadcast.
 * The instruction set brings span_of() and tile_span(), the sums of products.
 *
 * Weights with an offset (or made unsigned by one) start their integer sums at -offset * (sum of
 * x): every sum over a scale's values is exact.
 *
 * A unit defines PANEL_TILE, the outputs (of 16 tokens) that a tile adds up in registers. */
#include "compute/cpu/common/panel_fold.inc.h"

/* What the sums over each scale's values begin with, of one or two panels: the same for all rows.
 */
struct begins {
    vi at[GS_ACT_GROUP / 16][2];
};

SIMD_INLINE void begins_of(struct begins *b, struct kind k, int offset, int n_t,
                           const struct panel *const x[2])
{
    for (int j = 0; j < GS_ACT_GROUP / k.width; j++)
        for (int t = 0; t < n_t; t++)
            b->at[j][t] = scaled_sum(x[t], k, j, -offset);
}

/* acc[row][token] += the products of n_r rows, which lie side by side, and n_t panels, of one group
 * of values. */
SIMD_INLINE void tile(struct kind k, const struct begins *b, int n_t, int n_r,
                      const struct unpacked *w, const struct panel *const x[2], float *acc)
{
    vf f[PANEL_TILE];

    fold_begin(f, k, n_t, n_r, w, x, acc);
    for (int j = 0; j < GS_ACT_GROUP / k.width; j++) {
        vi s[PANEL_TILE];
#pragma GCC unroll 12
        for (int i = 0; i < n_t * n_r; i++)
            s[i] = k.mins == 0 ? b->at[j][i % n_t] : vi_zero();
#pragma GCC unroll 8
        for (int c = 0; c < k.width / 4; c += span_of(k))
            tile_span(k, n_t, n_r, w, x, j * k.width / 4 + c, s);
#pragma GCC unroll 12
        for (int i = 0; i < n_t * n_r; i++)
            f[i] = fold(f[i], s[i], x[i % n_t], w + i / n_t, k, j);
    }
    fold_end(f, k, n_t, n_r, x, acc);
}

SIMD_INLINE void multiply(const struct part *p, struct kind k, int n_t)
{
    const int n_r = PANEL_TILE / n_t;
    _Static_assert(GS_PANEL_GRAIN % PANEL_TILE == 0, "no tile beyond the rows");

    for (size_t g = 0; g < p->n_groups; g++) {
        const uint8_t *at = p->x + g * GS_PANEL_BYTES;
        const struct panel *x[2] = {(const struct panel *)(const void *)at,
                                    (const struct panel *)(const void *)(at + p->x_step)};
        struct begins b;
        if (k.mins == 0)
            begins_of(&b, k, p->offset, n_t, x);
        for (size_t r = 0; r < p->n_rows; r += (size_t)n_r) {
            fetch(p, r, (size_t)n_r, g);
            tile(k, &b, n_t, n_r, p->w + g * p->n_rows + r, x, p->acc + r * (size_t)n_t * LANES);
        }
    }
}
