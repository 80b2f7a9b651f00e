/* The engine over tiny models with random weights: together as alone, fair, stoppable, refusing.
 * A semaphore in a callback holds the engine still where an order of events matters. */
#include "cmocka_headers.h"

#include <math.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "compute/lane.h"
#include "engine/engine.h"
#include "gguf/gguf.h"
#include "model/model.h"
#include "tiny_gguf.h"

#define MAX_TOKENS 1200

struct rig {
    struct gs_gguf *file;
    struct gs_model *model;
    struct gs_compute *compute;
    struct gs_engine *engine;
};

/* What one job's callbacks saw, and what they are to do. */
struct record {
    int32_t tokens[MAX_TOKENS];
    float logprobs[MAX_TOKENS];
    size_t n_tokens;
    size_t n_prefill;
    int64_t last_done;
    int first_token_at; /* place among all callbacks of all jobs */
    int ended_at;
    int n_ends;
    enum gs_job_end end;
    enum gs_status code;
    struct gs_job_stats stats;
    size_t cancel_after; /* tokens; 0 = never */
    bool pauses;         /* after every callback */
    bool holds;          /* in the first on_prefill */
    sem_t entered, leave;
    atomic_int n_paused;
    long n_allocs; /* between the tenth token and the end */
};

static atomic_int callbacks;

static const struct gs_engine_options usual = {
    .kv_type = GS_TYPE_F32,
    .batch_tokens = 16,
    .max_sequences = 8,
    .max_waiting = 32,
    .kv_tokens = 2048,
    .ctx_tokens = 256,
};

/* Steps of so few rows are computed in one way, whoever shares them; larger ones round otherwise.
 */
#define FEW_ROWS 8

static const struct gs_engine_options few_rows = {
    .kv_type = GS_TYPE_F32,
    .batch_tokens = FEW_ROWS,
    .max_sequences = 8,
    .max_waiting = 32,
    .kv_tokens = 2048,
    .ctx_tokens = 256,
};

static struct rig rig_create(const struct tiny_shape *shape, const struct gs_engine_options *opt)
{
    struct rig r = {.file = tiny_open(shape, NULL, 0)};
    struct gs_error err = {0};

    assert_non_null(r.file);
    if (gs_model_load(r.file, &r.model, &err) != GS_OK ||
        gs_compute_create(1, getenv("GENSET_CPU"), &r.compute, &err) != GS_OK ||
        gs_engine_create(r.model, r.compute, opt, &r.engine, &err) != GS_OK)
        fail_msg("%s: %s", shape->arch, err.msg);
    return r;
}

static void rig_free(struct rig *r)
{
    gs_engine_free(r->engine);
    gs_compute_free(r->compute);
    gs_model_free(r->model);
    gs_gguf_close(r->file);
}

/* ---- callbacks ---- */

static enum gs_flow on_prefill(void *ud, int64_t done, int64_t total)
{
    struct record *r = ud;

    assert_int_equal(gs_thread_current(), GS_THREAD_ENGINE);
    /* what is stored at first may be gone when memory is reserved */
    assert_true(done < total && (r->n_prefill <= 1 || done > r->last_done));
    r->n_prefill++;
    r->last_done = done;
    atomic_fetch_add(&callbacks, 1);
    if (r->holds && r->n_prefill == 1) {
        sem_post(&r->entered);
        sem_wait(&r->leave);
    }
    if (r->pauses) {
        atomic_fetch_add(&r->n_paused, 1);
        sem_post(&r->entered);
        return GS_FLOW_PAUSE;
    }
    return GS_FLOW_CONTINUE;
}

static enum gs_flow on_token(void *ud, const struct gs_job_token *token)
{
    struct record *r = ud;

    if (r->n_tokens == 0)
        r->first_token_at = atomic_fetch_add(&callbacks, 1);
    if (r->n_tokens == 10)
        r->n_allocs = -gs_alloc_count();
    assert_true(r->n_tokens < MAX_TOKENS);
    r->logprobs[r->n_tokens] = token->logprob;
    r->tokens[r->n_tokens++] = token->id;
    for (size_t i = 1; i < token->n_top; i++)
        assert_true(token->top[i - 1].logprob >= token->top[i].logprob);
    if (token->n_top > 0)
        assert_true(token->top[0].logprob >= token->logprob);
    if (r->n_tokens == r->cancel_after)
        return GS_FLOW_CANCEL;
    if (r->pauses) {
        atomic_fetch_add(&r->n_paused, 1);
        sem_post(&r->entered);
        return GS_FLOW_PAUSE;
    }
    return GS_FLOW_CONTINUE;
}

