/* Matrix-matrix products with float weights: weight rows in the lanes of a vector, tokens broadcast
 * from where they lie.
 *
 * Rows are unpacked to [value][row], a slice of values at a time, and every token passes by before
 * the next slice. An output is one chain of fused multiply-adds in the order of its values, kept in
 * `out` between slices, so its bits depend on neither the tile nor the other tokens. */

#define SLICE      512 /* values: 96 KiB of weights */
#define SLICE_ROWS GS_PANEL_MAX_ROWS
#define TILE_ROWS  (SIMD_TILE == 8 ? 3 : 1) /* vectors of rows that meet SIMD_TILE tokens */

/* Values [first, first + n) of all rows, unpacked. */
struct slice {
    const struct gs_panel *p;
    size_t first, n;
    float *w; /* [value][SLICE_ROWS] */
};

typedef vf load_floats_fn(const uint8_t *p);

/* 16 rows by 16 values, of which n_r and n are there. */
SIMD_INLINE void unpack_square(const uint8_t *w, size_t stride, size_t n_r, size_t n, size_t bytes,
                               load_floats_fn *load, float *out)
{
    uint8_t padded[16 * sizeof(float)] = {0};
    vi v[16];

    for (size_t r = 0; r < 16; r++) {
        const uint8_t *from = w + r * stride;
        if (r < n_r && n < 16)
            from = memcpy(padded, from, n * bytes);
        v[r] = r < n_r ? vf_bits(load(from)) : vi_zero();
    }
    vi_transpose(v);
    for (size_t i = 0; i < 16; i++)
        vb_store(out + i * SLICE_ROWS, v[i]);
}

SIMD_INLINE void unpack_slice(const struct slice *s, size_t bytes, load_floats_fn *load)
{
    const struct gs_panel *p = s->p;

    for (size_t r = 0; r < p->n_rows; r += 16)
        for (size_t i = 0; i < s->n; i += 16)
            unpack_square(p->w + r * p->w_stride + (s->first + i) * bytes, p->w_stride,
                          p->n_rows - r, GS_MIN(s->n - i, (size_t)16), bytes, load,
                          s->w + i * SLICE_ROWS + r);
}

/* How many rows are in the vector of them number r behind `row`. */
SIMD_INLINE size_t rows_at(const struct gs_panel *p, size_t row, int r)
{
    return GS_MIN(p->n_rows - row - 16 * (size_t)r, (size_t)16);
}

/* n_r vectors of rows from `row` on, n_t tokens from `token` on; both constants. */
SIMD_INLINE void float_tile(const struct slice *s, size_t row, int n_r, size_t token, int n_t)
{
    const struct gs_panel *p = s->p;
    const float *x = (const float *)p->x + token * p->x_stride + s->first;
    float *out = p->out + token * p->out_stride + row;
    vf acc[8][3];

#pragma GCC unroll 8
    for (int t = 0; t < n_t; t++)
#pragma GCC unroll 3
        for (int r = 0; r < n_r; r++)
            acc[t][r] = s->first == 0 ? vf_zero()
                                      : vf_load_n(out + (size_t)t * p->out_stride + 16 * r,
                                                  rows_at(p, row, r));
    for (size_t i = 0; i < s->n; i++) {
        const float *w = s->w + i * SLICE_ROWS + row;
        vf v[3];
#pragma GCC unroll 3
        for (int r = 0; r < n_r; r++)
            v[r] = vf_load(w + 16 * r);
#pragma GCC unroll 8
        for (int t = 0; t < n_t; t++) {
            const vf b = vf_set(x[(size_t)t * p->x_stride + i]);
#pragma GCC unroll 3
            for (int r = 0; r < n_r; r++)
                acc[t][r] = vf_fma(v[r], b, acc[t][r]);
        }
    }
#pragma GCC unroll 8
    for (int t = 0; t < n_t; t++)
#pragma GCC unroll 3
        for (int r = 0; r < n_r; r++)
            vf_store_n(out + (size_t)t * p->out_stride + 16 * r, acc[t][r], rows_at(p, row, r));
}

SIMD_INLINE void float_rows(const struct slice *s, size_t row, int n_r)
{
    size_t t = 0;

    for (; t + SIMD_TILE <= s->p->n_tokens; t += SIMD_TILE)
        float_tile(s, row, n_r, t, SIMD_TILE);
    for (; t + 2 <= s->p->n_tokens; t += 2)
        float_tile(s, row, n_r, t, 2);
    if (t < s->p->n_tokens)
        float_tile(s, row, n_r, t, 1);
}

static void multiply_slice(const struct slice *s)
{
    for (size_t row = 0; row < s->p->n_rows; row += 16 * TILE_ROWS) {
        if (TILE_ROWS == 3 && row + 32 < s->p->n_rows)
            float_rows(s, row, 3);
        else if (TILE_ROWS == 3 && row + 16 < s->p->n_rows)
            float_rows(s, row, 2);
        else
            float_rows(s, row, 1);
    }
}

static void add_bias(const struct gs_panel *p)
{
    for (size_t t = 0; t < p->n_tokens; t++)
        for (size_t r = 0; r < p->n_rows; r++)
            p->out[t * p->out_stride + r] += p->bias[r];
}

#define PANEL_FLOAT(name, bytes)                                                                   \
    static void panel_##name(const struct gs_panel *p)                                             \
    {                                                                                              \
        struct slice s = {.p = p, .w = p->scratch};                                                \
        for (; s.first < p->n; s.first += SLICE) {                                                 \
            s.n = GS_MIN(p->n - s.first, (size_t)SLICE);                                           \
            unpack_slice(&s, bytes, load_##name);                                                  \
            multiply_slice(&s);                                                                    \
        }                                                                                          \
        if (p->bias)                                                                               \
            add_bias(p);                                                                           \
    }

PANEL_FLOAT(f32, 4)
PANEL_FLOAT(f16, 2)
PANEL_FLOAT(bf16, 2)

static void init_panel_float(struct gs_kernels *k)
{
    k->panel[GS_TYPE_F32] = panel_f32;
    k->panel[GS_TYPE_F16] = panel_f16;
    k->panel[GS_TYPE_BF16] = panel_bf16;
}
