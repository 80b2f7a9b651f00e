/* The prefix store against a list of everything that was stored, what is computed on top of it
 * against the same computed afresh, and all memory back in the end. */
#include "cmocka_headers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/os.h"
#include "compute/lane.h"
#include "compute/ops.h"
#include "engine/prefix.h"
#include "gguf/gguf.h"
#include "model/exec.h"
#include "model/model.h"
#include "tiny_gguf.h"

#define MAX_LEN  160
#define MAX_KEPT 400

struct rig {
    struct gs_gguf *file;
    struct gs_model *model;
    struct gs_compute *pool;
    struct gs_exec *exec;
    struct gs_prefix *prefix;
    uint64_t n_pages;
    uint32_t n_vocab;
};

struct text {
    int32_t tokens[MAX_LEN];
    size_t n;
};

static const struct gs_exec_options usual = {
    .kv_type = GS_TYPE_F32,
    .batch_rows = 16,
    .output_rows = 16,
    .max_sequences = 3,
    .kv_tokens = 40000,
    .ctx_tokens = MAX_LEN,
};

static struct rig rig_create(const struct tiny_shape *shape, uint64_t kv_tokens)
{
    struct rig r = {.file = tiny_open(shape, NULL, 0), .n_vocab = shape->n_vocab};
    struct gs_exec_options opt = usual;
    struct gs_error err = {0};

    opt.kv_tokens = kv_tokens;
    assert_non_null(r.file);
    if (gs_model_load(r.file, &r.model, &err) != GS_OK ||
        gs_compute_create(1, getenv("GENSET_CPU"), &r.pool, &err) != GS_OK ||
        gs_exec_create(r.model, r.pool, &opt, &r.exec, &err) != GS_OK ||
        gs_prefix_create(r.exec, &r.prefix, &err) != GS_OK)
        fail_msg("%s: %s", shape->arch, err.msg);
    r.n_pages = gs_exec_free_pages(r.exec);
    return r;
}

static void rig_free(struct rig *r)
{
    while (gs_prefix_evict(r->prefix))
        ;
    assert_int_equal(gs_exec_free_pages(r->exec), r->n_pages);
    assert_int_equal(gs_exec_spare_pages(r->exec), r->n_pages);
    gs_prefix_free(r->prefix);
    gs_exec_free(r->exec);
    gs_compute_free(r->pool);
    gs_model_free(r->model);
    gs_gguf_close(r->file);
}

/* Compute up to n tokens; the logits of the last. */
static const float *compute(struct rig *r, struct gs_seq *s, const struct text *t, size_t n)
{
    const float *logits = NULL;
    struct gs_error err = {0};

    while (gs_seq_len(s) < n) {
        const size_t at = (size_t)gs_seq_len(s);
        const uint32_t step = (uint32_t)GS_MIN(n - at, 16);
        if (gs_exec_forward(r->exec, &(struct gs_run){s, t->tokens + at, step, 1, 0}, 1, &logits,
                            &err) != GS_OK)
            fail_msg("%s", err.msg);
    }
    return logits;
}

/* A sequence with memory for all of t that begins with what is stored; *out_found tokens are. */
static struct gs_seq *begin(struct rig *r, const struct text *t, size_t *out_found)
{
    const struct gs_prefix_match m = gs_prefix_find(r->prefix, t->tokens, t->n - 1);
    struct gs_seq *s = NULL;
    struct gs_error err = {0};

    assert_int_equal(gs_seq_create(r->exec, 0, &s, &err), GS_OK);
    if (m.n_tokens > 0)
        gs_prefix_resume(r->prefix, &m, s);
    gs_prefix_make_room(r->prefix, gs_seq_lacks(s, t->n));
    if (gs_seq_reserve(s, t->n, &err) != GS_OK)
        fail_msg("%s", err.msg);
    *out_found = m.n_tokens;
    return s;
}

static void store(struct rig *r, const struct text *t, size_t *out_found)
{
    struct gs_seq *s = begin(r, t, out_found);

    compute(r, s, t, t->n);
    gs_prefix_keep(r->prefix, s, t->tokens, GS_PREFIX_LAST);
    gs_seq_free(s);
}

/* A text that goes along with another for a while and then its own way, over few tokens, so that
 * ways meet again. */
static void make_text(struct text *t, const struct text *others, size_t n_others,
                      struct gs_rng *rng)
{
    const size_t n_same = n_others > 0 ? gs_rng_u64(rng) % 100 : 0;
    const struct text *other = n_others > 0 ? &others[gs_rng_u64(rng) % n_others] : NULL;

    t->n = 0;
    for (; other && t->n < GS_MIN(n_same, other->n); t->n++)
        t->tokens[t->n] = other->tokens[t->n];
    for (size_t n = 1 + gs_rng_u64(rng) % 60; n > 0; n--)
        t->tokens[t->n++] = (int32_t)(gs_rng_u64(rng) % 2);
}

