/* The inside of a matrix-matrix product: a tile of n_r weight rows times n_t panels of tokens, over
 * one group of 256 values. Tokens lie in the lanes of the logical vector, weights are broadcast.
 * The instruction set brings span_of() and tile_span(), the sums of products.
 *
 * Weights with an offset (or made unsigned by one) start their integer sums at -offset * (sum of
 * x): every sum over a scale's values is exact.
 *
 * A unit defines PANEL_TILE, the outputs (of 16 tokens) that a tile adds up in registers. */
#include "compute/cpu/common/panel_fold.inc.h"

/* acc[row][token] += the products of n_r rows and n_t panels, of one group of values. The rows lie
 * side by side, the panels x_step bytes apart. */
SIMD_INLINE void tile(struct kind k, int offset, int n_t, int n_r, const struct unpacked *w,
                      const uint8_t *x_base, size_t x_step, float *acc)
{
    const struct panel *x[2] = {(const struct panel *)(const void *)x_base,
                                (const struct panel *)(const void *)(x_base + x_step)};
    vf f[PANEL_TILE];

    fold_begin(f, k, n_t, n_r, w, x, acc);
    for (int j = 0; j < GS_ACT_GROUP / k.width; j++) {
        vi s[PANEL_TILE];
        vi first[2] = {vi_zero(), vi_zero()};
        if (k.mins == 0)
            for (int t = 0; t < n_t; t++)
                first[t] = scaled_sum(x[t], k, j, -offset);
#pragma GCC unroll 12
        for (int i = 0; i < n_t * n_r; i++)
            s[i] = first[i % n_t];
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
        for (size_t r = 0; r < p->n_rows; r += (size_t)n_r) {
            fetch(p, r, (size_t)n_r, g);
            tile(k, p->offset, n_t, n_r, p->w + g * p->n_rows + r, p->x + g * GS_PANEL_BYTES,
                 p->x_step, p->acc + r * (size_t)n_t * LANES);
        }
    }
}
