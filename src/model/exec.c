/* The executor: all memory of a forward is one block, cut up before the first token; a forward
 * fills in the batch and lets every lane run the architecture's function over it. */
#include "model/exec.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "model/arch.h"
#include "model/executor.h"

#define MAX_ROWS      ((uint32_t)1 << 16)
#define MAX_SNAPSHOTS 4096

/* ---- memory ---- */

/* The batch, whose arrays have room for the limits of `opt`. */
struct arrays {
    int32_t *tokens;                        /* [batch_rows] */
    int32_t *pos;                           /* [batch_rows] */
    int32_t *segments;                      /* [batch_rows] */
    int32_t *out_rows;                      /* [output_rows] */
    struct gs_kv_run *kv_runs[GS_KV_KINDS]; /* [max_sequences] */
    struct gs_state_run *states;            /* [recurrent layer][max_sequences] */
    float *logits;                          /* [output_rows][n_vocab or n_embd] */
};

static struct arrays take(const struct gs_model *m, const struct gs_exec_options *opt,
                          struct gs_work *w)
{
    const size_t n_states = m->n_states * opt->max_sequences;
    const uint32_t n_values = opt->states_only ? m->params.n_embd : m->params.n_vocab;
    struct arrays a;

    a.tokens = gs_work_bytes(w, opt->batch_rows * sizeof(*a.tokens));
    a.pos = gs_work_bytes(w, opt->batch_rows * sizeof(*a.pos));
    a.segments = gs_work_bytes(w, opt->batch_rows * sizeof(*a.segments));
    a.out_rows = gs_work_bytes(w, opt->output_rows * sizeof(*a.out_rows));
    for (size_t k = 0; k < GS_KV_KINDS; k++)
        a.kv_runs[k] = gs_work_bytes(w, opt->max_sequences * sizeof(*a.kv_runs[k]));
    a.states = gs_work_bytes(w, n_states * sizeof(*a.states));
    a.logits = gs_work_rows(w, opt->output_rows, n_values).p;
    return a;
}

uint64_t gs_exec_kv_bytes_per_token(const struct gs_model *m, enum gs_type kv_type)
{
    return gs_kv_page_bytes(&m->kv[GS_KV_FULL], kv_type) / GS_KV_PAGE_TOKENS;
}

/* Of layers with a window: of that many tokens, wherever they begin in a page. */
static uint32_t count_window_pages(const struct gs_model *m, const struct gs_exec_options *opt,
                                   uint64_t n_tokens)
{
    const uint64_t all = gs_seq_pages(opt->ctx_tokens);

    return m->kv_window > 0 ? (uint32_t)GS_MIN(gs_seq_pages(n_tokens) + 1, all) : 0;
}

/* A sequence holds the window and one batch, so that what a batch adds takes the place of tokens
 * that none of its rows sees any more. */
static uint32_t count_sequence_window(const struct gs_model *m, const struct gs_exec_options *opt)
{
    return count_window_pages(m, opt, (uint64_t)m->kv_window + opt->batch_rows);
}

uint64_t gs_exec_window_bytes(const struct gs_model *m, const struct gs_exec_options *opt)
{
    return count_sequence_window(m, opt) *
           (uint64_t)gs_kv_page_bytes(&m->kv[GS_KV_WINDOW], opt->kv_type);
}

uint64_t gs_exec_state_bytes(const struct gs_model *m)
{
    return gs_state_slot_bytes(m);
}

uint64_t gs_exec_scratch_bytes(const struct gs_model *m, const struct gs_exec_options *opt)
{
    size_t peak = 0;
    struct gs_work w = {.peak = &peak, .n_rows = opt->batch_rows};

    take(m, opt, &w);
    m->arch->plan(m, w, GS_MIN(opt->output_rows, opt->batch_rows));
    return peak;
}

/* ---- create ---- */

static enum gs_status check_shapes(const struct gs_kv_layers *layers, enum gs_type t,
                                   struct gs_error *err)
{
    const size_t block = gs_type_block_len(t);

