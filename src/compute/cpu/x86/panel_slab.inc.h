/* The panels of a few tokens on AVX-512 VNNI: the other way round, weight rows in the lanes and
 * tokens broadcast.
 *
 * Where tokens lie in the lanes every product of 16 tokens needs a broadcast of its own, and these
 * loads are what limits. Here a slab of 16 rows is turned while it is packed, dword by dword, and
 * decoded to [value / 4][row][4]: a vector of it meets one token after another, and a broadcast
 * of a token three slabs. Sums are folded by the same operations in the same order as in
 * panel_fold.inc.h, so the bits are the same. */

#define SLABS       (GS_PANEL_MAX_ROWS / LANES)
#define SLAB_TOKENS 4  /* that pass by together: sums and products of three slabs are registers */
#define FEW         32 /* tokens, at most */

/* 256 values of 16 weight rows. */
struct slab {
    uint8_t q[GS_ACT_GROUP / 4][4 * LANES];
    float scale[16][LANES];    /* per 16 or 32 values */
    int16_t min[4][2 * LANES]; /* per 32 values, two side by side */
    float e[LANES];            /* factor of the sum of minimums */
};

/* ---- packed weights, of rows w, to lanes ---- */

/* Dword i of 64 bytes of each row to v[i]. */
SIMD_INLINE void turn_64(const uint8_t *const w[LANES], size_t offset, vi v[16])
{
#pragma GCC unroll 16
    for (int r = 0; r < LANES; r++)
        v[r] = vb_load(w[r] + offset);
    vi_transpose(v);
}

/* Dword i of 16 bytes of each row to v[i]. */
SIMD_INLINE void turn_16(const uint8_t *const w[LANES], size_t offset, vi v[4])
{
    vi a[4];

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        a[i] = _mm512_castsi128_si512(load_128(w[i] + offset));
        a[i] = _mm512_inserti32x4(a[i], load_128(w[i + 4] + offset), 1);
        a[i] = _mm512_inserti32x4(a[i], load_128(w[i + 8] + offset), 2);
        a[i] = _mm512_inserti32x4(a[i], load_128(w[i + 12] + offset), 3);
    }
    const vi low_0 = _mm512_unpacklo_epi32(a[0], a[1]);
    const vi low_1 = _mm512_unpacklo_epi32(a[2], a[3]);
    const vi high_0 = _mm512_unpackhi_epi32(a[0], a[1]);
    const vi high_1 = _mm512_unpackhi_epi32(a[2], a[3]);
    v[0] = _mm512_unpacklo_epi64(low_0, low_1);
    v[1] = _mm512_unpackhi_epi64(low_0, low_1);
    v[2] = _mm512_unpacklo_epi64(high_0, high_1);
    v[3] = _mm512_unpackhi_epi64(high_0, high_1);
}

/* A float16 of each row. */
SIMD_INLINE vf halves(const uint8_t *const w[LANES], size_t offset)
{
    uint16_t h[LANES];

    for (int r = 0; r < LANES; r++)
        h[r] = load_u16(w[r] + offset);
    return vf_load_f16(h);
}

/* Bits of bytes, from `right` on. */
SIMD_INLINE vb bits_of(vb v, int right, uint8_t mask)
{
    return vb_and(_mm512_srl_epi16(v, _mm_cvtsi32_si128(right)), mask);
}

/* Nibbles with bits 4 and 5 of `high` above them. */
SIMD_INLINE vb sixes(vb low, vb high)
{
    return _mm512_ternarylogic_epi32(low, high, vi_set(0x30303030), 0xf8); /* a | (b & c) */
}

/* Scales of 32 values: number j of all rows is byte j % 4 of v[j / 4]. */
SIMD_INLINE void store_scales(struct slab *out, vf d, const vi v[2])
{
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) {
        const vi s =
            _mm512_and_si512(_mm512_srli_epi32(v[j / 4], (unsigned)(8 * (j % 4))), vi_set(255));
        vf_store(out->scale[j], vf_mul(d, vf_from_vi(s)));
    }
}

/* Minimums of 32 values in the same places. */
SIMD_INLINE void store_mins(struct slab *out, const vi v[2])
{
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const vi two = _mm512_srli_epi32(v[i / 2], (unsigned)(16 * (i % 2)));
        const vi second = _mm512_and_si512(_mm512_slli_epi32(two, 8), vi_set(0xff0000));
        vb_store(out->min[i], vb_or(_mm512_and_si512(two, vi_set(255)), second));
    }
}

