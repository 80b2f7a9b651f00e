/* Every kernel of every instruction set against the reference: random and extreme values, odd
 * lengths, unaligned rows, unreadable memory behind every row. */
#include "kernel_test.h"

#define MAX_N      4096
#define MAX_ROWS   5
#define MAX_TOKENS GS_DOT_TOKENS

static struct gs_kernels ref;
static struct gs_kernels level;

/* ---- products ---- */

struct products {
    const struct format *f;
    size_t n, rows;
    struct guarded w;
    struct guarded x[MAX_TOKENS]; /* as float */
    struct guarded q[MAX_TOKENS]; /* in the format's form */
};

static void products_init(struct products *p, struct gs_rng *r, const struct format *f,
                          enum pattern pattern, size_t n, size_t rows)
{
    const size_t row_bytes = n / gs_type_block_len(f->type) * gs_type_block_bytes(f->type);
    const enum gs_act_form form = gs_kernels_act_form(f->type);
    const size_t groups = (n + GS_ACT_GROUP - 1) / GS_ACT_GROUP;

    *p = (struct products){.f = f, .n = n, .rows = rows, .w = guarded_alloc(rows * row_bytes)};
    for (size_t i = 0; i < rows; i++)
        random_weights(r, f, pattern, p->w.p + i * row_bytes, n);
    for (size_t t = 0; t < MAX_TOKENS; t++) {
        p->x[t] = guarded_alloc(n * sizeof(float));
        random_floats(r, (float *)(void *)p->x[t].p, n, t == 2 ? 1000 : 1);
        if (t == 1)
            memset(p->x[t].p, 0, n * sizeof(float));
        p->q[t] = guarded_alloc(groups * sizeof(struct gs_q8k));
        if (form == GS_ACT_Q8)
            ref.quantise_q8((const float *)(void *)p->x[t].p, p->q[t].p, n);
        if (form == GS_ACT_Q8K)
            ref.quantise_q8k((const float *)(void *)p->x[t].p, p->q[t].p, n);
    }
}

static void products_clear(struct products *p)
{
    guarded_free(&p->w);
    for (size_t t = 0; t < MAX_TOKENS; t++) {
        guarded_free(&p->x[t]);
        guarded_free(&p->q[t]);
    }
}

static void products_run(const struct products *p, const struct gs_kernels *k, size_t first,
                         size_t n_tokens, float out[MAX_TOKENS][MAX_ROWS])
{
    const bool is_float = gs_kernels_act_form(p->f->type) == GS_ACT_F32;
    struct gs_dot d = {.w = p->w.p, .n_rows = p->rows, .n = p->n, .n_tokens = n_tokens};

    d.w_stride = p->n / gs_type_block_len(p->f->type) * gs_type_block_bytes(p->f->type);
    for (size_t t = 0; t < n_tokens; t++) {
        d.x[t] = is_float ? p->x[first + t].p : p->q[first + t].p;
        d.out[t] = out[first + t];
    }
    k->dot[p->f->type](&d);
}

/* |w| |x| of row r and token t: what rounding errors are measured by. */
static double norm_product(const struct products *p, size_t r, size_t t)
{
    static float w[MAX_N];
    const float *x = (const float *)(void *)p->x[t].p;
    const size_t row_bytes = p->n / gs_type_block_len(p->f->type) * gs_type_block_bytes(p->f->type);
    double ww = 0;
    double xx = 0;

    gs_compute_dequant_row(p->f->type, p->w.p + r * row_bytes, w, p->n);
    for (size_t i = 0; i < p->n; i++) {
        ww += (double)w[i] * (double)w[i];
        xx += (double)x[i] * (double)x[i];
    }
    return sqrt(ww * xx);
}

static void check_products(const struct products *p)
{
    float want[MAX_TOKENS][MAX_ROWS] = {{0}};
    float got[MAX_TOKENS][MAX_ROWS] = {{0}};
    float tile[MAX_TOKENS][MAX_ROWS] = {{0}};

    products_run(p, &ref, 0, MAX_TOKENS, want);
    products_run(p, &level, 0, MAX_TOKENS, got);
    for (size_t t = 0; t < MAX_TOKENS; t++) {
        for (size_t r = 0; r < p->rows; r++) {
            const double bound = 2e-6 * norm_product(p, r, t);
            if (fabs((double)got[t][r] - (double)want[t][r]) > bound)
                fail_msg("%s, n %zu, row %zu, token %zu: %.9g, reference %.9g, bound %g",
                         gs_type_name(p->f->type), p->n, r, t, (double)got[t][r],
                         (double)want[t][r], bound);
        }
    }
    for (size_t n = 1; n < MAX_TOKENS; n++) { /* the same bits in every tile */
        for (size_t t = 0; t + n <= MAX_TOKENS; t += n)
            products_run(p, &level, t, n, tile);
        for (size_t t = 0; t < MAX_TOKENS - MAX_TOKENS % n; t++)
            assert_memory_equal(tile[t], got[t], p->rows * sizeof(float));
    }
}