    for (size_t i = 0; i < layers->n; i++) {
        const struct gs_kv_shape *s = &layers->shapes[i];
        if (s->d_k % block != 0 || s->d_v % block != 0) {
            gs_error_set(err, GS_EINVAL, "heads of %u and %u cannot be cached as %s", s->d_k,
                         s->d_v, gs_type_name(t));
            gs_error_hint(err, "Use F16 or F32.");
            return GS_EINVAL;
        }
    }
    return GS_OK;
}

static enum gs_status check_kv_type(const struct gs_model *m, enum gs_type t, struct gs_error *err)
{
    if (t != GS_TYPE_F16 && t != GS_TYPE_F32 && t != GS_TYPE_Q8_0) {
        gs_error_set(err, GS_EINVAL, "the cache cannot hold keys and values as %s",
                     gs_type_name(t));
        gs_error_hint(err, "Use F16, F32 or Q8_0.");
        return GS_EINVAL;
    }
    const enum gs_status st = check_shapes(&m->kv[GS_KV_FULL], t, err);
    return st == GS_OK ? check_shapes(&m->kv[GS_KV_WINDOW], t, err) : st;
}

static enum gs_status check_options(const struct gs_model *m, const struct gs_exec_options *opt,
                                    struct gs_error *err)
{
    const struct {
        const char *name;
        uint64_t value, max;
    } limits[] = {
        {"batch rows", opt->batch_rows, MAX_ROWS},
        {"output rows", opt->output_rows, MAX_ROWS},
        {"sequences", opt->max_sequences, GS_MAX_SEQUENCES},
        {"tokens of cache", opt->kv_tokens, (uint64_t)UINT32_MAX * GS_KV_PAGE_TOKENS},
        {"tokens of context", opt->ctx_tokens, INT32_MAX},
    };

    for (size_t i = 0; i < GS_COUNT_OF(limits); i++) {
        if (limits[i].value < 1 || limits[i].value > limits[i].max)
            return gs_error_set(err, GS_EINVAL, "%s: expected 1 to %llu, found %llu",
                                limits[i].name, (unsigned long long)limits[i].max,
                                (unsigned long long)limits[i].value);
    }
    if (m->params.is_encoder && !opt->states_only) {
        gs_error_set(err, GS_EUNSUPPORTED, "models of architecture \"%s\" do not write text",
                     m->arch->name);
        gs_error_hint(err, "They turn texts into vectors: use \"genset embed\".");
        return GS_EUNSUPPORTED;
    }
    return check_kv_type(m, opt->kv_type, err);
}

/* Add the cache of all sequences and snapshots to *needed; false if that overflows. Snapshots take
 * the place of full pages; and of layers with a window a sequence has no more pages than full ones.
 */
static bool add_cache(const struct gs_model *m, const struct gs_exec_options *opt, size_t *needed)
{
    const uint64_t full = gs_seq_pages(opt->kv_tokens);
    const uint64_t windows = (uint64_t)opt->max_sequences * count_sequence_window(m, opt);
    size_t full_bytes;
    size_t window_bytes;

    return gs_mul_size(full, gs_kv_page_bytes(&m->kv[GS_KV_FULL], opt->kv_type), &full_bytes) &&
           gs_mul_size(GS_MIN(full, windows), gs_kv_page_bytes(&m->kv[GS_KV_WINDOW], opt->kv_type),
                       &window_bytes) &&
           gs_add_size(*needed, full_bytes, needed) && gs_add_size(*needed, window_bytes, needed);
}

/* Of each lane: for attention, and for products. */
static size_t lane_scratch_bytes(const struct gs_model *m, const struct gs_exec_options *opt)
{
    return GS_MAX(m->lane_scratch_bytes, gs_op_matmul_scratch_bytes(opt->batch_rows));
}