/* What a list would find. */
static size_t find_in_list(const struct text *kept, size_t n_kept, const struct text *t, bool whole)
{
    size_t best = 0;

    for (size_t i = 0; i < n_kept; i++) {
        const size_t most = GS_MIN(kept[i].n, t->n - 1);
        size_t same = 0;
        while (same < most && kept[i].tokens[same] == t->tokens[same])
            same++;
        if (same > best && (!whole || same == kept[i].n))
            best = same;
    }
    return best;
}

static void check_like_a_list(const struct tiny_shape *shape, uint64_t kv_tokens, bool is_exact)
{
    static struct text kept[MAX_KEPT];
    struct rig r = rig_create(shape, kv_tokens);
    const bool whole = gs_exec_needs_snapshots(r.exec);
    size_t n_hits = 0;
    struct gs_rng rng;

    gs_rng_seed(&rng, 7);
    for (size_t i = 0; i < MAX_KEPT; i++) {
        size_t found;
        make_text(&kept[i], kept, i, &rng);
        const size_t expected = find_in_list(kept, i, &kept[i], whole);
        store(&r, &kept[i], &found);
        if (found > expected || (is_exact && found < expected))
            fail_msg("%s, text %zu: found %zu of %zu", shape->arch, i, found, expected);
        n_hits += found > 0;
    }
    assert_true(n_hits > 0 && (!is_exact || n_hits > MAX_KEPT / 2));
    rig_free(&r);
}

static void test_like_a_list(void **state)
{
    (void)state;
    check_like_a_list(&tiny_shapes[0], 40000, true);  /* llama */
    check_like_a_list(&tiny_shapes[5], 400000, true); /* qwen35 */
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++)
        if (strcmp(tiny_shapes[i].arch, "gemma3") == 0)
            check_like_a_list(&tiny_shapes[i], 400000, true);
}

/* With memory for a few texts only, nothing is found that was not stored. */
static void test_short_of_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++)
        check_like_a_list(&tiny_shapes[i], 500, false);
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

/* The logits after t on top of what is stored are those of t computed afresh. */
static void check_equal(struct rig *r, const struct tiny_shape *shape, const struct text *t,
                        size_t expected_found)
{
    const size_t n_bytes = r->n_vocab * sizeof(float);
    float *expected = gs_alloc(n_bytes);
    struct gs_seq *s = NULL;
    size_t found;

    assert_non_null(expected);
    assert_int_equal(gs_seq_create(r->exec, t->n, &s, NULL), GS_OK);
    memcpy(expected, compute(r, s, t, t->n), n_bytes);
    gs_seq_free(s);
    s = begin(r, t, &found);
    assert_int_equal(found, expected_found);
    const double e = relative_error(compute(r, s, t, t->n), expected, r->n_vocab);
    if (!(e < (shape->type == GS_TYPE_Q8_0 ? 2e-2 : 1e-3)))
        fail_msg("%s: %zu of %zu stored: error %g", shape->arch, found, t->n, e);
    gs_seq_free(s);
    gs_free(expected);
}

/* One sequence is stored at 40 tokens, goes on to 70 and is stored again; others begin with it
 * meanwhile and afterwards. */
static void test_same_logits(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++) {
        struct rig r = rig_create(&tiny_shapes[i], 40000);
        const bool whole = gs_exec_needs_snapshots(r.exec);
        struct text first = {.n = 70};
        struct text other;
        struct text longer;
        struct gs_rng rng;
        size_t found;

        gs_rng_seed(&rng, i);
        for (size_t k = 0; k < MAX_LEN; k++)
            first.tokens[k] = (int32_t)(gs_rng_u64(&rng) % r.n_vocab);
        longer = first;
        longer.n = 100;
        other = longer;
        other.tokens[50] ^= 1;

        struct gs_seq *s = begin(&r, &first, &found);
        compute(&r, s, &first, 40);
        gs_prefix_keep(r.prefix, s, first.tokens, 0);
        check_equal(&r, &tiny_shapes[i], &other, 40);
        compute(&r, s, &first, 70);
        gs_prefix_keep(r.prefix, s, first.tokens, GS_PREFIX_LAST);
        gs_seq_free(s);
        check_equal(&r, &tiny_shapes[i], &other, whole ? 40 : 50);
        check_equal(&r, &tiny_shapes[i], &longer, 70);
        check_equal(&r, &tiny_shapes[i], &first, whole ? 40 : 69);
        store(&r, &other, &found);
        check_equal(&r, &tiny_shapes[i], &longer, 70);
        rig_free(&r);
    }
}