static void test_dot(void **state)
{
    static const size_t lengths[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16};
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 1);
    for (size_t f = 0; f < N_FORMATS; f++) {
        for (size_t i = 0; i < GS_COUNT_OF(lengths); i += THIN) {
            for (enum pattern pat = PATTERN_RANDOM; pat < N_PATTERNS; pat++) {
                struct products p;
                const size_t unit = gs_type_block_len(formats[f].type);
                const size_t n = unit == 1 ? lengths[i] * 13 : lengths[i] * unit;
                products_init(&p, &r, &formats[f], pat, n, 1 + i % MAX_ROWS);
                check_products(&p);
                products_clear(&p);
            }
        }
    }
}

/* All levels above the reference agree to the bit. */
static void test_dot_levels_equal(void **state)
{
    struct gs_rng r;
    struct gs_kernels first;
    const enum gs_cpu_level lowest = GS_ARCH_ARM ? GS_CPU_NEON : GS_CPU_AVX2;

    (void)state;
    if (level.level <= lowest)
        skip();
    gs_kernels_init(&first, lowest);
    gs_rng_seed(&r, 2);
    for (size_t f = 0; f < N_FORMATS; f++) {
        float a[MAX_TOKENS][MAX_ROWS] = {{0}};
        float b[MAX_TOKENS][MAX_ROWS] = {{0}};
        struct products p;
        products_init(&p, &r, &formats[f], PATTERN_RANDOM, 1280, 3);
        products_run(&p, &level, 0, MAX_TOKENS, a);
        products_run(&p, &first, 0, MAX_TOKENS, b);
        assert_memory_equal(a, b, sizeof(a));
        products_clear(&p);
    }
}

/* ---- dequantisation, quantisation ---- */

static void test_dequant(void **state)
{
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 3);
    for (size_t f = 0; f < N_FORMATS; f++) {
        const enum gs_type type = formats[f].type;
        const size_t unit = gs_type_block_len(type);
        const size_t n = unit == 1 ? 37 : 3 * unit;
        struct guarded w = guarded_alloc(n / unit * gs_type_block_bytes(type));
        struct guarded a = guarded_alloc(n * sizeof(float));
        struct guarded b = guarded_alloc(n * sizeof(float));
        random_weights(&r, &formats[f], PATTERN_RANDOM, w.p, n);
        ref.dequant[type](w.p, (float *)(void *)a.p, n);
        level.dequant[type](w.p, (float *)(void *)b.p, n);
        assert_memory_equal(a.p, b.p, n * sizeof(float));
        guarded_free(&w);
        guarded_free(&a);
        guarded_free(&b);
    }
}

/* Every float16 to float and back. */
static void test_halves(void **state)
{
    static uint16_t all[65536];
    static float x[65536];
    static float y[65536];
    static uint16_t back[65536];

    (void)state;
    for (size_t i = 0; i < 65536; i++)
        all[i] = (uint16_t)i;
    ref.dequant[GS_TYPE_F16](all, x, 65536);
    level.dequant[GS_TYPE_F16](all, y, 65536);
    assert_memory_equal(x, y, sizeof(x));
    level.to_f16(x, back, 65536);
    for (size_t i = 0; i < 65536; i++)
        if (x[i] == x[i])
            assert_int_equal(back[i], i);
}

static void test_to_f16(void **state)
{
    static const float edges[] = {0,        -0.0f,   65504,      65519.996f, 65520,   1e30f,
                                  5.96e-8f, 2.9e-8f, 2.98e-8f,   3e-8f,      6.1e-5f, 6.097e-5f,
                                  -1.5f,    1e-40f,  1.0004883f, 1.0014648f, INFINITY};
    float x[64];
    uint16_t a[64];
    uint16_t b[64];
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 4);
    random_floats(&r, x, 64, 1e-4);
    memcpy(x, edges, sizeof(edges));
    ref.to_f16(x, a, 61);
    level.to_f16(x, b, 61);
    assert_memory_equal(a, b, 61 * sizeof(uint16_t));
}

static void test_quantise(void **state)
{
    static const size_t lengths[] = {1, 31, 32, 33, 96, 255, 256, 257, 512, 1000};
    static struct gs_q8 a8[4];
    static struct gs_q8 b8[4];
    static struct gs_q8k ak[4];
    static struct gs_q8k bk[4];
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 5);
    for (size_t i = 0; i < GS_COUNT_OF(lengths); i++) {
        const size_t n = lengths[i];
        const size_t groups = (n + 255) / 256;
        struct guarded x = guarded_alloc(n * sizeof(float));
        float *v = (float *)(void *)x.p;
        random_floats(&r, v, n, i % 3 == 2 ? 1e-30 : 1);
        if (i % 3 == 1)
            memset(v, 0, n / 2 * sizeof(float));
        ref.quantise_q8(v, a8, n);
        level.quantise_q8(v, b8, n);
        assert_memory_equal(a8, b8, groups * sizeof(a8[0]));
        ref.quantise_q8k(v, ak, n);
        level.quantise_q8k(v, bk, n);
        assert_memory_equal(ak, bk, groups * sizeof(ak[0]));
        if (n % 32 == 0) {
            struct gs_block_q8_0 a[16];
            struct gs_block_q8_0 b[16];
            ref.to_q8_0(v, a, n);
            level.to_q8_0(v, b, n);
            assert_memory_equal(a, b, n / 32 * sizeof(a[0]));
        }
        guarded_free(&x);
    }
}