/* Everything the executor may come to use, against what the machine has now. */
static enum gs_status check_memory(const struct gs_model *m, const struct gs_compute *c,
                                   const struct gs_exec_options *opt, struct gs_error *err)
{
    const int64_t available = gs_os_memory_available_bytes();
    size_t states;
    size_t needed = 0;

    if (!add_cache(m, opt, &needed) ||
        !gs_mul_size(opt->max_sequences, gs_state_slot_bytes(m), &states) ||
        !gs_add_size(needed, states, &needed) ||
        !gs_add_size(needed, (size_t)gs_exec_scratch_bytes(m, opt), &needed) ||
        !gs_add_size(needed, gs_compute_scratch_missing(c, lane_scratch_bytes(m, opt)), &needed))
        needed = SIZE_MAX;
    if (needed <= INT64_MAX && (available < 0 || (int64_t)needed <= available))
        return GS_OK;
    gs_error_set(err, GS_ENOMEM,
                 "not enough memory to run the model: %zu bytes are needed for %llu tokens and %u "
                 "sequences, %lld are available",
                 needed, (unsigned long long)opt->kv_tokens, opt->max_sequences,
                 (long long)available);
    gs_error_hint(err, "Choose a smaller context, a smaller cache type or fewer sequences.");
    gs_error_amounts(err, (long long)GS_MIN(needed, (size_t)INT64_MAX), (long long)available);
    return GS_ENOMEM;
}

/* Snapshots take the place of full pages; how many windows and states there may be beside those of
 * sequences follows from that. */
static enum gs_status init_pools(struct gs_exec *e, struct gs_error *err)
{
    const struct gs_model *m = e->model;
    const enum gs_type type = e->opt.kv_type;
    const uint64_t full = gs_seq_pages(e->opt.kv_tokens);
    const uint64_t bytes =
        full * GS_MAX(gs_kv_page_bytes(&m->kv[GS_KV_FULL], type), (size_t)GS_KV_PAGE_TOKENS);
    const uint64_t window_bytes = GS_MAX(gs_kv_page_bytes(&m->kv[GS_KV_WINDOW], type), 1);
    const uint64_t state_bytes = GS_MAX(gs_state_slot_bytes(m), 1);

    e->window_pages = count_sequence_window(m, &e->opt);
    e->snapshot_window_pages = count_window_pages(m, &e->opt, m->kv_window);
    if (gs_exec_needs_snapshots(e))
        e->most_snapshots = (uint32_t)GS_MIN(bytes / state_bytes, MAX_SNAPSHOTS);
    const uint64_t kept =
        GS_MIN(bytes / window_bytes, (uint64_t)e->most_snapshots * e->snapshot_window_pages);
    const uint64_t windows = (uint64_t)e->opt.max_sequences * e->window_pages + kept;
    enum gs_status st =
        gs_kv_pool_init(&e->kv[GS_KV_FULL], &m->kv[GS_KV_FULL], type, (uint32_t)full, err);

    if (st == GS_OK)
        st = gs_kv_pool_init(&e->kv[GS_KV_WINDOW], &m->kv[GS_KV_WINDOW], type,
                             (uint32_t)GS_MIN(windows, UINT32_MAX), err);
    if (st == GS_OK)
        st = gs_state_pool_init(&e->states, m, e->opt.max_sequences + e->most_snapshots, err);
    return st;
}

static enum gs_status init(struct gs_exec *e, struct gs_error *err)
{
    const struct gs_model *m = e->model;
    enum gs_status st = init_pools(e, err);

    e->snapshot_lens = gs_alloc_array(e->states.n_slots, sizeof(*e->snapshot_lens));
    e->snapshot_pages =
        gs_alloc_array(e->states.n_slots, e->snapshot_window_pages * sizeof(*e->snapshot_pages));
    if (st == GS_OK && (!e->snapshot_lens || !e->snapshot_pages))
        st = gs_error_nomem(err, "hold snapshots of sequences");
    if (st == GS_OK)
        st = gs_compute_reserve_scratch(e->compute, lane_scratch_bytes(m, &e->opt), err);
    if (st != GS_OK)
        return st;
    e->memory = gs_alloc_aligned(64, (size_t)gs_exec_scratch_bytes(m, &e->opt));
    return e->memory ? GS_OK : gs_error_nomem(err, "hold the activations");
}

enum gs_status gs_exec_create(const struct gs_model *m, struct gs_compute *c,
                              const struct gs_exec_options *opt, struct gs_exec **out_e,
                              struct gs_error *err)
{
    enum gs_status st = check_options(m, opt, err);

