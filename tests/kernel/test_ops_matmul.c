/* Matrix products and embedding rows against plain sums in double precision. */
#include "kernel_test.h"

#define PANEL_ROWS 12 /* from here on products are made from panels */
#define MAX_DIM    1024
#define MAX_OUT    150

struct matmul_case {
    size_t rows, dim;
    size_t n_m;
    struct gs_tensor w[3];
    struct gs_matmul m[3];
    float bias[MAX_OUT];
    struct guarded guard[3];
    uint8_t *weights[3];
    float *x;
    float *out; /* [rows][out of all products] */
    void *q;
    size_t out_dim;
};

static struct gs_tensor tensor_of(enum gs_type t, size_t in, size_t out, const uint8_t *data)
{
    const size_t row_bytes = in / gs_type_block_len(t) * gs_type_block_bytes(t);

    return (struct gs_tensor){.type = t,
                              .ne = {in, out, 1, 1},
                              .row_bytes = row_bytes,
                              .data = data,
                              .n_bytes = row_bytes * out};
}

static void case_init(struct matmul_case *c, struct gs_rng *r, const struct format *const *f,
                      const size_t *outs, size_t n_m, size_t rows, size_t dim)
{
    *c = (struct matmul_case){.rows = rows, .dim = dim, .n_m = n_m};
    for (size_t i = 0; i < n_m; i++)
        c->out_dim += outs[i];
    c->x = malloc(rows * dim * sizeof(float));
    c->out = malloc(rows * c->out_dim * sizeof(float));
    c->q = aligned_alloc(64, gs_act_bytes(rows, dim));
    random_floats(r, c->x, rows * dim, 1);
    random_floats(r, c->bias, MAX_OUT, 1);
    size_t base = 0;
    for (size_t i = 0; i < n_m; i++) {
        c->w[i] = tensor_of(f[i]->type, dim, outs[i], NULL);
        c->guard[i] = guarded_alloc(c->w[i].n_bytes);
        c->weights[i] = c->guard[i].p;
        for (size_t j = 0; j < outs[i]; j++)
            random_weights(r, f[i], PATTERN_RANDOM, c->weights[i] + j * c->w[i].row_bytes, dim);
        c->w[i].data = c->weights[i];
        c->m[i] = (struct gs_matmul){.out = {c->out + base, rows, outs[i], c->out_dim},
                                     .w = &c->w[i],
                                     .bias = i == 1 ? c->bias : NULL};
        base += outs[i];
    }
}

static void case_clear(struct matmul_case *c)
{
    for (size_t i = 0; i < c->n_m; i++)
        guarded_free(&c->guard[i]);
    free(c->x);
    free(c->out);
    free(c->q);
}

static void run_case(struct gs_lane *lane, void *arg)
{
    struct matmul_case *c = arg;
    struct gs_act x = gs_act(gs_rows(c->x, c->rows, c->dim), c->q);

    gs_op_matmul(lane, &x, c->m, c->n_m);
}

/* int8 activations: an error of 1/254 of the largest in each block. */
static void check_values(const struct matmul_case *c)
{
    static float w[MAX_DIM];

    for (size_t i = 0; i < c->n_m; i++) {
        const bool is_float = gs_kernels_act_form(c->w[i].type) == GS_ACT_F32;
        for (size_t j = 0; j < c->m[i].out.dim; j++) {
            gs_compute_dequant_row(c->w[i].type, c->w[i].data + j * c->w[i].row_bytes, w, c->dim);
            for (size_t r = 0; r < c->rows; r++) {
                double sum = c->m[i].bias ? (double)c->bias[j] : 0;
                double ww = 0;
                for (size_t k = 0; k < c->dim; k++) {
                    sum += (double)w[k] * (double)c->x[r * c->dim + k];
                    ww += (double)w[k] * (double)w[k];
                }
                assert_near(gs_type_name(c->w[i].type), j,
                            (double)c->m[i].out.p[r * c->out_dim + j], sum,
                            (is_float ? 1e-5 : 0.06) * sqrt(ww) + 1e-5);
            }
        }
    }
}

/* A token has the bits it has in the batch also in the smallest batch of its kind: alone, or, where
 * the batch is made from panels, with PANEL_ROWS - 1 others. */
static void check_alone(struct matmul_case *c, enum gs_cpu_level l)
{
    float *all = malloc(c->rows * c->out_dim * sizeof(float));
    struct matmul_case few = *c;

    memcpy(all, c->out, c->rows * c->out_dim * sizeof(float));
    few.rows = c->rows < PANEL_ROWS ? 1 : PANEL_ROWS;
    for (size_t i = 0; i < c->n_m; i++)
        few.m[i].out.n = few.rows;
    for (size_t r = 0; r + few.rows <= c->rows; r += 5) {
        few.x = c->x + r * c->dim;
        run_lanes(2, l, run_case, &few);
        assert_memory_equal(few.out, all + r * c->out_dim, few.rows * c->out_dim * sizeof(float));
    }
    memcpy(c->out, all, c->rows * c->out_dim * sizeof(float));
    free(all);
}

