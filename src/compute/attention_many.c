/* Causal attention of many tokens.
 *
 * Work item: one KV head and PANELS panels of rows of one run, a row being a token and one of the
 * query heads that share the KV head. Keys and values come in tiles of a page, unpacked once for
 * all panels; the softmax is merged from tile to tile (Milakov, Gimelshein 2018; Dao 2022). Tiles
 * are at fixed positions and a lane of a panel knows nothing of its neighbours, so a row's result
 * depends only on its own keys. Tiles that no row of a panel sees are left out; only those at the
 * edge of what a row sees are masked. */
#include "compute/attention.h"

#include <assert.h>
#include <string.h>

#include "compute/kernels.h"
#include "compute/pool.h"

#define PANELS  4
#define QUERIES GS_ATTEND_QUERIES
#define TILE    GS_KV_PAGE_TOKENS

struct panel {
    GS_ALIGNED(64) float max[QUERIES];
    float sum[QUERIES];
    size_t first[QUERIES], end[QUERIES]; /* keys each row sees */
    size_t seen_first, seen_end;         /* by any of them */
    size_t all_first, all_end;           /* by all of them */
    float *q;                            /* [d_k][QUERIES], scaled */
    float *out;                          /* [d_v][QUERIES] */
};

/* A work item, with this lane's memory for it. */
struct block {
    const struct gs_attention *a;
    const struct gs_kernels *k;
    const struct gs_kv_run *run;
    size_t head_kv, group;
    struct panel *panels;
    size_t n_panels;
    float *keys, *values; /* a tile */
};

size_t gs_attention_many_scratch_bytes(uint32_t d_k, uint32_t d_v)
{
    const size_t d = (size_t)d_k + d_v;

    return PANELS * (sizeof(struct panel) + d * QUERIES * sizeof(float)) + d * TILE * sizeof(float);
}

static void take_scratch(struct gs_lane *lane, struct block *b)
{
    const struct gs_kv_layer *kv = b->a->kv;

    b->panels = gs_lane_scratch(lane, gs_attention_many_scratch_bytes(kv->d_k, kv->d_v));
    float *p = (float *)(void *)(b->panels + PANELS);
    for (size_t i = 0; i < PANELS; i++) {
        b->panels[i].q = p;
        b->panels[i].out = p + (size_t)kv->d_k * QUERIES;
        p += ((size_t)kv->d_k + kv->d_v) * QUERIES;
    }
    b->keys = p;
    b->values = p + (size_t)kv->d_k * TILE;
}

/* ---- rows in and out of panels ---- */

struct place {
    size_t row; /* of the batch */
    size_t head;
    size_t past; /* tokens of the run before it */
};

static struct place place_of(const struct block *b, size_t row)
{
    const size_t t = row / b->group;

    return (struct place){b->run->row + t, b->head_kv * b->group + row % b->group,
                          b->run->n_past + t};
}

static void set_keys(struct panel *p, size_t i, size_t first, size_t end)
{
    p->first[i] = first;
    p->end[i] = end;
    p->seen_first = GS_MIN(p->seen_first, first);
    p->seen_end = GS_MAX(p->seen_end, end);
    p->all_first = GS_MAX(p->all_first, first);
    p->all_end = GS_MIN(p->all_end, end);
}

/* Rows [row, row + n) of the run, and zeros in the lanes that are left. */
static void fill_panel(const struct block *b, struct panel *p, struct gs_rows q, size_t row,
                       size_t n)
{
    const struct gs_attention *a = b->a;
    const size_t d_k = a->kv->d_k;

    p->seen_first = p->all_end = SIZE_MAX;
    p->seen_end = p->all_first = 0;
    if (n < QUERIES)
        memset(p->q, 0, d_k * QUERIES * sizeof(float));
    for (size_t i = 0; i < QUERIES; i++) {
        const struct place at = place_of(b, row + GS_MIN(i, n - 1));
        p->max[i] = a->sinks ? a->sinks[at.head] : GS_ATTEND_NONE;
        p->sum[i] = a->sinks ? 1 : 0;
        set_keys(p, i, gs_attention_first_key(a, at.past), at.past + 1);
        const float *x = q.p + at.row * q.stride + at.head * a->q_head_stride;
        for (size_t d = 0; i < n && d < d_k; d++)
            p->q[d * QUERIES + i] = x[d] * a->scale;
    }
    memset(p->out, 0, a->kv->d_v * QUERIES * sizeof(float));
}

static void empty_panel(const struct block *b, const struct panel *p, struct gs_rows out,
                        size_t row, size_t n)
{
    const size_t d_v = b->a->kv->d_v;

    for (size_t i = 0; i < n; i++) {
        const struct place at = place_of(b, row + i);
        float *o = out.p + at.row * out.stride + at.head * d_v;
        const float scale = p->sum[i] > 0 ? 1 / p->sum[i] : 0;
        for (size_t d = 0; d < d_v; d++)
            o[d] = p->out[d * QUERIES + i] * scale;
    }
}

