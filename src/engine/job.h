/* One job inside the engine: its tokens, its settings and how far it has come. */
#ifndef GS_ENGINE_JOB_H
#define GS_ENGINE_JOB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "engine/engine.h"

struct gs_queue;
struct gs_seq;

struct gs_job {
    /* fixed at creation */
    struct gs_sampling sampling;
    struct gs_logit_bias *logit_bias;
    int32_t *end_tokens;
    size_t n_end_tokens;
    size_t *marks;
    size_t n_marks;
    bool logprobs;
    size_t n_top_logprobs;
    bool prefill_only;
    struct gs_job_callbacks on;
    size_t n_prompt;
    size_t max_answer;        /* tokens, at least 1 */
    enum gs_job_end full_end; /* why the answer ends at max_answer */
    int64_t submitted_us;

    /* any thread */
    atomic_bool cancelled;
    atomic_bool resumed;
    pthread_mutex_t lock; /* guards wake and ended; a leaf */
    pthread_cond_t has_ended;
    struct gs_queue *wake; /* the engine's inbox; NULL once the job has ended */
    bool ended;

    /* the engine's thread */
    struct gs_job *next; /* waiting */
    uint64_t ticket;     /* order of arrival */
    bool was_admitted;   /* memory was reserved at least once */
    bool paused;
    struct gs_seq *seq; /* NULL while waiting */
    struct gs_rng rng;
    int32_t *tokens; /* [n_prompt + max_answer]: prompt, then answer */
    size_t n_tokens;
    size_t n_fed;      /* tokens computed */
    size_t n_cached;   /* of the prompt, when it was first admitted */
    bool goes_on;      /* with a conversation that was stored to its end */
    size_t n_stop;     /* where a snapshot is taken next; SIZE_MAX: nowhere */
    size_t n_reserved; /* tokens seq has memory for */
    uint32_t n_take;   /* tokens of the step being packed */
    int64_t admitted_us, first_token_us;
};

/* A copy of `opt` that ends after max_answer tokens for the reason full_end. `wake` is signalled
 * when another thread cancels or resumes the job. */
GS_MUST_CHECK enum gs_status gs_job_create(const struct gs_job_options *opt, size_t max_answer,
                                           enum gs_job_end full_end, struct gs_queue *wake,
                                           struct gs_job **out_j, struct gs_error *err);
/* Release a job that no engine has, or that has ended. */
void gs_job_destroy(struct gs_job *j);

bool gs_job_is_end_token(const struct gs_job *j, int32_t id);
/* Tokens whose memory the job needs when its answer is as long as it may be. */
size_t gs_job_most_tokens(const struct gs_job *j);
/* Call on_end and let go: the job belongs to its creator alone afterwards. */
void gs_job_end(struct gs_job *j, enum gs_job_end end, const struct gs_error *err);

#endif
