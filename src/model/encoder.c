/* Encoding: texts go through an executor in batches of whole texts; one that is longer than a batch
 * goes by itself, in pieces unless the model reads both ways. Then the executor's batch grows to
 * the longest text seen, so that memory is used by those who need it. */
#include "model/encoder.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "model/arch.h"
#include "model/exec.h"
#include "model/pool_head.h"

#define BATCH_ROWS 512
#define MAX_TEXTS  GS_MAX_SEQUENCES /* of one batch */
#define HEAD_ROWS  64               /* pooled texts that go through the head together */

struct gs_encoder {
    const struct gs_model *model;
    struct gs_compute *compute;
    struct gs_exec *exec; /* NULL: none yet */
    uint32_t batch_rows;  /* of exec */
    uint64_t kv_tokens;
    uint8_t *head_memory; /* of HEAD_ROWS rows */
};

static size_t head_bytes(const struct gs_model *m)
{
    size_t peak = 0;

    gs_block_pool_head_plan(m, (struct gs_work){.peak = &peak, .n_rows = HEAD_ROWS});
    return peak;
}

enum gs_status gs_encoder_create(const struct gs_model *m, struct gs_compute *c,
                                 struct gs_encoder **out_e, struct gs_error *err)
{
    struct gs_encoder *e = gs_alloc_zero(sizeof(*e));

    if (e)
        e->head_memory = gs_alloc_aligned(64, head_bytes(m));
    if (!e || !e->head_memory) {
        gs_encoder_free(e);
        return gs_error_nomem(err, "encode texts");
    }
    e->model = m;
    e->compute = c;
    *out_e = e;
    return GS_OK;
}

void gs_encoder_free(struct gs_encoder *e)
{
    if (!e)
        return;
    gs_exec_free(e->exec);
    gs_free(e->head_memory);
    gs_free(e);
}

/* An executor for texts of up to `longest` tokens. */
static enum gs_status need_exec(struct gs_encoder *e, uint32_t longest, struct gs_error *err)
{
    const bool whole = e->model->params.is_encoder;
    const uint32_t rows = whole ? GS_MAX(longest, BATCH_ROWS) : BATCH_ROWS;
    /* Every text of a batch may leave most of a page unused. */
    const uint64_t tokens =
        (uint64_t)GS_MAX(longest, BATCH_ROWS) + (uint64_t)MAX_TEXTS * GS_KV_PAGE_TOKENS;
    const struct gs_exec_options opt = {
        .kv_type = GS_TYPE_F32, /* read once: nothing is gained by keeping less */
        .batch_rows = rows,
        .output_rows = rows,
        .max_sequences = MAX_TEXTS,
        .kv_tokens = tokens,
        .ctx_tokens = GS_MAX(longest, BATCH_ROWS),
        .states_only = true,
    };

    if (e->exec && rows <= e->batch_rows && tokens <= e->kv_tokens)
        return GS_OK;
    gs_exec_free(e->exec);
    e->exec = NULL;
    const enum gs_status st = gs_exec_create(e->model, e->compute, &opt, &e->exec, err);
    if (st == GS_OK) {
        e->batch_rows = rows;
        e->kv_tokens = tokens;
    }
    return st;
}

/* ---- pooling ---- */

static bool reads_last(const struct gs_pool_head *h)
{
    return h->pooling == GS_POOLING_LAST || (h->pooling == GS_POOLING_RANK && h->reads_last);
}

/* States wanted of tokens [at, at + n) of a text: the last ones. */
static uint32_t count_wanted(const struct gs_pool_head *h, const struct gs_encoder_text *t,
                             uint32_t at, uint32_t n)
{
    if (h->pooling == GS_POOLING_MEAN)
        return n;
    if (reads_last(h))
        return at + n == t->n;
    return at == 0 ? n : 0;
}

