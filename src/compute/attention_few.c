/* Causal attention of few tokens, which costs what reading the cache costs.
 *
 * The keys of a run are cut into splits of SPLIT at fixed positions. Work item: one split, one KV
 * head, and all rows that read it (a row being a token and a query head): their scores, the softmax
 * of the split by itself, its values mixed. Then every row merges its splits in order (Milakov,
 * Gimelshein 2018). So one token keeps all lanes busy, and its result depends only on its own keys.
 * What items leave for the merge lies in memory of lane 0; when it is full, a round ends. */
#include "compute/attention.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "compute/kernels.h"
#include "compute/pool.h"

#define PAGE  GS_KV_PAGE_TOKENS
#define SPLIT 256 /* keys; a multiple of PAGE */
#define ROWS  32  /* at a time */
#define SLOTS 32  /* of a token and a split in a round */
#define CARRY (GS_ATTENTION_MANY - 1)

/* A split of a run. */
struct job {
    const struct gs_kv_run *run;
    size_t begin, end; /* keys */
    size_t slot;       /* of its first token */
};

/* Consecutive jobs of one run in a round. */
struct piece {
    const struct gs_kv_run *run;
    size_t job, n_jobs;
    bool first, last; /* of the run's pieces */
};

struct round {
    struct job jobs[SLOTS];
    struct piece pieces[SLOTS];
    size_t n_jobs, n_pieces;
    size_t n_rows; /* of all pieces */
    unsigned idx;
};

/* Softmax of some keys: exp(score - max) summed. */
struct part {
    float max, sum; /* max -INFINITY: no keys */
};

struct few {
    const struct gs_attention *a;
    const struct gs_kernels *k;
    struct gs_rows out, q;
    size_t group;
    /* of this lane */
    float *queries; /* [ROWS][d_k] scaled */
    float *scores;  /* [ROWS][SPLIT] */
    /* of all lanes */
    float *mixed;          /* [SLOTS][n_head][d_v] exp(score - max) v summed */
    struct part *parts;    /* [SLOTS][n_head] */
    struct part *carry[2]; /* [CARRY][n_head] of a run that goes on in the next round */
};

static size_t lane_floats(size_t d_k)
{
    return ROWS * (d_k + SPLIT);
}

size_t gs_attention_few_scratch_bytes(uint32_t n_head, uint32_t d_k, uint32_t d_v)
{
    return (lane_floats(d_k) + (size_t)n_head * SLOTS * d_v) * sizeof(float) +
           (size_t)n_head * (SLOTS + 2 * CARRY) * sizeof(struct part);
}

static void take_scratch(struct gs_lane *lane, struct few *f)
{
    const struct gs_kv_layer *kv = f->a->kv;
    const size_t n_head = f->a->n_head;
    const size_t bytes = gs_attention_few_scratch_bytes(f->a->n_head, kv->d_k, kv->d_v);

    f->queries = gs_lane_scratch(lane, bytes);
    f->scores = f->queries + (size_t)ROWS * kv->d_k;
    f->mixed = (float *)gs_lane_first_scratch(lane) + lane_floats(kv->d_k);
    f->parts = (struct part *)(void *)(f->mixed + n_head * SLOTS * kv->d_v);
    f->carry[0] = f->parts + n_head * SLOTS;
    f->carry[1] = f->carry[0] + n_head * CARRY;
}

/* ---- one split ---- */

/* Where an item leaves its rows: [slot][head] with the tokens inside of a KV head. */
static size_t part_at(const struct few *f, const struct job *job, size_t head_kv, size_t row)
{
    return job->slot * f->a->n_head + head_kv * f->group * job->run->n + row;
}

static void load_queries(const struct few *f, const struct job *job, size_t head_kv, size_t row,
                         size_t n)
{
    const size_t d_k = f->a->kv->d_k;

    for (size_t i = 0; i < n; i++) {
        const size_t t = job->run->row + (row + i) / f->group;
        const size_t head = head_kv * f->group + (row + i) % f->group;
        const float *q = f->q.p + t * f->q.stride + head * f->a->q_head_stride;
        f->k->scale(f->queries + i * d_k, q, NULL, f->a->scale, d_k);
    }
}

/* A work item, and where the keys of this lane's next one begin (or NULL). */
struct item {
    const struct job *job;
    size_t head_kv;
    const uint8_t *next;
};

