/* The gated delta rule, its gates and its convolution against double precision; prompts in pieces
 * give the bits of prompts at once. */
#include "kernel_test.h"

#define ROWS     11
#define CHANNELS 150
#define TAPS     4

/* ---- convolution ---- */

#define HEAD  20 /* channels of a head that is normed */
#define HEADS 3

struct conv_case {
    float w[CHANNELS * TAPS];
    float u[ROWS * CHANNELS];
    float state[2][(TAPS - 1) * CHANNELS];
    float start[2][(TAPS - 1) * CHANNELS];
    float out[ROWS * CHANNELS];
    size_t n_normed; /* channels */
    size_t cut;      /* tokens of the first call of the first run; 0 = all */
};

#define RUN_0 7 /* rows of the first run; the rest are the second's */

static void run_conv(struct gs_lane *lane, void *arg)
{
    struct conv_case *c = arg;
    struct gs_delta_inputs p = {.out = gs_rows(c->out, ROWS, CHANNELS),
                                .u = gs_rows(c->u, ROWS, CHANNELS),
                                .w = c->w,
                                .taps = TAPS,
                                .n_normed = c->n_normed,
                                .d = HEAD,
                                .eps = 1e-6f};
    const size_t cut = c->cut > 0 ? c->cut : RUN_0;
    const struct gs_state_run runs[] = {{c->state[0], NULL, 0, cut},
                                        {c->state[1], NULL, RUN_0, ROWS - RUN_0}};
    const struct gs_state_run rest = {c->state[0], NULL, cut, RUN_0 - cut};

    if (lane->idx == 0)
        memcpy(c->state, c->start, sizeof(c->state));
    gs_lane_sync(lane);
    p.runs = runs;
    p.n_runs = 2;
    gs_op_delta_inputs(lane, &p);
    p.runs = &rest;
    p.n_runs = 1;
    gs_op_delta_inputs(lane, &p);
}

static double conv_input(const struct conv_case *c, size_t run, long t, size_t ch)
{
    const size_t first = run == 0 ? 0 : RUN_0;

    if (t < 0)
        return (double)c->start[run][(size_t)(t + TAPS - 1) * CHANNELS + ch];
    return (double)c->u[(first + (size_t)t) * CHANNELS + ch];
}

/* Channel ch of row r, not normed. */
static double conv_output(const struct conv_case *c, size_t r, size_t ch)
{
    const size_t run = r >= RUN_0;
    const long t = (long)(r - run * RUN_0);
    double sum = 0;

    for (int j = 0; j < TAPS; j++)
        sum += (double)c->w[ch * TAPS + (size_t)j] * conv_input(c, run, t - TAPS + 1 + j, ch);
    return sum / (1 + exp(-sum));
}

static double conv_norm(const struct conv_case *c, size_t r, size_t ch)
{
    double squares = 0;

    if (ch >= c->n_normed)
        return 1;
    for (size_t i = ch - ch % HEAD; i < ch - ch % HEAD + HEAD; i++)
        squares += conv_output(c, r, i) * conv_output(c, r, i);
    return sqrt(squares);
}

static void check_conv(const struct conv_case *c)
{
    for (size_t r = 0; r < ROWS; r++)
        for (size_t ch = 0; ch < CHANNELS; ch++)
            assert_near("conv", ch, (double)c->out[r * CHANNELS + ch],
                        conv_output(c, r, ch) / conv_norm(c, r, ch), 1e-5);
    for (size_t run = 0; run < 2; run++) {
        const long n = run == 0 ? RUN_0 : ROWS - RUN_0;
        for (int j = 0; j < TAPS - 1; j++)
            for (size_t ch = 0; ch < CHANNELS; ch++)
                assert_true((double)c->state[run][(size_t)j * CHANNELS + ch] ==
                            conv_input(c, run, n - TAPS + 1 + j, ch));
    }
}

