/* Computing: however a text is cut into forwards, whoever shares the batch and however many lanes
 * there are, the logits are the same. */
#include "cmocka_headers.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/os.h"
#include "compute/lane.h"
#include "compute/ops.h"
#include "gguf/gguf.h"
#include "model/exec.h"
#include "model/model.h"
#include "tiny_gguf.h"

#define N_TOKENS 80

/* An executor over a tiny model, with everything under it. */
struct rig {
    struct gs_gguf *file;
    struct gs_model *model;
    struct gs_compute *pool;
    struct gs_exec *exec;
    uint32_t n_vocab;
};

static const struct gs_exec_options usual = {
    .kv_type = GS_TYPE_F32,
    .batch_rows = 2 * N_TOKENS,
    .output_rows = 2 * N_TOKENS,
    .max_sequences = 3,
    .kv_tokens = 3 * N_TOKENS,
    .ctx_tokens = 96,
};

static struct rig rig_create_edited(const struct tiny_shape *shape, int n_threads,
                                    const struct gs_exec_options *opt, const struct tiny_edit *edit)
{
    struct rig r = {.file = tiny_open(shape, edit, edit ? 1 : 0)};
    struct gs_error err = {0};

    assert_non_null(r.file);
    if (gs_model_load(r.file, &r.model, &err) != GS_OK ||
        gs_compute_create(n_threads, getenv("GENSET_CPU"), &r.pool, &err) != GS_OK ||
        gs_exec_create(r.model, r.pool, opt, &r.exec, &err) != GS_OK)
        fail_msg("%s: %s", shape->arch, err.msg);
    r.n_vocab = shape->n_vocab;
    return r;
}

static struct rig rig_create(const struct tiny_shape *shape, int n_threads,
                             const struct gs_exec_options *opt)
{
    return rig_create_edited(shape, n_threads, opt, NULL);
}

static void rig_free(struct rig *r)
{
    gs_exec_free(r->exec);
    gs_compute_free(r->pool);
    gs_model_free(r->model);
    gs_gguf_close(r->file);
}

static struct gs_seq *start(struct rig *r, uint64_t n_tokens)
{
    struct gs_seq *s = NULL;
    struct gs_error err = {0};

