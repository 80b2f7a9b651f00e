/* Creation, and the ways other threads reach a job. */
#include "engine/job.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/os.h"
#include "base/queue.h"

/* Copies n items; an empty array becomes one unused byte. */
static void *copy_of(const void *items, size_t n, size_t item_bytes)
{
    void *p = gs_alloc_array(n, item_bytes);

    if (p && n > 0)
        memcpy(p, items, n * item_bytes);
    return p;
}

enum gs_status gs_job_create(const struct gs_job_options *opt, size_t max_answer,
                             enum gs_job_end full_end, struct gs_queue *wake, struct gs_job **out_j,
                             struct gs_error *err)
{
    struct gs_job *j = gs_alloc_zero(sizeof(*j));

    if (!j)
        return gs_error_nomem(err, "queue a job");
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->has_ended, NULL);
    j->sampling = opt->sampling;
    j->logit_bias =
        copy_of(opt->sampling.logit_bias, opt->sampling.n_logit_bias, sizeof(*j->logit_bias));
    j->sampling.logit_bias = j->logit_bias;
    j->end_tokens = copy_of(opt->end_tokens, opt->n_end_tokens, sizeof(*j->end_tokens));
    j->marks = copy_of(opt->marks, opt->n_marks, sizeof(*j->marks));
    j->tokens = gs_alloc_array(opt->n_prompt + max_answer, sizeof(*j->tokens));
    if (!j->logit_bias || !j->end_tokens || !j->marks || !j->tokens) {
        gs_job_destroy(j);
        return gs_error_nomem(err, "queue a job");
    }
    memcpy(j->tokens, opt->prompt, opt->n_prompt * sizeof(*j->tokens));
    j->n_tokens = opt->n_prompt;
    j->n_prompt = opt->n_prompt;
    j->n_end_tokens = opt->n_end_tokens;
    j->n_marks = opt->n_marks;
    j->max_answer = max_answer;
    j->full_end = full_end;
    j->logprobs = opt->logprobs;
    j->n_top_logprobs = (size_t)opt->n_top_logprobs;
    j->prefill_only = opt->prefill_only;
    j->on = opt->on;
    j->wake = wake;
    gs_rng_seed(&j->rng, opt->sampling.has_seed ? opt->sampling.seed : gs_os_random_u64());
    j->submitted_us = gs_clock_mono_us();
    *out_j = j;
    return GS_OK;
}

void gs_job_destroy(struct gs_job *j)
{
    if (!j)
        return;
    pthread_cond_destroy(&j->has_ended);
    pthread_mutex_destroy(&j->lock);
    gs_free(j->logit_bias);
    gs_free(j->end_tokens);
    gs_free(j->marks);
    gs_free(j->tokens);
    gs_free(j);
}

bool gs_job_is_end_token(const struct gs_job *j, int32_t id)
{
    for (size_t i = 0; i < j->n_end_tokens; i++)
        if (j->end_tokens[i] == id)
            return true;
    return false;
}

size_t gs_job_most_tokens(const struct gs_job *j)
{
    return j->n_prompt + j->max_answer - 1; /* the last token is not computed */
}

static struct gs_job_stats stats_of(const struct gs_job *j)
{
    const int64_t now_us = gs_clock_mono_us();
    const int64_t admitted_us = j->was_admitted ? j->admitted_us : now_us;
    const int64_t first_us = j->first_token_us ? j->first_token_us : now_us;

    return (struct gs_job_stats){
        .prompt_tokens = (int64_t)j->n_prompt,
        .cached_tokens = (int64_t)j->n_cached,
        .answer_tokens = (int64_t)(j->n_tokens - j->n_prompt),
        .wait_us = admitted_us - j->submitted_us,
        .prefill_us = first_us - admitted_us,
        .decode_us = now_us - first_us,
    };
}

void gs_job_end(struct gs_job *j, enum gs_job_end end, const struct gs_error *err)
{
    const struct gs_job_stats stats = stats_of(j);

    j->on.on_end(j->on.ud, end, &stats, err);
    pthread_mutex_lock(&j->lock);
    j->wake = NULL;
    j->ended = true;
    pthread_cond_broadcast(&j->has_ended);
    pthread_mutex_unlock(&j->lock);
}

static void wake_engine(struct gs_job *j)
{
    pthread_mutex_lock(&j->lock);
    if (j->wake)
        gs_os_event_signal(gs_queue_fd(j->wake));
    pthread_mutex_unlock(&j->lock);
}

void gs_job_cancel(struct gs_job *j)
{
    atomic_store(&j->cancelled, true);
    wake_engine(j);
}

void gs_job_resume(struct gs_job *j)
{
    atomic_store(&j->resumed, true);
    wake_engine(j);
}

void gs_job_wait(struct gs_job *j)
{
    pthread_mutex_lock(&j->lock);
    while (!j->ended)
        pthread_cond_wait(&j->has_ended, &j->lock);
    pthread_mutex_unlock(&j->lock);
}

void gs_job_free(struct gs_job *j)
{
    if (!j)
        return;
    gs_job_cancel(j);
    gs_job_wait(j);
    gs_job_destroy(j);
}