/* ---- rows of floats ---- */

static void assert_close(double got, double want, double bound)
{
    if (!(fabs(got - want) <= bound))
        fail_msg("%.9g, reference %.9g, bound %g", got, want, bound);
}

static void check_rows(const float *got, const float *want, size_t n, double relative)
{
    for (size_t i = 0; i < n; i++)
        assert_close((double)got[i], (double)want[i], relative * fabs((double)want[i]) + 1e-37);
}

static void check_vectors(struct gs_rng *r, size_t n)
{
    struct guarded gx = guarded_alloc(n * sizeof(float));
    struct guarded gy = guarded_alloc(n * sizeof(float));
    struct guarded gw = guarded_alloc(n * sizeof(float));
    float *x = (float *)(void *)gx.p;
    float *y = (float *)(void *)gy.p;
    float *w = (float *)(void *)gw.p;
    float want[300];

    random_floats(r, x, n, 3);
    random_floats(r, w, n, 1);
    const double squares = (double)ref.sum_squares(x, n);
    assert_close((double)level.sum_squares(x, n), squares, 1e-5 * squares);
    assert_true(level.max(x, n) == ref.max(x, n));

    ref.scale(want, x, w, 0.7f, n);
    level.scale(y, x, w, 0.7f, n);
    check_rows(y, want, n, 1e-7);
    ref.scale(want, x, NULL, 0.7f, n);
    level.scale(y, x, NULL, 0.7f, n);
    check_rows(y, want, n, 0);
    ref.blend(want, 0.3f, w, -2, n);
    level.blend(y, 0.3f, w, -2, n);
    check_rows(y, want, n, 0);
    ref.swiglu(want, x, w, n);
    level.swiglu(y, x, w, n);
    check_rows(y, want, n, 1e-6);
    ref.sigmoid_mul(want, w, x, n);
    level.sigmoid_mul(y, w, x, n);
    check_rows(y, want, n, 1e-6);
    level.sigmoid_mul(x, w, x, n); /* in place */
    check_rows(x, want, n, 1e-6);

    random_floats(r, x, n, 20);
    memcpy(want, x, n * sizeof(float));
    const float m = ref.max(x, n);
    const double sum = (double)ref.exp_sum(want, n, m);
    assert_close((double)level.exp_sum(x, n, m), sum, 1e-6 * sum);
    check_rows(x, want, n, 1e-6);
    guarded_free(&gx);
    guarded_free(&gy);
    guarded_free(&gw);
}

static void test_vectors(void **state)
{
    static const size_t lengths[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100, 255, 256, 300};
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 6);
    for (size_t i = 0; i < GS_COUNT_OF(lengths); i++)
        check_vectors(&r, lengths[i]);
}

static void test_exp_extremes(void **state)
{
    float x[] = {-INFINITY, -1e30f, -110, -104, -103, -90, -87.4f, -1, -0.0f, 0, 1e-30f, 88, 88.8f};
    float got[16];

    (void)state;
    memcpy(got, x, sizeof(x));
    level.exp_sum(got, GS_COUNT_OF(x), 0);
    for (size_t i = 0; i < GS_COUNT_OF(x); i++) {
        const double want = (double)expf(x[i]);
        if (isinf(want))
            assert_true(isinf(got[i]));
        else
            assert_close((double)got[i], want, 3e-7 * want + 1.5e-45);
    }
    got[0] = NAN;
    level.exp_sum(got, 1, 0);
    assert_true(isnan(got[0]));
}

/* ---- levels ---- */

static void test_names(void **state)
{
    enum gs_cpu_level l;
    struct gs_error err = {0};

    (void)state;
    for (enum gs_cpu_level i = GS_CPU_SCALAR; i < GS_CPU_LIMIT; i++) {
        assert_int_equal(gs_cpu_level_parse(gs_cpu_level_name(i), &l, &err), GS_OK);
        assert_int_equal(l, i);
    }
    assert_int_equal(gs_cpu_level_parse("mmx", &l, &err), GS_EINVAL);
    assert_string_equal(err.msg, "unknown instruction set \"mmx\"");
}

/* The whole suite, once per level this machine has. */
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_dot),
        cmocka_unit_test(test_dot_levels_equal),
        cmocka_unit_test(test_dequant),
        cmocka_unit_test(test_halves),
        cmocka_unit_test(test_to_f16),
        cmocka_unit_test(test_quantise),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_exp_extremes),
    };
    int failed = 0;

    gs_kernels_init_ref(&ref);
    FOR_LEVELS(l)
    {
        gs_kernels_init(&level, l);
        failed += cmocka_run_group_tests_name(gs_cpu_level_name(l), tests, NULL, NULL);
    }
    return failed;
}