    if (gs_seq_create(r->exec, n_tokens, &s, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return s;
}

static const float *forward(struct rig *r, const struct gs_run *runs, size_t n)
{
    const float *logits = NULL;
    struct gs_error err = {0};

    if (gs_exec_forward(r->exec, runs, n, &logits, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return logits;
}

static void make_tokens(int32_t tokens[N_TOKENS], uint64_t seed, uint32_t n_vocab)
{
    struct gs_rng rng;

    gs_rng_seed(&rng, seed);
    for (size_t i = 0; i < N_TOKENS; i++)
        tokens[i] = (int32_t)(gs_rng_u64(&rng) % n_vocab);
}

/* All logits of the tokens on a fresh sequence, fed `chunk` at a time; the caller's to free. */
static float *logits_in_chunks(struct rig *r, const int32_t *tokens, uint32_t chunk)
{
    float *all = gs_alloc_array((size_t)N_TOKENS * r->n_vocab, sizeof(float));
    struct gs_seq *s = start(r, N_TOKENS);

    assert_non_null(all);
    for (uint32_t at = 0; at < N_TOKENS; at += chunk) {
        const uint32_t n = GS_MIN(chunk, N_TOKENS - at);
        const float *part = forward(r, &(struct gs_run){s, tokens + at, n, n, 0}, 1);
        memcpy(all + (size_t)at * r->n_vocab, part, (size_t)n * r->n_vocab * sizeof(float));
    }
    assert_int_equal(gs_seq_len(s), N_TOKENS);
    gs_seq_free(s);
    return all;
}

static double relative_error(const float *a, const float *b, size_t n)
{
    double diff = 0;
    double norm = 0;

    for (size_t i = 0; i < n; i++) {
        diff += pow((double)a[i] - (double)b[i], 2);
        norm += pow((double)b[i], 2);
    }
    return sqrt(diff / norm);
}

/* Steps of few rows and of many are rounded in two ways. Within one, chunks change next to nothing;
 * between the two, a last bit may tip the rounding of a quantised activation (Q8_0 weights) or of a
 * GELU that is read from a table (gemma). */
#define FEW_ROWS 8

static double most_between(const struct tiny_shape *s)
{
    return s->type == GS_TYPE_Q8_0 ? 1e-2 : tiny_is_gemma(s) ? 1e-3 : 1e-5;
}

static void check_chunks(struct rig *r, const struct tiny_shape *s, const int32_t *tokens,
                         const float *expected, uint32_t chunk, double most)
{
    float *parts = logits_in_chunks(r, tokens, chunk);
    const double e = relative_error(parts, expected, (size_t)N_TOKENS * r->n_vocab);

    if (!(e < most))
        fail_msg("%s in chunks of %u: error %g", s->arch, chunk, e);
    gs_free(parts);
}

static void test_chunks(void **state)
{
    static const uint32_t few[] = {1, 3, 7};
    static const uint32_t many[] = {31, 32, 33, 63};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++) {
        const struct tiny_shape *s = &tiny_shapes[i];
        struct rig r = rig_create(s, 2, &usual);
        int32_t tokens[N_TOKENS];

        make_tokens(tokens, i, r.n_vocab);
        float *whole = logits_in_chunks(&r, tokens, N_TOKENS);
        float *slow = logits_in_chunks(&r, tokens, FEW_ROWS);
        assert_true(isfinite(whole[0]));
        for (size_t c = 0; c < GS_COUNT_OF(few); c++)
            check_chunks(&r, s, tokens, slow, few[c], 1e-5);
        for (size_t c = 0; c < GS_COUNT_OF(many); c++) /* the last one may be of few rows */
            check_chunks(&r, s, tokens, whole, many[c], most_between(s));
        check_chunks(&r, s, tokens, whole, FEW_ROWS, most_between(s));
        gs_free(slow);
        gs_free(whole);
        rig_free(&r);
    }
}

/* Two texts at different paces in one batch, a third that only waits. */
static void test_batch_of_sequences(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++) {
        struct rig r = rig_create(&tiny_shapes[i], 2, &usual);
        int32_t a_tokens[N_TOKENS];
        int32_t b_tokens[N_TOKENS];

        make_tokens(a_tokens, 1, r.n_vocab);
        make_tokens(b_tokens, 2, r.n_vocab);
        float *a_alone = logits_in_chunks(&r, a_tokens, FEW_ROWS);
        float *b_alone = logits_in_chunks(&r, b_tokens, FEW_ROWS);
        struct gs_seq *a = start(&r, N_TOKENS);
        struct gs_seq *b = start(&r, N_TOKENS);
        struct gs_seq *idle = start(&r, 5);
        for (uint32_t step = 0; step < 20; step++) {
            const struct gs_run runs[] = {
                {a, a_tokens + step, 1, 1, 0},
                {idle, NULL, 0, 0, 0},
                {b, b_tokens + 4 * (size_t)step, 4, 2, 0},
            };
            const float *logits = forward(&r, runs, GS_COUNT_OF(runs));
            assert_true(relative_error(logits, a_alone + (size_t)step * r.n_vocab, r.n_vocab) <
                        1e-5);
            assert_true(relative_error(logits + r.n_vocab,
                                       b_alone + (4 * (size_t)step + 2) * r.n_vocab,
                                       2 * (size_t)r.n_vocab) < 1e-5);
        }
        assert_int_equal(gs_seq_len(idle), 0);
        gs_seq_free(a);
        gs_seq_free(b);
        gs_seq_free(idle);
        gs_free(a_alone);
        gs_free(b_alone);
        rig_free(&r);
    }
}

static void test_lanes_are_bit_equal(void **state)
{
    static const int lanes[] = {2, 3, 4};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++) {
        struct rig one = rig_create(&tiny_shapes[i], 1, &usual);
        int32_t tokens[N_TOKENS];

        make_tokens(tokens, i, one.n_vocab);
        float *expected = logits_in_chunks(&one, tokens, 33);
        for (size_t l = 0; l < GS_COUNT_OF(lanes); l++) {
            struct rig many = rig_create(&tiny_shapes[i], lanes[l], &usual);
            float *found = logits_in_chunks(&many, tokens, 33);
            assert_memory_equal(found, expected, (size_t)N_TOKENS * one.n_vocab * sizeof(float));
            gs_free(found);
            rig_free(&many);
        }
        gs_free(expected);
        rig_free(&one);
    }
}

/* Of models with exact weights; a rounded key may still choose another expert. */
static void test_cache_types(void **state)
{
    static const struct {
        enum gs_type type;
        double limit;
    } types[] = {{GS_TYPE_F16, 1e-2}, {GS_TYPE_Q8_0, 6e-2}};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++) {
        if (tiny_shapes[i].type != GS_TYPE_F32)
            continue;
        struct rig exact = rig_create(&tiny_shapes[i], 2, &usual);
        int32_t tokens[N_TOKENS];

        make_tokens(tokens, i, exact.n_vocab);
        float *expected = logits_in_chunks(&exact, tokens, 7);
        for (size_t t = 0; t < GS_COUNT_OF(types); t++) {
            struct gs_exec_options opt = usual;
            opt.kv_type = types[t].type;
            if (tiny_shapes[i].head_dim % gs_type_block_len(opt.kv_type) != 0)
                continue;
            assert_true(gs_exec_kv_bytes_per_token(exact.model, opt.kv_type) <=
                        gs_exec_kv_bytes_per_token(exact.model, GS_TYPE_F32));
            struct rig r = rig_create(&tiny_shapes[i], 2, &opt);
            float *found = logits_in_chunks(&r, tokens, 7);
            const double e = relative_error(found, expected, (size_t)N_TOKENS * r.n_vocab);
            if (!(e < types[t].limit))
                fail_msg("%s, %s: error %g", tiny_shapes[i].arch, gs_type_name(opt.kv_type), e);
            gs_free(found);
            rig_free(&r);
        }
        gs_free(expected);
        rig_free(&exact);
    }
}

