/* Norms, element-wise operations, rotary embedding. */
#include "kernel_test.h"

#define ROWS   5
#define DIM    515
#define STRIDE 520

struct rows_case {
    gs_lane_fn *fn;
    float weight[DIM];
    float x[ROWS * STRIDE]; /* input, kept */
    float y[ROWS * STRIDE];
    float out[ROWS * STRIDE];
};

static struct gs_rows rows_at(float *p)
{
    return (struct gs_rows){p, ROWS, DIM, STRIDE};
}

/* The inputs of operations that work in place. */
static void restore(struct gs_lane *lane, struct rows_case *c)
{
    gs_op_copy(lane, (struct gs_rows){c->out, ROWS, STRIDE, STRIDE},
               (struct gs_rows){c->x, ROWS, STRIDE, STRIDE});
}

static void run_rms_norm(struct gs_lane *lane, void *arg)
{
    struct rows_case *c = arg;

    restore(lane, c);
    gs_op_rms_norm(lane, rows_at(c->out), rows_at(c->x), c->weight, 1e-5f);
}

static void run_rms_norm_in_place(struct gs_lane *lane, void *arg)
{
    struct rows_case *c = arg;

    restore(lane, c);
    gs_op_rms_norm(lane, rows_at(c->out), rows_at(c->out), NULL, 1e-5f);
}

static void run_rms_norm_gated(struct gs_lane *lane, void *arg)
{
    struct rows_case *c = arg;

    restore(lane, c);
    gs_op_rms_norm_gated(lane, rows_at(c->out), c->weight, 1e-5f, rows_at(c->y));
}

static void run_add(struct gs_lane *lane, void *arg)
{
    struct rows_case *c = arg;

    restore(lane, c);
    gs_op_add(lane, rows_at(c->out), rows_at(c->y));
}

static void run_swiglu(struct gs_lane *lane, void *arg)
{
    struct rows_case *c = arg;

    restore(lane, c);
    gs_op_swiglu(lane, rows_at(c->out), rows_at(c->out), rows_at(c->y));
}

static void run_sigmoid_gate(struct gs_lane *lane, void *arg)
{
    struct rows_case *c = arg;

    restore(lane, c);
    gs_op_sigmoid_gate(lane, rows_at(c->out), rows_at(c->y));
}

static void run_one_gate_per_row(struct gs_lane *lane, void *arg)
{
    struct rows_case *c = arg;

    restore(lane, c);
    gs_op_sigmoid_gate(lane, rows_at(c->out), (struct gs_rows){c->y, ROWS, 1, STRIDE});
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double expected(const struct rows_case *c, size_t r, size_t i)
{
    const float *row = c->x + r * STRIDE;
    const double x = (double)row[i];
    const double y = (double)c->y[r * STRIDE + i];
    double squares = 0;

    for (size_t j = 0; j < DIM; j++)
        squares += (double)row[j] * (double)row[j];
    if (c->fn == run_rms_norm)
        return x * (double)c->weight[i] / sqrt(squares / DIM + 1e-5);
    if (c->fn == run_rms_norm_in_place)
        return x / sqrt(squares / DIM + 1e-5);
    if (c->fn == run_rms_norm_gated)
        return x * (double)c->weight[i] / sqrt(squares / DIM + 1e-5) * y * sigmoid(y);
    if (c->fn == run_add)
        return x + y;
    if (c->fn == run_swiglu)
        return x * sigmoid(x) * y;
    if (c->fn == run_sigmoid_gate)
        return x * sigmoid(y);
    return x * sigmoid((double)c->y[r * STRIDE]); /* run_one_gate_per_row */
}

static void test_rows(void **state)
{
    static gs_lane_fn *const fns[] = {
        run_rms_norm, run_rms_norm_in_place, run_rms_norm_gated,  run_add,
        run_swiglu,   run_sigmoid_gate,      run_one_gate_per_row};
    static struct rows_case c;
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 1);
    random_floats(&r, c.x, ROWS * STRIDE, 3);
    random_floats(&r, c.y, ROWS * STRIDE, 3);
    random_floats(&r, c.weight, DIM, 1);
    memset(c.x + 2 * STRIDE, 0, STRIDE * sizeof(float)); /* a row of zeros */
    for (size_t f = 0; f < GS_COUNT_OF(fns); f++) {
        c.fn = fns[f];
        FOR_LEVELS(l)
        {
            check_threads(l, c.fn, &c, c.out, ROWS * STRIDE);
            for (size_t row = 0; row < ROWS; row++) {
                for (size_t i = 0; i < DIM; i++) {
                    const double want = expected(&c, row, i);
                    assert_near("row", i, (double)c.out[row * STRIDE + i], want,
                                2e-6 * fabs(want) + 1e-30);
                }
                /* what lies between the rows is left alone */
                assert_memory_equal(c.out + row * STRIDE + DIM, c.x + row * STRIDE + DIM,
                                    (STRIDE - DIM) * sizeof(float));
            }
        }
    }
}