static void on_end(void *ud, enum gs_job_end end, const struct gs_job_stats *stats,
                   const struct gs_error *err)
{
    struct record *r = ud;

    r->n_ends++;
    r->ended_at = atomic_fetch_add(&callbacks, 1);
    r->end = end;
    r->stats = *stats;
    r->code = err ? err->code : GS_OK;
    r->n_allocs += gs_alloc_count();
    assert_true((end == GS_JOB_END_ERROR) == (err != NULL));
}

/* ---- jobs ---- */

static struct record *record_create(void)
{
    struct record *r = gs_alloc_zero(sizeof(*r));

    assert_non_null(r);
    sem_init(&r->entered, 0, 0);
    sem_init(&r->leave, 0, 0);
    return r;
}

static void record_free(struct record *r)
{
    sem_destroy(&r->entered);
    sem_destroy(&r->leave);
    gs_free(r);
}

/* For another job. */
static void record_reset(struct record *r)
{
    r->n_tokens = 0;
    r->n_prefill = 0;
}

static struct gs_job_options job_options(struct record *r, const int32_t *prompt, size_t n_prompt,
                                         int64_t max_tokens)
{
    struct gs_job_options opt = {
        .prompt = prompt,
        .n_prompt = n_prompt,
        .max_tokens = max_tokens,
        .on = {on_prefill, on_token, on_end, r, NULL},
    };

    gs_sampling_init(&opt.sampling);
    opt.sampling.temperature = 0;
    return opt;
}

static struct gs_job *submit(struct rig *rig, const struct gs_job_options *opt)
{
    struct gs_job *j = NULL;
    struct gs_error err = {0};