/* The page to be read after that of key t, of keys or values. */
static const uint8_t *next_page(const struct few *f, const struct item *item, size_t t, bool is_v)
{
    const struct gs_kv_layer *kv = f->a->kv;
    const struct job *job = item->job;
    const size_t next = t - t % PAGE + PAGE;

    if (next < job->end)
        return gs_kv_row(kv, job->run->pages, next, item->head_kv, is_v);
    if (is_v || kv->v_off == kv->k_off)
        return item->next;
    return gs_kv_row(kv, job->run->pages, job->begin, item->head_kv, true);
}

static void score_split(const struct few *f, const struct item *item, size_t n_rows)
{
    const struct job *job = item->job;
    const struct gs_kv_layer *kv = f->a->kv;
    struct gs_score s = {.k_stride = kv->k_row_bytes,
                         .q = f->queries,
                         .q_stride = kv->d_k,
                         .out_stride = SPLIT,
                         .n_q = n_rows,
                         .n = kv->d_k};

    for (size_t t = job->begin; t < job->end; t += s.n_keys) {
        s.k = gs_kv_row(kv, job->run->pages, t, item->head_kv, false);
        s.next = next_page(f, item, t, false);
        s.out = f->scores + (t - job->begin);
        s.n_keys = GS_MIN(PAGE - t % PAGE, job->end - t);
        f->k->score[kv->type](&s);
    }
}

static void mix_split(const struct few *f, const struct item *item, size_t n_rows, float *out)
{
    const struct job *job = item->job;
    const struct gs_kv_layer *kv = f->a->kv;
    const bool v_in_k = kv->v_off == kv->k_off;
    struct gs_mix m = {.v_stride = kv->v_row_bytes,
                       .p_stride = SPLIT,
                       .o = out,
                       .o_stride = kv->d_v,
                       .n_o = n_rows,
                       .n = kv->d_v};

    memset(out, 0, n_rows * kv->d_v * sizeof(float));
    for (size_t t = job->begin; t < job->end; t += m.n_v) {
        m.v = gs_kv_row(kv, job->run->pages, t, item->head_kv, true);
        m.next = v_in_k ? NULL : next_page(f, item, t, true);
        m.p = f->scores + (t - job->begin);
        m.n_v = GS_MIN(PAGE - t % PAGE, job->end - t);
        f->k->mix[kv->type](&m);
    }
}

/* Scores of the row of token t become weights; keys that are not its own weigh 0. */
static struct part weigh(const struct few *f, const struct job *job, size_t t, float *scores)
{
    const size_t len = job->end - job->begin;
    const size_t past = job->run->n_past + t;
    const size_t key_0 = gs_attention_first_key(f->a, past);
    const size_t first = GS_MIN(GS_MAX(key_0, job->begin) - job->begin, len);
    const size_t end = GS_MIN(past + 1 > job->begin ? past + 1 - job->begin : 0, len);
    struct part part = {-INFINITY, 0};

    if (first >= end) {
        memset(scores, 0, len * sizeof(float));
        return part;
    }
    if (f->a->softcap > 0)
        f->k->softcap(scores + first, end - first, f->a->softcap);
    part.max = f->k->max(scores + first, end - first);
    part.sum = f->k->exp_sum(scores + first, end - first, part.max);
    memset(scores, 0, first * sizeof(float));
    memset(scores + end, 0, (len - end) * sizeof(float));
    return part;
}

static void run_item(const struct few *f, const struct item *item)
{
    const struct job *job = item->job;
    const size_t head_kv = item->head_kv;
    const size_t rows = job->run->n * f->group;
    size_t n;

    for (size_t row = 0; row < rows; row += n) {
        const size_t at = part_at(f, job, head_kv, row);
        n = GS_MIN(rows - row, (size_t)ROWS);
        load_queries(f, job, head_kv, row, n);
        score_split(f, item, n);
        for (size_t i = 0; i < n; i++)
            f->parts[at + i] = weigh(f, job, (row + i) / f->group, f->scores + i * SPLIT);
        mix_split(f, item, n, f->mixed + at * f->a->kv->d_v);
    }
}

/* Item number i of a round, and nothing after the last. */
static struct item item_at(const struct few *f, const struct round *r, size_t i)
{
    const size_t heads = f->a->kv->n_head_kv;

    if (i >= r->n_jobs * heads)
        return (struct item){0};
    return (struct item){.job = &r->jobs[i / heads], .head_kv = i % heads};
}

static void run_round(struct gs_lane *lane, const struct few *f, const struct round *r)
{
    struct item next = item_at(f, r, gs_lane_next(lane));

    while (next.job) {
        struct item item = next;
        next = item_at(f, r, gs_lane_next(lane));
        if (next.job)
            item.next =
                gs_kv_row(f->a->kv, next.job->run->pages, next.job->begin, next.head_kv, false);
        run_item(f, &item);
    }
}

