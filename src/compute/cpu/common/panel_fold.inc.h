/* What integer sums of products are worth: scales, minimums, and how the groups of an output are
 * added up. The order of these operations is that of every instruction set, so that all have the
 * same bits. */

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

/* What n_t * n_r outputs, side by side in acc, begin a group of values with. */
SIMD_INLINE void fold_begin(vf *f, struct kind k, int n_t, int n_r, const struct unpacked *w,
                            const struct panel *const x[2], const float *acc)
{
#pragma GCC unroll 12
    for (int i = 0; i < n_t * n_r; i++)
        f[i] = k.blocks_32  ? vf_load(acc + LANES * i)
               : k.mins > 0 ? min_term(x[i % n_t], w + i / n_t, k)
                            : vf_zero();
}

SIMD_INLINE void fold_end(const vf *f, struct kind k, int n_t, int n_r,
                          const struct panel *const x[2], float *acc)
{
#pragma GCC unroll 12
    for (int i = 0; i < n_t * n_r; i++) {
        float *to = acc + LANES * i;
        vf_store(to, k.blocks_32 ? f[i] : vf_fma(f[i], vf_load(x[i % n_t]->d_k), vf_load(to)));
    }
}
