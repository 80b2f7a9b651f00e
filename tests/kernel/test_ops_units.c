/* Gated units of each kind, soft caps, and products with a matrix for each head, against their
 * definitions in double precision. */
#include "kernel_test.h"

#define ROWS   5
#define DIM    515
#define STRIDE 520

struct units_case {
    enum gs_glu kind;
    float gate[ROWS * STRIDE], up[ROWS * STRIDE];
    float out[ROWS * STRIDE];
};

static struct gs_rows rows_at(float *p)
{
    return (struct gs_rows){p, ROWS, DIM, STRIDE};
}

static void run_glu(struct gs_lane *lane, void *arg)
{
    struct units_case *c = arg;

    gs_op_copy(lane, (struct gs_rows){c->out, ROWS, STRIDE, STRIDE},
               (struct gs_rows){c->gate, ROWS, STRIDE, STRIDE});
    gs_op_glu(lane, c->kind, rows_at(c->out), rows_at(c->out), rows_at(c->up));
}

static void run_softcap(struct gs_lane *lane, void *arg)
{
    struct units_case *c = arg;

    gs_op_copy(lane, (struct gs_rows){c->out, ROWS, STRIDE, STRIDE},
               (struct gs_rows){c->gate, ROWS, STRIDE, STRIDE});
    gs_op_softcap(lane, rows_at(c->out), 2.5f);
}

/* *out_bound: GELU goes through half precision, in and out. */
static double glu(enum gs_glu kind, double g, double u, double *out_bound)
{
    const double z = sqrt(2 / acos(-1.0)) * (g + 0.044715 * g * g * g);
    const double own = fmin(g, 7);
    double want = own / (1 + exp(-1.702 * own)) * (fmax(-7, fmin(7, u)) + 1);

    if (kind == GS_GLU_SILU)
        want = g / (1 + exp(-g)) * u;
    if (kind == GS_GLU_GELU)
        want = g / 2 * (1 + tanh(z)) * u;
    *out_bound = kind == GS_GLU_GELU ? (fabs(want) + fabs(g * u)) * 0x1p-10 : fabs(want) * 3e-6;
    *out_bound += 1e-6;
    return want;
}

static void fill(struct units_case *c)
{
    static const float edges[] = {0, 7, -7, 7.5f, -7.5f, 9.99f, 10, -10, 40, -40, 1e4f, -1e4f};
    struct gs_rng r;

    gs_rng_seed(&r, 5);
    random_floats(&r, c->gate, ROWS * STRIDE, 3);
    random_floats(&r, c->up, ROWS * STRIDE, 6);
    memcpy(c->gate, edges, sizeof(edges));
}

static void check_gap(const float *out, const float *in)
{
    for (size_t r = 0; r < ROWS; r++)
        assert_memory_equal(out + r * STRIDE + DIM, in + r * STRIDE + DIM,
                            (STRIDE - DIM) * sizeof(float));
}

static void test_gated_units(void **state)
{
    static const enum gs_glu kinds[] = {GS_GLU_SILU, GS_GLU_GELU, GS_GLU_CLAMPED};
    static struct units_case c;

    (void)state;
    fill(&c);
    for (size_t k = 0; k < GS_COUNT_OF(kinds); k++) {
        c.kind = kinds[k];
        FOR_LEVELS(l)
        {
            check_threads(l, run_glu, &c, c.out, ROWS * STRIDE);
            for (size_t i = 0; i < ROWS * STRIDE; i++) {
                double bound;
                const double want = glu(c.kind, (double)c.gate[i], (double)c.up[i], &bound);
                if (i % STRIDE < DIM)
                    assert_near("glu", i, (double)c.out[i], want, bound);
            }
            check_gap(c.out, c.gate);
        }
    }
}

static void test_softcap(void **state)
{
    static struct units_case c;

    (void)state;
    fill(&c);
    FOR_LEVELS(l)
    {
        check_threads(l, run_softcap, &c, c.out, ROWS * STRIDE);
        for (size_t i = 0; i < ROWS * STRIDE; i++) {
            const double want = 2.5 * tanh((double)c.gate[i] / 2.5);
            if (i % STRIDE < DIM)
                assert_near("softcap", i, (double)c.out[i], want, 3e-6 * fabs(want));
        }
        check_gap(c.out, c.gate);
    }
}

/* ---- a matrix for each head ---- */

#define HEADS  3
#define IN     32
#define OUT    19
#define TOKENS 7

struct heads_case {
    float w[HEADS * OUT * IN];
    float x[TOKENS * HEADS * IN];
    float out[TOKENS * HEADS * OUT];
};

static void run_heads(struct gs_lane *lane, void *arg)
{
    struct heads_case *c = arg;
    const struct gs_tensor w = {.type = GS_TYPE_F32,
                                .ne = {IN, OUT, HEADS, 1},
                                .row_bytes = IN * sizeof(float),
                                .data = (const uint8_t *)c->w,
                                .n_bytes = sizeof(c->w)};
    struct gs_act x = gs_act(gs_rows(c->x, TOKENS * HEADS, IN), NULL);

    gs_op_matmul_heads(lane, &x, gs_rows(c->out, TOKENS * HEADS, OUT), &w);
}

static void test_matmul_heads(void **state)
{
    static struct heads_case c;
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 6);
    random_floats(&r, c.w, GS_COUNT_OF(c.w), 1);
    random_floats(&r, c.x, GS_COUNT_OF(c.x), 1);
    FOR_LEVELS(l)
    {
        check_threads(l, run_heads, &c, c.out, GS_COUNT_OF(c.out));
        for (size_t i = 0; i < GS_COUNT_OF(c.out); i++) {
            const size_t row = i / OUT; /* token and head */
            const float *w = c.w + (row % HEADS * OUT + i % OUT) * IN;
            double want = 0;
            for (size_t j = 0; j < IN; j++)
                want += (double)w[j] * (double)c.x[row * IN + j];
            assert_near("heads", i, (double)c.out[i], want, 2e-5);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gated_units),
        cmocka_unit_test(test_softcap),
        cmocka_unit_test(test_matmul_heads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
