/* A turn is a few inputs of one request, or telling what has become of them; then the request goes
 * to the end of the queue. */
#include "provider/local_texts.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/queue.h"
#include "base/thread.h"

#define TURN_INPUTS 64
#define TURN_BYTES  (32 * GS_KIB)

struct gs_local_texts {
    struct gs_queue *inbox; /* of jobs: each at most once */
    atomic_bool is_closing;
    pthread_mutex_t lock; /* guards is_resting and is_due of all jobs */
    pthread_t thread;
    bool has_thread;
};

enum turn { TURN_AGAIN, TURN_REST, TURN_END };

static bool is_unwanted(void *ud)
{
    struct gs_local_job *job = ud;

    return atomic_load(&job->is_cancelled) || atomic_load(&job->owner->is_closing);
}

/* ---- a turn ---- */

/* Inputs of the next turn. */
static size_t count_inputs(const struct gs_local_job *job)
{
    const struct gs_texts *texts = job->texts;
    size_t bytes = 0;
    size_t i = job->next;

    while (i < texts->n_inputs && i - job->next < TURN_INPUTS && bytes < TURN_BYTES) {
        const struct gs_embed_input *in = &texts->inputs[i++];
        bytes += in->tokens ? in->n_tokens * sizeof(*in->tokens) : in->text.len;
    }
    return i - job->next;
}

static enum gs_status compute(struct gs_local_job *job, struct gs_error *err)
{
    const struct gs_texts *texts = job->texts;
    const struct gs_embed_input *inputs = texts->inputs + job->next;
    const size_t n = count_inputs(job);
    const int64_t began_us = gs_clock_mono_us();
    struct gs_embed_options opt;

    gs_embed_options_init(&opt);
    opt.raw = texts->raw;
    opt.truncate = texts->truncate;
    opt.dims = texts->dims;
    opt.is_cancelled = is_unwanted;
    opt.ud = job;
    gs_vectors_clear(&job->ready);
    job->n_told = 0;
    const enum gs_status st =
        texts->is_ranking ? gs_llm_rerank(job->llm, texts->query, inputs, n, &opt, &job->ready, err)
                          : gs_llm_embed(job->llm, inputs, n, &opt, &job->ready, err);
    job->next += n;
    job->usage.prompt_tokens += job->ready.n_tokens;
    job->usage.cut_texts += (int64_t)job->ready.n_cut;
    job->usage.prefill_us += gs_clock_mono_us() - began_us;
    return st;
}

static enum gs_flow tell_next(struct gs_local_job *job)
{
    const struct gs_vectors *v = &job->ready;
    const struct gs_event ev = {
        .kind = GS_EVENT_VECTOR, .values = v->values + job->n_told * v->dims, .n_values = v->dims};

    job->n_told++;
    return job->on_event(job->ud, &ev);
}

static enum turn take_turn(struct gs_local_job *job)
{
    struct gs_error err = {0};

    if (is_unwanted(job))
        return TURN_END;
    while (job->n_told < job->ready.n) {
        const enum gs_flow flow = tell_next(job);
        if (flow != GS_FLOW_CONTINUE)
            return flow == GS_FLOW_PAUSE ? TURN_REST : TURN_END;
    }
    if (job->next == job->texts->n_inputs) {
        job->on_event(job->ud, &(struct gs_event){.kind = GS_EVENT_STOP, .usage = job->usage});
        return TURN_END;
    }
    if (compute(job, &err) == GS_OK)
        return TURN_AGAIN;
    if (!is_unwanted(job))
        job->on_event(job->ud, &(struct gs_event){.kind = GS_EVENT_ERROR, .error = &err});
    return TURN_END;
}

/* Rest until resumed, unless that has happened already. */
static bool rest(struct gs_local_texts *t, struct gs_local_job *job)
{
    pthread_mutex_lock(&t->lock);
    const bool rests = !job->is_due;
    job->is_resting = rests;
    job->is_due = false;
    pthread_mutex_unlock(&t->lock);
    return rests;
}

static void run(void *arg)
{
    struct gs_local_texts *t = arg;

    for (;;) {
        struct gs_local_job *job = gs_queue_pop(t->inbox);
        if (!job)
            return;
        const enum turn turn = take_turn(job);
        if (turn == TURN_REST && rest(t, job))
            continue;
        if (turn == TURN_END || !gs_queue_push(t->inbox, job))
            job->on_end(job->ud);
    }
}

/* ---- what other threads call ---- */

enum gs_status gs_local_texts_create(size_t n, struct gs_local_texts **out_t, struct gs_error *err)
{
    struct gs_local_texts *t = gs_alloc_zero(sizeof(*t));

    if (!t)
        return gs_error_nomem(err, "turn texts into vectors");
    pthread_mutex_init(&t->lock, NULL);
    enum gs_status st = gs_queue_create(n, &t->inbox, err);
    if (st == GS_OK)
        st = gs_thread_start(&t->thread, GS_THREAD_TEXTS, run, t, err);
    t->has_thread = st == GS_OK;
    if (st == GS_OK)
        *out_t = t;
    else
        gs_local_texts_free(t);
    return st;
}

void gs_local_texts_free(struct gs_local_texts *t)
{
    if (!t)
        return;
    if (t->has_thread) {
        atomic_store(&t->is_closing, true);
        gs_queue_close(t->inbox);
        pthread_join(t->thread, NULL);
    }
    gs_queue_free(t->inbox);
    pthread_mutex_destroy(&t->lock);
    gs_free(t);
}

bool gs_local_texts_start(struct gs_local_texts *t, struct gs_local_job *job)
{
    job->owner = t;
    return gs_queue_push(t->inbox, job);
}

void gs_local_texts_resume(struct gs_local_job *job)
{
    struct gs_local_texts *t = job->owner;

    pthread_mutex_lock(&t->lock);
    const bool was_resting = job->is_resting;
    job->is_resting = false;
    job->is_due = !was_resting;
    pthread_mutex_unlock(&t->lock);
    if (was_resting && !gs_queue_push(t->inbox, job))
        return; /* the thread is ending, and the job with it */
}

void gs_local_texts_cancel(struct gs_local_job *job)
{
    atomic_store(&job->is_cancelled, true);
    gs_local_texts_resume(job);
}

void gs_local_texts_clear(struct gs_local_job *job)
{
    gs_vectors_clear(&job->ready);
}
