/* Softmax attention in both directions over the rows of a batch.
 *
 * Work item: one head and a panel of tokens of one run. Keys are taken in tiles at fixed positions
 * and the softmax is merged from tile to tile (Milakov, Gimelshein 2018), so memory does not grow
 * with the text, and a result depends neither on lanes nor on the other texts of the batch. */
#include "compute/ops_encoder.h"

#include <math.h>
#include <string.h>

#include "compute/kernels.h"
#include "compute/pool.h"

#define TILE    GS_ATTEND_KEYS
#define QUERIES GS_ATTEND_QUERIES

/* A work item, with this lane's memory for it. */
struct block {
    const struct gs_attention_both *a;
    const struct gs_kernels *k;
    const struct gs_kv_run *run;
    size_t head;
    size_t t, n; /* tokens [t, t + n) of the run */
    float *q;    /* [d_k][QUERIES], scaled */
    float *out;  /* [d_v][QUERIES] */
    GS_ALIGNED(64) float max[QUERIES];
    float sum[QUERIES];
};

size_t gs_attention_both_scratch_bytes(uint32_t d_k, uint32_t d_v)
{
    return ((size_t)d_k + d_v) * QUERIES * sizeof(float);
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

/* Query i in its lane; zeros in the lanes that are left. */
static void fill_panel(struct block *b, struct gs_rows q)
{
    const struct gs_attention_both *a = b->a;

    memset(b->q, 0, gs_attention_both_scratch_bytes(a->d_k, a->d_v));
    for (size_t i = 0; i < QUERIES; i++) {
        const float *x = q.p + (b->run->row + b->t + i) * q.stride + b->head * a->d_k;
        b->max[i] = GS_ATTEND_NONE;
        b->sum[i] = 0;
        for (size_t d = 0; i < b->n && d < a->d_k; d++)
            b->q[d * QUERIES + i] = x[d] * a->scale;
    }
}

static void empty_panel(const struct block *b, struct gs_rows out)
{
    const size_t d_v = b->a->d_v;

    for (size_t i = 0; i < b->n; i++) {
        float *o = out.p + (b->run->row + b->t + i) * out.stride + b->head * d_v;
        for (size_t d = 0; d < d_v; d++)
            o[d] = b->out[d * QUERIES + i] / b->sum[i];
    }
}

/* Keys [begin, begin + n) of the run. */
static void attend_tile(struct block *b, size_t begin, size_t n)
{
    const struct gs_attention_both *a = b->a;
    const size_t head_kv = b->head / (a->n_head / a->n_head_kv);
    const size_t row = b->run->row + begin;
    const float reach = (float)a->reach;
    float pos[QUERIES];
    float first[QUERIES];
    float end[QUERIES];

    for (size_t i = 0; i < QUERIES; i++) {
        pos[i] = (float)(b->t + i) - (float)begin;
        first[i] = pos[i] - reach;
        end[i] = pos[i] + reach + 1;
    }
    b->k->attend(&(struct gs_attend){
        .q = b->q,
        .k = a->k.p + row * a->k.stride + head_kv * a->d_k,
        .v = a->v.p + row * a->v.stride + head_kv * a->d_v,
        .k_stride = a->k.stride,
        .v_stride = a->v.stride,
        .n_keys = n,
        .d_k = a->d_k,
        .d_v = a->d_v,
        .first = a->reach > 0 ? first : NULL,
        .end = a->reach > 0 ? end : NULL,
        .pos = pos,
        .slope = alibi_slope(a, b->head),
        .out = b->out,
        .max = b->max,
        .sum = b->sum,
    });
}

/* Keys of the panel: the whole run, or those within reach. */
static void attend_panel(struct block *b)
{
    const size_t reach = b->a->reach;
    const size_t first = reach > 0 && b->t > reach ? b->t - reach : 0;
    const size_t end = reach > 0 ? GS_MIN(b->t + b->n + reach, b->run->n) : b->run->n;

    for (size_t t = first - first % TILE; t < end; t += TILE)
        attend_tile(b, t, GS_MIN((size_t)TILE, b->run->n - t));
}

void gs_op_attention_both(struct gs_lane *lane, struct gs_rows out,
                          const struct gs_attention_both *a)
{
    struct block b = {.a = a, .k = lane->k};
    size_t base = 0; /* first item of the run */

    b.q = gs_lane_scratch(lane, gs_attention_both_scratch_bytes(a->d_k, a->d_v));
    b.out = b.q + (size_t)a->d_k * QUERIES;
    size_t item = gs_lane_next(lane);
    for (size_t i = 0; i < a->n_runs; i++) {
        b.run = &a->runs[i];
        const size_t items = (b.run->n + QUERIES - 1) / QUERIES * a->n_head;
        for (; item < base + items; item = gs_lane_next(lane)) {
            b.t = (item - base) / a->n_head * QUERIES;
            b.n = GS_MIN((size_t)QUERIES, b.run->n - b.t);
            b.head = (item - base) % a->n_head;
            fill_panel(&b, a->q);
            attend_panel(&b);
            empty_panel(&b, out);
        }
        base += items;
    }
    gs_lane_sync(lane);
}