    if (gs_engine_submit(rig->engine, opt, &j, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return j;
}

static void make_prompt(int32_t *prompt, size_t n, uint64_t seed)
{
    struct gs_rng rng;

    gs_rng_seed(&rng, seed);
    for (size_t i = 0; i < n; i++)
        prompt[i] = (int32_t)(gs_rng_u64(&rng) % tiny_shapes[0].n_vocab);
}

static void run_alone(struct rig *rig, const struct gs_job_options *opt)
{
    struct gs_job *j = submit(rig, opt);

    gs_job_wait(j);
    gs_job_free(j);
}

/* An engine that stands still until it is let go, so that what is submitted meanwhile arrives
 * together. */
struct holder {
    struct record *r;
    struct gs_job *job;
};

static struct holder hold(struct rig *rig)
{
    static const int32_t one = 1;
    struct holder h = {.r = record_create()};
    const struct gs_job_options opt = job_options(h.r, &one, 1, 1);

    h.r->holds = true;
    h.job = submit(rig, &opt);
    sem_wait(&h.r->entered);
    return h;
}

static void let_go(struct holder *h)
{
    sem_post(&h->r->leave);
    gs_job_free(h->job);
    record_free(h->r);
}

/* ---- tests ---- */

/* Jobs of all kinds give the tokens that each gives alone. */
static void check_together(struct rig *rig, const struct gs_job_options *opts, size_t n)
{
    struct record *alone[16];
    struct record *together[16];
    struct gs_job *jobs[16];

    for (size_t i = 0; i < n; i++) {
        struct gs_job_options opt = opts[i];
        alone[i] = record_create();
        opt.on.ud = alone[i];
        run_alone(rig, &opt);
    }
    struct holder h = hold(rig);
    for (size_t i = 0; i < n; i++) {
        struct gs_job_options opt = opts[i];
        together[i] = record_create();
        opt.on.ud = together[i];
        jobs[i] = submit(rig, &opt);
    }
    let_go(&h);
    for (size_t i = 0; i < n; i++) {
        gs_job_wait(jobs[i]);
        assert_int_equal(together[i]->n_ends, 1);
        assert_int_equal(together[i]->end, alone[i]->end);
        assert_int_equal(together[i]->n_tokens, alone[i]->n_tokens);
        assert_memory_equal(together[i]->tokens, alone[i]->tokens,
                            alone[i]->n_tokens * sizeof(int32_t));
        assert_int_equal(together[i]->stats.answer_tokens, alone[i]->n_tokens);
        assert_int_equal(together[i]->stats.prompt_tokens, opts[i].n_prompt);
        gs_job_free(jobs[i]);
        record_free(alone[i]);
        record_free(together[i]);
    }
}

static void test_together_as_alone(void **state)
{
    static const size_t shapes[] = {0, 3, 5}; /* llama, qwen3 in Q8_0, qwen35 */
    int32_t prompts[16][64];
    struct gs_job_options opts[16];

    (void)state;
    for (size_t s = 0; s < GS_COUNT_OF(shapes); s++) {
        struct rig rig = rig_create(&tiny_shapes[shapes[s]], &few_rows);
        for (size_t i = 0; i < 16; i++) {
            const size_t n_prompt = 1 + i * 4;
            make_prompt(prompts[i], n_prompt, i);
            opts[i] = job_options(NULL, prompts[i], n_prompt, 10 + (int64_t)i);
            opts[i].sampling.temperature = i % 4 == 0 ? 0 : 1.0F;
            opts[i].sampling.top_k = i % 4 == 1 ? 10 : 0;
            opts[i].sampling.top_p = i % 4 == 2 ? 0.9F : 1;
            opts[i].sampling.repeat_penalty = i % 2 ? 1.1F : 1;
            opts[i].sampling.has_seed = true;
            opts[i].sampling.seed = i;
        }
        check_together(&rig, opts, 16);
        rig_free(&rig);
    }
}

/* Memory for about two answers, and five that outgrow what was reserved for them. */
static void test_eviction_changes_no_token(void **state)
{
    const struct gs_engine_options opt = {
        .kv_type = GS_TYPE_F32,
        .batch_tokens = FEW_ROWS,
        .max_sequences = 8,
        .max_waiting = 32,
        .kv_tokens = 1700,
        .ctx_tokens = 1200,
    };
    int32_t prompts[5][40];
    struct gs_job_options opts[5];

    (void)state;
    struct rig rig = rig_create(&tiny_shapes[0], &opt);
    for (size_t i = 0; i < 5; i++) {
        make_prompt(prompts[i], 40, i);
        opts[i] = job_options(NULL, prompts[i], 8 * (i + 1), 560 + 20 * (int64_t)i);
        opts[i].sampling.temperature = 1;
        opts[i].sampling.has_seed = true;
        opts[i].sampling.seed = i;
    }
    check_together(&rig, opts, 5);
    rig_free(&rig);
}

/* A short question that comes after a long one is answered before the long one is even read. */
static void test_long_prompt_starves_nobody(void **state)
{
    int32_t long_prompt[240];
    int32_t short_prompt[4];
    struct record *slow = record_create();
    struct record *fast = record_create();

    (void)state;
    make_prompt(long_prompt, 240, 1);
    make_prompt(short_prompt, 4, 2);
    struct rig rig = rig_create(&tiny_shapes[0], &usual);
    const struct gs_job_options slow_opt = job_options(slow, long_prompt, 240, 2);
    const struct gs_job_options fast_opt = job_options(fast, short_prompt, 4, 4);
    struct holder h = hold(&rig);
    struct gs_job *slow_job = submit(&rig, &slow_opt);
    struct gs_job *fast_job = submit(&rig, &fast_opt);
    let_go(&h);
    gs_job_wait(slow_job);
    gs_job_wait(fast_job);
    assert_true(fast->first_token_at < slow->first_token_at);
    assert_true(slow->n_prefill > 12); /* 240 tokens in slices, shared with four others */
    assert_int_equal(slow->n_tokens, 2);
    gs_job_free(slow_job);
    gs_job_free(fast_job);
    rig_free(&rig);
    record_free(slow);
    record_free(fast);
}

/* A prompt that is only read gives way to an answer that comes later; what is read of it is stored
 * for whoever comes. */
static void test_prompt_read_ahead_gives_way(void **state)
{
    static const size_t shapes[] = {0, 5};
    int32_t long_prompt[240];
    int32_t short_prompt[4];

    (void)state;
    make_prompt(long_prompt, 240, 1);
    make_prompt(short_prompt, 4, 2);
    for (size_t i = 0; i < GS_COUNT_OF(shapes); i++) {
        struct record *ahead = record_create();
        struct record *fast = record_create();
        struct record *same = record_create();
        struct rig rig = rig_create(&tiny_shapes[shapes[i]], &usual);
        struct gs_job_options ahead_opt = job_options(ahead, long_prompt, 230, 0);
        const struct gs_job_options fast_opt = job_options(fast, short_prompt, 4, 20);
        const struct gs_job_options same_opt = job_options(same, long_prompt, 240, 2);
        ahead_opt.prefill_only = true;
        struct holder h = hold(&rig);
        struct gs_job *ahead_job = submit(&rig, &ahead_opt);
        struct gs_job *fast_job = submit(&rig, &fast_opt);
        let_go(&h);
        gs_job_wait(ahead_job);
        gs_job_wait(fast_job);
        assert_true(fast->ended_at < ahead->ended_at);
        assert_int_equal(fast->n_tokens, 20);
        assert_int_equal(ahead->n_tokens, 0);
        assert_int_equal(ahead->end, GS_JOB_END_LENGTH);
        run_alone(&rig, &same_opt);
        assert_int_equal(same->n_tokens, 2);
        assert_int_equal(same->stats.cached_tokens, 230);
        gs_job_free(ahead_job);
        gs_job_free(fast_job);
        rig_free(&rig);
        record_free(ahead);
        record_free(fast);
        record_free(same);
    }
}

static void test_ends(void **state)
{
    int32_t prompt[256];
    struct record *r = record_create();
    struct rig rig = rig_create(&tiny_shapes[0], &usual);
    struct gs_job_options opt = job_options(r, prompt, 10, 30);

    (void)state;
    make_prompt(prompt, 256, 9);
    opt.sampling.temperature = 1;
    opt.sampling.has_seed = true;
    run_alone(&rig, &opt);
    assert_int_equal(r->end, GS_JOB_END_LENGTH);
    assert_int_equal(r->n_tokens, 30);
    assert_true(r->stats.wait_us >= 0 && r->stats.prefill_us >= 0 && r->stats.decode_us >= 0);

    /* a token that has not come before ends the answer, and is not reported */
    size_t at = 29;
    for (size_t i = 0; i < at; i++)
        if (r->tokens[i] == r->tokens[at])
            at--, i = SIZE_MAX;
    const int32_t ends[] = {-5, r->tokens[at]};
    opt.end_tokens = ends;
    opt.n_end_tokens = 2;
    record_reset(r);
    run_alone(&rig, &opt);
    assert_int_equal(r->end, GS_JOB_END_TOKEN);
    assert_int_equal(r->n_tokens, at);
    assert_int_equal(r->stats.answer_tokens, at);

    /* the context is prompt and answer */
    opt = job_options(r, prompt, 200, 0);
    record_reset(r);
    run_alone(&rig, &opt);
    assert_int_equal(r->end, GS_JOB_END_CONTEXT);
    assert_int_equal(r->n_tokens, 56);
    opt = job_options(r, prompt, 256, 100);
    record_reset(r);
    run_alone(&rig, &opt);
    assert_int_equal(r->end, GS_JOB_END_CONTEXT);
    assert_int_equal(r->n_tokens, 1);
    rig_free(&rig);
    record_free(r);
}

static void expect_refusal(struct rig *rig, const struct gs_job_options *opt, enum gs_status code,
                           const char *words)
{
    struct gs_job *j = NULL;
    struct gs_error err = {0};

    assert_int_equal(gs_engine_submit(rig->engine, opt, &j, &err), code);
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.msg, words));
    assert_null(j);
}

