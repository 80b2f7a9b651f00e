/* Operations of encoders against double precision: layer norm, GELU, and attention in both
 * directions with grouped heads, a reach, and ALiBi. */
#include "compute/ops_encoder.h"
#include "kernel_test.h"

#define MAX_ROWS 640

/* ---- norm and GELU ---- */

struct rows_case {
    struct gs_rows out, x;
    const float *weight, *bias;
};

static void run_norm(struct gs_lane *lane, void *arg)
{
    const struct rows_case *c = arg;

    gs_op_layer_norm(lane, c->out, c->x, c->weight, c->bias, 1e-5f);
}

static void layer_norm_centres_and_scales(void **state)
{
    enum { N = 7, DIM = 301, STRIDE = 310 };
    static float x[N * STRIDE], out[N * DIM], w[DIM], b[DIM];
    struct gs_rng r = {0};

    (void)state;
    gs_rng_seed(&r, 3);
    random_floats(&r, x, N * STRIDE, 2);
    random_floats(&r, w, DIM, 1);
    random_floats(&r, b, DIM, 1);
    FOR_LEVELS(level)
    {
        for (int with_bias = 0; with_bias < 2; with_bias++) {
            struct rows_case c = {
                gs_rows(out, N, DIM), {x, N, DIM, STRIDE}, w, with_bias ? b : NULL};
            check_threads(level, run_norm, &c, out, N * DIM);
            for (size_t i = 0; i < N; i++) {
                double mean = 0;
                double var = 0;
                for (size_t j = 0; j < DIM; j++)
                    mean += (double)x[i * STRIDE + j] / DIM;
                for (size_t j = 0; j < DIM; j++)
                    var += pow((double)x[i * STRIDE + j] - mean, 2) / DIM;
                for (size_t j = 0; j < DIM; j++) {
                    const double y = ((double)x[i * STRIDE + j] - mean) / sqrt(var + 1e-5);
                    const double want = y * (double)w[j] + (with_bias ? (double)b[j] : 0);
                    assert_near("layer norm", i * DIM + j, (double)out[i * DIM + j], want, 3e-5);
                }
            }
        }
    }
}

static void run_gelu(struct gs_lane *lane, void *arg)
{
    const struct rows_case *c = arg;

    gs_op_gelu_half(lane, c->out, c->x, (struct gs_rows){0});
}

static void gelu_is_the_tanh_approximation_in_halves(void **state)
{
    enum { N = 3, DIM = 401 };
    static float x[N * DIM], out[N * DIM];
    struct rows_case c = {gs_rows(out, N, DIM), gs_rows(x, N, DIM), NULL, NULL};
    struct gs_rng r = {0};

    (void)state;
    gs_rng_seed(&r, 5);
    random_floats(&r, x, N * DIM, 3);
    x[0] = 1e6f;
    x[1] = -1e6f;
    FOR_LEVELS(level)
    {
        check_threads(level, run_gelu, &c, out, N * DIM);
        for (size_t i = 0; i < N * DIM; i++) {
            const double v = (double)x[i];
            const double want =
                0.5 * v * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (v + 0.044715 * v * v * v)));
            assert_near("gelu", i, (double)out[i], want, 1.1e-3 * (0.01 + fabs(v)));
        }
    }
}

/* ---- attention ---- */

struct both_case {
    uint32_t n_head, n_head_kv, d_k, d_v, reach;
    float max_bias;
    struct gs_kv_run runs[3];
    size_t n_runs;
    struct gs_attention_both a;
    float *out;
    size_t rows;
};

static void run_both(struct gs_lane *lane, void *arg)
{
    const struct both_case *c = arg;

    gs_op_attention_both(lane, gs_rows(c->out, c->rows, (size_t)c->n_head * c->d_v), &c->a);
}

/* Slopes of Press et al., written out for the head counts below. */
static double slope_of(uint32_t n_head, size_t head, double max_bias)
{
    static const double of_6[] = {1, 2, 3, 4, 0.5, 1.5}; /* quarters of max_bias */

    if (max_bias == 0)
        return 0;
    return n_head == 6 ? pow(2, -max_bias * of_6[head] / 4)
                       : pow(2, -max_bias * (double)(head + 1) / n_head);
}

