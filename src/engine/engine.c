/* The engine's thread: take what arrived, drop what ended, admit what fits, compute one step.
 *
 *     inbox --take--> waiting --admit--> running --end--> (its creator)
 *                        ^                  |
 *                        +----- evict ------+   memory ran out: the youngest waits again
 *
 * Both lists are in order of arrival. What runs arrived before what waits, but for jobs that are
 * paused or wait for what another is about to store; so the oldest that runs always gets on, and
 * evictions come to an end. Memory that is only stored gives way before any job does, and what is
 * paused before what gets on. */
#include "engine/engine.h"

#include <assert.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/queue.h"
#include "base/thread.h"
#include "compute/ops.h"
#include "engine/job.h"
#include "engine/prefix.h"
#include "engine/sampler.h"
#include "engine/share.h"
#include "model/exec.h"
#include "model/model.h"

/* Answer tokens for which memory is reserved ahead. Reserving all that max_tokens allows would
 * let one client that asks for much and uses little keep everybody else waiting. */
#define GROW_TOKENS 512
/* Of a prompt that is read, what is stored at once: so many tokens. */
#define STORE_EVERY 512
/* Between snapshots of a prompt that is read: twice the tokens whose place one takes, but within
 * these; and the least, if its marks are closer. */
#define SNAPSHOT_EVERY_MIN 512
#define SNAPSHOT_EVERY_MAX 4096
#define SNAPSHOT_GAP       64
/* What a job waits for rather than compute it beside another that does. */
#define LEAST_COMING 128

struct gs_engine {
    /* fixed at creation */
    struct gs_engine_options opt;
    size_t n_vocab;
    size_t kv_capacity; /* tokens of all sequences together */
    pthread_t thread;
    bool has_thread;

    /* any thread */
    struct gs_queue *inbox;
    atomic_uint n_waiting; /* in the inbox, or waiting and never admitted */
    atomic_bool closing;

    /* the engine's thread */
    struct gs_exec *exec;
    struct gs_prefix *prefix;
    struct gs_sampler *sampler;
    struct gs_job *waiting;                   /* oldest first */
    struct gs_job *running[GS_MAX_SEQUENCES]; /* oldest first */
    size_t n_running;
    struct gs_job *packed[GS_MAX_SEQUENCES]; /* of the step that is computed */
    size_t n_packed;
    uint64_t next_ticket;
    size_t turn; /* who comes first when rows are short */
    struct gs_top_logprob top[GS_SAMPLER_MAX_TOP];
};

/* ---- jobs in and out ---- */

/* Insert by ticket: an evicted job goes before those that came later. */
static void wait_in_line(struct gs_engine *e, struct gs_job *j)
{
    struct gs_job **at = &e->waiting;

    while (*at && (*at)->ticket < j->ticket)
        at = &(*at)->next;
    j->next = *at;
    *at = j;
}

static void store(struct gs_engine *e, struct gs_job *j, unsigned flags)
{
    gs_prefix_keep(e->prefix, j->seq, j->tokens, flags | (j->goes_on ? GS_PREFIX_AGAIN : 0));
}

static void leave_running(struct gs_engine *e, struct gs_job *j)
{
    size_t i = 0;

    while (e->running[i] != j)
        i++;
    e->n_running--;
    memmove(&e->running[i], &e->running[i + 1], (e->n_running - i) * sizeof(e->running[0]));
    gs_seq_free(j->seq);
    j->seq = NULL;
    j->n_fed = 0;
    j->n_reserved = 0;
    j->n_take = 0;
}

/* The job may be gone when this returns. */
static void end_running(struct gs_engine *e, struct gs_job *j, enum gs_job_end end,
                        const struct gs_error *err)
{
    store(e, j, GS_PREFIX_LAST);
    leave_running(e, j);
    gs_job_end(j, end, err);
}

