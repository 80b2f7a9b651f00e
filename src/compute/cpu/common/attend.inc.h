/* Attention. A panel of queries against a tile of keys has the queries in the lanes: no operation
 * goes across lanes, and a query's result does not depend on its neighbours. A few queries against
 * many keys, as they lie in the cache, have the values of a head in the lanes.
 *
 * Registers hold ATTEND_QUERIES vectors of queries by ATTEND_KEYS keys (or channels); SCORE_VECTORS
 * products of a query and a key; MIX_ROWS queries by MIX_PAIRS times 32 channels. */
#include "compute/blocks.h"
#include "compute/cpu/common/exp.inc.h"

#define LANES   16
#define VECTORS (GS_ATTEND_QUERIES / LANES)

/* ---- a panel of queries, a tile of keys ---- */

struct attend_scores {
    GS_ALIGNED(64) float at[GS_ATTEND_KEYS][GS_ATTEND_QUERIES];
};

/* `keys` keys from j by `cols` vectors of queries from c; both are constants. */
SIMD_INLINE void attend_dots(const struct gs_attend *a, struct attend_scores *s, size_t j, int keys,
                             size_t c, int cols)
{
    const float *k = a->k + j * a->k_stride;
    const float *q = a->q + c * LANES;
    vf acc[ATTEND_KEYS][ATTEND_QUERIES];

#pragma GCC unroll 8
    for (int i = 0; i < keys; i++)
#pragma GCC unroll 2
        for (int v = 0; v < cols; v++)
            acc[i][v] = vf_zero();
    for (size_t d = 0; d < a->d_k; d++) {
        vf x[ATTEND_QUERIES];
#pragma GCC unroll 2
        for (int v = 0; v < cols; v++)
            x[v] = vf_load(q + d * GS_ATTEND_QUERIES + v * LANES);
#pragma GCC unroll 8
        for (int i = 0; i < keys; i++) {
            const vf b = vf_set(k[(size_t)i * a->k_stride + d]);
#pragma GCC unroll 2
            for (int v = 0; v < cols; v++)
                acc[i][v] = vf_fma(b, x[v], acc[i][v]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < keys; i++)
#pragma GCC unroll 2
        for (int v = 0; v < cols; v++)
            vf_store(&s->at[j + (size_t)i][(c + (size_t)v) * LANES], acc[i][v]);
}

/* Vector c of queries: what is not plain. */
SIMD_INLINE void attend_bend(const struct gs_attend *a, struct attend_scores *s, size_t c)
{
    for (size_t j = 0; j < a->n_keys; j++) {
        const vf key = vf_set((float)j);
        float *at = &s->at[j][c * LANES];
        vf v = vf_load(at);
        if (a->softcap > 0)
            v = vf_softcap(v, a->softcap);
        if (a->slope > 0)
            v = vf_fma(vf_set(-a->slope), vf_abs(vf_sub(key, vf_load(a->pos + c * LANES))), v);
        if (a->end) {
            const vf hidden = vf_set(2 * GS_ATTEND_NONE);
            v = vf_if_less(key, vf_load(a->first + c * LANES), hidden, v);
            v = vf_if_less(key, vf_load(a->end + c * LANES), v, hidden);
        }
        vf_store(at, v);
    }
}

/* Vector c of queries: scores become weights; the factor of what was there before. */
SIMD_INLINE vf attend_weigh(const struct gs_attend *a, struct attend_scores *s, size_t c)
{
    const vf old = vf_load(a->max + c * LANES);
    vf max = old;
    vf sum = vf_zero();

    for (size_t j = 0; j < a->n_keys; j++)
        max = vf_max(vf_load(&s->at[j][c * LANES]), max);
    for (size_t j = 0; j < a->n_keys; j++) {
        const vf e = vf_exp_neg(vf_sub(vf_load(&s->at[j][c * LANES]), max));
        vf_store(&s->at[j][c * LANES], e);
        sum = vf_add(sum, e);
    }
    const vf keep = vf_exp_neg(vf_sub(old, max));
    vf_store(a->max + c * LANES, max);
    vf_store(a->sum + c * LANES, vf_fma(vf_load(a->sum + c * LANES), keep, sum));
    return keep;
}

/* `n` channels from d by `cols` vectors of queries from c; both are constants. */
SIMD_INLINE void attend_mix(const struct gs_attend *a, const struct attend_scores *s,
                            const vf *keep, size_t d, int n, size_t c, int cols)
{
    float *out = a->out + d * GS_ATTEND_QUERIES + c * LANES;
    const float *values = a->v + d;
    vf acc[ATTEND_KEYS][ATTEND_QUERIES];

#pragma GCC unroll 8
    for (int i = 0; i < n; i++)
#pragma GCC unroll 2
        for (int v = 0; v < cols; v++)
            acc[i][v] =
                vf_mul(keep[c + (size_t)v], vf_load(out + i * GS_ATTEND_QUERIES + v * LANES));
    for (size_t j = 0; j < a->n_keys; j++) {
        vf p[ATTEND_QUERIES];
#pragma GCC unroll 2
        for (int v = 0; v < cols; v++)
            p[v] = vf_load(&s->at[j][(c + (size_t)v) * LANES]);
#pragma GCC unroll 8
        for (int i = 0; i < n; i++) {
            const vf b = vf_set(values[j * a->v_stride + (size_t)i]);
#pragma GCC unroll 2
            for (int v = 0; v < cols; v++)
                acc[i][v] = vf_fma(b, p[v], acc[i][v]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < n; i++)
#pragma GCC unroll 2
        for (int v = 0; v < cols; v++)
            vf_store(out + i * GS_ATTEND_QUERIES + v * LANES, acc[i][v]);
}

static void attend(const struct gs_attend *a)
{
    struct attend_scores s;
    vf keep[VECTORS];

    for (size_t c = 0; c < VECTORS; c += ATTEND_QUERIES) {
        size_t j = 0;
        for (; j + ATTEND_KEYS <= a->n_keys; j += ATTEND_KEYS)
            attend_dots(a, &s, j, ATTEND_KEYS, c, ATTEND_QUERIES);
        for (; j < a->n_keys; j++)
            attend_dots(a, &s, j, 1, c, ATTEND_QUERIES);
    }
    for (size_t c = 0; c < VECTORS; c++) {
        if (a->softcap > 0 || a->slope > 0 || a->end)
            attend_bend(a, &s, c);
        keep[c] = attend_weigh(a, &s, c);
    }
    for (size_t c = 0; c < VECTORS; c += ATTEND_QUERIES) {
        size_t d = 0;
        for (; d + ATTEND_KEYS <= a->d_v; d += ATTEND_KEYS)
            attend_mix(a, &s, keep, d, ATTEND_KEYS, c, ATTEND_QUERIES);
        for (; d < a->d_v; d++)
            attend_mix(a, &s, keep, d, 1, c, ATTEND_QUERIES);
    }
}

/* ---- a few queries, keys and values as they lie ---- */

/* 32 values from i of a row of the cache, of which n exist. */
SIMD_INLINE void load_2_f32(const uint8_t *row, size_t i, size_t n, vf v[2])
{
    const float *p = (const float *)(const void *)row + i;

    if (n >= 32) {
        v[0] = vf_load(p);
        v[1] = vf_load(p + 16);
    } else {
        v[0] = n >= 16 ? vf_load(p) : vf_load_n(p, n);
        v[1] = n > 16 ? vf_load_n(p + 16, n - 16) : vf_zero();
    }
}

SIMD_INLINE void load_2_f16(const uint8_t *row, size_t i, size_t n, vf v[2])
{
    const uint8_t *p = row + 2 * i;
    uint8_t padded[64] = {0};

    if (n < 32) {
        memcpy(padded, p, 2 * n);
        p = padded;
    }
    v[0] = vf_load_f16(p);
    v[1] = vf_load_f16(p + 32);
}

SIMD_INLINE void load_2_q8_0(const uint8_t *row, size_t i, size_t n, vf v[2])
{
    const struct gs_block_q8_0 *b = (const struct gs_block_q8_0 *)row + i / GS_BLOCK_32;
    const vf d = vf_set(load_half(b->d));

    (void)n;
    v[0] = vf_mul(d, vf_from_i8(b16_load(b->qs)));
    v[1] = vf_mul(d, vf_from_i8(b16_load(b->qs + 16)));
}

typedef void load_2_fn(const uint8_t *row, size_t i, size_t n, vf v[2]);

SIMD_INLINE void store_2(float *p, const vf v[2], size_t n)
{
    if (n >= 32) {
        vf_store(p, v[0]);
        vf_store(p + 16, v[1]);
    } else {
        vf_store_n(p, v[0], GS_MIN(n, (size_t)16));
        if (n > 16)
            vf_store_n(p + 16, v[1], n - 16);
    }
}

SIMD_INLINE const uint8_t *query_at(const float *x, size_t row, size_t stride)
{
    return (const uint8_t *)(x + row * stride);
}

/* Values [i, i + n) of `keys` rows times those of `rows` queries, n <= 32. */
SIMD_INLINE void score_add(load_2_fn *load, const struct gs_score *s, const uint8_t *const *k,
                           int keys, const float *q, int rows, size_t i, size_t n, vf *acc)
{
    vf x[8];

#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
        load_2_f32(query_at(q, (size_t)r, s->q_stride), i, n, x + 2 * r);
#pragma GCC unroll 16
    for (int j = 0; j < keys; j++) {
        vf v[2];
        load(k[j], i, n, v);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            vf *sum = &acc[r * keys + j];
            *sum = vf_fma(v[1], x[2 * r + 1], vf_fma(v[0], x[2 * r], *sum));
        }
    }
}

/* all[r][j] = query r times key j of those at k, in vectors whose lanes are to be summed. */
SIMD_INLINE void score_dots(load_2_fn *load, const struct gs_score *s, const uint8_t *const *k,
                            int keys, const float *q, int rows, vf *all, int all_keys)
{
    vf acc[SCORE_VECTORS];
    size_t i = 0;

#pragma GCC unroll 16
    for (int t = 0; t < rows * keys; t++)
        acc[t] = vf_zero();
    for (; i + 32 <= s->n; i += 32)
        score_add(load, s, k, keys, q, rows, i, 32, acc);
    if (i < s->n)
        score_add(load, s, k, keys, q, rows, i, s->n - i, acc);
#pragma GCC unroll 16
    for (int t = 0; t < rows * keys; t++)
        all[t / keys * all_keys + t % keys] = acc[t];
}

/* Queries [r, r + rows) and 16 / rows keys from j, as far as they exist; rows is a constant. */
SIMD_INLINE void score_tile(load_2_fn *load, const struct gs_score *s, size_t r, int rows, size_t j)
{
    const int keys = 16 / rows;
    const int at_once = SCORE_VECTORS / rows;
    const uint8_t *k[16];
    float sums[16];
    vf all[16];

#pragma GCC unroll 16
    for (int t = 0; t < keys; t++)
        k[t] = s->k + GS_MIN(j + (size_t)t, s->n_keys - 1) * s->k_stride;
#pragma GCC unroll 4
    for (int t = 0; t < keys; t += at_once)
        score_dots(load, s, k + t, at_once, s->q + r * s->q_stride, rows, all + t, keys);
    vf_store(sums, vf_sums(all));
    for (int t = 0; t < rows; t++)
        memcpy(s->out + (r + (size_t)t) * s->out_stride + j, sums + t * keys,
               GS_MIN((size_t)keys, s->n_keys - j) * sizeof(float));
}

/* Queries [r, r + rows) and 16 keys from j; with the first queries the next keys come nearer. */
SIMD_INLINE void score_rows(load_2_fn *load, const struct gs_score *s, size_t r, int rows, size_t j,
                            size_t row_bytes)
{
    const size_t keys = 16 / (size_t)rows;

    for (size_t t = j; t < GS_MIN(j + 16, s->n_keys); t += keys) {
        for (size_t u = t; s->next && r == 0 && u < GS_MIN(t + keys, s->n_keys); u++)
            for (size_t i = 0; i < row_bytes; i += 64)
                __builtin_prefetch(s->next + u * s->k_stride + i, 0, 2);
        score_tile(load, s, r, rows, t);
    }
}

SIMD_INLINE void score(load_2_fn *load, const struct gs_score *s, size_t row_bytes)
{
    for (size_t j = 0; j < s->n_keys; j += 16) {
        size_t r = 0;
        for (; r + 4 <= s->n_q; r += 4)
            score_rows(load, s, r, 4, j, row_bytes);
        for (; r + 2 <= s->n_q; r += 2)
            score_rows(load, s, r, 2, j, row_bytes);
        if (r < s->n_q)
            score_rows(load, s, r, 1, j, row_bytes);
    }
}

/* Rows [i, i + rows) of o, `pairs` times 32 channels from c, the last of which are n; rows and
 * pairs are constants. */
SIMD_INLINE void mix_tile(load_2_fn *load, const struct gs_mix *m, size_t i, int rows, size_t c,
                          int pairs, size_t n, const uint8_t *next)
{
    const float *p = m->p + i * m->p_stride;
    float *o = m->o + i * m->o_stride + c;
    vf acc[MIX_ROWS][2 * MIX_PAIRS];

#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int k = 0; k < pairs; k++)
            load_2_f32(query_at(o, (size_t)r, m->o_stride), 32 * (size_t)k, n, &acc[r][2 * k]);
    for (size_t j = 0; j < m->n_v; j++) {
        vf v[2 * MIX_PAIRS];
        if (next) {
            __builtin_prefetch(next + j * m->v_stride, 0, 2);
            if (pairs > 1)
                __builtin_prefetch(next + j * m->v_stride + 64, 0, 2);
        }
#pragma GCC unroll 2
        for (int k = 0; k < pairs; k++)
            load(m->v + j * m->v_stride, c + 32 * (size_t)k, n, v + 2 * k);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            const vf w = vf_set(p[(size_t)r * m->p_stride + j]);
#pragma GCC unroll 4
            for (int k = 0; k < 2 * pairs; k++)
                acc[r][k] = vf_fma(w, v[k], acc[r][k]);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int k = 0; k < pairs; k++)
            store_2(o + (size_t)r * m->o_stride + 32 * k, &acc[r][2 * k], n);
}

SIMD_INLINE void mix_channels(load_2_fn *load, const struct gs_mix *m, size_t c, int pairs,
                              size_t n, size_t row_bytes)
{
    const uint8_t *next = m->next ? m->next + c * row_bytes / m->n : NULL;
    size_t i = 0;

    for (; i + MIX_ROWS <= m->n_o; i += MIX_ROWS, next = NULL)
        mix_tile(load, m, i, MIX_ROWS, c, pairs, n, next);
    for (; i + 2 <= m->n_o; i += 2, next = NULL)
        mix_tile(load, m, i, 2, c, pairs, n, next);
    if (i < m->n_o)
        mix_tile(load, m, i, 1, c, pairs, n, next);
}

SIMD_INLINE void mix(load_2_fn *load, const struct gs_mix *m, size_t row_bytes)
{
    size_t c = 0;

    for (; c + 32 * MIX_PAIRS <= m->n; c += 32 * MIX_PAIRS)
        mix_channels(load, m, c, MIX_PAIRS, 32, row_bytes);
    for (; c + 32 <= m->n; c += 32)
        mix_channels(load, m, c, 1, 32, row_bytes);
    if (c < m->n)
        mix_channels(load, m, c, 1, m->n - c, row_bytes);
}

#define CACHE_TYPE(name, bytes_of_n)                                                               \
    static void score_##name(const struct gs_score *s)                                             \
    {                                                                                              \
        const size_t n = s->n;                                                                     \
        score(load_2_##name, s, bytes_of_n);                                                       \
    }                                                                                              \
    static void mix_##name(const struct gs_mix *m)                                                 \
    {                                                                                              \
        const size_t n = m->n;                                                                     \
        mix(load_2_##name, m, bytes_of_n);                                                         \
    }

CACHE_TYPE(f32, n * 4)
CACHE_TYPE(f16, n * 2)
CACHE_TYPE(q8_0, n / GS_BLOCK_32 * sizeof(struct gs_block_q8_0))

static void init_attend(struct gs_kernels *k)
{
    k->attend = attend;
    k->score[GS_TYPE_F32] = score_f32;
    k->score[GS_TYPE_F16] = score_f16;
    k->score[GS_TYPE_Q8_0] = score_q8_0;
    k->mix[GS_TYPE_F32] = mix_f32;
    k->mix[GS_TYPE_F16] = mix_f16;
    k->mix[GS_TYPE_Q8_0] = mix_q8_0;
}
