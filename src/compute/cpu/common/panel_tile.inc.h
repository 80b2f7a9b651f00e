/* The inside of a matrix-matrix product: a tile of n_r weight rows times n_t panels of tokens, over
 * one group of 256 values. Tokens lie in the lanes of the logical vector, weights are broadcast.
 * The instruction set brings span_of() and tile_span(), the sums of products.
 *
 * Weights with an offset (or made unsigned by one) start their integer sums at -offset * (sum of
 * x): every sum over a scale's values is exact. All tiles do the same operations in the same order
 * for an output, and so do all instruction sets. */

/* ---- sums and scales ---- */

/* factor * the sums of values j. */
SIMD_INLINE vi scaled_sum(const struct panel *x, struct kind k, int j, int factor)
{
    const vi both = vi_set((factor & 0xffff) + factor * 65536);
    const vi one = vi_set(j & 1 ? factor * 65536 : factor & 0xffff);
    vi sum = vi_zero();

    if (k.width == 16)
        return vi_add_pairs(sum, vb_load(x->sums16[j / 2]), one);
    if (k.blocks_32)
        return vi_add_pairs(sum, vb_load(x->sums16[j]), both);
    if (k.width == 32)
        return vi_add_pairs(sum, vb_load(x->sums32[j / 2]), one);
    for (int i = 0; i < 4; i++)
        sum = vi_add_pairs(sum, vb_load(x->sums32[i]), both);
    return sum;
}

/* e * the sum of min * sums. */
SIMD_INLINE vf min_term(const struct panel *x, const struct unpacked *w, struct kind k)
{
    vi sum = vi_zero();

#pragma GCC unroll 8
    for (int j = 0; j < 16; j += 2)
        if (j < GS_ACT_GROUP / k.mins)
            sum = vi_add_pairs(sum, vb_load(k.mins == 16 ? x->sums16[j / 2] : x->sums32[j / 2]),
                               vb_set_4(w->min + j));
    return vf_mul(vf_from_vi(sum), vf_set(w->e));
}

/* f + what the integer sums of values j are worth. */
SIMD_INLINE vf fold(vf f, vi sum, const struct panel *x, const struct unpacked *w, struct kind k,
                    int j)
{
    const vf scale = vf_set(w->scale[k.blocks_32 ? j : j * k.width / 16]);
    const vf v = vf_from_vi(sum);

    if (!k.blocks_32)
        return vf_fma(v, scale, f);
    vf s = vf_mul(v, scale);
    if (k.mins > 0)
        s = vf_fma(vf_from_vi(scaled_sum(x, k, j, 1)), vf_set(w->scale[8 + j]), s);
    return vf_fma(s, vf_load(x->d[j * k.width / 32]), f);
}

/* acc[row][token] += the products of n_r rows and n_t panels, of one group of values. The rows lie
 * side by side, the panels x_step bytes apart. */
SIMD_INLINE void tile(struct kind k, int offset, int n_t, int n_r, const struct unpacked *w,
                      const uint8_t *x_base, size_t x_step, float *acc)
{
    const struct panel *x[2] = {(const struct panel *)(const void *)x_base,
                                (const struct panel *)(const void *)(x_base + x_step)};
    vf f[PANEL_TILE];

#pragma GCC unroll 12
    for (int i = 0; i < n_t * n_r; i++)
        f[i] = k.blocks_32  ? vf_load(acc + LANES * i)
               : k.mins > 0 ? min_term(x[i % n_t], w + i / n_t, k)
                            : vf_zero();
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
#pragma GCC unroll 12
    for (int i = 0; i < n_t * n_r; i++) {
        float *to = acc + LANES * i;
        vf_store(to, k.blocks_32 ? f[i] : vf_fma(f[i], vf_load(x[i % n_t]->d_k), vf_load(to)));
    }
}