/* Tokens that were forgotten leave no trace; a state cannot be cut. */
static void test_truncate(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++) {
        struct rig r = rig_create(&tiny_shapes[i], 1, &usual);
        const bool recurrent = gs_model_params(r.model)->is_recurrent;
        int32_t tokens[N_TOKENS];
        int32_t other[N_TOKENS];

        make_tokens(tokens, 1, r.n_vocab);
        make_tokens(other, 2, r.n_vocab);
        float *expected = logits_in_chunks(&r, tokens, N_TOKENS);
        struct gs_seq *s = start(&r, N_TOKENS);
        forward(&r, &(struct gs_run){s, tokens, 40, 0, 0}, 1);
        forward(&r, &(struct gs_run){s, other, 30, 0, 0}, 1);
        assert_true(gs_seq_truncate(s, 100));
        assert_int_equal(gs_seq_len(s), 70);
        const uint32_t keep = recurrent ? 0 : 40;
        assert_int_equal(gs_seq_truncate(s, 40), !recurrent);
        assert_int_equal(gs_seq_len(s), recurrent ? 70 : 40);
        assert_true(gs_seq_truncate(s, keep));
        const uint32_t n = N_TOKENS - keep;
        const float *logits = forward(&r, &(struct gs_run){s, tokens + keep, n, n, 0}, 1);
        assert_true(relative_error(logits, expected + (size_t)keep * r.n_vocab,
                                   (size_t)n * r.n_vocab) < 1e-5);
        gs_seq_free(s);
        gs_free(expected);
        rig_free(&r);
    }
}

/* However little is held of a window, logits are those of a full cache; its memory does not grow
 * with the context, and a sequence goes back as far as it is held. */