    if (st == GS_OK)
        st = check_memory(m, c, opt, err);
    if (st != GS_OK)
        return st;
    struct gs_exec *e = gs_alloc_zero(sizeof(*e));
    if (!e)
        return gs_error_nomem(err, "create an executor");
    e->model = m;
    e->compute = c;
    e->opt = *opt;
    st = init(e, err);
    if (st != GS_OK) {
        gs_exec_free(e);
        return st;
    }
    *out_e = e;
    return GS_OK;
}

void gs_exec_free(struct gs_exec *e)
{
    if (!e)
        return;
    for (size_t k = 0; k < GS_KV_KINDS; k++)
        gs_kv_pool_clear(&e->kv[k]);
    gs_state_pool_clear(&e->states);
    gs_free(e->snapshot_lens);
    gs_free(e->snapshot_pages);
    gs_free(e->memory);
    gs_free(e);
}

/* ---- forward ---- */

static enum gs_status check_run(const struct gs_exec *e, const struct gs_run *run,
                                struct gs_error *err)
{
    const struct gs_seq *s = run->seq;
    const uint32_t n_vocab = e->model->params.n_vocab;

    assert(s->exec == e);
    if (s->in_batch)
        return gs_error_set(err, GS_EINVAL, "a sequence is twice in one batch");
    if (run->n_logits > run->n_tokens)
        return gs_error_set(err, GS_EINVAL, "logits of %u tokens wanted, but only %u given",
                            run->n_logits, run->n_tokens);
    if (run->n_tokens > s->reserved - s->len) {
        const unsigned long long needed = s->len + run->n_tokens;
        gs_error_set(err, GS_ELIMIT, "%llu tokens are beyond the sequence's reservation of %llu",
                     needed, (unsigned long long)s->reserved);
        gs_error_amounts(err, (long long)needed, (long long)s->reserved);
        return GS_ELIMIT;
    }
    for (uint32_t i = 0; i < run->n_tokens; i++) {
        if (run->tokens[i] < 0 || (uint32_t)run->tokens[i] >= n_vocab)
            return gs_error_set(err, GS_EINVAL, "token %d is outside the vocabulary of %u",
                                run->tokens[i], n_vocab);
    }
    return GS_OK;
}

static enum gs_status check_runs(const struct gs_exec *e, const struct gs_run *runs, size_t n_runs,
                                 struct gs_error *err)
{
    enum gs_status st = GS_OK;
    uint64_t n_rows = 0;
    uint64_t n_out = 0;
    size_t n_checked = 0;

    for (; n_checked < n_runs && st == GS_OK; n_checked++) {
        st = check_run(e, &runs[n_checked], err);
        runs[n_checked].seq->in_batch = true;
        n_rows += runs[n_checked].n_tokens;
        n_out += runs[n_checked].n_logits;
    }
    for (size_t i = 0; i < n_checked; i++)
        runs[i].seq->in_batch = false;
    if (st == GS_OK && (n_rows > e->opt.batch_rows || n_out > e->opt.output_rows))
        return gs_error_set(err, GS_EINVAL,
                            "a batch of %llu tokens and %llu outputs, at most %u and %u",
                            (unsigned long long)n_rows, (unsigned long long)n_out,
                            e->opt.batch_rows, e->opt.output_rows);
    return st;
}