/* What was used again outlives many that were used once; and nobody's memory is taken who runs. */
static void test_side_requests(void **state)
{
    static const size_t shapes[] = {0, 5};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(shapes); i++) {
        struct rig r = rig_create(&tiny_shapes[shapes[i]], 2000);
        struct text talk = {.n = 100};
        struct text side = {.n = 60};
        size_t found;

        for (size_t k = 0; k < MAX_LEN; k++)
            talk.tokens[k] = (int32_t)(k % 40);
        store(&r, &talk, &found);
        talk.n = 130;
        store(&r, &talk, &found);
        assert_int_equal(found, 100);
        struct gs_seq *s = begin(&r, &talk, &found); /* and runs */
        for (int32_t n = 0; n < 100; n++) {
            side.tokens[0] = n % 48;
            side.tokens[1] = n / 48;
            store(&r, &side, &found);
        }
        talk.n = 140;
        const struct gs_prefix_match m = gs_prefix_find(r.prefix, talk.tokens, talk.n);
        assert_int_equal(m.n_tokens, i == 0 ? 130 : 100);
        gs_seq_free(s);
        rig_free(&r);
    }
}

/* A conversation that goes on, turn by turn, keeps its last turn although many others come between
 * two of its own. */
static void test_conversation_goes_on(void **state)
{
    static const size_t shapes[] = {0, 5, 15}; /* llama, qwen35, gemma3 */

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(shapes); i++) {
        struct rig r = rig_create(&tiny_shapes[shapes[i]], 1200);
        struct text talk = {.n = 40};
        struct text side = {.n = 60};
        unsigned flags = 0;

        for (size_t k = 0; k < MAX_LEN; k++)
            talk.tokens[k] = (int32_t)(k % 40);
        for (; talk.n <= MAX_LEN; talk.n += 20) {
            const struct gs_prefix_match m = gs_prefix_find(r.prefix, talk.tokens, talk.n - 1);
            size_t found;
            assert_int_equal(m.n_tokens, talk.n > 40 ? talk.n - 20 : 0);
            flags |= m.is_end ? GS_PREFIX_AGAIN : 0;
            struct gs_seq *s = begin(&r, &talk, &found);
            compute(&r, s, &talk, talk.n);
            gs_prefix_keep(r.prefix, s, talk.tokens, GS_PREFIX_LAST | flags);
            gs_seq_free(s);
            for (int32_t n = 0; n < (flags ? 60 : 0); n++) {
                side.tokens[0] = n % 48;
                side.tokens[1] = (int32_t)(talk.n / 20);
                side.tokens[2] = n / 48;
                store(&r, &side, &found);
            }
        }
        assert_int_equal(flags, GS_PREFIX_AGAIN);
        rig_free(&r);
    }
}

/* Snapshots are paid for; a page of a window that several hold is paid for once. */
static void test_prices(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++) {
        struct rig r = rig_create(&tiny_shapes[i], 40000);
        const bool recurrent = gs_model_params(r.model)->is_recurrent;
        struct text t = {.n = 80};
        size_t found;

        struct gs_seq *s = begin(&r, &t, &found);
        compute(&r, s, &t, 70);
        const uint64_t before = gs_exec_free_pages(r.exec);
        gs_prefix_keep(r.prefix, s, t.tokens, 0);
        const uint64_t after_one = gs_exec_free_pages(r.exec);
        for (size_t n = 71; n <= 80; n++) {
            compute(&r, s, &t, n);
            gs_prefix_keep(r.prefix, s, t.tokens, 0);
        }
        assert_int_equal(after_one < before, gs_exec_needs_snapshots(r.exec));
        assert_int_equal(gs_exec_free_pages(r.exec) < after_one, recurrent);
        gs_seq_free(s);
        rig_free(&r);
    }
}

/* Storing and finding allocate nothing; creating fails cleanly. */
static void test_allocations(void **state)
{
    struct rig r = rig_create(&tiny_shapes[5], 2000);
    struct text t = {.n = 100};
    size_t found;

    (void)state;
    struct gs_seq *s = begin(&r, &t, &found);
    gs_alloc_fail_at(0);
    compute(&r, s, &t, 100);
    gs_prefix_keep(r.prefix, s, t.tokens, 0);
    gs_prefix_find(r.prefix, t.tokens, 100);
    assert_int_equal(gs_alloc_count(), 0);
    gs_seq_free(s);
    for (long n = 1;; n++) {
        struct gs_prefix *p = NULL;
        struct gs_error err = {0};
        gs_alloc_fail_at(n);
        const enum gs_status st = gs_prefix_create(r.exec, &p, &err);
        gs_alloc_fail_at(0);
        gs_prefix_free(p);
        if (st == GS_OK)
            break;
        assert_int_equal(st, GS_ENOMEM);
        assert_int_equal(err.code, GS_ENOMEM);
    }
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_a_list),          cmocka_unit_test(test_short_of_memory),
        cmocka_unit_test(test_same_logits),          cmocka_unit_test(test_side_requests),
        cmocka_unit_test(test_conversation_goes_on), cmocka_unit_test(test_prices),
        cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