/* Scales and minimums of Q4_K and Q5_K, whose blocks begin alike. */
SIMD_INLINE void slab_scales(const uint8_t *const w[LANES], struct slab *out)
{
    vi v[4];

    turn_16(w, 0, v);
    const vi scales[2] = {vb_and(v[1], 63), vb_or(vb_and(v[3], 15), bits_of(v[1], 2, 48))};
    const vi mins[2] = {vb_and(v[2], 63), vb_or(bits_of(v[3], 4, 15), bits_of(v[2], 2, 48))};
    const vf d = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v[0]));
    const vf dmin = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(v[0], 16)));
    store_scales(out, d, scales);
    store_mins(out, mins);
    vf_store(out->e, _mm512_xor_ps(dmin, vf_set(-0.0F)));
}

SIMD_INLINE void slab_q4_k(const uint8_t *const w[LANES], struct slab *out)
{
    slab_scales(w, out);
    for (int half = 0; half < 2; half++) {
        vi v[16];
        turn_64(w, offsetof(struct gs_block_q4_k, qs) + 64 * (size_t)half, v);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            uint8_t(*to)[4 * LANES] = out->q + 32 * half + i / 8 * 16 + i % 8;
            vb_store(to[0], vb_and(v[i], 15));
            vb_store(to[8], vb_high_nibbles(v[i]));
        }
    }
}

SIMD_INLINE void slab_q6_k(const uint8_t *const w[LANES], struct slab *out)
{
    const vf d = halves(w, offsetof(struct gs_block_q6_k, d));
    vi scales[4];
    vi high[16];

    turn_16(w, offsetof(struct gs_block_q6_k, scales), scales);
#pragma GCC unroll 16
    for (int j = 0; j < 16; j++) {
        const vi s = _mm512_slli_epi32(scales[j / 4], (unsigned)(24 - 8 * (j % 4)));
        vf_store(out->scale[j], vf_mul(d, vf_from_vi(_mm512_srai_epi32(s, 24))));
    }
    turn_64(w, offsetof(struct gs_block_q6_k, qh), high);
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        vi v[16];
        turn_64(w, 64 * (size_t)half, v);
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            const vb h = high[8 * half + i];
            uint8_t(*to)[4 * LANES] = out->q + 32 * half + i;
            vb_store(to[0], sixes(vb_and(v[i], 15), _mm512_slli_epi16(h, 4)));
            vb_store(to[8], sixes(vb_and(v[8 + i], 15), _mm512_slli_epi16(h, 2)));
            vb_store(to[16], sixes(vb_high_nibbles(v[i]), h));
            vb_store(to[24], sixes(vb_high_nibbles(v[8 + i]), _mm512_srli_epi16(h, 2)));
        }
    }
}

/* ---- products ---- */

/* A group of values: slabs, a panel of tokens, and what comes nearer meanwhile. */
struct slab_part {
    const struct slab *w;
    const struct panel *x;
    struct begins begins;
    const uint8_t *next; /* packed weights, */
    size_t step;         /* of which so many bytes for SLAB_TOKENS tokens and a scale */
};

/* Dword `token` of a row of a panel. */
SIMD_INLINE vi token_of(const void *row, size_t token)
{
    return vb_set_4((const uint8_t *)row + 4 * token);
}

/* What outputs begin a group of values with: minimums. */
SIMD_INLINE void slab_begin(vf *f, const struct slab_part *p, struct kind k, int n_s, size_t token)
{
#pragma GCC unroll 12
    for (int i = 0; i < n_s * SLAB_TOKENS; i++) {
        const struct slab *w = p->w + i % n_s;
        vi sum = vi_zero();
        f[i] = vf_zero();
        if (k.mins == 0)
            continue;
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            sum = vi_add_pairs(sum, token_of(p->x->sums32[j], token + (size_t)(i / n_s)),
                               vb_load(w->min[j]));
        f[i] = vf_mul(vf_from_vi(sum), vf_load(w->e));
    }
}

/* acc[token][slab][row] += the products of SLAB_TOKENS tokens. */
SIMD_INLINE void slab_tile(struct slab_part *p, struct kind k, int n_s, size_t token, float *acc)
{
    const uint8_t *w = p->w->q[0];
    const int8_t *x = p->x->q[0];
    vf f[SLABS * SLAB_TOKENS];

    slab_begin(f, p, k, n_s, token);
    for (int j = 0; j < GS_ACT_GROUP / k.width; j++, p->next += p->step) {
        vi sum[SLABS * SLAB_TOKENS];
        for (size_t i = 0; i < p->step; i += 64)
            __builtin_prefetch(p->next + i, 0, 3);
#pragma GCC unroll 12
        for (int i = 0; i < n_s * SLAB_TOKENS; i++)
            sum[i] =
                k.mins > 0 ? vi_zero() : token_of(&p->begins.at[j][0], token + (size_t)(i / n_s));
#pragma GCC unroll 8
        for (int c = 0; c < k.width / 4; c++, w += 4 * LANES, x += 4 * LANES)
#pragma GCC unroll 12
            for (int i = 0; i < n_s * SLAB_TOKENS; i++)
                sum[i] = vb_dot_add(sum[i], vb_load(w + (size_t)(i % n_s) * sizeof(struct slab)),
                                    token_of(x, token + (size_t)(i / n_s)));
#pragma GCC unroll 12
        for (int i = 0; i < n_s * SLAB_TOKENS; i++)
            f[i] = vf_fma(vf_from_vi(sum[i]), vf_load(p->w[i % n_s].scale[j]), f[i]);
    }
#pragma GCC unroll 12
    for (int i = 0; i < n_s * SLAB_TOKENS; i++, acc += LANES)
        vf_store(acc, vf_fma(f[i], vf_set(p->x->d_k[token + (size_t)(i / n_s)]), vf_load(acc)));
}