static void test_windows(void **state)
{
    struct gs_exec_options small = usual;
    int32_t tokens[N_TOKENS];

    (void)state;
    small.batch_rows = small.output_rows = 8;
    make_tokens(tokens, 3, 48);
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++) {
        struct rig full = rig_create(&tiny_shapes[i], 2, &usual);
        struct rig ring = rig_create(&tiny_shapes[i], 2, &small);
        struct gs_exec_options longer = small;

        if (gs_exec_window_bytes(full.model, &usual) == 0) {
            rig_free(&full);
            rig_free(&ring);
            continue;
        }
        longer.ctx_tokens = (uint64_t)1 << 20;
        assert_true(gs_exec_window_bytes(ring.model, &small) <
                    gs_exec_window_bytes(full.model, &usual));
        assert_int_equal(gs_exec_window_bytes(ring.model, &small),
                         gs_exec_window_bytes(ring.model, &longer));
        float *expected = logits_in_chunks(&full, tokens, 8);
        float *found = logits_in_chunks(&ring, tokens, 8);
        assert_memory_equal(found, expected, (size_t)N_TOKENS * full.n_vocab * sizeof(float));

        struct gs_seq *s = start(&ring, N_TOKENS);
        for (uint32_t at = 0; at < N_TOKENS; at += 8)
            forward(&ring, &(struct gs_run){s, tokens + at, 8, 0, 0}, 1);
        assert_false(gs_seq_truncate(s, 10));
        assert_int_equal(gs_seq_len(s), N_TOKENS);
        assert_true(gs_seq_truncate(s, N_TOKENS - 8));
        const float *again = forward(&ring, &(struct gs_run){s, tokens + N_TOKENS - 8, 8, 8, 0}, 1);
        assert_memory_equal(again, expected + (size_t)(N_TOKENS - 8) * full.n_vocab,
                            (size_t)8 * full.n_vocab * sizeof(float));
        assert_true(gs_seq_truncate(s, 0));
        forward(&ring, &(struct gs_run){s, tokens, 8, 0, 0}, 1);
        assert_true(gs_seq_truncate(s, 3));
        gs_seq_free(s);
        gs_free(expected);
        gs_free(found);
        rig_free(&full);
        rig_free(&ring);
    }
}

static void test_reservations(void **state)
{
    struct gs_exec_options opt = usual;
    struct gs_seq *a = NULL;
    struct gs_seq *b = NULL;
    struct gs_error err = {0};

    (void)state;
    opt.kv_tokens = 130; /* 5 pages */
    opt.ctx_tokens = 128;
    opt.max_sequences = 2;
    struct rig r = rig_create(&tiny_shapes[0], 1, &opt);
    assert_int_equal(gs_exec_free_tokens(r.exec), 160);
    assert_int_equal(gs_seq_create(r.exec, 129, &a, &err), GS_ECONTEXT);
    assert_int_equal(err.needed, 129);
    assert_int_equal(err.available, 128);
    assert_null(a);

    a = start(&r, 33);
    assert_int_equal(gs_exec_free_tokens(r.exec), 96);
    assert_int_equal(gs_seq_create(r.exec, 97, &b, &err), GS_ENOMEM);
    assert_int_equal(err.needed, 97);
    assert_int_equal(err.available, 96);
    b = start(&r, 0);
    assert_int_equal(gs_seq_reserve(b, 96, &err), GS_OK);
    assert_int_equal(gs_seq_reserve(b, 10, &err), GS_OK); /* never shrinks */
    assert_int_equal(gs_exec_free_tokens(r.exec), 0);
    assert_int_equal(gs_seq_reserve(a, 64, &err), GS_OK); /* within its last page */
    assert_int_equal(gs_seq_reserve(a, 65, &err), GS_ENOMEM);
    assert_int_equal(err.available, 64);

    struct gs_seq *c = NULL;
    assert_int_equal(gs_seq_create(r.exec, 0, &c, &err), GS_ENOMEM);
    assert_string_equal(err.msg, "all 2 sequences are in use");
    gs_seq_free(b);
    assert_int_equal(gs_exec_free_tokens(r.exec), 96);
    c = start(&r, 96);
    gs_seq_free(c);
    gs_seq_free(a);
    assert_int_equal(gs_exec_free_tokens(r.exec), 160);
    rig_free(&r);
}