static void test_refusals(void **state)
{
    static int32_t prompt[4000];
    struct gs_engine_options small = usual;
    struct gs_error err = {0};
    struct gs_job *j = NULL;
    struct rig rig = rig_create(&tiny_shapes[0], &usual);
    struct gs_job_options opt = job_options(NULL, prompt, 0, 1);

    (void)state;
    expect_refusal(&rig, &opt, GS_EINVAL, "the prompt is empty");
    opt.n_prompt = 257;
    expect_refusal(&rig, &opt, GS_ECONTEXT, "prompt is too long: 257 tokens > 256 maximum");
    assert_int_equal(gs_engine_submit(rig.engine, &opt, &j, &err), GS_ECONTEXT);
    assert_int_equal(err.needed, 257);
    assert_int_equal(err.available, 256);
    assert_non_null(strstr(err.hint, "--ctx"));
    opt.n_prompt = 3;
    prompt[1] = 48;
    expect_refusal(&rig, &opt, GS_EINVAL, "token 48 is not in the vocabulary of 48");
    prompt[1] = -1;
    expect_refusal(&rig, &opt, GS_EINVAL, "token -1");
    prompt[1] = 0;
    opt.sampling.top_p = 2;
    expect_refusal(&rig, &opt, GS_EINVAL, "top_p");
    opt.sampling.top_p = 1;
    opt.n_top_logprobs = 21;
    expect_refusal(&rig, &opt, GS_EINVAL, "top_logprobs");
    opt.n_top_logprobs = 0;
    opt.max_tokens = -1;
    expect_refusal(&rig, &opt, GS_EINVAL, "max_tokens");
    rig_free(&rig);

    small.kv_tokens = 64;
    rig = rig_create(&tiny_shapes[0], &small);
    opt = job_options(NULL, prompt, 200, 1);
    expect_refusal(&rig, &opt, GS_ECONTEXT, "200 tokens");
    rig_free(&rig);
}