/* Add what those states are to the text's vector. */
static void pool(const struct gs_pool_head *h, const struct gs_encoder_text *t, const float *states,
                 uint32_t n, float *vector, size_t dim)
{
    if (h->pooling != GS_POOLING_MEAN) {
        if (n > 0)
            memcpy(vector, states, dim * sizeof(*vector));
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        for (size_t j = 0; j < dim; j++)
            vector[j] += states[i * dim + j] / (float)t->n;
}

/* ---- batches ---- */

static enum gs_status start(struct gs_encoder *e, const struct gs_encoder_text *texts, size_t n,
                            struct gs_run *runs, struct gs_error *err)
{
    enum gs_status st = GS_OK;

    for (size_t i = 0; i < n && st == GS_OK; i++)
        st = gs_seq_create(e->exec, texts[i].n, &runs[i].seq, err);
    return st;
}

/* Whole texts that fill a batch at most. */
static enum gs_status run_texts(struct gs_encoder *e, const struct gs_encoder_text *texts, size_t n,
                                float *vectors, struct gs_error *err)
{
    const struct gs_pool_head *h = e->model->pool_head;
    const size_t dim = e->model->params.n_embd;
    struct gs_run runs[MAX_TEXTS] = {0};
    const float *states = NULL;
    enum gs_status st = start(e, texts, n, runs, err);

    for (size_t i = 0; i < n; i++) {
        runs[i].tokens = texts[i].tokens;
        runs[i].n_tokens = texts[i].n;
        runs[i].n_logits = count_wanted(h, &texts[i], 0, texts[i].n);
        runs[i].segment_at = e->model->params.n_segments > 1 ? texts[i].segment_at : 0;
    }
    if (st == GS_OK)
        st = gs_exec_forward(e->exec, runs, n, &states, err);
    for (size_t i = 0; i < n; i++) {
        if (st == GS_OK) {
            pool(h, &texts[i], states, runs[i].n_logits, vectors + i * dim, dim);
            states += runs[i].n_logits * dim;
        }
        gs_seq_free(runs[i].seq);
    }
    return st;
}

static bool is_cancelled(const struct gs_encoder_job *job)
{
    return job->is_cancelled && job->is_cancelled(job->ud);
}

static enum gs_status fail_cancelled(struct gs_error *err)
{
    return gs_error_set(err, GS_ECANCELLED, "nobody waits for the vectors any more");
}

/* One text in pieces. */
static enum gs_status run_long(struct gs_encoder *e, const struct gs_encoder_job *job,
                               const struct gs_encoder_text *t, float *vector, struct gs_error *err)
{
    const struct gs_pool_head *h = e->model->pool_head;
    struct gs_run run = {0};
    const float *states = NULL;
    enum gs_status st = start(e, t, 1, &run, err);

    for (uint32_t at = 0; at < t->n && st == GS_OK; at += run.n_tokens) {
        run.tokens = t->tokens + at;
        run.n_tokens = GS_MIN(t->n - at, e->batch_rows);
        run.n_logits = count_wanted(h, t, at, run.n_tokens);
        st = is_cancelled(job) ? fail_cancelled(err)
                               : gs_exec_forward(e->exec, &run, 1, &states, err);
        if (st == GS_OK)
            pool(h, t, states, run.n_logits, vector, e->model->params.n_embd);
    }
    gs_seq_free(run.seq);
    return st;
}

/* As many texts from the first on as a batch takes; 0: not even that one. */
static size_t count_fitting(const struct gs_encoder *e, const struct gs_encoder_text *texts,
                            size_t n)
{
    uint64_t rows = 0;
    size_t i = 0;

    for (; i < n && i < MAX_TEXTS && rows + texts[i].n <= e->batch_rows; i++)
        rows += texts[i].n;
    return i;
}

static enum gs_status pool_texts(struct gs_encoder *e, const struct gs_encoder_job *job,
                                 float *vectors, struct gs_error *err)
{
    const size_t dim = e->model->params.n_embd;
    enum gs_status st = GS_OK;

    for (size_t i = 0; i < job->n && st == GS_OK;) {
        const size_t n = count_fitting(e, job->texts + i, job->n - i);
        if (is_cancelled(job))
            return fail_cancelled(err);
        st = n > 0 ? run_texts(e, job->texts + i, n, vectors + i * dim, err)
                   : run_long(e, job, job->texts + i, vectors + i * dim, err);
        i += GS_MAX(n, (size_t)1);
    }
    return st;
}

/* ---- the head ---- */

struct head_job {
    const struct gs_encoder *e;
    struct gs_rows out, pooled;
};

static void run_head(struct gs_lane *lane, void *arg)
{
    const struct head_job *j = arg;

    gs_block_pool_head(lane, j->e->model, j->out, j->pooled,
                       (struct gs_work){.base = j->e->head_memory, .n_rows = j->pooled.n});
}

static void project(const struct gs_encoder *e, float *vectors, size_t n, float *out)
{
    const size_t dim = e->model->params.n_embd;
    const size_t n_pooled = e->model->params.n_pooled;

    for (size_t i = 0; i < n; i += HEAD_ROWS) {
        const size_t rows = GS_MIN(n - i, (size_t)HEAD_ROWS);
        gs_compute_run(e->compute, run_head,
                       &(struct head_job){e, gs_rows(out + i * n_pooled, rows, n_pooled),
                                          gs_rows(vectors + i * dim, rows, dim)});
    }
}

/* ---- texts ---- */

static enum gs_status check_texts(const struct gs_encoder *e, const struct gs_encoder_job *job,
                                  uint32_t *out_longest, struct gs_error *err)
{
    const uint64_t ctx = e->model->params.ctx_train_tokens;
    uint32_t longest = 0;

    for (size_t i = 0; i < job->n; i++) {
        if (job->texts[i].n == 0)
            return gs_error_set(err, GS_EINVAL, "a text has no tokens");
        longest = GS_MAX(longest, job->texts[i].n);
    }
    *out_longest = longest;
    if (longest <= ctx)
        return GS_OK;
    gs_error_set(err, GS_ECONTEXT, "a text of %u tokens does not fit the model's context of %llu",
                 longest, (unsigned long long)ctx);
    gs_error_hint(err, "Divide it into shorter texts.");
    gs_error_amounts(err, (long long)longest, (long long)ctx);
    return GS_ECONTEXT;
}

enum gs_status gs_encoder_run(struct gs_encoder *e, const struct gs_encoder_job *job, float *out,
                              struct gs_error *err)
{
    uint32_t longest = 0;
    enum gs_status st = check_texts(e, job, &longest, err);

    if (st == GS_OK)
        st = need_exec(e, longest, err);
    if (st != GS_OK || job->n == 0)
        return st;
    float *vectors = gs_alloc_array(job->n, e->model->params.n_embd * sizeof(*vectors));
    if (!vectors)
        return gs_error_nomem(err, "pool texts");
    st = pool_texts(e, job, vectors, err);
    if (st == GS_OK)
        project(e, vectors, job->n, out);
    gs_free(vectors);
    return st;
}