/* One output row of one head. */
static void want_both(const struct both_case *c, const struct gs_kv_run *run, size_t t, size_t h,
                      double *want)
{
    static double p[MAX_ROWS];
    const struct gs_attention_both *a = &c->a;
    const size_t kv = h / (c->n_head / c->n_head_kv);
    const float *q = a->q.p + (run->row + t) * a->q.stride + h * c->d_k;
    double sum = 0;

    for (size_t j = 0; j < run->n; j++) {
        const double distance = fabs((double)j - (double)t);
        const float *k = a->k.p + (run->row + j) * a->k.stride + kv * c->d_k;
        double s = 0;
        for (size_t i = 0; i < c->d_k; i++)
            s += (double)q[i] * (double)k[i];
        s = s * (double)a->scale - slope_of(c->n_head, h, (double)c->max_bias) * distance;
        p[j] = c->reach > 0 && distance > c->reach ? 0 : exp(s);
        sum += p[j];
    }
    for (size_t i = 0; i < c->d_v; i++) {
        want[i] = 0;
        for (size_t j = 0; j < run->n; j++)
            want[i] += p[j] / sum * (double)a->v.p[(run->row + j) * a->v.stride + kv * c->d_v + i];
    }
}

static void check_both(struct both_case *c)
{
    const size_t q_dim = (size_t)c->n_head * c->d_k;
    const size_t k_dim = (size_t)c->n_head_kv * c->d_k;
    const size_t v_dim = (size_t)c->n_head_kv * c->d_v;
    struct gs_rng r = {0};
    double want[64];

    c->rows = c->runs[c->n_runs - 1].row + c->runs[c->n_runs - 1].n;
    float *q = malloc(c->rows * q_dim * sizeof(float));
    float *k = malloc(c->rows * k_dim * sizeof(float));
    float *v = malloc(c->rows * v_dim * sizeof(float));
    const size_t n_out = c->rows * c->n_head * c->d_v;
    c->out = malloc(n_out * sizeof(float));
    gs_rng_seed(&r, 11);
    random_floats(&r, q, c->rows * q_dim, 1);
    random_floats(&r, k, c->rows * k_dim, 1);
    random_floats(&r, v, c->rows * v_dim, 1);
    c->a = (struct gs_attention_both){.q = gs_rows(q, c->rows, q_dim),
                                      .k = gs_rows(k, c->rows, k_dim),
                                      .v = gs_rows(v, c->rows, v_dim),
                                      .runs = c->runs,
                                      .n_runs = c->n_runs,
                                      .n_head = c->n_head,
                                      .n_head_kv = c->n_head_kv,
                                      .d_k = c->d_k,
                                      .d_v = c->d_v,
                                      .scale = 1 / sqrtf((float)c->d_k),
                                      .reach = c->reach,
                                      .max_bias = c->max_bias};
    FOR_LEVELS(level)
    {
        check_threads(level, run_both, c, c->out, n_out);
        for (size_t i = 0; i < c->n_runs; i++)
            for (size_t t = 0; t < c->runs[i].n; t += 1 + c->runs[i].n / 16)
                for (size_t h = 0; h < c->n_head; h++) {
                    const float *got = c->out + ((c->runs[i].row + t) * c->n_head + h) * c->d_v;
                    want_both(c, &c->runs[i], t, h, want);
                    for (size_t j = 0; j < c->d_v; j++)
                        assert_near("attention", j, (double)got[j], want[j], 2e-5);
                }
    }
    free(q);
    free(k);
    free(v);
    free(c->out);
}

static void attention_sees_both_ways(void **state)
{
    struct both_case cases[] = {
        {.n_head = 2, .n_head_kv = 2, .d_k = 16, .d_v = 16, .runs = {{NULL, 0, 0, 1}}, .n_runs = 1},
        {.n_head = 4,
         .n_head_kv = 2,
         .d_k = 24,
         .d_v = 20,
         .runs = {{NULL, 0, 0, 33}, {NULL, 0, 33, 256}, {NULL, 0, 289, 300}},
         .n_runs = 3},
        {.n_head = 2,
         .n_head_kv = 1,
         .d_k = 8,
         .d_v = 8,
         .reach = 8,
         .runs = {{NULL, 0, 0, 600}, {NULL, 0, 600, 5}},
         .n_runs = 2},
        {.n_head = 6,
         .n_head_kv = 6,
         .d_k = 8,
         .d_v = 8,
         .max_bias = 8,
         .runs = {{NULL, 0, 0, 290}},
         .n_runs = 1},
        {.n_head = 4,
         .n_head_kv = 4,
         .d_k = 8,
         .d_v = 8,
         .max_bias = 8,
         .reach = 40,
         .runs = {{NULL, 0, 0, 100}},
         .n_runs = 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_both(&cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layer_norm_centres_and_scales),
        cmocka_unit_test(gelu_is_the_tanh_approximation_in_halves),
        cmocka_unit_test(attention_sees_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