static void test_full_queue(void **state)
{
    static const int32_t prompt[] = {1, 2, 3};
    struct gs_engine_options opt = usual;
    struct record *r[3];
    struct gs_job *jobs[3];

    (void)state;
    opt.max_waiting = 4;
    struct rig rig = rig_create(&tiny_shapes[0], &opt);
    struct holder h = hold(&rig); /* it is one of the four until it is admitted */
    for (size_t i = 0; i < 3; i++) {
        r[i] = record_create();
        const struct gs_job_options job = job_options(r[i], prompt, 3, 4);
        jobs[i] = submit(&rig, &job);
    }
    const struct gs_job_options fourth = job_options(NULL, prompt, 3, 4);
    expect_refusal(&rig, &fourth, GS_EBUSY, "too many requests");
    let_go(&h);
    for (size_t i = 0; i < 3; i++) {
        gs_job_wait(jobs[i]);
        assert_int_equal(r[i]->n_tokens, 4);
        gs_job_free(jobs[i]);
    }
    record_reset(r[0]);
    const struct gs_job_options after = job_options(r[0], prompt, 3, 1);
    run_alone(&rig, &after);
    rig_free(&rig);
    for (size_t i = 0; i < 3; i++)
        record_free(r[i]);
}

static void test_cancel(void **state)
{
    int32_t prompt[200];
    struct record *r = record_create();
    struct rig rig = rig_create(&tiny_shapes[0], &usual);
    struct gs_job_options opt = job_options(r, prompt, 20, 100);

    (void)state;
    make_prompt(prompt, 200, 3);
    /* by a callback, after so many tokens exactly */
    r->cancel_after = 7;
    run_alone(&rig, &opt);
    assert_int_equal(r->end, GS_JOB_END_STOPPED);
    assert_int_equal(r->n_tokens, 7);
    record_free(r);

    /* while it waits, and while it runs, by another thread: nothing comes afterwards */
    for (size_t n_prompt = 20; n_prompt <= 200; n_prompt += 180) {
        r = record_create();
        r->holds = true;
        opt = job_options(r, prompt, n_prompt, 100);
        struct gs_job *j = submit(&rig, &opt);
        sem_wait(&r->entered);
        gs_job_cancel(j);
        sem_post(&r->leave);
        gs_job_wait(j);
        assert_int_equal(r->end, GS_JOB_END_STOPPED);
        assert_int_equal(r->n_ends, 1);
        assert_int_equal(r->n_prefill, 1);
        assert_int_equal(r->n_tokens, 0);
        gs_job_cancel(j);
        gs_job_resume(j);
        gs_job_free(j);
        record_free(r);
    }

    /* at any moment */
    for (int i = 0; i < 50; i++) {
        r = record_create();
        opt = job_options(r, prompt, 1 + 3 * (size_t)i, 100);
        struct gs_job *j = submit(&rig, &opt);
        for (int k = 0; k < i; k++)
            sched_yield();
        gs_job_free(j);
        assert_int_equal(r->n_ends, 1);
        record_free(r);
    }
    rig_free(&rig);
    gs_job_free(NULL);
}

/* A paused job stands still while others go on, and a resume lets exactly one callback come. */
static void test_pause(void **state)
{
    int32_t prompt[40];
    struct record *still = record_create();
    struct record *other = record_create();
    struct rig rig = rig_create(&tiny_shapes[0], &usual);

    (void)state;
    make_prompt(prompt, 40, 4);
    still->pauses = true;
    const struct gs_job_options still_opt = job_options(still, prompt, 40, 6);
    struct gs_job *j = submit(&rig, &still_opt);
    for (int n = 1; n <= 9; n++) { /* at 0, 16 and 32 of 40 tokens, then 6 tokens */
        sem_wait(&still->entered);
        const struct gs_job_options other_opt = job_options(other, prompt + 20, 10, 5);
        record_reset(other);
        run_alone(&rig, &other_opt);
        assert_int_equal(other->n_tokens, 5);
        assert_int_equal(atomic_load(&still->n_paused), n);
        assert_int_equal(still->n_ends, 0); /* not even the end comes while paused */
        gs_job_resume(j);
    }
    gs_job_wait(j);
    assert_int_equal(still->n_tokens, 6);
    assert_int_equal(still->end, GS_JOB_END_LENGTH);
    gs_job_free(j);

    /* a paused job can be cancelled */
    record_free(still);
    still = record_create();
    still->pauses = true;
    const struct gs_job_options again = job_options(still, prompt, 40, 6);
    j = submit(&rig, &again);
    sem_wait(&still->entered);
    gs_job_free(j);
    assert_int_equal(still->end, GS_JOB_END_STOPPED);
    rig_free(&rig);
    record_free(still);
    record_free(other);
}

/* What a paused job holds, memory or the only sequence, is there for one that gets on; it goes on
 * later where it was. */
