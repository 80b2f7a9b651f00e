/* Many jobs at once that share beginnings, pause, are cancelled and outgrow a small memory: what
 * each was given is what the model says of its prompt alone, and all memory comes back. Steps have
 * few rows, which are computed in one way whoever shares them; so tokens are equal to the bit. */
#include "cmocka_headers.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "compute/lane.h"
#include "compute/ops.h"
#include "engine/engine.h"
#include "gguf/gguf.h"
#include "model/exec.h"
#include "model/model.h"
#include "tiny_gguf.h"

#define FEW_ROWS   8
#define N_TEXTS    12
#define MAX_PROMPT 200
#define MAX_ANSWER 600
#define N_SLOTS    8
#define N_JOBS     60

struct text {
    int32_t tokens[MAX_PROMPT + MAX_ANSWER]; /* the prompt, and what the model says */
    size_t n_prompt;
    size_t n_answer;
};

struct rig {
    struct gs_gguf *file;
    struct gs_model *model;
    struct gs_compute *compute;
    struct gs_engine *engine;
    struct text texts[N_TEXTS];
    struct gs_rng rng;
};

/* What happens to a job is drawn before it begins; its callbacks run on the engine's thread. */
struct slot {
    const struct text *text;
    struct gs_job *job; /* NULL: free */
    sem_t *events;
    struct gs_rng rng;
    unsigned pauses; /* one of so many callbacks does; 0: none */
    size_t cancel_after;
    size_t n_answer;
    size_t n_max;
    bool is_stopped; /* from outside */
    atomic_bool is_paused;
    atomic_bool has_ended;
    enum gs_job_end end;
};

/* ---- callbacks ---- */

static enum gs_flow maybe_pause(struct slot *s)
{
    if (s->pauses == 0 || gs_rng_u64(&s->rng) % s->pauses != 0)
        return GS_FLOW_CONTINUE;
    atomic_store(&s->is_paused, true);
    sem_post(s->events);
    return GS_FLOW_PAUSE;
}

static enum gs_flow on_prefill(void *ud, int64_t done, int64_t total)
{
    assert_true(done < total);
    return maybe_pause(ud);
}

static enum gs_flow on_token(void *ud, const struct gs_job_token *token)
{
    struct slot *s = ud;

    assert_false(atomic_load(&s->is_paused));
    assert_true(s->n_answer < s->n_max);
    if (token->id != s->text->tokens[s->text->n_prompt + s->n_answer])
        fail_msg("token %zu after %zu: %d", s->n_answer, s->text->n_prompt, token->id);
    s->n_answer++;
    return s->n_answer == s->cancel_after ? GS_FLOW_CANCEL : maybe_pause(s);
}

static void on_end(void *ud, enum gs_job_end end, const struct gs_job_stats *stats,
                   const struct gs_error *err)
{
    struct slot *s = ud;

    if (err)
        fail_msg("%s: prompt of %zu, after %zu", err->msg, s->text->n_prompt, s->n_answer);
    assert_int_equal(stats->answer_tokens, s->n_answer);
    s->end = end;
    atomic_store(&s->has_ended, true);
    sem_post(s->events);
}

/* ---- texts ---- */

/* What the model says alone, greedily. */
static void ask_model(struct rig *r, const struct gs_engine_options *opt, struct text *t)
{
    const struct gs_exec_options exec_opt = {.kv_type = opt->kv_type,
                                             .batch_rows = FEW_ROWS,
                                             .output_rows = 1,
                                             .max_sequences = 1,
                                             .kv_tokens = MAX_PROMPT + MAX_ANSWER,
                                             .ctx_tokens = MAX_PROMPT + MAX_ANSWER};
    const uint32_t n_vocab = gs_model_params(r->model)->n_vocab;
    const size_t n = t->n_prompt + t->n_answer;
    struct gs_exec *e = NULL;
    struct gs_seq *s = NULL;
    struct gs_error err = {0};
    const float *logits;

    if (gs_exec_create(r->model, r->compute, &exec_opt, &e, &err) != GS_OK ||
        gs_seq_create(e, n, &s, &err) != GS_OK)
        fail_msg("%s", err.msg);
    for (size_t at = 0, end = t->n_prompt; end < n;) {
        const uint32_t step = (uint32_t)GS_MIN(end - at, (size_t)FEW_ROWS);
        const struct gs_run run = {s, t->tokens + at, step, 1, 0};
        size_t best = 0;
        assert_int_equal(gs_exec_forward(e, &run, 1, &logits, &err), GS_OK);
        at += step;
        for (size_t i = 1; i < n_vocab; i++)
            best = logits[i] > logits[best] ? i : best;
        if (at == end)
            t->tokens[end++] = (int32_t)best;
    }
    gs_seq_free(s);
    gs_exec_free(e);
}

