/* The kernels of attention and of the delta rule, of every instruction set, against the reference:
 * odd shapes, unaligned rows, unreadable memory behind what they may read. */
#include "kernel_test.h"

static struct gs_kernels ref;

static float *floats(const struct guarded *g)
{
    return (float *)(void *)g->p;
}

static struct guarded random_guarded(struct gs_rng *r, size_t n, double scale)
{
    const struct guarded g = guarded_alloc(n * sizeof(float));

    random_floats(r, floats(&g), n, scale);
    return g;
}

static struct guarded copy_guarded(const struct guarded *g, size_t n)
{
    const struct guarded copy = guarded_alloc(n * sizeof(float));

    memcpy(copy.p, g->p, n * sizeof(float));
    return copy;
}

static void assert_floats_near(const char *what, const float *got, const float *want, size_t n,
                               double bound)
{
    for (size_t i = 0; i < n; i++)
        assert_near(what, i, (double)got[i], (double)want[i], bound * (1 + fabs((double)want[i])));
}

/* ---- a panel of queries ---- */

#define Q GS_ATTEND_QUERIES

struct tile_case {
    size_t n_keys, d_k, d_v;
    float softcap, slope;
    bool masked, seen; /* seen: the queries have met keys before */
};

static void tile_run(const struct gs_kernels *k, struct gs_attend *a, const struct guarded *out,
                     float *max, float *sum)
{
    a->out = floats(out);
    a->max = max;
    a->sum = sum;
    k->attend(a);
}

static void check_tile(const struct tile_case *c, enum gs_cpu_level l, uint64_t seed)
{
    struct gs_kernels k;
    struct gs_rng r;
    float first[Q];
    float end[Q];
    float pos[Q];
    float max[2][Q];
    float sum[2][Q];

    gs_kernels_init(&k, l);
    gs_rng_seed(&r, seed);
    struct guarded q = random_guarded(&r, c->d_k * Q, 0.5);
    struct guarded keys = random_guarded(&r, c->n_keys * c->d_k, 1);
    struct guarded values = random_guarded(&r, c->n_keys * c->d_v, 1);
    struct guarded want = random_guarded(&r, c->d_v * Q, c->seen ? 1 : 0);
    struct guarded got = copy_guarded(&want, c->d_v * Q);
    for (size_t i = 0; i < Q; i++) {
        first[i] = (float)(gs_rng_u64(&r) % (c->n_keys + 1));
        end[i] = first[i] + (float)(gs_rng_u64(&r) % (c->n_keys + 1));
        pos[i] = (float)gs_rng_double(&r) * 40 - 5;
        max[0][i] = max[1][i] = c->seen ? (float)gs_rng_normal(&r) : GS_ATTEND_NONE;
        sum[0][i] = sum[1][i] = c->seen ? 1.5f : 0;
    }
    struct gs_attend a = {.q = floats(&q),
                          .k = floats(&keys),
                          .v = floats(&values),
                          .k_stride = c->d_k,
                          .v_stride = c->d_v,
                          .n_keys = c->n_keys,
                          .d_k = c->d_k,
                          .d_v = c->d_v,
                          .first = c->masked ? first : NULL,
                          .end = c->masked ? end : NULL,
                          .pos = pos,
                          .softcap = c->softcap,
                          .slope = c->slope};
    tile_run(&ref, &a, &want, max[0], sum[0]);
    tile_run(&k, &a, &got, max[1], sum[1]);
    assert_floats_near("max", max[1], max[0], Q, 1e-5);
    assert_floats_near("sum", sum[1], sum[0], Q, 2e-5);
    assert_floats_near("mixed values", floats(&got), floats(&want), c->d_v * Q, 2e-5);
    guarded_free(&q);
    guarded_free(&keys);
    guarded_free(&values);
    guarded_free(&want);
    guarded_free(&got);
}

static void test_attend(void **state)
{
    static const struct tile_case cases[] = {
        {1, 1, 1, 0, 0, false, false},       {32, 64, 64, 0, 0, false, true},
        {31, 20, 33, 0, 0, true, true},      {32, 128, 128, 0, 0, true, false},
        {9, 16, 40, 2, 0, true, true},       {32, 40, 8, 30, 0, false, false},
        {17, 33, 20, 0, 0.25f, true, false},
    };

    (void)state;
    FOR_LEVELS(l)
    {
        for (size_t i = 0; i < GS_COUNT_OF(cases); i++)
            check_tile(&cases[i], l, 100 + i);
    }
}

