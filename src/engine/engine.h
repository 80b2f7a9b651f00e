/* The engine: many sequences computed together on one thread of its own (continuous batching).
 *
 * Each step packs the next token of every running sequence and slices of waiting prefill. Jobs are
 * admitted in the order they came, each when memory for its prompt and a stretch of answer is
 * reserved; should memory run out later, the youngest gives its back and is computed again. What
 * was computed is stored (prefix.h), and a job begins with what is stored of it. A job knows tokens
 * only; text is the business of its callers. */
#ifndef GS_ENGINE_ENGINE_H
#define GS_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/chat.h"
#include "gguf/type.h"

struct gs_model;
struct gs_compute;
struct gs_engine;
struct gs_job;

struct gs_engine_options {
    enum gs_type kv_type;
    uint32_t batch_tokens;  /* rows of one step at most */
    uint32_t max_sequences; /* computed at once */
    uint32_t max_waiting;   /* jobs queued at most */
    uint64_t kv_tokens;     /* of all sequences and what is stored */
    uint64_t ctx_tokens;    /* of one sequence: prompt and answer */
};

enum gs_job_end {
    GS_JOB_END_TOKEN,   /* the model produced a stop token (not reported to on_token) */
    GS_JOB_END_LENGTH,  /* max_tokens */
    GS_JOB_END_CONTEXT, /* the context, or all of the KV memory, is full */
    GS_JOB_END_STOPPED, /* a callback said GS_FLOW_CANCEL, gs_job_cancel(), or the engine ends */
    GS_JOB_END_ERROR,
};

struct gs_job_token {
    int32_t id;
    float logprob; /* if asked for: natural logarithm, before sampling settings apply */
    const struct gs_top_logprob *top; /* n_top alternatives, most likely first; no text */
    size_t n_top;
};

struct gs_job_stats {
    int64_t prompt_tokens, cached_tokens, answer_tokens; /* cached: of the prompt, not computed */
    int64_t wait_us;    /* from submission until memory was reserved */
    int64_t prefill_us; /* from then until the first token */
    int64_t decode_us;  /* from then until the end */
};

/* Called on the engine's thread; must not block. After GS_FLOW_PAUSE nothing is called until
 * gs_job_resume() or the end; a resume that comes early is not lost. */
struct gs_job_callbacks {
    /* First when the engine has taken the job, with as much as is stored of the prompt by then;
     * later after each step that leaves some of the prompt to do. */
    enum gs_flow (*on_prefill)(void *ud, int64_t done, int64_t total);
    enum gs_flow (*on_token)(void *ud, const struct gs_job_token *token);
    /* Last call, always made; err is set for GS_JOB_END_ERROR. */
    void (*on_end)(void *ud, enum gs_job_end end, const struct gs_job_stats *stats,
                   const struct gs_error *err);
    void *ud;
    /* A token was drawn from all. NULL: it may come; else those that may, bit i % 64 of word i /
     * 64, from which another is drawn. May itself be NULL. */
    const uint64_t *(*on_mask)(void *ud, int32_t drawn);
};

struct gs_job_options {
    const int32_t *prompt; /* copied */
    size_t n_prompt;
    struct gs_sampling sampling; /* logit_bias is copied */
    int64_t max_tokens;          /* 0 = what the context leaves */
    const int32_t *end_tokens;   /* copied: tokens that end the answer */
    size_t n_end_tokens;
    const size_t *marks; /* copied: lengths of the prompt, ascending, at which others are likely to
                            begin with it (turns end there); for models that need snapshots */
    size_t n_marks;
    bool logprobs;
    int32_t n_top_logprobs;
    bool prefill_only; /* ends when the prompt is computed and stored, as LENGTH; only computed
                          while no other job gets on */
    struct gs_job_callbacks on;
};

/* owns: borrows model and lanes. */
GS_MUST_CHECK enum gs_status gs_engine_create(const struct gs_model *m, struct gs_compute *c,
                                              const struct gs_engine_options *opt,
                                              struct gs_engine **out_e, struct gs_error *err);
/* Ends all jobs (GS_JOB_END_STOPPED), joins the thread. */
void gs_engine_free(struct gs_engine *e);

/* Queue a job. No callback is made after an error.
 * errors: GS_ECONTEXT (prompt beyond ctx_tokens or kv_tokens; amounts and remedy set), GS_ENOMEM,
 *         GS_EBUSY (queue full), GS_EINVAL (empty prompt, id outside the vocabulary, sampling
 *         setting out of range).
 * thread: any. */
GS_MUST_CHECK enum gs_status gs_engine_submit(struct gs_engine *e, const struct gs_job_options *opt,
                                              struct gs_job **out_job, struct gs_error *err);
/* Takes effect within one token; while only prompts of cancelled jobs are read, within a layer.
 * What was computed is kept for others. thread: any */
void gs_job_cancel(struct gs_job *j);
void gs_job_resume(struct gs_job *j); /* after a callback said GS_FLOW_PAUSE. thread: any */
void gs_job_wait(struct gs_job *j);   /* until on_end has returned. Not from a callback */
/* Cancel, wait for on_end, release. Not from a callback. NULL is allowed. */
void gs_job_free(struct gs_job *j);

#endif