/* ---- tiles ---- */

/* Rows [t, t + n) of a page as floats; those of the next page come nearer meanwhile. */
static void unpack(const struct block *b, size_t t, size_t n, size_t end, bool is_v, float *out)
{
    const struct gs_kv_layer *kv = b->a->kv;
    const size_t d = is_v ? kv->d_v : kv->d_k;
    const size_t row_bytes = is_v ? kv->v_row_bytes : kv->k_row_bytes;
    const uint8_t *rows = gs_kv_row(kv, b->run->pages, t, b->head_kv, is_v);
    const uint8_t *next =
        gs_kv_row(kv, b->run->pages, t + TILE < end ? t + TILE : t, b->head_kv, is_v);

    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < row_bytes; j += 64)
            __builtin_prefetch(next + i * row_bytes + j, 0, 2);
        b->k->dequant[kv->type](rows + i * row_bytes, out + i * d, d);
    }
}

/* Keys [t, t + n) meet a panel. */
static void attend_tile(const struct block *b, struct panel *p, size_t t, size_t n)
{
    const struct gs_kv_layer *kv = b->a->kv;
    const bool v_in_k = kv->v_off == kv->k_off;
    float first[QUERIES];
    float end[QUERIES];
    struct gs_attend a = {.q = p->q,
                          .k = b->keys,
                          .v = v_in_k ? b->keys : b->values,
                          .k_stride = kv->d_k,
                          .v_stride = v_in_k ? kv->d_k : kv->d_v,
                          .n_keys = n,
                          .d_k = kv->d_k,
                          .d_v = kv->d_v,
                          .softcap = b->a->softcap,
                          .out = p->out,
                          .max = p->max,
                          .sum = p->sum};

    if (p->seen_first >= t + n || p->seen_end <= t)
        return;
    if (p->all_first > t || p->all_end < t + n) {
        for (size_t i = 0; i < QUERIES; i++) {
            first[i] = (float)(GS_MAX(p->first[i], t) - t);
            end[i] = (float)(GS_MAX(p->end[i], t) - t);
        }
        a.first = first;
        a.end = end;
    }
    b->k->attend(&a);
}

static void attend_block(const struct block *b)
{
    const struct gs_kv_layer *kv = b->a->kv;
    const size_t begin = b->panels[0].seen_first; /* the first row's window starts first */
    const size_t end = b->panels[b->n_panels - 1].seen_end;
    size_t n;

    for (size_t t = begin - begin % TILE; t < end; t += n) {
        n = GS_MIN((size_t)TILE, end - t);
        unpack(b, t, n, end, false, b->keys);
        if (kv->v_off != kv->k_off)
            unpack(b, t, n, end, true, b->values);
        for (size_t i = 0; i < b->n_panels; i++)
            attend_tile(b, &b->panels[i], t, n);
    }
}

/* Rows [row, row + n) of the run. */
static void run_block(struct block *b, struct gs_rows out, struct gs_rows q, size_t row, size_t n)
{
    b->n_panels = (n + QUERIES - 1) / QUERIES;
    for (size_t i = 0; i < b->n_panels; i++)
        fill_panel(b, &b->panels[i], q, row + i * QUERIES,
                   GS_MIN(n - i * QUERIES, (size_t)QUERIES));
    attend_block(b);
    for (size_t i = 0; i < b->n_panels; i++)
        empty_panel(b, &b->panels[i], out, row + i * QUERIES,
                    GS_MIN(n - i * QUERIES, (size_t)QUERIES));
}

void gs_op_attention_many(struct gs_lane *lane, struct gs_rows out, struct gs_rows q,
                          const struct gs_attention *a)
{
    const size_t heads = a->kv->n_head_kv;
    const size_t block_rows = PANELS * QUERIES;
    struct block b = {.a = a, .k = lane->k, .group = a->n_head / heads};
    size_t base = 0; /* first item of the run */
    size_t item = gs_lane_next(lane);

    take_scratch(lane, &b);
    for (size_t i = 0; i < a->n_runs; i++) {
        b.run = &a->runs[i];
        if (b.run->n < GS_ATTENTION_MANY)
            continue;
        const size_t rows = b.run->n * b.group;
        const size_t blocks = (rows + block_rows - 1) / block_rows;
        for (; item < base + blocks * heads; item = gs_lane_next(lane)) {
            /* the last rows, which see most keys, first */
            const size_t row = (blocks - 1 - (item - base) / heads) * block_rows;
            b.head_kv = (item - base) % heads;
            run_block(&b, out, q, row, GS_MIN(block_rows, rows - row));
        }
        base += blocks * heads;
    }
    gs_lane_sync(lane);
}