/* A refused batch changes nothing. */
static void test_bad_batches(void **state)
{
    struct gs_exec_options opt = usual;
    struct gs_error err = {0};
    const float *logits = NULL;
    int32_t tokens[N_TOKENS];

    (void)state;
    opt.batch_rows = 8;
    opt.output_rows = 4;
    struct rig r = rig_create(&tiny_shapes[5], 1, &opt);
    make_tokens(tokens, 1, r.n_vocab);
    struct gs_seq *a = start(&r, 10);
    struct gs_seq *b = start(&r, 10);
    const int32_t bad[] = {3, 48};
    const int32_t negative[] = {-1};
    const struct {
        struct gs_run runs[2];
        enum gs_status st;
    } cases[] = {
        {{{a, tokens, 9, 1, 0}, {b, tokens, 0, 0, 0}}, GS_EINVAL},   /* rows */
        {{{a, tokens, 4, 4, 0}, {b, tokens, 1, 1, 0}}, GS_EINVAL},   /* outputs */
        {{{a, tokens, 2, 3, 0}, {b, tokens, 1, 1, 0}}, GS_EINVAL},   /* more logits than tokens */
        {{{a, tokens, 2, 1, 0}, {a, tokens, 1, 1, 0}}, GS_EINVAL},   /* twice */
        {{{a, tokens, 2, 1, 0}, {b, bad, 2, 1, 0}}, GS_EINVAL},      /* vocabulary */
        {{{a, tokens, 2, 1, 0}, {b, negative, 1, 1, 0}}, GS_EINVAL}, /* vocabulary */
        {{{a, tokens, 2, 1, 0}, {b, tokens, 11, 1, 0}}, GS_ELIMIT},  /* reservation */
    };
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        assert_int_equal(gs_exec_forward(r.exec, cases[i].runs, 2, &logits, &err), cases[i].st);
        assert_int_equal(gs_seq_len(a), 0);
        assert_int_equal(gs_seq_len(b), 0);
        assert_null(logits);
    }
    assert_int_equal(err.needed, 11);
    assert_int_equal(err.available, 10);
    assert_int_equal(gs_exec_forward(r.exec, NULL, 0, &logits, &err), GS_OK);
    forward(&r, (const struct gs_run[]){{a, tokens, 4, 2, 0}, {b, tokens, 4, 2, 0}}, 2);
    assert_int_equal(gs_seq_len(a), 4);
    gs_seq_free(a);
    gs_seq_free(b);
    rig_free(&r);
}

static void test_bad_options(void **state)
{
    const struct {
        size_t field; /* offset of a uint32_t, or of kv_type */
        uint32_t value;
        enum gs_status st;
    } cases[] = {
        {offsetof(struct gs_exec_options, kv_type), GS_TYPE_Q4_0, GS_EINVAL},
        {offsetof(struct gs_exec_options, kv_type), GS_TYPE_Q8_0, GS_EINVAL}, /* heads of 16 */
        {offsetof(struct gs_exec_options, batch_rows), 0, GS_EINVAL},
        {offsetof(struct gs_exec_options, batch_rows), UINT32_MAX, GS_EINVAL},
        {offsetof(struct gs_exec_options, output_rows), 0, GS_EINVAL},
        {offsetof(struct gs_exec_options, max_sequences), 0, GS_EINVAL},
        {offsetof(struct gs_exec_options, max_sequences), 65, GS_EINVAL},
        {offsetof(struct gs_exec_options, kv_tokens), 0, GS_EINVAL},
        {offsetof(struct gs_exec_options, ctx_tokens), 0, GS_EINVAL},
        {offsetof(struct gs_exec_options, kv_tokens), UINT32_MAX, GS_ENOMEM},
    };
    struct rig r = rig_create(&tiny_shapes[0], 1, &usual);
    struct gs_error err = {0};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct gs_exec_options opt = usual;
        struct gs_exec *e = NULL;
        memcpy((char *)&opt + cases[i].field, &cases[i].value, sizeof(uint32_t));
        assert_int_equal(gs_exec_create(r.model, r.pool, &opt, &e, &err), cases[i].st);
        assert_null(e);
    }
    assert_true(err.needed > err.available && err.available > 0);
    rig_free(&r);
}

/* Gives up at the n-th layer. */
static bool count_down(void *ud)
{
    int *n = ud;

    return --*n <= 0;
}

/* A step that is given up leaves sequences as they were; but a state has gone on half-way. */
static void test_giving_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++) {
        struct rig r = rig_create(&tiny_shapes[i], 1 + (int)i % 3, &usual);
        const bool recurrent = gs_model_params(r.model)->is_recurrent;
        struct gs_error err = {0};
        const float *logits = NULL;
        int32_t tokens[N_TOKENS];
        int n = 1;

        make_tokens(tokens, i, r.n_vocab);
        float *expected = logits_in_chunks(&r, tokens, 40);
        struct gs_seq *s = start(&r, N_TOKENS);
        forward(&r, &(struct gs_run){s, tokens, 40, 0, 0}, 1);
        gs_exec_on_layer(r.exec, count_down, &n);
        assert_int_equal(
            gs_exec_forward(r.exec, &(struct gs_run){s, tokens + 40, 40, 40, 0}, 1, &logits, &err),
            GS_ECANCELLED);
        assert_null(logits);
        n = 1000; /* more than there are layers */
        if (recurrent) {
            assert_int_equal(gs_seq_len(s), 0);
            assert_int_equal(gs_seq_reserve(s, N_TOKENS, &err), GS_OK);
            forward(&r, &(struct gs_run){s, tokens, 40, 0, 0}, 1);
        }
        assert_int_equal(gs_seq_len(s), 40);
        logits = forward(&r, &(struct gs_run){s, tokens + 40, 40, 40, 0}, 1);
        assert_memory_equal(logits, expected + (size_t)40 * r.n_vocab,
                            (size_t)40 * r.n_vocab * sizeof(float));
        assert_true(n < 1000);
        gs_seq_free(s);
        gs_free(expected);
        rig_free(&r);
    }
}

