/* The sampler against plain reference computations: sort everything, filter, count. */
#include "cmocka_headers.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/sampler.h"

#define N_VOCAB 200

struct ref {
    double p;
    float logit;
    int32_t id;
};

static struct gs_kernels kernels;
static struct gs_sampler *sampler;

static int set_up(void **state)
{
    (void)state;
    gs_kernels_init(&kernels, gs_cpu_best((enum gs_cpu_level)(GS_CPU_LIMIT - 1)));
    return gs_sampler_create(N_VOCAB, &kernels, &sampler, NULL) == GS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    gs_sampler_free(sampler);
    return 0;
}

static int by_logit(const void *a, const void *b)
{
    const struct ref *x = a;
    const struct ref *y = b;

    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

static double ref_surprise_gap(const struct ref *r, double entropy)
{
    return fabs(-log(r->p) - entropy);
}

static void normalise(struct ref *r, size_t n, double temperature)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += exp((double)(r[i].logit - r[0].logit) / temperature);
    for (size_t i = 0; i < n; i++)
        r[i].p = exp((double)(r[i].logit - r[0].logit) / temperature) / sum;
}

static size_t ref_typical(struct ref *r, size_t n, double typical_p)
{
    double entropy = 0;
    double mass = 0;
    size_t kept = 0;
    bool taken[N_VOCAB] = {false};

    for (size_t i = 0; i < n; i++)
        entropy -= r[i].p * log(r[i].p);
    while (mass < typical_p && kept < n) {
        size_t best = SIZE_MAX;
        for (size_t i = 0; i < n; i++)
            if (!taken[i] && (best == SIZE_MAX || ref_surprise_gap(&r[i], entropy) <
                                                      ref_surprise_gap(&r[best], entropy)))
                best = i;
        taken[best] = true;
        mass += r[best].p;
        kept++;
    }
    kept = 0;
    for (size_t i = 0; i < n; i++)
        if (taken[i])
            r[kept++] = r[i];
    return kept;
}

/* The distribution the settings leave: out[id] = probability. */
static void reference(const struct gs_sampling *how, const float *logits, double out[N_VOCAB])
{
    struct ref r[N_VOCAB];
    size_t n = N_VOCAB;
    double mass = 0;

    for (size_t i = 0; i < N_VOCAB; i++)
        r[i] = (struct ref){0, logits[i], (int32_t)i};
    qsort(r, n, sizeof(r[0]), by_logit);
    if (how->top_k > 0 && (size_t)how->top_k < n)
        n = (size_t)how->top_k;
    normalise(r, n, 1);
    if (how->typical_p < 1) {
        n = ref_typical(r, n, (double)how->typical_p);
        normalise(r, n, 1);
    }
    if (how->top_p < 1) {
        size_t kept = 0;
        while (kept < n && (kept == 0 || mass < (double)how->top_p))
            mass += r[kept++].p;
        n = kept;
        normalise(r, n, 1);
    }
    while (n > 1 && r[n - 1].p < (double)how->min_p * r[0].p)
        n--;
    normalise(r, n, (double)how->temperature);
    memset(out, 0, N_VOCAB * sizeof(out[0]));
    for (size_t i = 0; i < n; i++)
        out[r[i].id] = r[i].p;
}

static void random_logits(float *logits, uint64_t seed, double spread)
{
    struct gs_rng rng;

    gs_rng_seed(&rng, seed);
    for (size_t i = 0; i < N_VOCAB; i++)
        logits[i] = (float)(gs_rng_normal(&rng) * spread);
}

static int32_t draw(const struct gs_sampling *how, const float *logits, struct gs_rng *rng)
{
    int32_t id = -1;
    struct gs_error err = {0};

    if (gs_sampler_draw(sampler, how, logits, NULL, NULL, 0, rng, &id, &err) != GS_OK)
        fail_msg("%s", err.msg);
    assert_in_range(id, 0, N_VOCAB - 1);
    return id;
}