/* Tokens from panels are what they are alone, but for the rounding of sums. */
static void check_panels(struct matmul_case *c, enum gs_cpu_level l)
{
    float *all = malloc(c->rows * c->out_dim * sizeof(float));
    struct matmul_case one = *c;

    memcpy(all, c->out, c->rows * c->out_dim * sizeof(float));
    one.rows = 1;
    for (size_t i = 0; i < c->n_m; i++)
        one.m[i].out.n = 1;
    for (size_t r = 0; r < c->rows; r += 7) {
        double yy = 0;
        one.x = c->x + r * c->dim;
        run_lanes(1, l, run_case, &one);
        for (size_t j = 0; j < c->out_dim; j++)
            yy = GS_MAX(yy, fabs((double)one.out[j]));
        for (size_t j = 0; j < c->out_dim; j++)
            assert_near(gs_type_name(c->w[0].type), j, (double)all[r * c->out_dim + j],
                        (double)one.out[j], 2e-5 * yy);
    }
    free(all);
}

static void check_case(struct matmul_case *c)
{
    FOR_LEVELS(l)
    {
        check_threads(l, run_case, c, c->out, c->rows * c->out_dim);
        check_values(c);
        check_alone(c, l);
    }
}

static void test_every_format(void **state)
{
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 1);
    for (size_t i = 0; i < N_FORMATS; i++) {
        const struct format *f[] = {&formats[i]};
        struct matmul_case c;
        const bool small = gs_type_block_len(f[0]->type) <= 32;
        case_init(&c, &r, f, (const size_t[]){11}, 1, 9, small ? 96 : 512);
        check_case(&c);
        case_clear(&c);
    }
}

/* Every format in panels: odd numbers of rows, tokens and groups; extreme weights. */
static void test_panels(void **state)
{
    static const size_t rows[] = {16, 17, 33, 40};
    static const size_t outs[] = {1, 11, 12, 61};
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 5);
    for (size_t i = 0; i < N_FORMATS; i++) {
        const struct format *f[] = {&formats[i]};
        const bool small = gs_type_block_len(f[0]->type) <= 32;
        for (size_t j = 0; j < GS_COUNT_OF(rows); j++) {
            const enum pattern pattern = (enum pattern)(j % PATTERN_LARGEST);
            struct matmul_case c;
            case_init(&c, &r, f, &outs[j], 1, rows[j], small ? 32 + 96 * j : 256 + 256 * j);
            for (size_t k = 0; k < outs[j]; k++)
                random_weights(&r, f[0], pattern, c.weights[0] + k * c.w[0].row_bytes, c.dim);
            FOR_LEVELS(l)
            {
                check_threads(l, run_case, &c, c.out, c.rows * c.out_dim);
                check_values(&c);
                check_alone(&c, l);
                check_panels(&c, l);
            }
            case_clear(&c);
        }
    }
}

/* Numbers of tokens on both sides of what is taken at a time: eight, sixteen, a batch. */
static void test_batches(void **state)
{
    const struct format *f[] = {&formats[7], &formats[12]}; /* Q8_0, Q4_K */
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 6);
    for (size_t rows = 1; rows <= 513; rows += rows == 40 ? 471 : 1) {
        struct matmul_case c;
        case_init(&c, &r, f, (const size_t[]){9, 17}, 2, rows, 256);
        FOR_LEVELS(l)
        {
            run_lanes(2, l, run_case, &c);
            check_values(&c);
        }
        case_clear(&c);
    }
}

static void test_three_products(void **state)
{
    const struct format *f[] = {&formats[12], &formats[14], &formats[0]}; /* Q4_K Q6_K F32 */
    const size_t outs[] = {150, 33, 1};
    const size_t rows[] = {1, 2, 8, 21};
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 2);
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        struct matmul_case c;
        case_init(&c, &r, f, outs, 3, rows[i], MAX_DIM);
        check_case(&c);
        case_clear(&c);
    }
}

/* Rows larger than a chunk of the work. */
static void test_two_forms(void **state)
{
    const struct format *f[] = {&formats[7], &formats[13]}; /* Q8_0, Q5_K */
    const size_t outs[] = {40, 150};
    struct gs_rng r;
    struct matmul_case c;

    (void)state;
    gs_rng_seed(&r, 3);
    case_init(&c, &r, f, outs, 2, 13, MAX_DIM);
    check_case(&c);
    case_clear(&c);
}

/* ---- embed ---- */

struct embed_case {
    struct gs_tensor w;
    const int32_t *ids;
    struct gs_rows out;
};

static void run_embed(struct gs_lane *lane, void *arg)
{
    struct embed_case *c = arg;

    gs_op_embed(lane, c->out, &c->w, c->ids);
}

static void test_embed(void **state)
{
    static const int32_t ids[] = {6, 0, 3, 3, 2};
    static float out[5 * 256];
    static float want[256];
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 4);
    for (size_t i = 0; i < N_FORMATS; i++) {
        uint8_t data[7 * 1024];
        struct embed_case c = {tensor_of(formats[i].type, 256, 7, data), ids, gs_rows(out, 5, 256)};
        for (size_t j = 0; j < 7; j++)
            random_weights(&r, &formats[i], PATTERN_RANDOM, data + j * c.w.row_bytes, 256);
        FOR_LEVELS(l)
        {
            check_threads(l, run_embed, &c, out, 5 * 256);
            for (size_t j = 0; j < 5; j++) {
                gs_compute_dequant_row(formats[i].type, data + (size_t)ids[j] * c.w.row_bytes, want,
                                       256);
                assert_memory_equal(want, out + j * 256, sizeof(want));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_format), cmocka_unit_test(test_panels),
        cmocka_unit_test(test_batches),      cmocka_unit_test(test_three_products),
        cmocka_unit_test(test_two_forms),    cmocka_unit_test(test_embed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
