/* Mixture of experts against plain sums in double precision. */
#include "kernel_test.h"

#define ROWS    13
#define IN      64
#define FF      96
#define EXPERTS 7
#define USED    3

struct moe_case {
    struct gs_moe m;
    struct gs_tensor gate, up, gate_up, down;
    float gate_w[EXPERTS][FF][IN];
    float up_w[EXPERTS][FF][IN];
    float gate_up_w[EXPERTS][2 * FF][IN];
    float down_w[EXPERTS][IN][FF];
    float logits[ROWS * EXPERTS];
    float probs[ROWS * EXPERTS];
    float x[ROWS * IN];
    float out[ROWS * IN];
    int32_t ids[ROWS * USED];
    float weights[ROWS * USED];
    void *work, *q;
};

static struct gs_tensor tensor_of(const void *data, size_t in, size_t out)
{
    return (struct gs_tensor){.type = GS_TYPE_F32,
                              .ne = {in, out, EXPERTS, 1},
                              .row_bytes = in * sizeof(float),
                              .data = data,
                              .n_bytes = in * out * EXPERTS * sizeof(float)};
}

static void case_init(struct moe_case *c, struct gs_rng *r)
{
    random_floats(r, c->gate_w[0][0], EXPERTS * FF * IN, 0.3);
    random_floats(r, c->up_w[0][0], EXPERTS * FF * IN, 0.3);
    random_floats(r, c->down_w[0][0], EXPERTS * FF * IN, 0.3);
    random_floats(r, c->x, ROWS * IN, 1);
    random_floats(r, c->logits, ROWS * EXPERTS, 1);
    for (size_t e = 0; e < EXPERTS; e++) {
        memcpy(c->gate_up_w[e][0], c->gate_w[e][0], sizeof(c->gate_w[e]));
        memcpy(c->gate_up_w[e][FF], c->up_w[e][0], sizeof(c->up_w[e]));
    }
    c->logits[0] = c->logits[5] = 9;  /* a tie */
    for (size_t i = 0; i < ROWS; i++) /* nobody chooses the last expert */
        c->logits[i * EXPERTS + EXPERTS - 1] = -30;
    c->gate = tensor_of(c->gate_w, IN, FF);
    c->up = tensor_of(c->up_w, IN, FF);
    c->gate_up = tensor_of(c->gate_up_w, IN, 2 * FF);
    c->down = tensor_of(c->down_w, FF, IN);
    c->m = (struct gs_moe){.n_expert = EXPERTS,
                           .n_used = USED,
                           .renormalise = true,
                           .weight_scale = 1,
                           .gate = &c->gate,
                           .up = &c->up,
                           .down = &c->down};
    c->work = aligned_alloc(64, (gs_moe_work_bytes(ROWS, &c->m) + 63) / 64 * 64);
    c->q = aligned_alloc(64, gs_act_bytes(ROWS, IN));
}

static void run_case(struct gs_lane *lane, void *arg)
{
    struct moe_case *c = arg;
    struct gs_act x = gs_act(gs_rows(c->x, ROWS, IN), c->q);

    gs_op_copy(lane, gs_rows(c->probs, ROWS, EXPERTS), gs_rows(c->logits, ROWS, EXPERTS));
    gs_op_moe_route(lane, c->ids, c->weights, gs_rows(c->probs, ROWS, EXPERTS), &c->m);
    gs_op_moe(lane, gs_rows(c->out, ROWS, IN), &x, c->ids, c->weights, &c->m, c->work);
}

static void check_route(const struct moe_case *c)
{
    for (size_t r = 0; r < ROWS; r++) {
        const float *logits = c->logits + r * EXPERTS;
        const int32_t *ids = c->ids + r * USED;
        double all = 0;
        double chosen = 0;
        for (size_t e = 0; e < EXPERTS; e++)
            all += exp((double)logits[e]);
        for (size_t i = 0; i < USED; i++)
            chosen += exp((double)logits[ids[i]]);
        for (size_t i = 0; i < USED; i++) {
            const double p = exp((double)logits[ids[i]]) / (c->m.renormalise ? chosen : all);
            assert_near("weight", i, (double)c->weights[r * USED + i],
                        p * (double)c->m.weight_scale, 1e-6);
            if (i > 0)
                assert_true(logits[ids[i]] < logits[ids[i - 1]] ||
                            (logits[ids[i]] == logits[ids[i - 1]] && ids[i] > ids[i - 1]));
        }
    }
    assert_int_equal(c->ids[0], 0);
    assert_int_equal(c->ids[1], 5);
}