/* 8,000 draws: every token of the reference's support and no other, in its proportion. */
static void check_distribution(const struct gs_sampling *how, const float *logits)
{
    enum { DRAWS = 8000 };
    double expected[N_VOCAB];
    int count[N_VOCAB] = {0};
    struct gs_rng rng;

    reference(how, logits, expected);
    gs_rng_seed(&rng, 11);
    for (int i = 0; i < DRAWS; i++)
        count[draw(how, logits, &rng)]++;
    for (size_t i = 0; i < N_VOCAB; i++) {
        const double mean = expected[i] * DRAWS;
        if (expected[i] == 0)
            assert_int_equal(count[i], 0);
        /* six standard deviations, and room for the Poisson tail of rare tokens */
        assert_true(fabs(count[i] - mean) <= 6 * sqrt(mean) + 6);
    }
}

static void test_filters(void **state)
{
    static const struct {
        int32_t top_k;
        float top_p, min_p, typical_p, temperature;
        double spread;
    } cases[] = {
        {0, 1, 0, 1, 1, 2},
        {1, 1, 0, 1, 1, 2},
        {7, 1, 0, 1, 1, 2},
        {N_VOCAB, 1, 0, 1, 1, 2},
        {1000, 1, 0, 1, 0.5F, 2},
        {0, 0.9F, 0, 1, 1, 2},
        {0, 0.5F, 0, 1, 2, 3},
        {0, 0, 0, 1, 1, 2},
        {0, 1, 0.1F, 1, 1, 2},
        {0, 1, 1, 1, 1, 2},
        {0, 1, 0, 0.3F, 1, 2},
        {0, 1, 0, 0.95F, 0.7F, 3},
        {40, 0.95F, 0.05F, 1, 0.8F, 2},
        {50, 0.9F, 0.02F, 0.9F, 1.3F, 1},
        {0, 0.99F, 0, 1, 1, 0.01},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        float logits[N_VOCAB];
        struct gs_sampling how;
        gs_sampling_init(&how);
        how.top_k = cases[i].top_k;
        how.top_p = cases[i].top_p;
        how.min_p = cases[i].min_p;
        how.typical_p = cases[i].typical_p;
        how.temperature = cases[i].temperature;
        random_logits(logits, i + 1, cases[i].spread);
        check_distribution(&how, logits);
    }
}

static void test_greedy_takes_lowest_of_equals(void **state)
{
    struct gs_sampling how;
    struct gs_rng rng;
    float logits[N_VOCAB] = {0};

    (void)state;
    gs_sampling_init(&how);
    how.temperature = 0;
    gs_rng_seed(&rng, 1);
    const struct gs_rng before = rng;
    logits[17] = logits[40] = 3;
    assert_int_equal(draw(&how, logits, &rng), 17);
    assert_memory_equal(&rng, &before, sizeof(rng));
    how.temperature = 1;
    how.top_k = 1;
    assert_int_equal(draw(&how, logits, &rng), 17);
    how.top_k = 0;
    how.top_p = 0;
    assert_int_equal(draw(&how, logits, &rng), 17);
    how.top_p = 1;
    how.temperature = 1e-30F;
    for (int i = 0; i < 50; i++) {
        const int32_t id = draw(&how, logits, &rng);
        assert_true(id == 17 || id == 40);
    }
}

static void test_same_seed_same_tokens(void **state)
{
    struct gs_sampling how;
    struct gs_rng a;
    struct gs_rng b;
    float logits[N_VOCAB];

    (void)state;
    gs_sampling_init(&how);
    how.top_p = 0.95F;
    gs_rng_seed(&a, 5);
    gs_rng_seed(&b, 5);
    for (uint64_t i = 0; i < 100; i++) {
        random_logits(logits, i, 1);
        const int32_t first = draw(&how, logits, &a);
        random_logits(logits, i, 1);
        assert_int_equal(draw(&how, logits, &b), first);
    }
}