/* ---- rows ---- */

struct slab_format {
    void (*unpack)(const uint8_t *const w[LANES], struct slab *out);
    struct kind kind;
    int offset;
    size_t group_bytes;
};

static void store_slabs(const struct gs_panel *p, const float *acc)
{
    for (size_t t = 0; t < p->n_tokens; t++)
        for (size_t r = 0; r < p->n_rows; r += LANES, acc += LANES) {
            const size_t n_r = GS_MIN(p->n_rows - r, (size_t)LANES);
            vf y = vf_load(acc);
            if (p->bias)
                y = vf_add(y, vf_load_n(p->bias + r, n_r));
            vf_store_n(p->out + t * p->out_stride + r, y, n_r);
        }
}

/* Slabs of group g; rows beyond the last are the last again. */
SIMD_INLINE void unpack_slabs(const struct gs_panel *p, const struct slab_format *f, int n_s,
                              size_t g, struct slab *out)
{
    for (size_t s = 0; s < (size_t)n_s; s++) {
        const uint8_t *w[LANES];
        for (size_t r = 0; r < LANES; r++)
            w[r] = p->w + GS_MIN(s * LANES + r, p->n_rows - 1) * p->w_stride + g * f->group_bytes;
        f->unpack(w, out + s);
    }
}

/* Group g of a panel of tokens. */
SIMD_INLINE void take_panel(struct slab_part *part, const struct gs_panel *p,
                            const struct slab_format *f, size_t panel, size_t g)
{
    const uint8_t *at =
        (const uint8_t *)p->x + (panel * (p->n / GS_ACT_GROUP) + g) * GS_PANEL_BYTES;
    const struct panel *const x[2] = {(const struct panel *)(const void *)at, NULL};

    part->x = x[0];
    if (f->kind.mins == 0)
        begins_of(&part->begins, f->kind, f->offset, 1, x);
}

SIMD_INLINE void run_slabs(const struct gs_panel *p, const struct slab_format *f, int n_s)
{
    GS_ALIGNED(64) struct slab slabs[SLABS];
    GS_ALIGNED(64) float acc[FEW * GS_PANEL_MAX_ROWS] = {0};
    const size_t share = p->n_rows * f->group_bytes;
    const size_t tiles = (p->n_tokens + SLAB_TOKENS - 1) / SLAB_TOKENS;
    const size_t steps = tiles * GS_ACT_GROUP / (size_t)f->kind.width;
    struct slab_part part = {.w = slabs, .step = (share / steps + 63) / 64 * 64};

    for (size_t g = 0; g < p->n / GS_ACT_GROUP; g++) {
        unpack_slabs(p, f, n_s, g, slabs);
        part.next = (p->next ? p->next : p->w + p->n_rows * p->w_stride) + g * share;
        for (size_t token = 0; token < p->n_tokens; token += SLAB_TOKENS) {
            if (token % LANES == 0)
                take_panel(&part, p, f, token / LANES, g);
            slab_tile(&part, f->kind, n_s, token % LANES, acc + token * (size_t)n_s * LANES);
        }
    }
    store_slabs(p, acc);
}

#define SLAB(name, off, ...)                                                                       \
    static void slabs_##name(const struct gs_panel *p)                                             \
    {                                                                                              \
        static const struct slab_format f = {.unpack = slab_##name,                                \
                                             .kind = {__VA_ARGS__},                                \
                                             .offset = (off),                                      \
                                             .group_bytes = sizeof(struct gs_block_##name)};       \
        if (p->n_tokens > FEW)                                                                     \
            panel_##name(p);                                                                       \
        else if (p->n_rows > 2 * LANES)                                                            \
            run_slabs(p, &f, 3);                                                                   \
        else if (p->n_rows > LANES)                                                                \
            run_slabs(p, &f, 2);                                                                   \
        else                                                                                       \
            run_slabs(p, &f, 1);                                                                   \
    }

SLAB(q4_k, 0, false, 32, 32, 4)
SLAB(q6_k, 32, false, 0, 16, 6)

static void init_slabs(struct gs_kernels *k)
{
    k->panel[GS_TYPE_Q4_K] = slabs_q4_k;
    k->panel[GS_TYPE_Q6_K] = slabs_q6_k;
}
