/* The loss of documents under pilot's network and its gradient, for train.py: what network.py
 * defines and PyTorch differentiates, written out for processors with products of bfloat16 (AVX-512
 * BF16): 2.7 times as fast. check.py compares the two.
 *
 * Values are float32; what goes into a product is rounded to bfloat16, sums are float32
 * (network.LinearFn). One operand of a product ("rows") is read in pairs of values of two
 * neighbouring k, the other ("panel") lies as [n/32][k/2][32] of such pairs; n_embd, n_ff, n_vocab
 * and n_head_dim are multiples of 32. Formulas: RMSNorm (Zhang 2019), RoPE in halves (Su 2021),
 * attention (Vaswani 2017), SwiGLU (Shazeer 2020). */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { TILE_ROWS = 8, TILE_COLUMNS = 32, HEAD_ROWS = 256 };

struct shape {
    int n_vocab, n_embd, n_layer, n_head, n_head_kv, n_head_dim, n_ff;
    float rope_base, eps;
};

/* A matrix [n_out][n_in] of the network: its values, and panels of both directions, made by
 * gradient_prepare(). */
struct matrix {
    const float *values;
    int n_out, n_in;
    uint32_t *forward; /* pairs along n_in: y = x W' */
    uint32_t *back;    /* pairs along n_out: dx = dy W */
};

enum { ATTN_NORM, FFN_NORM, Q_NORM, K_NORM, LAYER_NORMS };
enum { WQ, WK, WV, WO, WGATE, WUP, WDOWN, LAYER_MATRICES };

struct layer {
    const float *norm[LAYER_NORMS];
    struct matrix w[LAYER_MATRICES];
};

struct network {
    struct shape s;
    const float *embd, *output_norm;
    struct matrix output;
    struct layer layer[32];
};

/* Where gradients go, in the order of the network's parameters. */
struct layer_gradient {
    float *norm[LAYER_NORMS], *w[LAYER_MATRICES];
};

/* What a layer keeps for the way back. */
struct kept {
    float *xhat, *scale;   /* of attn_norm: [t][n_embd], [t] */
    float *qhat, *q_scale; /* of q_norm */
    float *khat, *k_scale;
    float *q, *k, *v, *o; /* rotated queries (scaled) and keys; values; attention's output */
    uint16_t *p;          /* weights of attention [b][head][t][padded t] */
    float *xhat2, *scale2;
    float *gate, *up;
};

struct work {
    const struct network *net;
    float *embd, *output_norm, *output; /* gradients */
    struct layer_gradient layer[32];
    struct kept kept[32];
    char *memory;
    size_t have, used, size, wanted;
    int n_doc, n_t, n_rows,
        pad_t; /* documents, tokens of each, together; n_t to whole columns of a tile */
    const int64_t *ids, *next;
    const int8_t *learnt;
    float *cos, *sin; /* [n_t][n_head_dim / 2] */
};

static void *take(struct work *w, size_t bytes)
{
    bytes = (bytes + 63) & ~(size_t)63;
    w->wanted += bytes;
    if (w->used + bytes > w->size)
        return NULL;
    void *p = w->memory + w->used;
    w->used += bytes;
    return p;
}

static float *floats(struct work *w, size_t n)
{
    return take(w, n * sizeof(float));
}

/* Pairs and tiles */

static inline uint32_t bf16(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    return (u + 0x7fff + (u >> 16 & 1)) >> 16;
}

static inline uint32_t pair(float low, float high)
{
    return bf16(low) | bf16(high) << 16;
}

static void round_rows(uint16_t *restrict to, const float *restrict from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (uint16_t)bf16(from[i]);
}

/* Panels of m[n][k], rows `stride` apart, for products along k; rows from n to whole tiles are
 * zeros. */
