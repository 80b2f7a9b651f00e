/* The paged KV cache and causal attention over it.
 *
 * Work item: one KV head and a block of tokens of one run, with all query heads that share the KV
 * head. Keys are taken in splits of SPLIT at fixed positions: the scores of a split are computed,
 * its softmax taken by itself, its values mixed; then it is merged into the sum so far (Milakov,
 * Gimelshein 2018; Dao 2022). A query's result depends only on its own keys, so not on the block
 * it came in, and not on lanes. */
#include "compute/ops.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "compute/heads.h"
#include "compute/kernels.h"
#include "compute/pool.h"

#define PAGE    GS_KV_PAGE_TOKENS
#define SPLIT   256 /* keys; a multiple of PAGE */
#define QUERIES 32  /* per block, unless one token alone has more */

/* ---- cache ---- */

static uint8_t *kv_row(const struct gs_kv_layer *kv, const uint32_t *pages, size_t t, size_t head,
                       size_t off, size_t row_bytes)
{
    return kv->base + pages[t / PAGE] * kv->page_stride + off +
           (head * PAGE + t % PAGE) * row_bytes;
}

static void store_row(const struct gs_kernels *k, enum gs_type type, const float *x, void *row,
                      size_t n)
{
    if (type == GS_TYPE_F16)
        k->to_f16(x, row, n);
    else if (type == GS_TYPE_Q8_0)
        k->to_q8_0(x, row, n);
    else
        memcpy(row, x, n * sizeof(float));
}

void gs_op_kv_store(const struct gs_kernels *k, const struct gs_kv_layer *kv, const uint32_t *pages,
                    size_t t, size_t head, bool is_v, const float *x)
{
    if (is_v)
        store_row(k, kv->type, x, kv_row(kv, pages, t, head, kv->v_off, kv->v_row_bytes), kv->d_v);
    else
        store_row(k, kv->type, x, kv_row(kv, pages, t, head, kv->k_off, kv->k_row_bytes), kv->d_k);
}

void gs_op_kv_append(struct gs_lane *lane, const struct gs_kv_layer *kv,
                     const struct gs_kv_run *runs, size_t n_runs, struct gs_rows k,
                     struct gs_rows v)
{
    const size_t heads = kv->n_head_kv;

    for (size_t i = 0; i < n_runs; i++) {
        const struct gs_kv_run *run = &runs[i];
        size_t begin;
        size_t end;
        gs_lane_share(lane, run->n * heads, 1, &begin, &end);
        for (size_t j = begin; j < end; j++) {
            const size_t t = j / heads;
            const size_t h = j % heads;
            const float *kx = k.p + (run->row + t) * k.stride + h * kv->d_k;
            const float *vx = v.p + (run->row + t) * v.stride + h * kv->d_v;
            gs_op_kv_store(lane->k, kv, run->pages, run->n_past + t, h, false, kx);
            gs_op_kv_store(lane->k, kv, run->pages, run->n_past + t, h, true, vx);
        }
    }
    gs_lane_sync(lane);
}

/* ---- attention ---- */

/* One query head of one token. */
struct query {
    const float *q;
    float *out;        /* sum of exp(score - max) v so far */
    size_t first, end; /* its keys */
    float max, sum;    /* of the keys so far */
    float split_max, split_sum;
    bool split_used;
};

/* A work item, with this lane's memory for it. */
struct block {
    const struct gs_attention *a;
    const struct gs_kernels *k;
    const struct gs_kv_run *run;
    size_t head_kv;
    size_t n;   /* queries */
    size_t end; /* of all their keys */
    struct query *queries;
    float *scores; /* [n][SPLIT] */
    float *mixed;  /* [n][d_v] of the split */
    float *tile;   /* one page of K or V as float */
};

static size_t max_queries(uint32_t n_head)
{
    return GS_MAX((size_t)n_head, (size_t)QUERIES);
}