/* Lay the runs out as the rows of a batch; runs without tokens leave no trace. */
static struct gs_batch fill(struct gs_exec *e, const struct arrays *a, const struct gs_run *runs,
                            size_t n_runs)
{
    struct gs_batch b = {
        .tokens = a->tokens,
        .pos = a->pos,
        .segments = a->segments,
        .ctx_tokens = e->opt.ctx_tokens,
        .states = a->states,
        .out_rows = a->out_rows,
        .states_only = e->opt.states_only,
        .logits = a->logits,
        .abandon = &e->abandon,
    };

    for (size_t k = 0; k < GS_KV_KINDS; k++)
        b.kv[k] = (struct gs_batch_kv){e->kv[k].layers, a->kv_runs[k]};
    for (size_t r = 0; r < n_runs; r++) {
        struct gs_seq *s = runs[r].seq;
        const size_t n = runs[r].n_tokens;
        if (n == 0)
            continue;
        gs_seq_make_window(s, runs[r].n_tokens);
        for (size_t k = 0; k < GS_KV_KINDS; k++)
            a->kv_runs[k][b.n_runs] = (struct gs_kv_run){s->pages[k], s->len, b.n_rows, n};
        b.n_runs++;
        for (size_t i = 0; i < n; i++) {
            if (n - i <= runs[r].n_logits)
                a->out_rows[b.n_out++] = (int32_t)b.n_rows;
            a->tokens[b.n_rows] = runs[r].tokens[i];
            a->pos[b.n_rows] = (int32_t)(s->len + i);
            a->segments[b.n_rows] = runs[r].segment_at > 0 && i >= runs[r].segment_at;
            b.n_rows++;
        }
    }
    return b;
}

static void locate_states(const struct gs_exec *e, struct gs_state_run *states,
                          const struct gs_batch *b, const struct gs_run *runs, size_t n_runs)
{
    struct gs_state_run *at = states;

    for (size_t layer = 0; layer < e->model->n_states; layer++) {
        const struct gs_kv_run *kv = b->kv[GS_KV_FULL].runs;
        for (size_t r = 0; r < n_runs; r++) {
            if (runs[r].n_tokens == 0)
                continue;
            gs_state_pool_locate(&e->states, runs[r].seq->slot, layer, at);
            at->row = kv->row;
            at->n = kv->n;
            at++;
            kv++;
        }
    }
}

struct job {
    const struct gs_model *model;
    const struct gs_batch *batch;
    struct gs_work work;
};

static void run_lane(struct gs_lane *lane, void *arg)
{
    const struct job *j = arg;

    j->model->arch->forward(lane, j->model, j->batch, j->work);
}

void gs_exec_on_layer(struct gs_exec *e, bool (*is_abandoned)(void *ud), void *ud)
{
    e->abandon = (struct gs_abandon){.asked = is_abandoned, .ud = ud};
}

bool gs_exec_is_abandoned(struct gs_lane *lane, const struct gs_batch *b, uint32_t layer)
{
    struct gs_abandon *a = b->abandon;

    if (!a->asked)
        return false;
    const bool answer = a->answers[layer % 2];
    if (lane->idx == 0) {
        a->answers[(layer + 1) % 2] = a->asked(a->ud);
        a->done = answer;
    }
    return answer;
}

/* The cache holds nothing new below each sequence's length; a state has gone on half-way. */
static enum gs_status forget(const struct gs_exec *e, const struct gs_run *runs, size_t n_runs,
                             struct gs_error *err)
{
    for (size_t r = 0; r < n_runs && e->model->params.is_recurrent; r++)
        if (runs[r].n_tokens > 0)
            gs_seq_empty(runs[r].seq);
    return gs_error_set(err, GS_ECANCELLED, "the step was given up");
}

enum gs_status gs_exec_forward(struct gs_exec *e, const struct gs_run *runs, size_t n_runs,
                               const float **out_logits, struct gs_error *err)
{
    const enum gs_status st = check_runs(e, runs, n_runs, err);

    if (st != GS_OK)
        return st;
    struct gs_work w = {.base = e->memory};
    const struct arrays a = take(e->model, &e->opt, &w);
    const struct gs_batch b = fill(e, &a, runs, n_runs);

    locate_states(e, a.states, &b, runs, n_runs);
    w.n_rows = b.n_rows;
    e->abandon.answers[0] = e->abandon.done = false;
    if (b.n_rows > 0)
        gs_compute_run_step(e->compute, run_lane, &(struct job){e->model, &b, w}, b.n_rows);
    if (e->abandon.done)
        return forget(e, runs, n_runs, err);
    for (size_t r = 0; r < n_runs; r++)
        runs[r].seq->len += runs[r].n_tokens;
    *out_logits = b.logits;
    return GS_OK;
}
