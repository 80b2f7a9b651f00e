/* The engine's thread: take what arrived, drop what ended, admit what fits, compute one step.
 *
 *     inbox --take--> waiting --admit--> running --end--> (its creator)
 *                        ^                  |
 *                        +----- evict ------+   memory ran out: the youngest waits again
 *
 * Both lists are in order of arrival, and everything that runs arrived before everything that
 * waits. So the oldest job always gets on, and evictions come to an end. */
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
#include "engine/job.h"
#include "engine/sampler.h"
#include "engine/share.h"
#include "model/exec.h"
#include "model/model.h"

/* Answer tokens for which memory is reserved ahead. Reserving all that max_tokens allows would
 * let one client that asks for much and uses little keep everybody else waiting. */
#define GROW_TOKENS 512

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
    struct gs_sampler *sampler;
    struct gs_job *waiting;                   /* oldest first */
    struct gs_job *running[GS_MAX_SEQUENCES]; /* oldest first */
    size_t n_running;
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

static void report_prefill(struct gs_job *j)
{
    if (atomic_load(&j->cancelled))
        return;
    atomic_store(&j->resumed, false);
    obey(j, j->on.on_prefill(j->on.ud, (int64_t)j->n_fed, (int64_t)j->n_prompt));
}

static void take_arrivals(struct gs_engine *e)
{
    for (;;) {
        struct gs_job *j = gs_queue_try_pop(e->inbox);
        if (!j)
            break;
        j->ticket = e->next_ticket++;
        wait_in_line(e, j);
        report_prefill(j);
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

static size_t wanted_reserve(const struct gs_job *j, size_t n_tokens)
{
    return GS_MIN(n_tokens + GROW_TOKENS, gs_job_most_tokens(j));
}

/* Admit the oldest waiting jobs for which there is memory, in order: none overtakes. */
static void admit(struct gs_engine *e)
{
    while (e->waiting && e->n_running < e->opt.max_sequences) {
        struct gs_job *j = e->waiting;
        struct gs_error err = {0};
        const size_t reserve = wanted_reserve(j, j->n_tokens);

        const enum gs_status st = gs_seq_create(e->exec, reserve, &j->seq, &err);
        if (st != GS_OK) {
            if (e->n_running > 0) /* they give memory back when they end */
                return;
            end_waiting(e, &e->waiting, GS_JOB_END_ERROR, &err);
            continue;
        }
        e->waiting = j->next;
        e->running[e->n_running++] = j;
        j->n_reserved = reserve;
        if (!j->was_admitted) {
            j->was_admitted = true;
            j->admitted_us = gs_clock_mono_us();
            atomic_fetch_sub(&e->n_waiting, 1);
        }
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
        const size_t wanted = wanted_reserve(j, needed);
        if (gs_seq_reserve(j->seq, wanted, &err) == GS_OK) {
            j->n_reserved = wanted;
            return true;
        }
        if (gs_seq_reserve(j->seq, needed, &err) == GS_OK) {
            j->n_reserved = needed;
            return true;
        }
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
        want[i] = j->paused ? 0 : j->n_tokens - j->n_fed;
    }
    gs_engine_share_rows(want, e->n_running, e->turn++, e->opt.batch_tokens, rows);
    for (size_t i = 0; i < e->n_running; i++)
        e->running[i]->n_take = rows[i];
    for (size_t i = 0; i < e->n_running;) {
        struct gs_job *j = e->running[i];
        if (j->n_take == 0 || secure(e, j))
            i++;
    }
}

/* Fill runs and jobs with what was spread; their number. */
static size_t pack(const struct gs_engine *e, struct gs_run *runs, struct gs_job **jobs)
{
    size_t n = 0;

    for (size_t i = 0; i < e->n_running; i++) {
        struct gs_job *j = e->running[i];
        if (j->n_take == 0)
            continue;
        runs[n] = (struct gs_run){
            .seq = j->seq,
            .tokens = j->tokens + j->n_fed,
            .n_tokens = j->n_take,
            .n_logits = j->n_fed + j->n_take == j->n_tokens,
        };
        jobs[n++] = j;
    }
    return n;
}

/* Compute once and hand out the results; false when there is nothing to compute. */
static bool step(struct gs_engine *e)
{
    struct gs_run runs[GS_MAX_SEQUENCES];
    struct gs_job *jobs[GS_MAX_SEQUENCES];
    struct gs_error err = {0};
    const float *logits;

    spread_rows(e);
    const size_t n = pack(e, runs, jobs);
    if (n == 0)
        return false;
    const enum gs_status st = gs_exec_forward(e->exec, runs, n, &logits, &err);
    for (size_t i = 0; i < n; i++) {
        struct gs_job *j = jobs[i];
        if (st != GS_OK) {
            end_running(e, j, GS_JOB_END_ERROR, &err);
            continue;
        }
        j->n_fed += j->n_take;
        if (runs[i].n_logits > 0) {
            answer(e, j, logits);
            logits += e->n_vocab;
        } else if (j->n_tokens == j->n_prompt) {
            report_prefill(j);
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
    e->kv_capacity = gs_exec_free_tokens(e->exec);
    st = gs_sampler_create(e->n_vocab, &e->sampler, err);
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
    const size_t room = GS_MAX(1, most_tokens(e) - opt->n_prompt);
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