size_t gs_attention_scratch_bytes(uint32_t n_head, uint32_t d_k, uint32_t d_v)
{
    const size_t floats_per_query = SPLIT + d_v;

    return max_queries(n_head) * (sizeof(struct query) + floats_per_query * sizeof(float)) +
           (size_t)PAGE * GS_MAX(d_k, d_v) * sizeof(float);
}

static void prefetch(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i += 64)
        __builtin_prefetch(p + i, 0, 2);
}

/* Keys or values [t, t + n) of one page as float rows, *out_stride floats apart. While they are
 * converted, the next page's come nearer. */
static const float *page_rows(const struct block *b, size_t t, size_t n, bool is_v,
                              size_t *out_stride)
{
    const struct gs_kv_layer *kv = b->a->kv;
    const size_t d = is_v ? kv->d_v : kv->d_k;
    const size_t row_bytes = is_v ? kv->v_row_bytes : kv->k_row_bytes;
    const size_t off = is_v ? kv->v_off : kv->k_off;
    const size_t later = GS_MIN(t + PAGE, b->end - 1) / PAGE * PAGE;
    const uint8_t *rows = kv_row(kv, b->run->pages, t, b->head_kv, off, row_bytes);
    const uint8_t *next = kv_row(kv, b->run->pages, later, b->head_kv, off, row_bytes);

    if (kv->type == GS_TYPE_F32) {
        *out_stride = row_bytes / sizeof(float);
        return (const float *)(const void *)rows;
    }
    for (size_t i = 0; i < n; i++) {
        prefetch(next + i * row_bytes, row_bytes);
        b->k->dequant[kv->type](rows + i * row_bytes, b->tile + i * d, d);
    }
    *out_stride = d;
    return b->tile;
}

/* scores[query][key - split] of keys [t, t + n), within one page. */
static void score_page(const struct block *b, size_t split, size_t t, size_t n)
{
    size_t stride;
    const float *keys = page_rows(b, t, n, false, &stride);
    struct gs_dot d = {.w = (const uint8_t *)keys,
                       .w_stride = stride * sizeof(float),
                       .n_rows = n,
                       .n = b->a->kv->d_k};

    for (size_t i = 0; i < b->n; i += d.n_tokens) {
        d.n_tokens = GS_MIN(b->n - i, (size_t)GS_DOT_TOKENS);
        for (size_t j = 0; j < d.n_tokens; j++) {
            d.x[j] = b->queries[i + j].q;
            d.out[j] = b->scores + (i + j) * SPLIT + (t - split);
        }
        b->k->dot[GS_TYPE_F32](&d);
    }
}

/* Scores of one query become weights; keys that are not its own weigh 0. */
static void softmax_split(const struct block *b, struct query *q, float *scores, size_t split,
                          size_t len)
{
    const size_t first = GS_MIN(GS_MAX(q->first, split) - split, len);
    const size_t end = GS_MIN(q->end > split ? q->end - split : 0, len);
    const float cap = b->a->softcap;

    q->split_used = first < end;
    if (!q->split_used) {
        memset(scores, 0, len * sizeof(float));
        return;
    }
    float *own = scores + first;
    const size_t n = end - first;
    b->k->scale(own, own, NULL, b->a->scale, n);
    for (size_t i = 0; cap > 0 && i < n; i++)
        own[i] = cap * tanhf(own[i] / cap);
    q->split_max = b->k->max(own, n);
    q->split_sum = b->k->exp_sum(own, n, q->split_max);
    memset(scores, 0, first * sizeof(float));
    memset(scores + end, 0, (len - end) * sizeof(float));
}

static void merge_split(const struct block *b, struct query *q, const float *mixed)
{
    if (!q->split_used)
        return;
    const float max = GS_MAX(q->max, q->split_max);
    const float old = expf(q->max - max);
    const float new = expf(q->split_max - max);
    b->k->blend(q->out, old, mixed, new, b->a->kv->d_v);
    q->sum = q->sum * old + q->split_sum * new;
    q->max = max;
}