static void check_pause_gives_way(struct gs_engine_options opt)
{
    int32_t prompt[40];
    int32_t long_prompt[80];
    struct record *alone = record_create();
    struct record *still = record_create();
    struct record *other = record_create();
    struct rig rig = rig_create(&tiny_shapes[0], &few_rows);

    make_prompt(prompt, 40, 4);
    make_prompt(long_prompt, 80, 5);
    const struct gs_job_options alone_opt = job_options(alone, prompt, 40, 6);
    run_alone(&rig, &alone_opt);
    rig_free(&rig);

    rig = rig_create(&tiny_shapes[0], &opt);
    still->pauses = true;
    const struct gs_job_options still_opt = job_options(still, prompt, 40, 6);
    struct gs_job *j = submit(&rig, &still_opt);
    for (int n = 1; n <= 6; n++) { /* five times in the prompt, then with two tokens */
        sem_wait(&still->entered);
        gs_job_resume(j);
    }
    sem_wait(&still->entered);
    assert_int_equal(still->n_tokens, 2);
    const struct gs_job_options other_opt = job_options(other, long_prompt, 80, 20);
    run_alone(&rig, &other_opt);
    assert_int_equal(other->n_tokens, 20);
    assert_int_equal(still->n_ends, 0);
    for (int n = 3; n <= 6; n++) {
        gs_job_resume(j);
        sem_wait(&still->entered);
    }
    gs_job_resume(j);
    gs_job_wait(j);
    gs_job_free(j);
    assert_int_equal(still->n_tokens, 6);
    assert_memory_equal(still->tokens, alone->tokens, 6 * sizeof(alone->tokens[0]));
    rig_free(&rig);
    record_free(alone);
    record_free(still);
    record_free(other);
}

static void test_pause_gives_way(void **state)
{
    struct gs_engine_options one = few_rows;
    struct gs_engine_options small = few_rows;

    (void)state;
    one.max_sequences = 1;
    check_pause_gives_way(one);
    small.kv_tokens = 128;
    check_pause_gives_way(small);
}

static void test_closing_ends_all(void **state)
{
    static const int32_t prompt[] = {1, 2, 3};
    struct record *r[12];
    struct gs_job *jobs[12];

    (void)state;
    struct rig rig = rig_create(&tiny_shapes[0], &usual);
    for (size_t i = 0; i < 12; i++) { /* eight run, four wait */
        r[i] = record_create();
        r[i]->pauses = i % 3 == 0;
        const struct gs_job_options opt = job_options(r[i], prompt, 3, 200);
        jobs[i] = submit(&rig, &opt);
    }
    rig_free(&rig);
    for (size_t i = 0; i < 12; i++) { /* jobs may be released after their engine */
        assert_int_equal(r[i]->n_ends, 1);
        assert_true(r[i]->end == GS_JOB_END_STOPPED || r[i]->end == GS_JOB_END_LENGTH);
        gs_job_resume(jobs[i]);
        gs_job_free(jobs[i]);
        record_free(r[i]);
    }
}

static void test_logprobs(void **state)
{
    static const int32_t prompt[] = {4, 5};
    struct record *r = record_create();
    struct rig rig = rig_create(&tiny_shapes[0], &usual);
    struct gs_job_options opt = job_options(r, prompt, 2, 20);

    (void)state;
    opt.logprobs = true;
    opt.n_top_logprobs = 20;
    run_alone(&rig, &opt);
    assert_int_equal(r->n_tokens, 20);
    for (size_t i = 0; i < 20; i++)
        assert_true(r->logprobs[i] <= 0 && r->logprobs[i] > -20);
    rig_free(&rig);
    record_free(r);
}

/* ---- what is stored ---- */

static struct record *answer_to(struct rig *rig, const int32_t *prompt, size_t n_prompt,
                                size_t mark, int64_t max_tokens)
{
    struct record *r = record_create();
    struct gs_job_options opt = job_options(r, prompt, n_prompt, max_tokens);

    opt.marks = &mark;
    opt.n_marks = mark > 0;
    opt.logprobs = true;
    run_alone(rig, &opt);
    assert_int_equal(r->end, GS_JOB_END_LENGTH);
    return r;
}

/* A conversation is computed once: the next turn begins with the prompt and answer before it; with
 * a recurrent state another answer to the same begins at the last mark. */
static void test_cached_tokens(void **state)
{
    static const size_t shapes[] = {0, 5};
    int32_t prompt[256];

    (void)state;
    for (size_t s = 0; s < GS_COUNT_OF(shapes); s++) {
        struct rig rig = rig_create(&tiny_shapes[shapes[s]], &usual);
        make_prompt(prompt, 256, s);
        struct record *first = answer_to(&rig, prompt, 150, 140, 20);
        assert_int_equal(first->stats.cached_tokens, 0);
        struct record *again = answer_to(&rig, prompt, 150, 140, 20);
        assert_int_equal(again->stats.cached_tokens, s == 0 ? 149 : 140);
        assert_memory_equal(again->tokens, first->tokens, 20 * sizeof(int32_t));
        memcpy(prompt + 150, first->tokens, 20 * sizeof(int32_t));
        struct record *next = answer_to(&rig, prompt, 200, 0, 5);
        assert_int_equal(next->stats.cached_tokens, 169); /* the last was not computed */
        prompt[145]++;
        prompt[145] %= 48;
        struct record *other = answer_to(&rig, prompt, 200, 0, 5);
        assert_int_equal(other->stats.cached_tokens, s == 0 ? 145 : 140);
        record_free(first);
        record_free(again);
        record_free(next);
        record_free(other);
        rig_free(&rig);
    }
}