static void test_not_numbers(void **state)
{
    struct gs_sampling how;
    struct gs_rng rng;
    struct gs_error err = {0};
    float logits[N_VOCAB];
    int32_t id = -7;

    (void)state;
    gs_sampling_init(&how);
    gs_rng_seed(&rng, 1);
    for (size_t i = 0; i < N_VOCAB; i++)
        logits[i] = i % 3 ? NAN : -INFINITY;
    logits[5] = -1e30F;
    logits[8] = -1e30F;
    for (int pass = 0; pass < 4; pass++) {
        how.temperature = pass == 0 ? 0 : 1;
        how.top_k = pass == 2 ? 10 : 0;
        how.top_p = pass == 3 ? 0.5F : 1;
        for (int i = 0; i < 20; i++) {
            id = draw(&how, logits, &rng);
            assert_true(id == 5 || (pass > 0 && id == 8));
        }
    }
    logits[30] = INFINITY;
    for (int pass = 0; pass < 2; pass++) {
        how.temperature = (float)pass;
        assert_int_equal(draw(&how, logits, &rng), 30);
    }
    id = -7;
    logits[5] = logits[8] = logits[30] = NAN;
    for (int pass = 0; pass < 2; pass++) {
        how.temperature = (float)pass;
        assert_int_equal(gs_sampler_draw(sampler, &how, logits, NULL, NULL, 0, &rng, &id, &err),
                         GS_EFORMAT);
        assert_int_equal(id, -7);
        assert_string_not_equal(err.hint, "");
    }
}

static void test_bias(void **state)
{
    const struct gs_logit_bias bias[] = {{3, -INFINITY}, {9, -100}, {4, 2}, {5, INFINITY}};
    struct gs_sampling how;
    struct gs_rng rng;
    float logits[N_VOCAB] = {0};

    (void)state;
    gs_sampling_init(&how);
    gs_rng_seed(&rng, 1);
    how.temperature = 0;
    logits[3] = 9;
    logits[9] = 8;
    logits[4] = 1;
    logits[6] = 2.5F;
    how.logit_bias = bias;
    how.n_logit_bias = 2;
    assert_int_equal(draw(&how, logits, &rng), 6);
    how.n_logit_bias = 3;
    assert_int_equal(draw(&how, logits, &rng), 4);
    how.n_logit_bias = 4;
    assert_int_equal(draw(&how, logits, &rng), 5);
}

/* The penalised logit of one token, found by bisecting with a rival at a known height. */
static void test_penalties(void **state)
{
    static const struct {
        float logit, repeat, frequency, presence;
        int32_t last_n;
        float expected;
    } cases[] = {
        {4, 2, 0, 0, -1, 2},       {-4, 2, 0, 0, -1, -8},       {4, 1, 0.5F, 0, -1, 2.5F},
        {4, 1, 0, 0.5F, -1, 3.5F}, {4, 2, 0.5F, 1, -1, -0.5F},  {4, 1, 0.5F, 0, 2, 3.5F},
        {4, 1, 0.5F, 0, 0, 4},     {4, 1, -0.5F, 0, 100, 5.5F},
    };
    static const int32_t used[] = {7, 1, 7, 2, 7, 1};
    struct gs_rng rng;

    (void)state;
    gs_rng_seed(&rng, 1);
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        for (int side = -1; side <= 1; side += 2) {
            float logits[N_VOCAB];
            struct gs_sampling how;
            int32_t id;
            gs_sampling_init(&how);
            how.temperature = 0;
            how.repeat_penalty = cases[i].repeat;
            how.frequency_penalty = cases[i].frequency;
            how.presence_penalty = cases[i].presence;
            how.repeat_last_n = cases[i].last_n;
            for (size_t k = 0; k < N_VOCAB; k++)
                logits[k] = -50;
            logits[7] = cases[i].logit;
            logits[100] = cases[i].expected + 0.01F * (float)side;
            assert_int_equal(gs_sampler_draw(sampler, &how, logits, NULL, used, GS_COUNT_OF(used),
                                             &rng, &id, NULL),
                             GS_OK);
            assert_int_equal(id, side < 0 ? 7 : 100);
        }
    }
}