/* ---- rows of the cache ---- */

static const enum gs_type cache_types[] = {GS_TYPE_F32, GS_TYPE_F16, GS_TYPE_Q8_0};

static struct guarded cache_rows(struct gs_rng *r, enum gs_type t, size_t rows, size_t n)
{
    const size_t row_bytes = n / gs_type_block_len(t) * gs_type_block_bytes(t);
    const struct guarded g = guarded_alloc(rows * row_bytes);

    for (size_t f = 0; f < N_FORMATS; f++)
        for (size_t i = 0; formats[f].type == t && i < rows; i++)
            random_weights(r, &formats[f], PATTERN_RANDOM, g.p + i * row_bytes, n);
    return g;
}

struct rows_case {
    size_t n_q, n_rows, n;
};

/* Odd lengths where the type has them. */
static const struct rows_case rows_cases[] = {
    {1, 1, 1},   {1, 3, 16},   {2, 32, 17}, {3, 7, 64},   {4, 32, 80},
    {5, 32, 33}, {9, 31, 128}, {4, 5, 256}, {16, 17, 96},
};

static bool fits(enum gs_type t, size_t n)
{
    return n % gs_type_block_len(t) == 0;
}

/* |x| of the largest products: cached rows are not near 1. */
static void assert_relative(const char *what, const float *got, const float *want, size_t n)
{
    double norm = 0;

    for (size_t i = 0; i < n; i++)
        norm = GS_MAX(norm, fabs((double)want[i]));
    for (size_t i = 0; i < n; i++)
        assert_near(what, i, (double)got[i], (double)want[i], 1e-5 * norm + 1e-30);
}

static void check_score(const struct gs_kernels *k, enum gs_type t, const struct rows_case *c,
                        struct gs_rng *r)
{
    const size_t row_bytes = c->n / gs_type_block_len(t) * gs_type_block_bytes(t);
    struct guarded rows = cache_rows(r, t, c->n_rows, c->n);
    struct guarded q = random_guarded(r, c->n_q * c->n, 1);
    struct guarded want = guarded_alloc(c->n_q * c->n_rows * sizeof(float));
    struct guarded got = guarded_alloc(c->n_q * c->n_rows * sizeof(float));
    struct gs_score s = {.k = rows.p,
                         .k_stride = row_bytes,
                         .q = floats(&q),
                         .q_stride = c->n,
                         .out = floats(&want),
                         .out_stride = c->n_rows,
                         .n_q = c->n_q,
                         .n_keys = c->n_rows,
                         .n = c->n};

    ref.score[t](&s);
    s.out = floats(&got);
    s.next = rows.p;
    k->score[t](&s);
    assert_relative("scores", floats(&got), floats(&want), c->n_q * c->n_rows);
    s.n_q = s.n_keys = 1; /* the same bits alone */
    for (size_t i = 0; i < c->n_q * c->n_rows; i++) {
        float one;
        s.k = rows.p + i % c->n_rows * row_bytes;
        s.q = floats(&q) + i / c->n_rows * c->n;
        s.out = &one;
        k->score[t](&s);
        assert_memory_equal(&one, floats(&got) + i, sizeof(one));
    }
    guarded_free(&rows);
    guarded_free(&q);
    guarded_free(&want);
    guarded_free(&got);
}

static void check_mix(const struct gs_kernels *k, enum gs_type t, const struct rows_case *c,
                      struct gs_rng *r)
{
    const size_t row_bytes = c->n / gs_type_block_len(t) * gs_type_block_bytes(t);
    struct guarded rows = cache_rows(r, t, c->n_rows, c->n);
    struct guarded p = random_guarded(r, c->n_q * c->n_rows, 1);
    struct guarded want = random_guarded(r, c->n_q * c->n, 1);
    struct guarded got = copy_guarded(&want, c->n_q * c->n);
    struct gs_mix m = {.v = rows.p,
                       .v_stride = row_bytes,
                       .p = floats(&p),
                       .p_stride = c->n_rows,
                       .o = floats(&want),
                       .o_stride = c->n,
                       .n_o = c->n_q,
                       .n_v = c->n_rows,
                       .n = c->n};

