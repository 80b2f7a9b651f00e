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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moe),
        cmocka_unit_test(test_nan_logits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
