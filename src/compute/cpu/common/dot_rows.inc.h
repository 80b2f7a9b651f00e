/* The loop over rows and tokens that all products share. A format defines
 *
 *     SIMD_INLINE void name_row(const struct gs_dot *d, const uint8_t *w, size_t t0, int n_t,
 *                               vf *acc);
 *
 * which adds the products of weight row w with tokens t0 .. t0 + n_t - 1 to acc[0 .. n_t), n_t a
 * constant; DOT_ENTRY(name) makes the table's entry of it. Tokens are taken in tiles of 8
 * (SIMD_TILE 8), 4, 2 and 1; the operations behind an output are the same in every tile. */
#ifndef GS_COMPUTE_CPU_COMMON_DOT_ROWS_INC_H
#define GS_COMPUTE_CPU_COMMON_DOT_ROWS_INC_H

SIMD_INLINE void store_sums(const struct gs_dot *d, size_t r, size_t t0, int n_t, const vf *acc)
{
    float sums[8];

    vf_sum_n(sums, acc, n_t);
#pragma GCC unroll 8
    for (int t = 0; t < n_t; t++)
        d->out[t0 + (size_t)t][r] = sums[t];
}

typedef void dot_row_fn(const struct gs_dot *d, const uint8_t *w, size_t t0, int n_t, vf *acc);

SIMD_INLINE void dot_tile(const struct gs_dot *d, size_t t0, int n_t, dot_row_fn *row)
{
    for (size_t r = 0; r < d->n_rows; r++) {
        vf acc[8];
#pragma GCC unroll 8
        for (int t = 0; t < n_t; t++)
            acc[t] = vf_zero();
        row(d, d->w + r * d->w_stride, t0, n_t, acc);
        store_sums(d, r, t0, n_t, acc);
    }
}

SIMD_INLINE void dot_tiles(const struct gs_dot *d, dot_row_fn *row)
{
    size_t t = 0;

#if SIMD_TILE == 8
    for (; t + 8 <= d->n_tokens; t += 8)
        dot_tile(d, t, 8, row);
#endif
    for (; t + 4 <= d->n_tokens; t += 4)
        dot_tile(d, t, 4, row);
    for (; t + 2 <= d->n_tokens; t += 2)
        dot_tile(d, t, 2, row);
    if (t < d->n_tokens)
        dot_tile(d, t, 1, row);
}

#define DOT_ENTRY(name)                                                                            \
    static void dot_##name(const struct gs_dot *d)                                                 \
    {                                                                                              \
        dot_tiles(d, name##_row);                                                                  \
    }

#endif