static void end_waiting(struct gs_engine *e, struct gs_job **at, enum gs_job_end end,
                        const struct gs_error *err)
{
    struct gs_job *j = *at;

    *at = j->next;
    if (!j->was_admitted)
        atomic_fetch_sub(&e->n_waiting, 1);
    gs_job_end(j, end, err);
}

static void evict(struct gs_engine *e, struct gs_job *j)
{
    store(e, j, GS_PREFIX_LAST);
    leave_running(e, j);
    wait_in_line(e, j);
}

/* What a callback asked for. A pause holds until the resume that follows it. */
static void obey(struct gs_job *j, enum gs_flow flow)
{
    j->paused = flow == GS_FLOW_PAUSE;
    if (flow == GS_FLOW_CANCEL)
        atomic_store(&j->cancelled, true);
}

static void report_prefill(struct gs_job *j, size_t n_done)
{
    if (atomic_load(&j->cancelled))
        return;
    atomic_store(&j->resumed, false);
    obey(j, j->on.on_prefill(j->on.ud, (int64_t)n_done, (int64_t)j->n_prompt));
}

/* What is stored of the job's tokens. The last is always computed: its logits are wanted. */
static struct gs_prefix_match find_stored(const struct gs_engine *e, const struct gs_job *j)
{
    return gs_prefix_find(e->prefix, j->tokens, j->n_tokens - 1);
}

static void take_arrivals(struct gs_engine *e)
{
    for (;;) {
        struct gs_job *j = gs_queue_try_pop(e->inbox);
        if (!j)
            break;
        j->ticket = e->next_ticket++;
        wait_in_line(e, j);
        report_prefill(j, find_stored(e, j).n_tokens);
    }
}

/* True if the job is to end now, and why: it was cancelled, or its answer is as long as it may be
 * and its receiver not paused. Also lets a resumed job go on. */
static bool is_over(struct gs_job *j, enum gs_job_end *out_end)
{
    const bool is_full = j->n_tokens - j->n_prompt >= j->max_answer;

    if (atomic_exchange(&j->resumed, false))
        j->paused = false;
    const bool is_cancelled = atomic_load(&j->cancelled);
    *out_end = is_cancelled ? GS_JOB_END_STOPPED : j->full_end;
    return is_cancelled || (is_full && !j->paused);
}

static void sweep(struct gs_engine *e)
{
    enum gs_job_end end;

    for (struct gs_job **at = &e->waiting; *at;) {
        if (is_over(*at, &end))
            end_waiting(e, at, end, NULL);
        else
            at = &(*at)->next;
    }
    for (size_t i = 0; i < e->n_running;) {
        if (is_over(e->running[i], &end))
            end_running(e, e->running[i], end, NULL);
        else
            i++;
    }
}

/* ---- memory ---- */

static size_t count_pages(size_t n_tokens)
{
    return (n_tokens + GS_KV_PAGE_TOKENS - 1) / GS_KV_PAGE_TOKENS;
}

static size_t wanted_reserve(const struct gs_job *j, size_t n_tokens)
{
    return GS_MIN(n_tokens + GROW_TOKENS, gs_job_most_tokens(j));
}

/* Memory for so many tokens of the job, at the cost of what is stored. */
static enum gs_status reserve(struct gs_engine *e, struct gs_job *j, size_t n_tokens,
                              struct gs_error *err)
{
    gs_prefix_make_room(e->prefix, gs_seq_lacks(j->seq, n_tokens));
    const enum gs_status st = gs_seq_reserve(j->seq, n_tokens, err);
    if (st == GS_OK)
        j->n_reserved = n_tokens;
    return st;
}

/* A sequence for the job that begins with what is stored of it. */
static enum gs_status start_from(struct gs_engine *e, struct gs_job *j,
                                 const struct gs_prefix_match *m, struct gs_error *err)
{
    enum gs_status st = gs_seq_create(e->exec, 0, &j->seq, err);

    if (st != GS_OK)
        return st;
    if (m->n_tokens > 0)
        gs_prefix_resume(e->prefix, m, j->seq);
    st = reserve(e, j, wanted_reserve(j, j->n_tokens), err);
    if (st != GS_OK) {
        gs_seq_free(j->seq);
        j->seq = NULL;
    }
    return st;
}