static void panels_of_rows(uint32_t *to, const float *from, int n, int k, int stride)
{
    int whole = (n + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    for (int j = 0; j < whole; j++) {
        uint32_t *p = to + (size_t)(j / TILE_COLUMNS) * (k / 2) * TILE_COLUMNS + j % TILE_COLUMNS;
        const float *row = from + (size_t)j * stride;
        for (int i = 0; i < k / 2; i++)
            p[(size_t)i * TILE_COLUMNS] = j < n ? pair(row[2 * i], row[2 * i + 1]) : 0;
    }
}

/* Panels of m[k][n] for products along k; `width` columns each. */
static inline void panels_of_columns(uint32_t *restrict to, const float *restrict from, int k,
                                     int n, int stride, int width)
{
    for (int i = 0; i < k / 2; i++) {
        const float *a = from + (size_t)2 * i * stride, *b = a + stride;
        for (int j = 0; j < n; j += width) {
            uint32_t *p = to + ((size_t)(j / width) * (k / 2) + i) * width;
            for (int c = 0; c < width; c++)
                p[c] = pair(a[j + c], b[j + c]);
        }
    }
}

/* Panels of 8 columns of m[t][t], bfloat16 already and zero above the diagonal: only what is not
 * above it. */
static void panels_of_weights(uint32_t *restrict to, const uint16_t *restrict from, int t,
                              int stride)
{
    for (int i = 0; i < t / 2; i++) {
        const uint16_t *a = from + (size_t)2 * i * stride, *b = a + stride;
        for (int j = 0; j <= 2 * i; j += TILE_ROWS) {
            uint32_t *p = to + ((size_t)(j / TILE_ROWS) * (t / 2) + i) * TILE_ROWS;
            for (int c = 0; c < TILE_ROWS; c++)
                p[c] = a[j + c] | (uint32_t)b[j + c] << 16;
        }
    }
}

/* c[8][32] = or += a b over k pairs; the pair k of row r lies at a[r * row + k * step]. */
static inline __attribute__((always_inline)) void tile(const uint32_t *a, size_t row, size_t step,
                                                       const uint32_t *b, int k, float *c,
                                                       size_t stride, int add)
{
    __m512 sum[TILE_ROWS][2];
#pragma GCC unroll 8
    for (int r = 0; r < TILE_ROWS; r++)
        for (int h = 0; h < 2; h++)
            sum[r][h] = add ? _mm512_loadu_ps(c + r * stride + 16 * h) : _mm512_setzero_ps();
    for (int i = 0; i < k; i++) {
        __m512bh b0 = (__m512bh)_mm512_loadu_si512(b + (size_t)i * 32),
                 b1 = (__m512bh)_mm512_loadu_si512(b + (size_t)i * 32 + 16);
#pragma GCC unroll 8
        for (int r = 0; r < TILE_ROWS; r++) {
            __m512bh v = (__m512bh)_mm512_set1_epi32((int)a[r * row + i * step]);
            sum[r][0] = _mm512_dpbf16_ps(sum[r][0], v, b0);
            sum[r][1] = _mm512_dpbf16_ps(sum[r][1], v, b1);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < TILE_ROWS; r++)
        for (int h = 0; h < 2; h++)
            _mm512_storeu_ps(c + r * stride + 16 * h, sum[r][h]);
}

/* c[m][n] = or += a[m][k] times panels; a are rows of bfloat16 `row` values apart. */
static void multiply_rows(const uint16_t *a, int row, const uint32_t *b, int panel, int m, int n,
                          int k, float *c, int stride, int add)
{
    for (int j = 0; j < n; j += TILE_COLUMNS)
        for (int i = 0; i < m; i += TILE_ROWS)
            tile((const uint32_t *)(a + (size_t)i * row), row / 2, 1, b + (size_t)j * (panel / 2),
                 k / 2, c + (size_t)i * stride + j, stride, add);
}

/* c[m][n] += a' b: both lie in panels along k, a's of 8. */
static void multiply_panels(const uint32_t *a, const uint32_t *b, int m, int n, int k, float *c,
                            int stride)
{
    for (int j = 0; j < n; j += TILE_COLUMNS)
        for (int i = 0; i < m; i += TILE_ROWS)
            tile(a + (size_t)i * (k / 2), 1, TILE_ROWS, b + (size_t)j * (k / 2), k / 2,
                 c + (size_t)i * stride + j, stride, 1);
}

/* The network's parts */

static void norm_forward(float *xhat, float *restrict scale, const float *x, size_t rows, int n,
                         float eps)
{
    for (size_t r = 0; r < rows; r++) {
        const float *a = x + r * n;
        float sum = 0;
        for (int i = 0; i < n; i++)
            sum += a[i] * a[i];
        scale[r] = 1 / sqrtf(sum / n + eps);
        for (int i = 0; i < n; i++)
            xhat[r * n + i] = a[i] * scale[r];
    }
}

/* dx (+)= the gradient through a norm of dy, dw += that of its weights. */
static void norm_back(float *restrict dx, float *restrict dw, const float *restrict dy,
                      const float *restrict xhat, const float *restrict scale,
                      const float *restrict w, size_t rows, int n, int add)
{
    for (size_t r = 0; r < rows; r++) {
        const float *g = dy + r * n, *h = xhat + r * n;
        float dot = 0;
        for (int i = 0; i < n; i++) {
            dot += g[i] * w[i] * h[i];
            dw[i] += g[i] * h[i];
        }
        dot /= n;
        float *d = dx + r * n;
        if (add)
            for (int i = 0; i < n; i++)
                d[i] += (g[i] * w[i] - h[i] * dot) * scale[r];
        else
            for (int i = 0; i < n; i++)
                d[i] = (g[i] * w[i] - h[i] * dot) * scale[r];
    }
}

static void times(float *restrict y, const float *restrict xhat, const float *restrict w,
                  size_t rows, int n)
{
    for (size_t r = 0; r < rows; r++)
        for (int i = 0; i < n; i++)
            y[r * n + i] = xhat[r * n + i] * w[i];
}

static void times_rounded(uint16_t *restrict y, const float *restrict xhat, const float *restrict w,
                          size_t rows, int n)
{
    for (size_t r = 0; r < rows; r++)
        for (int i = 0; i < n; i++)
            y[r * n + i] = (uint16_t)bf16(xhat[r * n + i] * w[i]);
}

/* Rotates heads in place by their positions; sign -1 turns back. */
static void rotate(const struct work *w, float *x, int heads, float factor, float sign)
{
    int dim = w->net->s.n_head_dim, half = dim / 2;
    for (int r = 0; r < w->n_rows; r++) {
        const float *c = w->cos + (size_t)(r % w->n_t) * half,
                    *s = w->sin + (size_t)(r % w->n_t) * half;
        for (int h = 0; h < heads; h++) {
            float *restrict a = x + ((size_t)r * heads + h) * dim, *restrict b = a + half;
            for (int i = 0; i < half; i++) {
                float u = a[i] * factor, v = b[i] * factor;
                a[i] = u * c[i] - sign * v * s[i];
                b[i] = v * c[i] + sign * u * s[i];
            }
        }
    }
}

static void softmax_row(uint16_t *restrict p, float *restrict s, int n, int whole)
{
    float top = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++)
        top = s[i] > top ? s[i] : top;
    for (int i = 0; i < n; i++) {
        s[i] = expf(s[i] - top);
        sum += s[i];
    }
    sum = 1 / sum;
    for (int i = 0; i < n; i++)
        p[i] = (uint16_t)bf16(s[i] * sum);
    memset(p + n, 0, (size_t)(whole - n) * sizeof *p);
}

static int columns_until(int row)
{
    return (row + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
}

/* A head of a document: o = softmax(q k') v, causal. */
static void attend(struct work *w, const struct kept *z, int doc, int head)
{
    const struct shape *s = &w->net->s;
    int dim = s->n_head_dim, t = w->n_t, pad = w->pad_t, kv = head / (s->n_head / s->n_head_kv);
    int q_stride = s->n_head * dim, kv_stride = s->n_head_kv * dim;
    const float *q = z->q + (size_t)doc * t * q_stride + head * dim;
    const float *k = z->k + (size_t)doc * t * kv_stride + kv * dim,
                *v = z->v + (size_t)doc * t * kv_stride + kv * dim;
    float *o = z->o + (size_t)doc * t * q_stride + head * dim;
    uint16_t *p = z->p + ((size_t)doc * s->n_head + head) * t * pad;
    size_t mark = w->used;
    uint32_t *keys = take(w, (size_t)pad * dim / 2 * 4), *values = take(w, (size_t)t * dim / 2 * 4);
    float *scores = floats(w, (size_t)TILE_ROWS * pad);
    uint16_t *rows = take(w, (size_t)TILE_ROWS * dim * 2);
    panels_of_rows(keys, k, t, dim, kv_stride);
    panels_of_columns(values, v, t, dim, kv_stride, TILE_COLUMNS);
    for (int r = 0; r < t; r += TILE_ROWS) {
        for (int i = 0; i < TILE_ROWS; i++)
            round_rows(rows + i * dim, q + (size_t)(r + i) * q_stride, dim);
        int n = columns_until(r + TILE_ROWS);
        multiply_rows(rows, dim, keys, dim, TILE_ROWS, n, dim, scores, pad, 0);
        for (int i = 0; i < TILE_ROWS; i++)
            softmax_row(p + (size_t)(r + i) * pad, scores + (size_t)i * pad, r + i + 1, n);
        multiply_rows(p + (size_t)r * pad, pad, values, t, TILE_ROWS, dim, r + TILE_ROWS,
                      o + (size_t)r * q_stride, q_stride, 0);
    }
    w->used = mark;
}

/* The way back of attend(): dq =, dk and dv += what do asks for. */
static void attend_back(struct work *w, const struct kept *z, int doc, int head, const float *d_o,
                        float *dq, float *dk, float *dv)
{
    const struct shape *s = &w->net->s;
    int dim = s->n_head_dim, t = w->n_t, pad = w->pad_t, kv = head / (s->n_head / s->n_head_kv);
    int q_stride = s->n_head * dim, kv_stride = s->n_head_kv * dim;
    size_t at_q = (size_t)doc * t * q_stride + head * dim,
           at_kv = (size_t)doc * t * kv_stride + kv * dim;
    const uint16_t *p = z->p + ((size_t)doc * s->n_head + head) * t * pad;
    const float *g = d_o + at_q, *o = z->o + at_q;
    size_t mark = w->used;
    uint32_t *values = take(w, (size_t)pad * dim / 2 * 4), *keys = take(w, (size_t)t * dim / 2 * 4),
             *columns = take(w, (size_t)t * dim / 2 * 4);
    uint32_t *turned = take(w, (size_t)t * t / 2 * 4);
    uint16_t *ds = take(w, (size_t)t * pad * 2), *rows = take(w, (size_t)TILE_ROWS * dim * 2);
    float *dp = floats(w, (size_t)TILE_ROWS * pad);
    panels_of_rows(values, z->v + at_kv, t, dim, kv_stride);
    panels_of_columns(keys, z->k + at_kv, t, dim, kv_stride, TILE_COLUMNS);
    for (int r = 0; r < t; r += TILE_ROWS) {
        for (int i = 0; i < TILE_ROWS; i++)
            round_rows(rows + i * dim, g + (size_t)(r + i) * q_stride, dim);
        int n = columns_until(r + TILE_ROWS);
        multiply_rows(rows, dim, values, dim, TILE_ROWS, n, dim, dp, pad, 0);
        for (int i = 0; i < TILE_ROWS; i++) {
            const float *a = g + (size_t)(r + i) * q_stride, *b = o + (size_t)(r + i) * q_stride;
            float delta = 0;
            for (int c = 0; c < dim; c++)
                delta += a[c] * b[c];
            const uint16_t *weight = p + (size_t)(r + i) * pad;
            uint16_t *to = ds + (size_t)(r + i) * pad;
            for (int c = 0; c < n; c++) {
                uint32_t bits = (uint32_t)weight[c] << 16;
                float x;
                memcpy(&x, &bits, 4);
                to[c] = (uint16_t)bf16(x * (dp[(size_t)i * pad + c] - delta));
            }
        }
        multiply_rows(ds + (size_t)r * pad, pad, keys, t, TILE_ROWS, dim, r + TILE_ROWS,
                      dq + at_q + (size_t)r * q_stride, q_stride, 0);
    }
    const struct {
        const uint16_t *weights;
        const float *from;
        float *to;
    } sums[] = {{ds, z->q + at_q, dk + at_kv}, {p, g, dv + at_kv}};
    for (int i = 0; i < 2; i++) {
        panels_of_weights(turned, sums[i].weights, t, pad);
        panels_of_columns(columns, sums[i].from, t, dim, q_stride, TILE_COLUMNS);
        for (int c = 0; c < t; c += TILE_ROWS)
            for (int j = 0; j < dim; j += TILE_COLUMNS)
                tile(turned + (size_t)c * (t / 2) + (size_t)c / 2 * TILE_ROWS, 1, TILE_ROWS,
                     columns + (size_t)j * (t / 2) + (size_t)c / 2 * TILE_COLUMNS, (t - c) / 2,
                     sums[i].to + (size_t)c * kv_stride + j, kv_stride, 1);
    }
    w->used = mark;
}

/* y[rows][n_out] = or += x W' */
static void linear(const struct matrix *m, const uint16_t *x, float *y, int rows, int add)
{
    multiply_rows(x, m->n_in, m->forward, m->n_in, rows, m->n_out, m->n_in, y, m->n_out, add);
}

/* dx = or += dy W and dw += dy' x; x in panels of 32 along the rows. */
static void linear_back(struct work *w, const struct matrix *m, const float *dy, const uint32_t *x,
                        float *dx, float *dw, int rows, int add)
{
    size_t mark = w->used;
    uint16_t *rounded = take(w, (size_t)rows * m->n_out * 2);
    uint32_t *turned = take(w, (size_t)rows * m->n_out * 2);
    round_rows(rounded, dy, (size_t)rows * m->n_out);
    multiply_rows(rounded, m->n_out, m->back, m->n_out, rows, m->n_in, m->n_out, dx, m->n_in, add);
    panels_of_columns(turned, dy, rows, m->n_out, m->n_out, TILE_ROWS);
    multiply_panels(turned, x, m->n_out, m->n_in, rows, dw, m->n_in);
    w->used = mark;
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

static void layer_forward(struct work *w, int l, float *x)
{
    const struct shape *s = &w->net->s;
    const struct layer *p = &w->net->layer[l];
    struct kept *z = &w->kept[l];
    int rows = w->n_rows, dim = s->n_head_dim, nq = s->n_head * dim;
    size_t mark = w->used;
    int widest = s->n_ff > s->n_embd ? s->n_ff : s->n_embd;
    uint16_t *h = take(w, (size_t)rows * (widest > nq ? widest : nq) * 2);
    float *raw = floats(w, (size_t)rows * nq);
    norm_forward(z->xhat, z->scale, x, rows, s->n_embd, s->eps);
    times_rounded(h, z->xhat, p->norm[ATTN_NORM], rows, s->n_embd);
    linear(&p->w[WQ], h, raw, rows, 0);
    norm_forward(z->qhat, z->q_scale, raw, (size_t)rows * s->n_head, dim, s->eps);
    times(z->q, z->qhat, p->norm[Q_NORM], (size_t)rows * s->n_head, dim);
    rotate(w, z->q, s->n_head, 1 / sqrtf((float)dim), 1);
    linear(&p->w[WK], h, raw, rows, 0);
    norm_forward(z->khat, z->k_scale, raw, (size_t)rows * s->n_head_kv, dim, s->eps);
    times(z->k, z->khat, p->norm[K_NORM], (size_t)rows * s->n_head_kv, dim);
    rotate(w, z->k, s->n_head_kv, 1, 1);
    linear(&p->w[WV], h, z->v, rows, 0);
    for (int i = 0; i < w->n_doc * s->n_head; i++)
        attend(w, z, i / s->n_head, i % s->n_head);
    round_rows(h, z->o, (size_t)rows * nq);
    linear(&p->w[WO], h, x, rows, 1);
    norm_forward(z->xhat2, z->scale2, x, rows, s->n_embd, s->eps);
    times_rounded(h, z->xhat2, p->norm[FFN_NORM], rows, s->n_embd);
    linear(&p->w[WGATE], h, z->gate, rows, 0);
    linear(&p->w[WUP], h, z->up, rows, 0);
    for (size_t i = 0; i < (size_t)rows * s->n_ff; i++)
        h[i] = (uint16_t)bf16(z->gate[i] * sigmoid(z->gate[i]) * z->up[i]);
    linear(&p->w[WDOWN], h, x, rows, 1);
    w->used = mark;
}

static void ffn_back(struct work *w, int l, float *dx)
{
    const struct shape *s = &w->net->s;
    const struct layer *p = &w->net->layer[l];
    const struct layer_gradient *g = &w->layer[l];
    const struct kept *z = &w->kept[l];
    int rows = w->n_rows;
    size_t mark = w->used, n = (size_t)rows * s->n_ff;
    float *act = floats(w, n), *dact = floats(w, n), *h = floats(w, (size_t)rows * s->n_embd),
          *dh = floats(w, (size_t)rows * s->n_embd);
    uint32_t *x = take(w, n * 2);
    for (size_t i = 0; i < n; i++)
        act[i] = z->gate[i] * sigmoid(z->gate[i]) * z->up[i];
    panels_of_columns(x, act, rows, s->n_ff, s->n_ff, TILE_COLUMNS);
    linear_back(w, &p->w[WDOWN], dx, x, dact, g->w[WDOWN], rows, 0);
    for (size_t i = 0; i < n; i++) {
        float a = z->gate[i], y = sigmoid(a), d = dact[i];
        act[i] = d * z->up[i] * y * (1 + a * (1 - y));
        dact[i] = d * a * y;
    }
    times(h, z->xhat2, p->norm[FFN_NORM], rows, s->n_embd);
    panels_of_columns(x, h, rows, s->n_embd, s->n_embd, TILE_COLUMNS);
    linear_back(w, &p->w[WGATE], act, x, dh, g->w[WGATE], rows, 0);
    linear_back(w, &p->w[WUP], dact, x, dh, g->w[WUP], rows, 1);
    norm_back(dx, g->norm[FFN_NORM], dh, z->xhat2, z->scale2, p->norm[FFN_NORM], rows, s->n_embd,
              1);
    w->used = mark;
}

static void attention_back(struct work *w, int l, float *dx)
{
    const struct shape *s = &w->net->s;
    const struct layer *p = &w->net->layer[l];
    const struct layer_gradient *g = &w->layer[l];
    const struct kept *z = &w->kept[l];
    int rows = w->n_rows, dim = s->n_head_dim, nq = s->n_head * dim, nk = s->n_head_kv * dim;
    size_t mark = w->used;
    float *d_o = floats(w, (size_t)rows * nq), *dq = floats(w, (size_t)rows * nq),
          *raw = floats(w, (size_t)rows * nq);
    float *dk = floats(w, (size_t)rows * nk), *dv = floats(w, (size_t)rows * nk);
    float *h = floats(w, (size_t)rows * s->n_embd), *dh = floats(w, (size_t)rows * s->n_embd);
    uint32_t *x = take(w, (size_t)rows * (nq > s->n_embd ? nq : s->n_embd) * 2);
    panels_of_columns(x, z->o, rows, nq, nq, TILE_COLUMNS);
    linear_back(w, &p->w[WO], dx, x, d_o, g->w[WO], rows, 0);
    memset(dk, 0, (size_t)rows * nk * sizeof *dk);
    memset(dv, 0, (size_t)rows * nk * sizeof *dv);
    for (int i = 0; i < w->n_doc * s->n_head; i++)
        attend_back(w, z, i / s->n_head, i % s->n_head, d_o, dq, dk, dv);
    times(h, z->xhat, p->norm[ATTN_NORM], rows, s->n_embd);
    panels_of_columns(x, h, rows, s->n_embd, s->n_embd, TILE_COLUMNS);
    rotate(w, dq, s->n_head, 1 / sqrtf((float)dim), -1);
    norm_back(raw, g->norm[Q_NORM], dq, z->qhat, z->q_scale, p->norm[Q_NORM],
              (size_t)rows * s->n_head, dim, 0);
    linear_back(w, &p->w[WQ], raw, x, dh, g->w[WQ], rows, 0);
    rotate(w, dk, s->n_head_kv, 1, -1);
    norm_back(raw, g->norm[K_NORM], dk, z->khat, z->k_scale, p->norm[K_NORM],
              (size_t)rows * s->n_head_kv, dim, 0);
    linear_back(w, &p->w[WK], raw, x, dh, g->w[WK], rows, 1);
    linear_back(w, &p->w[WV], dv, x, dh, g->w[WV], rows, 1);
    norm_back(dx, g->norm[ATTN_NORM], dh, z->xhat, z->scale, p->norm[ATTN_NORM], rows, s->n_embd,
              1);
    w->used = mark;
}

/* Cross-entropy of a row of logits, which become its gradient times `scale`. */
static double cross_entropy(float *restrict x, int n, int64_t target, float scale)
{
    float top = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
    float at = x[target];
    for (int i = 0; i < n; i++) {
        x[i] = expf(x[i] - top);
        sum += x[i];
    }
    float factor = scale / sum;
    for (int i = 0; i < n; i++)
        x[i] *= factor;
    x[target] -= scale;
    return (double)logf(sum) + top - at;
}

/* The loss of what is learnt, and dh = its gradient at the output norm's output. */
static void head(struct work *w, const float *xhat, float *dh, float scale, double *own,
                 int64_t *n_own)
{
    const struct network *net = w->net;
    int n_embd = net->s.n_embd, n_vocab = net->s.n_vocab, at[HEAD_ROWS];
    size_t mark = w->used;
    float *h = floats(w, (size_t)HEAD_ROWS * n_embd),
          *logits = floats(w, (size_t)HEAD_ROWS * n_vocab);
    uint16_t *rounded = take(w, (size_t)HEAD_ROWS * n_embd * 2);
    uint32_t *x = take(w, (size_t)HEAD_ROWS * n_embd * 2);
    for (int r = 0; r < w->n_rows;) {
        int n = 0;
        for (; r < w->n_rows && n < HEAD_ROWS; r++) {
            if (!w->learnt[r])
                continue;
            times(h + (size_t)n * n_embd, xhat + (size_t)r * n_embd, net->output_norm, 1, n_embd);
            at[n++] = r;
        }
        int whole = (n + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
        memset(h + (size_t)n * n_embd, 0, (size_t)(whole - n) * n_embd * sizeof *h);
        round_rows(rounded, h, (size_t)whole * n_embd);
        linear(&net->output, rounded, logits, whole, 0);
        for (int i = 0; i < n; i++) {
            int times = w->learnt[at[i]] - 1;
            double loss = cross_entropy(logits + (size_t)i * n_vocab, n_vocab, w->next[at[i]],
                                        times > 1 ? scale * times : scale);
            if (times > 0) {
                *own += loss;
                ++*n_own;
            }
        }
        memset(logits + (size_t)n * n_vocab, 0, (size_t)(whole - n) * n_vocab * sizeof *logits);
        panels_of_columns(x, h, whole, n_embd, n_embd, TILE_COLUMNS);
        linear_back(w, &net->output, logits, x, h, w->output, whole, 0);
        for (int i = 0; i < n; i++)
            memcpy(dh + (size_t)at[i] * n_embd, h + (size_t)i * n_embd, (size_t)n_embd * sizeof *h);
    }
    w->used = mark;
}

static void keep(struct work *w)
{
    const struct shape *s = &w->net->s;
    size_t rows = (size_t)w->n_rows, dim = (size_t)s->n_head_dim, nq = s->n_head * dim,
           nk = s->n_head_kv * dim;
    for (int l = 0; l < s->n_layer; l++) {
        struct kept *z = &w->kept[l];
        *z = (struct kept){.xhat = floats(w, rows * s->n_embd),
                           .scale = floats(w, rows),
                           .qhat = floats(w, rows * nq),
                           .q_scale = floats(w, rows * s->n_head),
                           .khat = floats(w, rows * nk),
                           .k_scale = floats(w, rows * s->n_head_kv),
                           .q = floats(w, rows * nq),
                           .k = floats(w, rows * nk),
                           .v = floats(w, rows * nk),
                           .o = floats(w, rows * nq),
                           .p = take(w, (size_t)w->n_doc * s->n_head * w->n_t * w->pad_t * 2),
                           .xhat2 = floats(w, rows * s->n_embd),
                           .scale2 = floats(w, rows),
                           .gate = floats(w, rows * s->n_ff),
                           .up = floats(w, rows * s->n_ff)};
    }
}

/* What layers need beside what they keep, at most, in bytes; generous. */
static size_t scratch(const struct work *w)
{
    const struct shape *s = &w->net->s;
    size_t rows = (size_t)w->n_rows,
           wide = (size_t)s->n_ff + s->n_embd + (size_t)s->n_head * s->n_head_dim;
    return rows * wide * 4 * 6 + (size_t)w->n_t * w->pad_t * 8 +
           (size_t)HEAD_ROWS * (s->n_vocab * 8 + s->n_embd * 16) + (1 << 20);
}

/* The public part */

/* A network over the parameters in network.Pilot's order; NULL without memory. */
struct network *gradient_network(const int *dims, float rope_base, float eps,
                                 float *const *parameters)
{
    struct network *n = calloc(1, sizeof *n);
    if (!n || dims[2] > 32)
        return free(n), NULL;
    n->s = (struct shape){dims[0], dims[1], dims[2],   dims[3], dims[4],
                          dims[5], dims[6], rope_base, eps};
    int e = dims[1], q = dims[3] * dims[5], k = dims[4] * dims[5], f = dims[6];
    const int sizes[LAYER_MATRICES][2] = {{q, e}, {k, e}, {k, e}, {e, q}, {f, e}, {f, e}, {e, f}};
    n->embd = *parameters++;
    for (int l = 0; l < dims[2]; l++) {
        for (int i = 0; i < LAYER_NORMS; i++)
            n->layer[l].norm[i] = *parameters++;
        for (int i = 0; i < LAYER_MATRICES; i++)
            n->layer[l].w[i] = (struct matrix){*parameters++, sizes[i][0], sizes[i][1], NULL, NULL};
    }
    n->output_norm = *parameters++;
    n->output = (struct matrix){*parameters, dims[0], e, NULL, NULL};
    for (int i = 0; i <= dims[2] * LAYER_MATRICES; i++) {
        struct matrix *m = i == dims[2] * LAYER_MATRICES
                               ? &n->output
                               : &n->layer[i / LAYER_MATRICES].w[i % LAYER_MATRICES];
        size_t bytes = (size_t)m->n_out * m->n_in * 2;
        m->forward = aligned_alloc(64, bytes);
        m->back = aligned_alloc(64, bytes);
        if (!m->forward || !m->back)
            return NULL;
    }
    return n;
}

/* Takes over changed parameters: of each `of` matrices the one with number `part`. */
void gradient_prepare(struct network *n, int part, int of)
{
    int count = n->s.n_layer * LAYER_MATRICES;
    for (int i = part; i <= count; i += of) {
        struct matrix *m =
            i == count ? &n->output : &n->layer[i / LAYER_MATRICES].w[i % LAYER_MATRICES];
        panels_of_rows(m->forward, m->values, m->n_out, m->n_in, m->n_in);
        panels_of_columns(m->back, m->values, m->n_out, m->n_in, m->n_in, TILE_COLUMNS);
    }
}

/* What a thread works with, its gradients in network.Pilot's order; NULL without memory. */
struct work *gradient_work(const struct network *n, float *const *gradients)
{
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->net = n;
    w->embd = *gradients++;
    for (int l = 0; l < n->s.n_layer; l++) {
        for (int i = 0; i < LAYER_NORMS; i++)
            w->layer[l].norm[i] = *gradients++;
        for (int i = 0; i < LAYER_MATRICES; i++)
            w->layer[l].w[i] = *gradients++;
    }
    w->output_norm = *gradients++;
    w->output = *gradients;
    return w;
}

static int reserve(struct work *w)
{
    w->used = w->wanted = w->size = 0;
    keep(w);
    size_t rows = (size_t)w->n_rows, half = (size_t)w->net->s.n_head_dim / 2;
    size_t need = w->wanted + 4 * (rows * w->net->s.n_embd * 4 + 64) +
                  2 * (w->n_t * half * 4 + 64) + scratch(w);
    if (need > w->have) {
        free(w->memory);
        w->have = (need * 5 / 4 + 63) & ~(size_t)63;
        w->memory = aligned_alloc(64, w->have);
        if (!w->memory)
            return w->have = 0;
    }
    w->size = w->have;
    return 1;
}

static void turn_by(struct work *w, const int64_t *positions)
{
    int half = w->net->s.n_head_dim / 2;
    for (int t = 0; t < w->n_t; t++)
        for (int i = 0; i < half; i++) {
            double angle = (double)positions[t] * pow(w->net->s.rope_base, -(double)i / half);
            w->cos[t * half + i] = (float)cos(angle);
            w->sin[t * half + i] = (float)sin(angle);
        }
}

/* Adds to the gradients those of `scale` times the summed cross-entropy of what comes
 * next[n_doc][n_t] to each of ids[n_doc][n_t], n_t a multiple of 8. learnt[n_doc][n_t] is 0: not
 * learnt, 1: as one of the others', n: as an own that counts n - 1 times. *own gets the loss of the
 * own, of *n_own tokens. 0, or -1 without memory. */
int gradient_add(struct work *w, const int64_t *ids, const int64_t *next, const int8_t *learnt,
                 const int64_t *positions, int n_doc, int n_t, float scale, double *own,
                 int64_t *n_own)
{
    const struct shape *s = &w->net->s;
    w->ids = ids, w->next = next, w->learnt = learnt, w->n_doc = n_doc, w->n_t = n_t,
    w->n_rows = n_doc * n_t, w->pad_t = columns_until(n_t);
    if (!reserve(w))
        return -1;
    size_t n = (size_t)w->n_rows * s->n_embd, half = (size_t)s->n_head_dim / 2;
    keep(w);
    float *x = floats(w, n), *scales = floats(w, w->n_rows), *dh = floats(w, n), *dx = floats(w, n);
    w->cos = floats(w, n_t * half), w->sin = floats(w, n_t * half);
    turn_by(w, positions);
    for (int r = 0; r < w->n_rows; r++)
        memcpy(x + (size_t)r * s->n_embd, w->net->embd + ids[r] * s->n_embd,
               (size_t)s->n_embd * sizeof *x);
    for (int l = 0; l < s->n_layer; l++)
        layer_forward(w, l, x);
    norm_forward(x, scales, x, w->n_rows, s->n_embd, s->eps);
    memset(dh, 0, n * sizeof *dh);
    head(w, x, dh, scale, own, n_own);
    norm_back(dx, w->output_norm, dh, x, scales, w->net->output_norm, w->n_rows, s->n_embd, 0);
    for (int l = s->n_layer - 1; l >= 0; l--) {
        ffn_back(w, l, dx);
        attention_back(w, l, dx);
    }
    for (int r = 0; r < w->n_rows; r++)
        for (int i = 0; i < s->n_embd; i++)
            w->embd[ids[r] * s->n_embd + i] += dx[(size_t)r * s->n_embd + i];
    return 0;
}