/* Each goes along with an earlier one for a while. The first two have long answers, unless the
 * model's recurrent state, with its random weights, would overflow. */
static void make_texts(struct rig *r, const struct gs_engine_options *opt)
{
    const size_t longest = gs_model_params(r->model)->is_recurrent ? 40 : MAX_ANSWER;

    for (size_t i = 0; i < N_TEXTS; i++) {
        struct text *t = &r->texts[i];
        const struct text *other = &r->texts[i > 0 ? gs_rng_u64(&r->rng) % i : 0];
        const size_t said = other->n_prompt + other->n_answer;
        const size_t most = GS_MIN(gs_rng_u64(&r->rng) % 170, said);
        t->n_prompt = most + 1 + gs_rng_u64(&r->rng) % 30;
        t->n_answer = i < 2 ? longest : 1 + gs_rng_u64(&r->rng) % 40;
        for (size_t k = 0; k < t->n_prompt; k++)
            t->tokens[k] = k < most ? other->tokens[k] : (int32_t)(gs_rng_u64(&r->rng) % 40);
        ask_model(r, opt, t);
    }
}

/* ---- jobs ---- */

static void begin(struct rig *r, struct slot *s, sem_t *events)
{
    const struct text *t = &r->texts[gs_rng_u64(&r->rng) % N_TEXTS];
    const size_t marks[] = {t->n_prompt / 3, t->n_prompt / 3 * 2};
    struct gs_error err = {0};

    *s = (struct slot){.text = t, .events = events};
    gs_rng_seed(&s->rng, gs_rng_u64(&r->rng));
    s->pauses = gs_rng_u64(&r->rng) % 2 ? 1 + (unsigned)(gs_rng_u64(&r->rng) % 30) : 0;
    s->cancel_after = gs_rng_u64(&r->rng) % 4 == 0 ? 1 + gs_rng_u64(&r->rng) % t->n_answer : 0;
    s->n_max = gs_rng_u64(&r->rng) % 4 == 0 ? 1 : t->n_answer;
    struct gs_job_options opt = {
        .prompt = t->tokens,
        .n_prompt = t->n_prompt,
        .max_tokens = (int64_t)s->n_max,
        .marks = marks,
        .n_marks = GS_COUNT_OF(marks),
        .on = {on_prefill, on_token, on_end, s, NULL},
    };
    gs_sampling_init(&opt.sampling);
    opt.sampling.temperature = 0;
    if (gs_engine_submit(r->engine, &opt, &s->job, &err) != GS_OK)
        fail_msg("%s", err.msg);
}

static void finish(struct slot *s)
{
    const bool may_stop = s->is_stopped || s->cancel_after > 0;

    gs_job_free(s->job);
    s->job = NULL;
    assert_true(s->end == GS_JOB_END_LENGTH || (s->end == GS_JOB_END_STOPPED && may_stop));
    assert_true(s->end == GS_JOB_END_STOPPED || s->n_answer == s->n_max);
}

static void resume_paused(struct slot *slots)
{
    for (size_t i = 0; i < N_SLOTS; i++)
        if (slots[i].job && atomic_exchange(&slots[i].is_paused, false))
            gs_job_resume(slots[i].job);
}