/* True if there is memory for the job, or would be if nothing were stored but what it begins with.
 */
static bool has_room(const struct gs_engine *e, const struct gs_job *j,
                     const struct gs_prefix_match *m)
{
    const size_t pages = count_pages(wanted_reserve(j, j->n_tokens));
    const size_t shared = count_pages(m->n_tokens) - gs_prefix_spare_pages(e->prefix, m);

    return pages - shared <= gs_exec_spare_pages(e->exec);
}

static enum gs_status start(struct gs_engine *e, struct gs_job *j, const struct gs_prefix_match *m,
                            struct gs_error *err)
{
    const struct gs_prefix_match none = {0};
    enum gs_status st = start_from(e, j, m, err);

    if (st != GS_OK && m->n_tokens > 0) /* what is stored of it may itself be in the way */
        st = start_from(e, j, &none, err);
    return st;
}

/* Where the next snapshot of a prompt is taken that has been read up to `from`; SIZE_MAX: nowhere.
 */
static size_t next_stop(const struct gs_engine *e, const struct gs_job *j, size_t from)
{
    const uint64_t price = gs_exec_snapshot_pages(e->exec) * GS_KV_PAGE_TOKENS;

    if (!gs_exec_needs_snapshots(e->exec))
        return SIZE_MAX;
    size_t stop = from + (size_t)GS_MIN(GS_MAX(2 * price, SNAPSHOT_EVERY_MIN), SNAPSHOT_EVERY_MAX);
    for (size_t i = 0; i < j->n_marks; i++)
        if (j->marks[i] >= from + SNAPSHOT_GAP)
            stop = GS_MIN(stop, j->marks[i]);
    return stop < j->n_tokens ? stop : SIZE_MAX;
}

/* How much of j's beginning `other`, which is read, will store that it has not stored yet. */
static size_t count_coming(const struct gs_engine *e, const struct gs_job *j,
                           const struct gs_job *other)
{
    const size_t most = GS_MIN(other->n_prompt, j->n_tokens - 1);
    size_t same = 0;
    size_t last = 0;

    while (same < most && other->tokens[same] == j->tokens[same])
        same++;
    if (!gs_exec_needs_snapshots(e->exec))
        return same > other->n_fed ? same : 0;
    for (size_t at = other->n_stop; at <= same; at = next_stop(e, other, at))
        last = at;
    return last;
}

/* True if another job is about to compute so much of what this one has left to read that it should
 * wait. */
static bool is_coming(const struct gs_engine *e, const struct gs_job *j, size_t n_stored)
{
    const size_t left = j->n_tokens - n_stored;
    const size_t least = n_stored + GS_MAX(left / 2, (size_t)LEAST_COMING);

    for (size_t i = 0; i < e->n_running; i++) {
        const struct gs_job *other = e->running[i];
        if (!other->paused && other->n_fed < other->n_prompt && count_coming(e, j, other) >= least)
            return true;
    }
    return false;
}

/* Running jobs stay in order of arrival. */
static void join_running(struct gs_engine *e, struct gs_job *j)
{
    size_t i = e->n_running++;

    for (; i > 0 && e->running[i - 1]->ticket > j->ticket; i--)
        e->running[i] = e->running[i - 1];
    e->running[i] = j;
    j->n_fed = (size_t)gs_seq_len(j->seq);
    j->n_stop = next_stop(e, j, j->n_fed);
    if (j->was_admitted)
        return;
    j->was_admitted = true;
    j->n_cached = j->n_fed;
    j->admitted_us = gs_clock_mono_us();
    atomic_fetch_sub(&e->n_waiting, 1);
}

/* Take from a paused job what it holds, for one that gets on: its receiver may be slow for ever,
 * and what it has computed is stored. False: none is paused. */