/* Several answers to one prompt that come together: it is read once. */
static void test_prompt_is_read_once(void **state)
{
    static const size_t shapes[] = {0, 5};
    int32_t prompt[240];
    struct record *r[5];
    struct gs_job *jobs[5];
    const size_t mark = 230;

    (void)state;
    for (size_t s = 0; s < GS_COUNT_OF(shapes); s++) {
        struct rig rig = rig_create(&tiny_shapes[shapes[s]], &usual);
        make_prompt(prompt, 240, s);
        struct holder h = hold(&rig);
        for (size_t i = 0; i < 5; i++) {
            r[i] = record_create();
            struct gs_job_options opt = job_options(r[i], prompt, 240, 10);
            opt.marks = &mark;
            opt.n_marks = 1;
            if (i == 4) { /* another question, which need not wait */
                opt.prompt = prompt + 100;
                opt.n_prompt = 20;
            }
            jobs[i] = submit(&rig, &opt);
        }
        let_go(&h);
        for (size_t i = 0; i < 5; i++) {
            gs_job_wait(jobs[i]);
            assert_int_equal(r[i]->end, GS_JOB_END_LENGTH);
            assert_int_equal(r[i]->stats.cached_tokens, i == 0 || i == 4 ? 0 : s == 0 ? 239 : 230);
        }
        assert_true(r[4]->first_token_at < r[0]->first_token_at);
        for (size_t i = 0; i < 5; i++) {
            gs_job_free(jobs[i]);
            record_free(r[i]);
        }
        rig_free(&rig);
    }
}

/* Also a prompt so long that parts of it are stored before all is read. */
static void test_long_prompt_is_read_once(void **state)
{
    struct gs_engine_options opt = usual;
    int32_t prompt[1400];
    struct record *r[3];
    struct gs_job *jobs[3];

    (void)state;
    opt.batch_tokens = 64;
    opt.ctx_tokens = 2048;
    opt.kv_tokens = 8192;
    struct rig rig = rig_create(&tiny_shapes[0], &opt);
    make_prompt(prompt, 1400, 1);
    struct holder h = hold(&rig);
    for (size_t i = 0; i < 3; i++) {
        r[i] = record_create();
        const struct gs_job_options job = job_options(r[i], prompt, 1400, 5);
        jobs[i] = submit(&rig, &job);
    }
    let_go(&h);
    for (size_t i = 0; i < 3; i++) {
        gs_job_wait(jobs[i]);
        assert_int_equal(r[i]->stats.cached_tokens, i == 0 ? 0 : 1399);
        gs_job_free(jobs[i]);
        record_free(r[i]);
    }
    rig_free(&rig);
}

/* Of a long prompt others wait only for the part that they share. */
static void test_wait_is_for_what_is_shared(void **state)
{
    struct gs_engine_options opt = usual;
    int32_t whole[1000];
    int32_t half[610];
    struct record *slow = record_create();
    struct record *fast = record_create();

    (void)state;
    opt.batch_tokens = 64;
    opt.kv_tokens = 4096;
    opt.ctx_tokens = 1200;
    make_prompt(whole, 1000, 1);
    make_prompt(half, 610, 2);
    memcpy(half, whole, 600 * sizeof(int32_t));
    half[600] = (whole[600] + 1) % 48;
    struct rig rig = rig_create(&tiny_shapes[0], &opt);
    const struct gs_job_options slow_opt = job_options(slow, whole, 1000, 2);
    const struct gs_job_options fast_opt = job_options(fast, half, 610, 2);
    struct holder h = hold(&rig);
    struct gs_job *slow_job = submit(&rig, &slow_opt);
    struct gs_job *fast_job = submit(&rig, &fast_opt);
    let_go(&h);
    gs_job_wait(slow_job);
    gs_job_wait(fast_job);
    assert_int_equal(slow->stats.cached_tokens, 0);
    assert_in_range(fast->stats.cached_tokens, 512, 600); /* it is stored piece by piece */
    assert_true(fast->first_token_at < slow->first_token_at);
    gs_job_free(slow_job);
    gs_job_free(fast_job);
    rig_free(&rig);
    record_free(slow);
    record_free(fast);
}