/* Paused jobs go on when nothing else does, or by chance. */
static void run_jobs(struct rig *r)
{
    static struct slot slots[N_SLOTS];
    size_t n_begun = 0;
    size_t n_ended = 0;
    sem_t events;

    sem_init(&events, 0, 0);
    while (n_ended < N_JOBS) {
        for (size_t i = 0; i < N_SLOTS; i++) {
            struct slot *s = &slots[i];
            if (s->job && atomic_load(&s->has_ended)) {
                finish(s);
                n_ended++;
            }
            if (!s->job && n_begun < N_JOBS) {
                begin(r, s, &events);
                n_begun++;
            } else if (s->job && gs_rng_u64(&r->rng) % 100 == 0) {
                s->is_stopped = true;
                gs_job_cancel(s->job);
            }
        }
        if (n_ended == N_JOBS)
            break;
        if (gs_rng_u64(&r->rng) % 8 == 0)
            resume_paused(slots);
        if (sem_trywait(&events) != 0) {
            resume_paused(slots);
            sem_wait(&events);
        }
    }
    sem_destroy(&events);
}

/* All of the memory is one job's. */
static void check_memory(struct rig *r, const struct gs_engine_options *opt)
{
    struct gs_error err = {0};
    sem_t events;
    struct text all = {.n_prompt = 1};
    struct slot s = {.text = &all, .events = &events, .n_max = 1, .cancel_after = 1};
    int32_t *prompt = gs_alloc_array((size_t)opt->kv_tokens, sizeof(*prompt));
    struct gs_job_options job = {.prompt = prompt,
                                 .n_prompt = (size_t)opt->kv_tokens,
                                 .max_tokens = 1,
                                 .on = {on_prefill, on_token, on_end, &s, NULL}};

    assert_non_null(prompt);
    sem_init(&events, 0, 0);
    for (size_t i = 0; i < job.n_prompt; i++)
        prompt[i] = (int32_t)(i * i % 47);
    memcpy(prompt, r->texts[0].tokens, 64 * sizeof(*prompt));
    gs_sampling_init(&job.sampling);
    job.sampling.temperature = 0;
    job.sampling.logit_bias = &(struct gs_logit_bias){.token = 3, .bias = 1e6F};
    job.sampling.n_logit_bias = 1;
    all.tokens[1] = 3;
    if (gs_engine_submit(r->engine, &job, &s.job, &err) != GS_OK)
        fail_msg("%s", err.msg);
    gs_job_wait(s.job);
    assert_int_equal(s.n_answer, 1);
    gs_job_free(s.job);
    sem_destroy(&events);
    gs_free(prompt);
}

static void stress(const struct tiny_shape *shape, int n_lanes, uint64_t n_tokens, uint64_t seed)
{
    static struct rig r;
    const struct gs_engine_options opt = {
        .kv_type = GS_TYPE_F32,
        .batch_tokens = FEW_ROWS,
        .max_sequences = (uint32_t)seed,
        .max_waiting = N_SLOTS,
        .kv_tokens = n_tokens,
        .ctx_tokens = n_tokens,
    };
    struct gs_error err = {0};

    r = (struct rig){.file = tiny_open(shape, NULL, 0)};
    gs_rng_seed(&r.rng, seed);
    assert_non_null(r.file);
    if (gs_model_load(r.file, &r.model, &err) != GS_OK ||
        gs_compute_create(n_lanes, getenv("GENSET_CPU"), &r.compute, &err) != GS_OK ||
        gs_engine_create(r.model, r.compute, &opt, &r.engine, &err) != GS_OK)
        fail_msg("%s: %s", shape->arch, err.msg);
    make_texts(&r, &opt);
    run_jobs(&r);
    check_memory(&r, &opt);
    gs_engine_free(r.engine);
    gs_compute_free(r.compute);
    gs_model_free(r.model);
    gs_gguf_close(r.file);
}

static void test_stress(void **state)
{
    static const struct {
        size_t shape;
        uint64_t n_tokens;
        int n_lanes;
    } cases[] = {{0, 1280, 2}, {5, 300, 1}, {5, 300, 2}, {15, 1280, 1}, {18, 1280, 2}};

    (void)state; /* llama, qwen35, gemma3, deepseek2; more tokens overflow the state of qwen35 */
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++)
        stress(&tiny_shapes[cases[i].shape], cases[i].n_lanes, cases[i].n_tokens, i + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stress)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