static bool evict_paused(struct gs_engine *e)
{
    for (size_t i = e->n_running; i-- > 0;) {
        if (!e->running[i]->paused)
            continue;
        evict(e, e->running[i]);
        return true;
    }
    return false;
}

/* A job without an answer does not get on while another would. */
static bool must_give_way(const struct gs_engine *e, const struct gs_job *j)
{
    if (!j->prefill_only)
        return false;
    for (size_t i = 0; i < e->n_running; i++)
        if (!e->running[i]->prefill_only && !e->running[i]->paused)
            return true;
    for (const struct gs_job *other = e->waiting; other; other = other->next)
        if (!other->prefill_only && !other->paused)
            return true;
    return false;
}

/* What they have computed is stored, for those to begin with. */
static void give_way(struct gs_engine *e)
{
    for (size_t i = e->n_running; i-- > 0;)
        if (must_give_way(e, e->running[i]))
            evict(e, e->running[i]);
}

/* Admit the oldest waiting jobs for which there is memory, in order: none overtakes, but those that
 * are paused, or wait for what another computes, are passed over. */
static void admit(struct gs_engine *e)
{
    struct gs_job **at = &e->waiting;

    give_way(e);
    while (*at) {
        struct gs_job *j = *at;
        const struct gs_prefix_match m = find_stored(e, j);
        struct gs_error err = {0};

        if (j->paused || must_give_way(e, j) || is_coming(e, j, m.n_tokens)) {
            at = &j->next;
            continue;
        }
        const bool is_full = e->n_running == e->opt.max_sequences;
        if (is_full || (e->n_running > 0 && !has_room(e, j, &m))) {
            if (!evict_paused(e))
                return; /* the others give back what they have when they end */
            continue;
        }
        j->goes_on |= m.is_end;
        if (start(e, j, &m, &err) != GS_OK) {
            if (e->n_running > 0)
                return;
            end_waiting(e, at, GS_JOB_END_ERROR, &err);
            continue;
        }
        *at = j->next;
        join_running(e, j);
    }
}

/* Memory for the job's next step, at the cost of younger ones if need be; false if the job itself
 * had to give way. */
static bool secure(struct gs_engine *e, struct gs_job *j)
{
    const size_t needed = j->n_fed + j->n_take;
    struct gs_error err = {0};

    if (needed <= j->n_reserved)
        return true;
    for (;;) {
        if (reserve(e, j, wanted_reserve(j, needed), &err) == GS_OK ||
            reserve(e, j, needed, &err) == GS_OK)
            return true;
        if (evict_paused(e))
            continue;
        if (e->n_running == 1) {
            end_running(e, j, GS_JOB_END_ERROR, &err);
            return false;
        }
        struct gs_job *youngest = e->running[e->n_running - 1];
        evict(e, youngest);
        if (youngest == j)
            return false;
    }
}

/* ---- one step ---- */

/* Draw a token. Most of what a model writes fits what it was asked for, and seeing that one token
 * does is cheap; a mask of all is made only when it does not. A token that is kept and one drawn
 * anew together have the chances that the mask gives them. */
static enum gs_status draw(struct gs_engine *e, struct gs_job *j, const float *logits,
                           int32_t *out_id, struct gs_error *err)
{
    int32_t id;
    enum gs_status st = gs_sampler_draw(e->sampler, &j->sampling, logits, NULL, j->tokens,
                                        j->n_tokens, &j->rng, &id, err);

    const uint64_t *mask = st == GS_OK && j->on.on_mask ? j->on.on_mask(j->on.ud, id) : NULL;
    if (mask)
        st = gs_sampler_draw(e->sampler, &j->sampling, logits, mask, j->tokens, j->n_tokens,
                             &j->rng, &id, err);
    if (st == GS_OK)
        *out_id = id;
    return st;
}

