/* Softmax attention in both directions over the rows of a batch.
 *
 * Work item: one head and a block of QUERIES tokens of one run. Keys are taken in splits of SPLIT
 * at fixed positions; a split's softmax is taken by itself and merged into the sum so far
 * (Milakov, Gimelshein 2018), so memory does not grow with the text, and a result depends neither
 * on lanes nor on the other texts of the batch. */
#include "compute/ops_encoder.h"

#include <math.h>
#include <string.h>

#include "compute/kernels.h"
#include "compute/pool.h"

#define SPLIT   256 /* keys */
#define QUERIES 32

struct query {
    const float *q;
    float *out;     /* sum of exp(score - max) v so far */
    size_t pos;     /* in its run */
    float max, sum; /* of the keys so far */
};

/* A work item, with this lane's memory for it. */
struct block {
    const struct gs_attention_both *a;
    const struct gs_kernels *k;
    const struct gs_kv_run *run;
    size_t head;
    float slope; /* of ALiBi */
    size_t n;    /* queries */
    struct query queries[QUERIES];
    float *scores; /* [QUERIES][SPLIT] */
    float *mixed;  /* [QUERIES][d_v] of the split */
};

size_t gs_attention_both_scratch_bytes(uint32_t d_v)
{
    return (size_t)QUERIES * (SPLIT + d_v) * sizeof(float);
}

/* Heads beyond the largest power of two take every second slope of twice as many heads. */
static float alibi_slope(const struct gs_attention_both *a, size_t head)
{
    size_t even = 1;

    if (a->max_bias == 0)
        return 0;
    while (even * 2 <= a->n_head)
        even *= 2;
    if (head < even)
        return exp2f(-a->max_bias * (float)(head + 1) / (float)even);
    return exp2f(-a->max_bias * (float)(2 * (head - even) + 1) / (float)(2 * even));
}

/* scores[query][key - begin] of keys [begin, end). */
static void score(const struct block *b, size_t begin, size_t end)
{
    const struct gs_attention_both *a = b->a;
    const size_t head_kv = b->head / (a->n_head / a->n_head_kv);
    const float *keys = a->k.p + (b->run->row + begin) * a->k.stride + head_kv * a->d_k;
    struct gs_dot d = {.w = (const uint8_t *)keys,
                       .w_stride = a->k.stride * sizeof(float),
                       .n_rows = end - begin,
                       .n = a->d_k};

    for (size_t i = 0; i < b->n; i += d.n_tokens) {
        d.n_tokens = GS_MIN(b->n - i, (size_t)GS_DOT_TOKENS);
        for (size_t j = 0; j < d.n_tokens; j++) {
            d.x[j] = b->queries[i + j].q;
            d.out[j] = b->scores + (i + j) * SPLIT;
        }
        b->k->dot[GS_TYPE_F32](&d);
    }
}

/* Keys of a query: the whole run, or those within reach. */
static void reach_of(const struct block *b, const struct query *q, size_t *out_first,
                     size_t *out_end)
{
    const size_t reach = b->a->reach;

    *out_first = reach > 0 && q->pos > reach ? q->pos - reach : 0;
    *out_end = reach > 0 ? GS_MIN(q->pos + reach + 1, b->run->n) : b->run->n;
}

/* Scores of one query become weights, added to its sum; keys out of reach weigh 0. The share of
 * what was there before is returned. */
static float weigh(const struct block *b, struct query *q, float *scores, size_t begin, size_t end)
{
    size_t first;
    size_t stop;

    reach_of(b, q, &first, &stop);
    first = GS_MIN(GS_MAX(first, begin), end);
    stop = GS_MIN(stop, end);
    if (first >= stop) {
        memset(scores, 0, (end - begin) * sizeof(float));
        return 1;
    }
    float *own = scores + (first - begin);
    const size_t n = stop - first;
    b->k->scale(own, own, NULL, b->a->scale, n);
    for (size_t i = 0; b->slope > 0 && i < n; i++)
        own[i] -= b->slope * fabsf((float)(first + i) - (float)q->pos);
    const float max = fmaxf(q->max, b->k->max(own, n));
    const float old = expf(q->max - max);
    q->sum = q->sum * old + b->k->exp_sum(own, n, max);
    q->max = max;
    memset(scores, 0, (first - begin) * sizeof(float));
    memset(own + n, 0, (end - stop) * sizeof(float));
    return old;
}

static void attend_split(struct block *b, size_t begin, size_t end)
{
    const struct gs_attention_both *a = b->a;
    const size_t head_kv = b->head / (a->n_head / a->n_head_kv);
    const struct gs_mix m = {
        .o = b->mixed,
        .p = b->scores,
        .v = (const uint8_t *)(a->v.p + (b->run->row + begin) * a->v.stride + head_kv * a->d_v),
        .o_stride = a->d_v,
        .p_stride = SPLIT,
        .v_stride = a->v.stride * sizeof(float),
        .n_o = b->n,
        .n_v = end - begin,
        .n = a->d_v};
    float old[QUERIES];

    score(b, begin, end);
    for (size_t i = 0; i < b->n; i++)
        old[i] = weigh(b, &b->queries[i], b->scores + i * SPLIT, begin, end);
    memset(b->mixed, 0, b->n * a->d_v * sizeof(float));
    b->k->mix[GS_TYPE_F32](&m);
    for (size_t i = 0; i < b->n; i++)
        b->k->blend(b->queries[i].out, old[i], b->mixed + i * a->d_v, 1, a->d_v);
}

/* Tokens [t, t + n) of the run. */
static void attend_block(struct block *b, struct gs_rows out, size_t t, size_t n)
{
    const struct gs_attention_both *a = b->a;
    size_t first;
    size_t end;
    size_t unused;

    b->n = n;
    b->slope = alibi_slope(a, b->head);
    for (size_t i = 0; i < n; i++) {
        const size_t row = b->run->row + t + i;
        b->queries[i] = (struct query){
            .q = a->q.p + row * a->q.stride + b->head * a->d_k,
            .out = out.p + row * out.stride + b->head * a->d_v,
            .pos = t + i,
            .max = -INFINITY,
        };
        memset(b->queries[i].out, 0, a->d_v * sizeof(float));
    }
    reach_of(b, &b->queries[0], &first, &unused);
    reach_of(b, &b->queries[n - 1], &unused, &end);
    for (size_t split = first - first % SPLIT; split < end; split += SPLIT)
        attend_split(b, split, GS_MIN(split + SPLIT, b->run->n));
    for (size_t i = 0; i < n; i++)
        b->k->scale(b->queries[i].out, b->queries[i].out, NULL, 1 / b->queries[i].sum, a->d_v);
}

void gs_op_attention_both(struct gs_lane *lane, struct gs_rows out,
                          const struct gs_attention_both *a)
{
    struct block b = {.a = a, .k = lane->k};
    size_t base = 0; /* first item of the run */

    b.scores = gs_lane_scratch(lane, gs_attention_both_scratch_bytes(a->d_v));
    b.mixed = b.scores + (size_t)QUERIES * SPLIT;
    size_t item = gs_lane_next(lane);
    for (size_t i = 0; i < a->n_runs; i++) {
        b.run = &a->runs[i];
        const size_t items = (b.run->n + QUERIES - 1) / QUERIES * a->n_head;
        for (; item < base + items; item = gs_lane_next(lane)) {
            const size_t t = (item - base) / a->n_head * QUERIES;
            b.head = (item - base) % a->n_head;
            attend_block(&b, out, t, GS_MIN((size_t)QUERIES, b.run->n - t));
        }
        base += items;
    }
    gs_lane_sync(lane);
}