/* Freed pages and slots are used again, and an empty sequence never sees what was in them. */
static void test_memory_is_reused(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++) {
        struct gs_exec_options opt = usual;
        int32_t tokens[N_TOKENS];

        opt.max_sequences = 1;
        opt.kv_tokens = N_TOKENS;
        struct rig r = rig_create(&tiny_shapes[i], 1, &opt);
        make_tokens(tokens, 1, r.n_vocab);
        float *first = logits_in_chunks(&r, tokens, 40);
        float *again = logits_in_chunks(&r, tokens, 40);
        assert_memory_equal(first, again, (size_t)N_TOKENS * r.n_vocab * sizeof(float));
        gs_free(first);
        gs_free(again);
        rig_free(&r);
    }
}

/* A forward allocates nothing. */
static void test_no_allocation(void **state)
{
    int32_t tokens[N_TOKENS];

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++) {
        struct rig r = rig_create(&tiny_shapes[i], 2, &usual);
        struct gs_seq *s = start(&r, N_TOKENS);

        make_tokens(tokens, 1, r.n_vocab);
        gs_alloc_fail_at(0);
        forward(&r, &(struct gs_run){s, tokens, 50, 50, 0}, 1);
        forward(&r, &(struct gs_run){s, tokens, 1, 1, 0}, 1);
        assert_int_equal(gs_alloc_count(), 0);
        gs_seq_free(s);
        rig_free(&r);
    }
}

/* What a file may leave out counts when it is there: with its neutral value nothing changes, with
 * another one everything does. */
static void test_optional_parts(void **state)
{
    static const struct {
        const char *name;
        float neutral, other;
    } parts[] = {
        {"blk.0.attn_q.bias", 0, 0.5f},      {"blk.0.attn_k.bias", 0, 0.5f},
        {"blk.0.attn_v.bias", 0, 0.5f},      {"blk.0.attn_output.bias", 0, 0.5f},
        {"blk.1.ffn_gate.bias", 0, 0.5f},    {"blk.1.ffn_up.bias", 0, 0.5f},
        {"blk.1.ffn_down.bias", 0, 0.5f},    {"attention.scale", 0.25f, 0.5f},
        {"rope.scaling.factor", 1.0f, 4.0f},
    };
    struct rig plain = rig_create(&tiny_shapes[0], 1, &usual);
    const size_t n_bytes = (size_t)N_TOKENS * plain.n_vocab * sizeof(float);
    int32_t tokens[N_TOKENS];

    (void)state;
    make_tokens(tokens, 1, plain.n_vocab);
    float *expected = logits_in_chunks(&plain, tokens, N_TOKENS);
    for (size_t i = 0; i < GS_COUNT_OF(parts); i++) {
        for (int changed = 0; changed < 2; changed++) {
            const struct tiny_edit edit = {.name = parts[i].name,
                                           .action = TINY_F32,
                                           .f32 = changed ? parts[i].other : parts[i].neutral};
            struct rig r = rig_create_edited(&tiny_shapes[0], 1, &usual, &edit);
            float *found = logits_in_chunks(&r, tokens, N_TOKENS);
            if ((memcmp(found, expected, n_bytes) != 0) != changed)
                fail_msg("%s: %g", edit.name, (double)edit.f32);
            gs_free(found);
            rig_free(&r);
        }
    }
    gs_free(expected);
    rig_free(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_batch_of_sequences),
        cmocka_unit_test(test_lanes_are_bit_equal),
        cmocka_unit_test(test_cache_types),
        cmocka_unit_test(test_truncate),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_reservations),
        cmocka_unit_test(test_bad_batches),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_giving_up),
        cmocka_unit_test(test_memory_is_reused),
        cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_optional_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