/* Choose the next token of a job and hand it over. */
static void answer(struct gs_engine *e, struct gs_job *j, const float *logits)
{
    struct gs_job_token token = {.top = e->top};
    struct gs_error err = {0};

    if (atomic_load(&j->cancelled))
        return; /* the sweep ends it */
    if (j->prefill_only) {
        end_running(e, j, GS_JOB_END_LENGTH, NULL);
        return;
    }
    if (draw(e, j, logits, &token.id, &err) != GS_OK) {
        end_running(e, j, GS_JOB_END_ERROR, &err);
        return;
    }
    if (!j->first_token_us)
        j->first_token_us = gs_clock_mono_us();
    if (gs_job_is_end_token(j, token.id)) {
        end_running(e, j, GS_JOB_END_TOKEN, NULL);
        return;
    }
    if (j->logprobs)
        token.logprob = gs_sampler_logprob(e->sampler, logits, token.id, e->top, j->n_top_logprobs,
                                           &token.n_top);
    j->tokens[j->n_tokens++] = token.id;
    atomic_store(&j->resumed, false);
    obey(j, j->on.on_token(j->on.ud, &token));
}

static void spread_rows(struct gs_engine *e)
{
    size_t want[GS_MAX_SEQUENCES];
    uint32_t rows[GS_MAX_SEQUENCES];

    for (size_t i = 0; i < e->n_running; i++) {
        const struct gs_job *j = e->running[i];
        want[i] = j->paused ? 0 : GS_MIN(j->n_tokens, j->n_stop) - j->n_fed;
    }
    gs_engine_share_rows(want, e->n_running, e->turn++, e->opt.batch_tokens, rows);
    for (size_t i = 0; i < e->n_running; i++)
        e->running[i]->n_take = rows[i];
    for (size_t i = 0; i < e->n_running;) {
        struct gs_job *j = e->running[i];
        const size_t n = e->n_running;
        if (j->n_take > 0 && !secure(e, j))
            i = 0;
        else
            i = e->n_running == n ? i + 1 : 0; /* where others left, all are looked at again */
    }
}

/* Fill runs, and e->packed, with what was spread. */
static void pack(struct gs_engine *e, struct gs_run *runs)
{
    e->n_packed = 0;
    for (size_t i = 0; i < e->n_running; i++) {
        struct gs_job *j = e->running[i];
        if (j->n_take == 0)
            continue;
        runs[e->n_packed] = (struct gs_run){
            .seq = j->seq,
            .tokens = j->tokens + j->n_fed,
            .n_tokens = j->n_take,
            .n_logits = j->n_fed + j->n_take == j->n_tokens,
        };
        e->packed[e->n_packed++] = j;
    }
}

/* Nobody wants the step any more. */
static bool is_unwanted(void *ud)
{
    const struct gs_engine *e = ud;

    for (size_t i = 0; i < e->n_packed; i++)
        if (!atomic_load(&e->packed[i]->cancelled))
            return atomic_load(&e->closing);
    return true;
}

/* The job's tokens were computed: store what others may begin with. Without snapshots that is more
 * of the prompt now and then, and in the end all of it. */
static void advance(struct gs_engine *e, struct gs_job *j)
{
    const size_t before = j->n_fed;
    const bool needs_snapshots = gs_exec_needs_snapshots(e->exec);

    j->n_fed += j->n_take;
    const bool is_due = before < j->n_prompt &&
                        (j->n_fed >= j->n_prompt || j->n_fed / STORE_EVERY > before / STORE_EVERY);
    if (needs_snapshots ? j->n_fed == j->n_stop : is_due) {
        store(e, j, 0);
        j->n_stop = next_stop(e, j, j->n_fed);
    }
}