static void test_logprobs(void **state)
{
    float logits[N_VOCAB];
    struct gs_top_logprob top[GS_SAMPLER_MAX_TOP];
    struct ref r[N_VOCAB];
    size_t n_top;

    (void)state;
    random_logits(logits, 3, 4);
    logits[11] = logits[12]; /* a tie: the lower id first */
    for (size_t i = 0; i < N_VOCAB; i++)
        r[i] = (struct ref){0, logits[i], (int32_t)i};
    qsort(r, N_VOCAB, sizeof(r[0]), by_logit);
    normalise(r, N_VOCAB, 1);
    for (size_t n = 0; n <= GS_SAMPLER_MAX_TOP; n += 5) {
        const float lp = gs_sampler_logprob(sampler, logits, r[3].id, top, n, &n_top);
        assert_float_equal(lp, log(r[3].p), 1e-5);
        assert_int_equal(n_top, n);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(top[i].token, r[i].id);
            assert_float_equal(top[i].logprob, log(r[i].p), 1e-5);
        }
    }
    for (size_t i = 0; i < N_VOCAB; i++)
        logits[i] = i < 2 ? 1 : NAN;
    assert_float_equal(gs_sampler_logprob(sampler, logits, 0, top, 5, &n_top), log(0.5), 1e-6);
    assert_int_equal(n_top, 2);
    assert_int_equal(top[0].token, 0);
    assert_int_equal(top[1].token, 1);
}

static void expect_refused(const struct gs_sampling *how, const char *word)
{
    struct gs_error err = {0};

    assert_int_equal(gs_sampler_check(how, N_VOCAB, &err), GS_EINVAL);
    assert_non_null(strstr(err.msg, word));
}

static void test_check(void **state)
{
    struct gs_logit_bias bias = {N_VOCAB, 0};
    struct gs_sampling good;
    struct gs_sampling bad;

    (void)state;
    gs_sampling_init(&good);
    assert_int_equal(gs_sampler_check(&good, N_VOCAB, NULL), GS_OK);
    bad = good;
    bad.temperature = -0.1F;
    expect_refused(&bad, "temperature: expected a number from 0, found -0.1");
    bad.temperature = NAN;
    expect_refused(&bad, "temperature");
    bad = good;
    bad.top_p = 1.5F;
    expect_refused(&bad, "top_p: expected a number from 0 to 1, found 1.5");
    bad = good;
    bad.repeat_penalty = 0;
    expect_refused(&bad, "repeat_penalty");
    bad = good;
    bad.logit_bias = &bias;
    bad.n_logit_bias = 1;
    expect_refused(&bad, "token 200");
    bias = (struct gs_logit_bias){-1, 0};
    expect_refused(&bad, "token -1");
    bias = (struct gs_logit_bias){0, NAN};
    expect_refused(&bad, "not a number");
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (long n = 1; n < 100; n++) {
        struct gs_sampler *s = NULL;
        gs_alloc_fail_at(n);
        const enum gs_status st = gs_sampler_create(N_VOCAB, &kernels, &s, NULL);
        gs_alloc_fail_at(0);
        gs_sampler_free(s);
        if (st == GS_OK)
            return;
        assert_int_equal(st, GS_ENOMEM);
    }
    fail_msg("never succeeded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_greedy_takes_lowest_of_equals),
        cmocka_unit_test(test_same_seed_same_tokens),
        cmocka_unit_test(test_not_numbers),
        cmocka_unit_test(test_bias),
        cmocka_unit_test(test_penalties),
        cmocka_unit_test(test_logprobs),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