    ref.mix[t](&m);
    m.o = floats(&got);
    m.next = rows.p;
    k->mix[t](&m);
    assert_relative("mix", floats(&got), floats(&want), c->n_q * c->n);
    guarded_free(&rows);
    guarded_free(&p);
    guarded_free(&want);
    guarded_free(&got);
}

static void test_cache_rows(void **state)
{
    struct gs_kernels k;
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 5);
    FOR_LEVELS(l)
    {
        gs_kernels_init(&k, l);
        for (size_t t = 0; t < GS_COUNT_OF(cache_types); t++) {
            for (size_t i = 0; i < GS_COUNT_OF(rows_cases); i++) {
                if (!fits(cache_types[t], rows_cases[i].n))
                    continue;
                check_score(&k, cache_types[t], &rows_cases[i], &r);
                check_mix(&k, cache_types[t], &rows_cases[i], &r);
            }
        }
    }
}

/* ---- delta rule ---- */

#define TOKENS 5

static void check_delta(const struct gs_kernels *k, size_t d, size_t n, struct gs_rng *r)
{
    float g[TOKENS];
    float beta[TOKENS];
    float out[2][TOKENS * GS_DELTA_SLICE];
    struct guarded q = random_guarded(r, TOKENS * d, 0.1);
    struct guarded keys = random_guarded(r, TOKENS * d, 0.1);
    struct guarded v = random_guarded(r, TOKENS * n, 1);
    struct guarded want = random_guarded(r, d * n, 1);
    struct guarded got = copy_guarded(&want, d * n);
    struct gs_delta p = {.s = floats(&want),
                         .stride = n,
                         .d_k = d,
                         .n = n,
                         .n_tokens = TOKENS,
                         .q = floats(&q),
                         .k = floats(&keys),
                         .v = floats(&v),
                         .g = g,
                         .beta = beta,
                         .q_stride = d,
                         .k_stride = d,
                         .v_stride = n,
                         .g_stride = 1,
                         .beta_stride = 1,
                         .scale = 0.1f,
                         .out = out[0],
                         .out_stride = n};

    for (size_t t = 0; t < TOKENS; t++) {
        g[t] = -(float)gs_rng_double(r);
        beta[t] = (float)gs_rng_double(r);
    }
    ref.delta(&p);
    p.s = floats(&got);
    p.out = out[1];
    k->delta(&p);
    assert_floats_near("out", out[1], out[0], TOKENS * n, 1e-5);
    assert_floats_near("state", floats(&got), floats(&want), d * n, 1e-5);
    guarded_free(&q);
    guarded_free(&keys);
    guarded_free(&v);
    guarded_free(&want);
    guarded_free(&got);
}

static void test_delta(void **state)
{
    static const size_t shapes[][2] = {{4, 1}, {16, 16}, {17, 9}, {128, 64}, {64, 63}, {40, 40}};
    struct gs_kernels k;
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 8);
    FOR_LEVELS(l)
    {
        gs_kernels_init(&k, l);
        for (size_t i = 0; i < GS_COUNT_OF(shapes); i++)
            check_delta(&k, shapes[i][0], shapes[i][1], &r);
    }
}

static void test_softcap(void **state)
{
    float x[35];
    float given[35];
    struct gs_kernels k;

    (void)state;
    FOR_LEVELS(l)
    {
        gs_kernels_init(&k, l);
        for (size_t i = 0; i < GS_COUNT_OF(x); i++)
            x[i] = given[i] = (float)i * (float)i * 0.7f - 300;
        k.softcap(x, GS_COUNT_OF(x), 30);
        for (size_t i = 0; i < GS_COUNT_OF(x); i++)
            assert_near("softcap", i, (double)x[i], 30 * tanh((double)given[i] / 30), 1e-5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attend),
        cmocka_unit_test(test_cache_rows),
        cmocka_unit_test(test_delta),
        cmocka_unit_test(test_softcap),
    };

    gs_kernels_init_ref(&ref);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