/* Compute once and hand out the results; false when there is nothing to compute. */
static bool step(struct gs_engine *e)
{
    struct gs_run runs[GS_MAX_SEQUENCES];
    struct gs_error err = {0};
    const float *logits;

    spread_rows(e);
    pack(e, runs);
    if (e->n_packed == 0)
        return false;
    const enum gs_status st = gs_exec_forward(e->exec, runs, e->n_packed, &logits, &err);
    if (st == GS_ECANCELLED) /* the sweep ends them */
        return true;
    for (size_t i = 0; i < e->n_packed; i++) {
        struct gs_job *j = e->packed[i];
        if (st != GS_OK) {
            end_running(e, j, GS_JOB_END_ERROR, &err);
            continue;
        }
        advance(e, j);
        if (runs[i].n_logits > 0) {
            answer(e, j, logits);
            logits += e->n_vocab;
        } else if (j->n_tokens == j->n_prompt) {
            report_prefill(j, j->n_fed);
        }
    }
    return true;
}

static void end_all(struct gs_engine *e)
{
    take_arrivals(e);
    while (e->n_running > 0)
        end_running(e, e->running[e->n_running - 1], GS_JOB_END_STOPPED, NULL);
    while (e->waiting)
        end_waiting(e, &e->waiting, GS_JOB_END_STOPPED, NULL);
}

static void run(void *arg)
{
    struct gs_engine *e = arg;
    struct pollfd inbox = {.fd = gs_queue_fd(e->inbox), .events = POLLIN};

    gs_assert_thread(GS_THREAD_ENGINE);
    for (;;) {
        /* The inbox's descriptor is drained before the flags are read, and signalled after they
         * are set, so no sleep misses a message. */
        take_arrivals(e);
        if (atomic_load(&e->closing))
            break;
        sweep(e);
        admit(e);
        if (!step(e))
            poll(&inbox, 1, -1);
    }
    end_all(e);
}

/* ---- what other threads call ---- */

enum gs_status gs_engine_create(const struct gs_model *m, struct gs_compute *c,
                                const struct gs_engine_options *opt, struct gs_engine **out_e,
                                struct gs_error *err)
{
    struct gs_engine *e = gs_alloc_zero(sizeof(*e));
    enum gs_status st;

    if (!e)
        return gs_error_nomem(err, "create an engine");
    e->opt = *opt;
    e->opt.max_sequences = GS_MIN(GS_MAX(1, opt->max_sequences), GS_MAX_SEQUENCES);
    e->opt.batch_tokens = GS_MAX(1, opt->batch_tokens);
    e->n_vocab = gs_model_params(m)->n_vocab;
    const struct gs_exec_options exec_opt = {
        .kv_type = opt->kv_type,
        .batch_rows = e->opt.batch_tokens,
        .output_rows = GS_MIN(e->opt.max_sequences, e->opt.batch_tokens),
        .max_sequences = e->opt.max_sequences,
        .kv_tokens = opt->kv_tokens,
        .ctx_tokens = opt->ctx_tokens,
    };
    st = gs_exec_create(m, c, &exec_opt, &e->exec, err);
    if (st != GS_OK)
        goto fail;
    gs_exec_on_layer(e->exec, is_unwanted, e);
    e->kv_capacity = gs_exec_free_tokens(e->exec);
    st = gs_prefix_create(e->exec, &e->prefix, err);
    if (st != GS_OK)
        goto fail;
    st = gs_sampler_create(e->n_vocab, gs_compute_kernels(c), &e->sampler, err);
    if (st != GS_OK)
        goto fail;
    st = gs_queue_create(GS_MAX(1, opt->max_waiting), &e->inbox, err);
    if (st != GS_OK)
        goto fail;
    st = gs_thread_start(&e->thread, GS_THREAD_ENGINE, run, e, err);
    if (st != GS_OK)
        goto fail;
    e->has_thread = true;
    *out_e = e;
    return GS_OK;
fail:
    gs_engine_free(e);
    return st;
}

void gs_engine_free(struct gs_engine *e)
{
    if (!e)
        return;
    if (e->has_thread) {
        atomic_store(&e->closing, true);
        gs_queue_close(e->inbox);
        pthread_join(e->thread, NULL);
    }
    gs_queue_free(e->inbox);
    gs_sampler_free(e->sampler);
    gs_prefix_free(e->prefix);
    gs_exec_free(e->exec);
    gs_free(e);
}