/* Whenever a job is cancelled, in the middle of a step or between two, what others find stored is
 * right. */
static void test_cancel_spoils_nothing(void **state)
{
    static const size_t shapes[] = {0, 15, 5, 18}; /* llama, gemma3, qwen35, deepseek2 */
    struct gs_engine_options opt = usual;
    int32_t prompt[240];
    const size_t marks[] = {70, 140, 210};

    (void)state;
    opt.batch_tokens = 64;
    for (size_t s = 0; s < GS_COUNT_OF(shapes); s++) {
        struct rig fresh = rig_create(&tiny_shapes[shapes[s]], &opt);
        struct rig rig = rig_create(&tiny_shapes[shapes[s]], &opt);
        make_prompt(prompt, 240, s);
        struct record *expected = answer_to(&fresh, prompt, 240, 0, 1);
        for (int i = 0; i < 40; i++) {
            struct record *r = record_create();
            struct gs_job_options job = job_options(r, prompt, 120 + 3 * (size_t)i, 30);
            job.marks = marks;
            job.n_marks = 3;
            struct gs_job *j = submit(&rig, &job);
            for (int k = 0; k < 20 * i; k++)
                sched_yield();
            gs_job_free(j);
            record_free(r);
        }
        struct record *found = answer_to(&rig, prompt, 240, 0, 1);
        assert_int_equal(found->tokens[0], expected->tokens[0]);
        assert_float_equal(found->logprobs[0], expected->logprobs[0], 1e-3);
        record_free(found);
        record_free(expected);
        rig_free(&rig);
        rig_free(&fresh);
    }
}

/* What was read of a prompt when its job was cancelled need not be read again. */
static void test_cancelled_prompt_is_kept(void **state)
{
    int32_t prompt[240];
    struct record *r = record_create();
    struct rig rig = rig_create(&tiny_shapes[0], &usual);
    const struct gs_job_options opt = job_options(r, prompt, 240, 10);

    (void)state;
    make_prompt(prompt, 240, 1);
    r->pauses = true;
    struct gs_job *j = submit(&rig, &opt);
    for (int i = 0; i < 5; i++) { /* 0, 16, 32, 48, 64 tokens */
        sem_wait(&r->entered);
        if (i < 4)
            gs_job_resume(j);
    }
    gs_job_free(j);
    assert_int_equal(r->last_done, 64);
    struct record *again = answer_to(&rig, prompt, 240, 0, 1);
    assert_int_equal(again->stats.cached_tokens, 64);
    record_free(again);
    record_free(r);
    rig_free(&rig);
}

/* Tokens cost no allocation; any allocation that fails fails the request alone. */
static void test_allocations(void **state)
{
    static const int32_t prompt[] = {1, 2, 3};
    struct record *r = record_create();
    struct rig rig = rig_create(&tiny_shapes[0], &usual);
    const struct gs_job_options opt = job_options(r, prompt, 3, 100);
    int failures = 0;

    (void)state;
    gs_alloc_fail_at(0);
    run_alone(&rig, &opt);
    assert_int_equal(r->n_allocs, 0);
    for (long n = 1;; n++) {
        struct gs_job *j = NULL;
        record_reset(r);
        gs_alloc_fail_at(n);
        const enum gs_status st = gs_engine_submit(rig.engine, &opt, &j, NULL);
        gs_alloc_fail_at(0);
        gs_job_free(j);
        if (st == GS_OK)
            break;
        assert_int_equal(st, GS_ENOMEM);
        failures++;
    }
    assert_true(failures > 0);
    gs_engine_free(rig.engine);
    rig.engine = NULL;
    for (long n = 1;; n++) {
        gs_alloc_fail_at(n);
        const enum gs_status st =
            gs_engine_create(rig.model, rig.compute, &usual, &rig.engine, NULL);
        gs_alloc_fail_at(0);
        if (st == GS_OK)
            break;
        assert_int_equal(st, GS_ENOMEM);
        assert_null(rig.engine);
    }
    rig_free(&rig);
    record_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_together_as_alone),
        cmocka_unit_test(test_eviction_changes_no_token),
        cmocka_unit_test(test_long_prompt_starves_nobody),
        cmocka_unit_test(test_prompt_read_ahead_gives_way),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_pause_gives_way),
        cmocka_unit_test(test_closing_ends_all),
        cmocka_unit_test(test_logprobs),
        cmocka_unit_test(test_cached_tokens),
        cmocka_unit_test(test_prompt_is_read_once),
        cmocka_unit_test(test_long_prompt_is_read_once),
        cmocka_unit_test(test_wait_is_for_what_is_shared),
        cmocka_unit_test(test_cancel_spoils_nothing),
        cmocka_unit_test(test_cancelled_prompt_is_kept),
        cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