/* ---- rotary embedding ---- */

#define HEADS       3
#define HEAD_DIM    64
#define HEAD_STRIDE 72
#define ROPE_ROWS   4

struct rope_case {
    struct gs_rope_params p;
    int32_t pos[ROPE_ROWS];
    float x[ROPE_ROWS * HEADS * HEAD_STRIDE];
    float out[ROPE_ROWS * HEADS * HEAD_STRIDE];
    float table[ROPE_ROWS * HEAD_DIM];
};

static void run_rope(struct gs_lane *lane, void *arg)
{
    struct rope_case *c = arg;
    const size_t row = HEADS * HEAD_STRIDE;

    gs_op_copy(lane, gs_rows(c->out, ROPE_ROWS, row), gs_rows(c->x, ROPE_ROWS, row));
    gs_op_rope_table(lane, c->table, &c->p, c->pos, ROPE_ROWS);
    gs_op_rope(lane, gs_rows(c->out, ROPE_ROWS, row), HEADS, HEAD_STRIDE, &c->p, c->table);
}

/* The angle of pair m by the formulas of the YaRN paper (section 3.2) with llama.cpp's bounds. */
static double angle(const struct gs_rope_params *p, double pos, size_t m, double *magnitude)
{
    const double n = p->n_rot;
    double theta = pos * pow((double)p->freq_base, -2.0 * (double)m / n);

    if (p->freq_factors)
        theta /= (double)p->freq_factors[m];
    *magnitude = (double)p->attn_factor;
    if (p->ext_factor == 0)
        return theta * (double)p->freq_scale;
    const double pi = acos(-1.0);
    const double two_log_base = 2 * log((double)p->freq_base);
    double low = floor(n * log(p->ctx_orig / ((double)p->beta_fast * 2 * pi)) / two_log_base);
    double high = ceil(n * log(p->ctx_orig / ((double)p->beta_slow * 2 * pi)) / two_log_base);
    low = low < 0 ? 0 : low;
    high = high > n - 1 ? n - 1 : high;
    double y = ((double)m - low) / (high - low > 0.001 ? high - low : 0.001);
    y = y < 0 ? 0 : y > 1 ? 1 : y;
    *magnitude *= 1 - 0.1 * log((double)p->freq_scale);
    return theta * (1 - y) + theta * (double)p->freq_scale * y;
}

static void check_rope(const struct rope_case *c)
{
    const bool halves = c->p.pairs == GS_ROPE_HALVES;
    const size_t pairs = c->p.n_rot / 2;

    for (size_t r = 0; r < ROPE_ROWS; r++) {
        for (size_t h = 0; h < HEADS; h++) {
            const float *in = c->x + (r * HEADS + h) * HEAD_STRIDE;
            const float *out = c->out + (r * HEADS + h) * HEAD_STRIDE;
            for (size_t m = 0; m < pairs; m++) {
                double mag;
                const double theta = angle(&c->p, c->pos[r], m, &mag);
                const size_t i = halves ? m : 2 * m;
                const size_t j = halves ? m + pairs : 2 * m + 1;
                const double a = (double)in[i];
                const double b = (double)in[j];
                assert_near("rope", m, (double)out[i], mag * (a * cos(theta) - b * sin(theta)),
                            1e-5);
                assert_near("rope", m, (double)out[j], mag * (a * sin(theta) + b * cos(theta)),
                            1e-5);
            }
            assert_memory_equal(in + c->p.n_rot, out + c->p.n_rot,
                                (HEAD_STRIDE - c->p.n_rot) * sizeof(float));
        }
    }
}

static void test_rope(void **state)
{
    static const float factors[] = {1, 1, 2, 8, 8, 1e30f, 3, 4, 1, 1, 1, 1, 1, 1, 1, 1};
    static struct rope_case c = {.pos = {0, 1, 77, 100000}};
    const struct gs_rope_params plain = {.n_rot = 64,
                                         .freq_base = 10000,
                                         .freq_scale = 1,
                                         .attn_factor = 1,
                                         .beta_fast = 32,
                                         .beta_slow = 1,
                                         .ctx_orig = 4096};
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 2);
    random_floats(&r, c.x, GS_COUNT_OF(c.x), 1);
    for (int variant = 0; variant < 8; variant++) {
        c.p = plain;
        c.p.pairs = variant % 2 ? GS_ROPE_HALVES : GS_ROPE_ADJACENT;
        if (variant / 2 == 1)
            c.p.freq_scale = 0.25f;
        if (variant / 2 == 2) {
            c.p.n_rot = 32;
            c.p.freq_factors = factors;
        }
        if (variant / 2 == 3) {
            c.p.freq_scale = 1 / 32.0f;
            c.p.ext_factor = 1;
            c.p.attn_factor = 0.9f;
        }
        FOR_LEVELS(l)
        {
            check_threads(l, run_rope, &c, c.out, GS_COUNT_OF(c.out));
            check_rope(&c);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_rope),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