/* ---- the merge ---- */

/* Row: token t of the run and a query head. */
static void merge_row(const struct few *f, const struct round *r, const struct piece *p, size_t t,
                      size_t head)
{
    const size_t d_v = f->a->kv->d_v;
    const size_t row = t * f->group + head % f->group;
    float *out = f->out.p + (p->run->row + t) * f->out.stride + head * d_v;
    struct part sum = f->carry[r->idx % 2][t * f->a->n_head + head];

    if (p->first) {
        const bool sink = f->a->sinks != NULL;
        sum = (struct part){sink ? f->a->sinks[head] : -INFINITY, sink ? 1 : 0};
        memset(out, 0, d_v * sizeof(float));
    }
    for (size_t i = 0; i < p->n_jobs; i++) {
        const size_t at = part_at(f, &r->jobs[p->job + i], head / f->group, row);
        const struct part *part = &f->parts[at];
        if (part->max == -INFINITY)
            continue;
        const float max = GS_MAX(sum.max, part->max);
        const float old = expf(sum.max - max);
        const float new = expf(part->max - max);
        f->k->blend(out, old, f->mixed + at * d_v, new, d_v);
        sum = (struct part){max, sum.sum * old + part->sum * new};
    }
    if (p->last)
        f->k->scale(out, out, NULL, sum.sum > 0 ? 1 / sum.sum : 0, d_v);
    else
        f->carry[(r->idx + 1) % 2][t * f->a->n_head + head] = sum;
}

static void merge(struct gs_lane *lane, const struct few *f, const struct round *r)
{
    const size_t heads = f->a->n_head;
    size_t base = 0;
    size_t begin;
    size_t end;

    gs_lane_share(lane, r->n_rows * heads, 1, &begin, &end);
    for (size_t i = 0; i < r->n_pieces; i++) {
        const size_t n = r->pieces[i].run->n * heads;
        for (; begin < GS_MIN(end, base + n); begin++)
            merge_row(f, r, &r->pieces[i], (begin - base) / heads, (begin - base) % heads);
        base += n;
    }
}

/* ---- rounds ---- */

/* Where in the runs a round begins. */
struct cursor {
    size_t run;
    size_t key; /* 0: of the run's first split */
};

static bool add_split(struct round *r, const struct gs_kv_run *run, size_t begin, size_t end,
                      size_t *slot)
{
    if (*slot + run->n > SLOTS)
        return false;
    r->jobs[r->n_jobs++] = (struct job){run, begin, end, *slot};
    *slot += run->n;
    return true;
}

/* The next round; false if nothing is left. */
static bool plan(const struct gs_attention *a, struct cursor *at, struct round *r)
{
    size_t slot = 0;
    bool room = true;

    r->n_jobs = r->n_pieces = r->n_rows = 0;
    r->idx++;
    for (; room && at->run < a->n_runs; at->run += room) {
        const struct gs_kv_run *run = &a->runs[at->run];
        const size_t first = gs_attention_first_key(a, run->n_past);
        const size_t end = run->n_past + run->n;
        const size_t job = r->n_jobs;
        if (run->n == 0 || run->n >= GS_ATTENTION_MANY)
            continue;
        const bool is_first = at->key == 0;
        for (size_t t = GS_MAX(first, at->key); room && t < end; t = at->key) {
            const size_t stop = GS_MIN(t - t % SPLIT + SPLIT, end);
            room = add_split(r, run, t, stop, &slot);
            if (room)
                at->key = stop;
        }
        if (r->n_jobs > job) {
            r->pieces[r->n_pieces++] =
                (struct piece){run, job, r->n_jobs - job, is_first, at->key == end};
            r->n_rows += run->n;
        }
        at->key = room ? 0 : at->key;
    }
    return r->n_jobs > 0;
}

void gs_op_attention_few(struct gs_lane *lane, struct gs_rows out, struct gs_rows q,
                         const struct gs_attention *a)
{
    const size_t heads = a->kv->n_head_kv;
    struct few f = {.a = a, .k = lane->k, .out = out, .q = q, .group = a->n_head / heads};
    struct round r = {0};
    struct cursor at = {0};

    take_scratch(lane, &f);
    while (plan(a, &at, &r)) {
        run_round(lane, &f, &r);
        gs_lane_sync(lane);
        merge(lane, &f, &r);
        gs_lane_sync(lane);
    }
}