/* Tokens of one sequence at most: by the context, and by the memory of all. */
static size_t most_tokens(const struct gs_engine *e)
{
    return GS_MIN((size_t)e->opt.ctx_tokens, e->kv_capacity);
}

static enum gs_status check_fits(const struct gs_engine *e, size_t n_prompt, struct gs_error *err)
{
    const size_t most = most_tokens(e);

    if (n_prompt <= most)
        return GS_OK;
    /* Clients find the two numbers by this very wording, as the Anthropic API has it. */
    gs_error_set(err, GS_ECONTEXT, "prompt is too long: %zu tokens > %zu maximum", n_prompt, most);
    if (most < e->opt.ctx_tokens)
        gs_error_hint(err, "Shorten the conversation, give the KV cache more memory (--kv-memory), "
                           "or store it in a smaller number format (--kv-type q8_0).");
    else
        gs_error_hint(err, "Shorten the conversation, or give the model a larger context (--ctx).");
    gs_error_amounts(err, (long long)n_prompt, (long long)most);
    return GS_ECONTEXT;
}

static enum gs_status check_job(const struct gs_engine *e, const struct gs_job_options *opt,
                                struct gs_error *err)
{
    if (opt->n_prompt == 0)
        return gs_error_set(err, GS_EINVAL, "the prompt is empty");
    for (size_t i = 0; i < opt->n_prompt; i++)
        if (opt->prompt[i] < 0 || (size_t)opt->prompt[i] >= e->n_vocab)
            return gs_error_set(err, GS_EINVAL, "token %d is not in the vocabulary of %zu",
                                opt->prompt[i], e->n_vocab);
    if (opt->n_top_logprobs < 0 || opt->n_top_logprobs > GS_SAMPLER_MAX_TOP)
        return gs_error_set(err, GS_EINVAL,
                            "top_logprobs: expected a whole number from 0 to %d, found %d",
                            GS_SAMPLER_MAX_TOP, opt->n_top_logprobs);
    if (opt->max_tokens < 0)
        return gs_error_set(err, GS_EINVAL,
                            "max_tokens: expected a whole number from 0, found %lld",
                            (long long)opt->max_tokens);
    const enum gs_status st = gs_sampler_check(&opt->sampling, e->n_vocab, err);
    return st != GS_OK ? st : check_fits(e, opt->n_prompt, err);
}

enum gs_status gs_engine_submit(struct gs_engine *e, const struct gs_job_options *opt,
                                struct gs_job **out_job, struct gs_error *err)
{
    struct gs_job *j;
    enum gs_status st = check_job(e, opt, err);

    if (st != GS_OK)
        return st;
    /* A prompt that fills the context still gets one token: that is not computed any more. */
    const size_t room = opt->prefill_only ? 1 : GS_MAX(1, most_tokens(e) - opt->n_prompt);
    const bool is_limited = opt->max_tokens > 0 && (uint64_t)opt->max_tokens <= room;
    st = gs_job_create(opt, is_limited ? (size_t)opt->max_tokens : room,
                       is_limited ? GS_JOB_END_LENGTH : GS_JOB_END_CONTEXT, e->inbox, &j, err);
    if (st != GS_OK)
        return st;
    if (atomic_fetch_add(&e->n_waiting, 1) >= e->opt.max_waiting || !gs_queue_push(e->inbox, j)) {
        atomic_fetch_sub(&e->n_waiting, 1);
        gs_job_destroy(j);
        gs_error_set(err, GS_EBUSY, "too many requests are waiting for the model");
        gs_error_hint(err, "Try again when some of the %u waiting requests are answered.",
                      e->opt.max_waiting);
        return GS_EBUSY;
    }
    *out_job = j;
    return GS_OK;
}