static void check_values(const struct moe_case *c)
{
    for (size_t r = 0; r < ROWS; r++) {
        double want[IN] = {0};
        for (size_t i = 0; i < USED; i++) {
            const size_t e = (size_t)c->ids[r * USED + i];
            double h[FF];
            for (size_t f = 0; f < FF; f++) {
                double gate = 0;
                double up = 0;
                for (size_t j = 0; j < IN; j++) {
                    gate += (double)c->gate_w[e][f][j] * (double)c->x[r * IN + j];
                    up += (double)c->up_w[e][f][j] * (double)c->x[r * IN + j];
                }
                h[f] = gate / (1 + exp(-gate)) * up;
            }
            for (size_t j = 0; j < IN; j++)
                for (size_t f = 0; f < FF; f++)
                    want[j] += (double)c->weights[r * USED + i] * (double)c->down_w[e][j][f] * h[f];
        }
        for (size_t j = 0; j < IN; j++)
            assert_near("moe", j, (double)c->out[r * IN + j], want[j], 2e-4);
    }
}

static void test_moe(void **state)
{
    static struct moe_case c;
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 1);
    case_init(&c, &r);
    for (int variant = 0; variant < 3; variant++) {
        c.m.gate_up = variant == 1 ? &c.gate_up : NULL;
        c.m.renormalise = variant != 2;
        c.m.weight_scale = variant == 2 ? 2.5f : 1;
        FOR_LEVELS(l)
        {
            memset(c.work, 0xff, gs_moe_work_bytes(ROWS, &c.m));
            check_threads(l, run_case, &c, c.out, ROWS * IN);
            check_route(&c);
            check_values(&c);
        }
    }
    free(c.work);
    free(c.q);
}

/* Logits that are all NaN still choose distinct experts. */
static void test_nan_logits(void **state)
{
    static struct moe_case c;
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 2);
    case_init(&c, &r);
    for (size_t i = 0; i < ROWS * EXPERTS; i++)
        c.logits[i] = NAN;
    FOR_LEVELS(l)
    {
        run_lanes(2, l, run_case, &c);
        for (size_t i = 0; i < ROWS; i++)
            for (int32_t j = 0; j < USED; j++)
                assert_int_equal(c.ids[i * USED + (size_t)j], j);
    }
    free(c.work);
    free(c.q);
}

/* ---- quantised experts ---- */

#define Q_ROWS    75
#define Q_EXPERTS 5
#define Q_USED    2

/* Types and widths; more than 16 tokens of an expert take panels, if both sides can. */
struct quant_shape {
    enum gs_type gate, up, down;
    size_t in, ff, n_out;
    bool bias;
};

struct quant_case {
    const struct quant_shape *shape;
    struct gs_moe m;
    struct gs_tensor gate, up, down;
    size_t n_rows;
    float *x, *out;
    int32_t ids[Q_ROWS * Q_USED];
    float weights[Q_ROWS * Q_USED];
    float gate_bias[Q_EXPERTS * 512], down_bias[Q_EXPERTS * 512];
    void *work, *q;
};

static struct gs_tensor random_experts(struct gs_rng *r, enum gs_type type, size_t in, size_t out)
{
    struct gs_tensor t = {.type = type, .ne = {in, out, Q_EXPERTS, 1}};
    uint8_t *data;

    t.row_bytes = in / gs_type_block_len(type) * gs_type_block_bytes(type);
    t.n_bytes = t.row_bytes * out * Q_EXPERTS;
    t.data = data = malloc(t.n_bytes);
    for (size_t i = 0; i < N_FORMATS; i++)
        if (formats[i].type == type)
            for (size_t row = 0; row < out * Q_EXPERTS; row++)
                random_weights(r, &formats[i], PATTERN_RANDOM, data + row * t.row_bytes, in);
    return t;
}

static void quant_init(struct quant_case *c, const struct quant_shape *shape)
{
    /* How many tokens' first choice each expert is: none, one, an odd number, whole panels. */
    static const int32_t first[Q_EXPERTS] = {0, 1, 17, 25, 32};
    struct gs_rng r;
    size_t row = 0;

    gs_rng_seed(&r, 3);
    *c = (struct quant_case){.shape = shape, .n_rows = Q_ROWS};
    c->gate = random_experts(&r, shape->gate, shape->in, shape->ff);
    c->up = random_experts(&r, shape->up, shape->in, shape->ff);
    c->down = random_experts(&r, shape->down, shape->ff, shape->n_out);
    c->x = malloc(Q_ROWS * shape->in * sizeof(float));
    c->out = malloc(Q_ROWS * shape->n_out * sizeof(float));
    random_floats(&r, c->x, Q_ROWS * shape->in, 1e-3);
    random_floats(&r, c->gate_bias, Q_EXPERTS * 512, 1);
    random_floats(&r, c->down_bias, Q_EXPERTS * 512, 1);
    for (int32_t e = 0; e < Q_EXPERTS; e++)
        for (int32_t i = 0; i < first[e]; i++, row++) {
            c->ids[Q_USED * row] = e;
            c->ids[Q_USED * row + 1] = e == 1 ? 2 : 1 + (e + 1 + i / 24) % 4;
            c->weights[Q_USED * row] = 0.75f;
            c->weights[Q_USED * row + 1] = 0.25f;
        }
    assert_int_equal(row, Q_ROWS);
    c->m = (struct gs_moe){.n_expert = Q_EXPERTS,
                           .n_used = Q_USED,
                           .gate = &c->gate,
                           .up = &c->up,
                           .down = &c->down,
                           .gate_bias = shape->bias ? c->gate_bias : NULL,
                           .up_bias = shape->bias ? c->gate_bias : NULL,
                           .down_bias = shape->bias ? c->down_bias : NULL};
    c->work = aligned_alloc(64, (gs_moe_work_bytes(Q_ROWS, &c->m) + 63) / 64 * 64);
    c->q = aligned_alloc(64, gs_act_bytes(Q_ROWS, shape->in));
    memset(c->work, 0xff, gs_moe_work_bytes(Q_ROWS, &c->m));
}