static void test_conv(void **state)
{
    static struct conv_case c;
    static float whole[ROWS * CHANNELS];
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 1);
    random_floats(&r, c.w, GS_COUNT_OF(c.w), 1);
    random_floats(&r, c.u, GS_COUNT_OF(c.u), 1);
    random_floats(&r, c.start[0], 2 * (TAPS - 1) * CHANNELS, 1);
    for (size_t h = 0; h <= HEADS; h += HEADS)
        FOR_LEVELS(l)
        {
            c.n_normed = h * HEAD;
            for (c.cut = 0; c.cut < RUN_0; c.cut++) {
                check_threads(l, run_conv, &c, c.out, GS_COUNT_OF(c.out));
                check_conv(&c);
                if (c.cut == 0)
                    memcpy(whole, c.out, sizeof(whole));
                assert_memory_equal(whole, c.out, sizeof(whole));
            }
        }
}

/* ---- delta rule ---- */

#define N_K   2
#define N_V   4
#define D     40
#define N_RUN 2

struct delta_case {
    float q[ROWS * N_K * D];
    float k[ROWS * N_K * D];
    float v[ROWS * N_V * D];
    float g[ROWS * N_V];
    float beta[ROWS * N_V];
    float start[N_RUN][N_V * D * D];
    float delta[N_RUN][N_V * D * D];
    float out[ROWS * N_V * D];
    size_t cut;
};

static void run_delta(struct gs_lane *lane, void *arg)
{
    struct delta_case *c = arg;
    const size_t cut = c->cut > 0 ? c->cut : RUN_0;
    const struct gs_state_run runs[] = {{NULL, c->delta[0], 0, cut},
                                        {NULL, c->delta[1], RUN_0, ROWS - RUN_0}};
    const struct gs_state_run rest = {NULL, c->delta[0], cut, RUN_0 - cut};
    struct gs_delta_rule p = {.n_k = N_K,
                              .n_v = N_V,
                              .d = D,
                              .q = gs_rows(c->q, ROWS, N_K * D),
                              .k = gs_rows(c->k, ROWS, N_K * D),
                              .v = gs_rows(c->v, ROWS, N_V * D),
                              .g = gs_rows(c->g, ROWS, N_V),
                              .beta = gs_rows(c->beta, ROWS, N_V),
                              .runs = runs,
                              .n_runs = 2};

    if (lane->idx == 0)
        memcpy(c->delta, c->start, sizeof(c->delta));
    gs_lane_sync(lane);
    gs_op_delta_rule(lane, gs_rows(c->out, ROWS, N_V * D), &p);
    p.runs = &rest;
    p.n_runs = 1;
    gs_op_delta_rule(lane, gs_rows(c->out, ROWS, N_V * D), &p);
}

/* S <- e^g S; u = beta (v - S k); S <- S + u k^T; out = S q / sqrt(d): as it is written. */
static void check_delta_head(const struct delta_case *c, size_t run, size_t head)
{
    double s[D][D]; /* [k][v] */
    const size_t key = head % N_K * D;

    for (size_t i = 0; i < D * D; i++)
        s[i / D][i % D] = (double)c->start[run][head * D * D + i];
    for (size_t r = run == 0 ? 0 : RUN_0; r < (run == 0 ? RUN_0 : ROWS); r++) {
        const float *q = c->q + r * N_K * D + key;
        const float *k = c->k + r * N_K * D + key;
        const float *v = c->v + (r * N_V + head) * D;
        const double decay = exp((double)c->g[r * N_V + head]);
        for (size_t i = 0; i < D; i++) {
            double sk = 0;
            double out = 0;
            for (size_t j = 0; j < D; j++) {
                s[j][i] *= decay;
                sk += s[j][i] * (double)k[j];
            }
            const double u = (double)c->beta[r * N_V + head] * ((double)v[i] - sk);
            for (size_t j = 0; j < D; j++) {
                s[j][i] += u * (double)k[j];
                out += s[j][i] * (double)q[j];
            }
            assert_near("delta", i, (double)c->out[(r * N_V + head) * D + i], out / sqrt(D), 1e-5);
        }
    }
    for (size_t i = 0; i < D * D; i++)
        assert_near("state", i, (double)c->delta[run][head * D * D + i], s[i / D][i % D], 1e-5);
}