/* Keys [begin, end) of the split that starts at `split`. */
static void attend_split(const struct block *b, size_t split, size_t begin, size_t end)
{
    const size_t d_v = b->a->kv->d_v;
    size_t n;

    for (size_t t = begin; t < end; t += n) {
        n = GS_MIN(PAGE - t % PAGE, end - t);
        score_page(b, split, t, n);
    }
    for (size_t i = 0; i < b->n; i++)
        softmax_split(b, &b->queries[i], b->scores + i * SPLIT, split, end - split);
    memset(b->mixed, 0, b->n * d_v * sizeof(float));
    for (size_t t = begin; t < end; t += n) {
        struct gs_mix m = {.o = b->mixed,
                           .p = b->scores + (t - split),
                           .o_stride = d_v,
                           .p_stride = SPLIT,
                           .n_o = b->n,
                           .n = d_v};
        n = GS_MIN(PAGE - t % PAGE, end - t);
        m.n_v = n;
        m.v = page_rows(b, t, n, true, &m.v_stride);
        b->k->mix(&m);
    }
    for (size_t i = 0; i < b->n; i++)
        merge_split(b, &b->queries[i], b->mixed + i * d_v);
}

static void attend_block(struct block *b)
{
    const size_t begin = b->queries[0].first; /* the first query's window starts first */

    b->end = b->queries[b->n - 1].end;
    for (size_t t = begin; t < b->end;) {
        const size_t split = t - t % SPLIT;
        const size_t stop = GS_MIN(split + SPLIT, b->end);
        attend_split(b, split, t, stop);
        t = stop;
    }
    for (size_t i = 0; i < b->n; i++) {
        const struct query *q = &b->queries[i];
        b->k->scale(q->out, q->out, NULL, q->sum > 0 ? 1 / q->sum : 0, b->a->kv->d_v);
    }
}

/* Fill the queries of tokens [t, t + n) of the run and attend. */
static void run_block(struct block *b, struct gs_rows out, struct gs_rows q, size_t t, size_t n)
{
    const struct gs_attention *a = b->a;
    const size_t group = a->n_head / a->kv->n_head_kv;

    b->n = n * group;
    for (size_t i = 0; i < b->n; i++) {
        const size_t row = b->run->row + t + i / group;
        const size_t head = b->head_kv * group + i % group;
        const size_t end = b->run->n_past + t + i / group + 1;
        const bool sink = a->sinks != NULL;
        b->queries[i] = (struct query){
            .q = q.p + row * q.stride + head * a->q_head_stride,
            .out = out.p + row * out.stride + head * a->kv->d_v,
            .first = a->window > 0 && end > a->window ? end - a->window : 0,
            .end = end,
            .max = sink ? a->sinks[head] : -INFINITY,
            .sum = sink ? 1 : 0,
        };
        memset(b->queries[i].out, 0, a->kv->d_v * sizeof(float));
    }
    attend_block(b);
}

void gs_op_attention(struct gs_lane *lane, struct gs_rows out, struct gs_rows q,
                     const struct gs_attention *a)
{
    const size_t heads = a->kv->n_head_kv;
    const size_t block_tokens = GS_MAX((size_t)1, QUERIES / (a->n_head / heads));
    const size_t queries = max_queries(a->n_head);
    struct block b = {.a = a, .k = lane->k};
    size_t base = 0; /* first item of the run */

    b.queries =
        gs_lane_scratch(lane, gs_attention_scratch_bytes(a->n_head, a->kv->d_k, a->kv->d_v));
    b.scores = (float *)(void *)(b.queries + queries);
    b.mixed = b.scores + queries * SPLIT;
    b.tile = b.mixed + queries * a->kv->d_v;
    size_t item = gs_lane_next(lane);
    for (size_t i = 0; i < a->n_runs; i++) {
        b.run = &a->runs[i];
        const size_t items = (b.run->n + block_tokens - 1) / block_tokens * heads;
        for (; item < base + items; item = gs_lane_next(lane)) {
            const size_t t = (item - base) / heads * block_tokens;
            b.head_kv = (item - base) % heads;
            run_block(&b, out, q, t, GS_MIN(block_tokens, b.run->n - t));
        }
        base += items;
    }
    gs_lane_sync(lane);
}