static void quant_free(struct quant_case *c)
{
    free((void *)(uintptr_t)c->gate.data);
    free((void *)(uintptr_t)c->up.data);
    free((void *)(uintptr_t)c->down.data);
    free(c->x);
    free(c->out);
    free(c->work);
    free(c->q);
}

static void run_quant(struct gs_lane *lane, void *arg)
{
    struct quant_case *c = arg;
    struct gs_act x = gs_act(gs_rows(c->x, c->n_rows, c->shape->in), c->q);

    gs_op_moe(lane, gs_rows(c->out, c->n_rows, c->shape->n_out), &x, c->ids, c->weights, &c->m,
              c->work);
}

/* Row `row` of expert e times x, in double precision. */
static double exact_dot(const struct gs_tensor *w, size_t e, size_t row, const double *x)
{
    float values[512];
    double sum = 0;

    gs_compute_dequant_row(w->type, w->data + (e * w->ne[1] + row) * w->row_bytes, values,
                           w->ne[0]);
    for (size_t i = 0; i < w->ne[0]; i++)
        sum += (double)values[i] * x[i];
    return sum;
}

/* out[n_out] of one row, from the weights as they are dequantised and activations as they are. */
static void exact_row(const struct quant_case *c, size_t row, double *out)
{
    const struct quant_shape *s = c->shape;
    double x[512];
    double h[512];

    for (size_t i = 0; i < s->in; i++)
        x[i] = (double)c->x[row * s->in + i];
    memset(out, 0, s->n_out * sizeof(*out));
    for (size_t rank = 0; rank < Q_USED; rank++) {
        const size_t e = (size_t)c->ids[row * Q_USED + rank];
        for (size_t f = 0; f < s->ff; f++) {
            const double b = s->bias ? (double)c->gate_bias[e * s->ff + f] : 0;
            const double gate = exact_dot(&c->gate, e, f, x) + b;
            h[f] = gate / (1 + exp(-gate)) * (exact_dot(&c->up, e, f, x) + b);
        }
        for (size_t j = 0; j < s->n_out; j++)
            out[j] += (double)c->weights[row * Q_USED + rank] *
                      (exact_dot(&c->down, e, j, h) +
                       (s->bias ? (double)c->down_bias[e * s->n_out + j] : 0));
    }
}

/* The error that activations of eight bits leave. */
static void check_quant(const struct quant_case *c, const double *want)
{
    for (size_t row = 0; row < c->n_rows; row++) {
        double wrong = 0;
        double all = 0;
        for (size_t j = 0; j < c->shape->n_out; j++) {
            const double w = want[row * c->shape->n_out + j];
            const double d = (double)c->out[row * c->shape->n_out + j] - w;
            wrong += d * d;
            all += w * w;
        }
        assert_near("relative error of row", row, sqrt(wrong / all), 0, 0.06);
    }
}

static void test_quantised(void **state)
{
    static const struct quant_shape shapes[] = {
        {GS_TYPE_Q4_K, GS_TYPE_Q4_K, GS_TYPE_Q6_K, 256, 512, 100, false},
        {GS_TYPE_Q8_0, GS_TYPE_Q4_0, GS_TYPE_MXFP4, 96, 288, 61, true},
        {GS_TYPE_Q4_K, GS_TYPE_Q8_0, GS_TYPE_F16, 256, 96, 33, true},
        {GS_TYPE_BF16, GS_TYPE_F32, GS_TYPE_Q8_0, 64, 320, 48, false},
    };
    static struct quant_case c;

    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        quant_init(&c, &shapes[i]);
        double *want = malloc(Q_ROWS * shapes[i].n_out * sizeof(*want));
        for (size_t row = 0; row < Q_ROWS; row++)
            exact_row(&c, row, want + row * shapes[i].n_out);
        FOR_LEVELS(l)
        {
            c.n_rows = Q_ROWS;
            check_threads(l, run_quant, &c, c.out, c.n_rows * shapes[i].n_out);
            check_quant(&c, want);
            c.n_rows = 1;
            check_threads(l, run_quant, &c, c.out, c.n_rows * shapes[i].n_out);
            check_quant(&c, want);
        }
        free(want);
        quant_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moe),
        cmocka_unit_test(test_nan_logits),
        cmocka_unit_test(test_quantised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