static void normalise(float *x, size_t n)
{
    for (size_t i = 0; i < n; i += D) {
        float sum = 0;
        for (size_t j = 0; j < D; j++)
            sum += x[i + j] * x[i + j];
        for (size_t j = 0; j < D; j++)
            x[i + j] /= sqrtf(sum);
    }
}

static void test_delta(void **state)
{
    static struct delta_case c;
    static float whole[ROWS * N_V * D];
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 2);
    random_floats(&r, c.q, GS_COUNT_OF(c.q), 1);
    random_floats(&r, c.k, GS_COUNT_OF(c.k), 1);
    random_floats(&r, c.v, GS_COUNT_OF(c.v), 1);
    random_floats(&r, c.start[0], N_RUN * N_V * D * D, 1);
    normalise(c.q, GS_COUNT_OF(c.q));
    normalise(c.k, GS_COUNT_OF(c.k));
    for (size_t i = 0; i < ROWS * N_V; i++) {
        c.g[i] = -(float)gs_rng_double(&r) * (i % 5 == 0 ? 200.0f : 1.0f);
        c.beta[i] = (float)gs_rng_double(&r);
    }
    FOR_LEVELS(l)
    {
        for (c.cut = 0; c.cut < RUN_0; c.cut += 3) {
            check_threads(l, run_delta, &c, c.out, GS_COUNT_OF(c.out));
            for (size_t run = 0; run < N_RUN; run++)
                for (size_t h = 0; h < N_V; h++)
                    check_delta_head(&c, run, h);
            if (c.cut == 0)
                memcpy(whole, c.out, sizeof(whole));
            assert_memory_equal(whole, c.out, sizeof(whole));
        }
    }
}

/* ---- gates ---- */

struct gates_case {
    float x[ROWS * N_V], b[ROWS * N_V];
    float out[2][ROWS * N_V];
    float a[N_V], dt[N_V];
};

static void run_gates(struct gs_lane *lane, void *arg)
{
    struct gates_case *c = arg;
    const struct gs_delta_inputs p = {.taps = TAPS,
                                      .g = gs_rows(c->out[0], ROWS, N_V),
                                      .beta = gs_rows(c->out[1], ROWS, N_V),
                                      .a = c->a,
                                      .dt = c->dt};

    gs_op_copy(lane, gs_rows(c->out[0], ROWS, N_V), gs_rows(c->x, ROWS, N_V));
    gs_op_copy(lane, gs_rows(c->out[1], ROWS, N_V), gs_rows(c->b, ROWS, N_V));
    gs_op_delta_inputs(lane, &p);
}

static void test_gates(void **state)
{
    static struct gates_case c = {.a = {-0.1f, -1, -2, -0.5f}, .dt = {0, 1, -1, 15}};
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 3);
    random_floats(&r, c.x, ROWS * N_V, 8);
    random_floats(&r, c.b, ROWS * N_V, 8);
    FOR_LEVELS(l)
    {
        check_threads(l, run_gates, &c, c.out[0], 2 * ROWS * N_V);
        for (size_t i = 0; i < ROWS * N_V; i++) {
            const double x = (double)c.x[i] + (double)c.dt[i % N_V];
            const double g = (double)c.a[i % N_V] * log1p(exp(x));
            assert_near("gate", i, (double)c.out[0][i], g, 1e-6 * fabs(g) + 1e-8);
            assert_near("beta", i, (double)c.out[1][i], 1 / (1 + exp(-(double)c.b[i])), 1e-6);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_delta),
        cmocka_unit_test(test_gates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
